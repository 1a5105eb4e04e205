"""Working ahead: same items, same order, errors in their place, and no thread left behind."""

import threading
from collections.abc import Generator
from contextlib import closing

import pytest

from engine.ahead import ahead


def threads() -> list[threading.Thread]:
    return [t for t in threading.enumerate() if t.name == "n2f-ahead"]


def test_items_come_in_order_and_the_thread_ends():
    assert list(ahead(k * k for k in range(100))) == [k * k for k in range(100)]
    assert not threads()


def test_no_more_are_made_than_were_asked_for_and_the_depth():
    made = []

    def numbers() -> Generator[int, None, None]:
        for k in range(50):
            made.append(k)
            yield k

    with closing(ahead(numbers(), depth=2)) as items:
        for wanted in range(3):
            assert next(items) == wanted
        # Three given out, two waiting, and one in hand that finds no room.
        assert len(made) <= 6
    assert not threads()
    assert len(made) <= 7


def test_an_error_comes_after_the_items_before_it():
    def breaks() -> Generator[int, None, None]:
        yield 1
        yield 2
        raise ValueError("the third")

    items = ahead(breaks())
    assert [next(items), next(items)] == [1, 2]
    with pytest.raises(ValueError, match="the third"):
        next(items)
    assert not threads()


def test_leaving_early_closes_what_was_read_from_at_each_step():
    closed = []

    def source() -> Generator[int, None, None]:
        try:
            yield from range(10**6)
        finally:
            closed.append("source")

    def doubled(items: Generator[int, None, None]) -> Generator[int, None, None]:
        with closing(items):
            for item in items:
                yield 2 * item

    with closing(ahead(doubled(ahead(source())))) as items:
        assert [next(items) for _ in range(4)] == [0, 2, 4, 6]
    assert closed == ["source"]
    assert not threads()


def test_steps_run_on_threads_of_their_own_at_once():
    """Each of two steps waits for the other to be at work: one alone would wait forever."""
    meeting = threading.Barrier(2, timeout=20)

    def first() -> Generator[int, None, None]:
        yield 0  # the reader has this one while the next is made
        meeting.wait()
        yield 1

    items = ahead(first())
    assert next(items) == 0
    meeting.wait()
    assert list(items) == [1]


def test_an_interrupted_reader_leaves_no_thread():
    def interrupted() -> None:
        with closing(ahead(iter_forever())) as items:
            for _ in items:
                raise KeyboardInterrupt

    def iter_forever() -> Generator[int, None, None]:
        while True:
            yield 0

    with pytest.raises(KeyboardInterrupt):
        interrupted()
    assert not threads()
