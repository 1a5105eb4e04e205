"""The mailbox: newest wins, nothing older ever comes after, drops are counted."""

import threading

from hypothesis import given
from hypothesis import strategies as st

from app.mailbox import Mailbox


def test_only_the_newest_item_is_kept_and_the_others_are_counted():
    box: Mailbox[int] = Mailbox()
    for item in (1, 2, 3):
        box.put(item)
    assert box.take() == 3
    assert box.take() is None
    assert box.dropped == 2


def test_put_tells_that_the_reader_needs_waking_only_when_the_box_was_empty():
    box: Mailbox[int] = Mailbox()
    assert [box.put(1), box.put(2)] == [True, False]
    box.take()
    assert box.put(3)


def test_close_wakes_a_waiting_reader():
    box: Mailbox[int] = Mailbox()
    taken: list[int | None] = []
    reader = threading.Thread(target=lambda: taken.append(box.take(timeout_s=None)))
    reader.start()
    box.close()
    reader.join(5.0)
    assert taken == [None]
    assert not box.put(1)
    assert box.take() is None


def test_what_lay_in_the_box_can_be_taken_after_close():
    box: Mailbox[int] = Mailbox()
    box.put(7)
    box.close()
    assert box.take(timeout_s=None) == 7


@given(st.lists(st.booleans(), max_size=60))
def test_every_item_is_taken_or_dropped_and_order_is_kept(steps: list[bool]):
    box: Mailbox[int] = Mailbox()
    taken, n_put = [], 0
    for is_put in steps:
        if is_put:
            n_put += 1
            box.put(n_put)
        elif (item := box.take()) is not None:
            taken.append(item)
    waiting = [item] if (item := box.take()) is not None else []
    assert taken + waiting == sorted(set(taken + waiting))
    assert len(taken + waiting) + box.dropped == n_put


def test_a_slow_reader_in_another_thread_never_sees_an_older_item():
    box: Mailbox[int] = Mailbox()
    seen: list[int] = []

    def read() -> None:
        while not box.closed or seen[-1:] != [20_000]:
            if (item := box.take(0.1)) is not None:
                seen.append(item)

    reader = threading.Thread(target=read)
    reader.start()
    for item in range(1, 20_001):
        box.put(item)
    box.close()
    reader.join(10.0)
    assert not reader.is_alive()
    assert seen == sorted(seen)
    assert len(seen) + box.dropped == 20_000
