"""Whose turn it is: the first face always, the others by turns within their share of the time."""

from engine.face_turns import FaceTurns


def played(turns: FaceTurns, ids: list[int], n: int, *, ms: float = 20.0) -> list[frozenset[int]]:
    """n frames that show these faces, each fit of which takes ms."""
    chosen = []
    for _ in range(n):
        chosen.append(turns.choose(ids))
        for face_id in chosen[-1]:
            turns.note(ms, first=face_id == ids[0])
    return chosen


def test_a_face_alone_is_fitted_in_every_frame():
    assert played(FaceTurns(), [7], 5) == [frozenset({7})] * 5


def test_a_second_face_is_fitted_at_once_and_then_in_every_other_frame():
    chosen = played(FaceTurns(share=0.5), [0, 1], 41)
    assert chosen[0] == {0, 1}
    assert all(0 in each for each in chosen)
    assert sum(1 in each for each in chosen[1:]) in (19, 20)  # half of the first one's time


def test_three_others_take_turns_in_order():
    chosen = played(FaceTurns(share=0.5), [0, 1, 2, 3], 61)
    turns = [face_id for each in chosen[1:] for face_id in sorted(each - {0})]
    assert len(turns) >= 27
    assert turns == [(1, 2, 3)[i % 3] for i in range(len(turns))]


def test_slow_others_wait_longer():
    turns = FaceTurns(share=0.5)
    n_others = 0
    for _ in range(60):
        chosen = turns.choose([0, 1])
        turns.note(10.0, first=True)
        if 1 in chosen:
            n_others += 1
            turns.note(40.0, first=False)
    assert 6 <= n_others <= 10  # 5 ms a frame are saved for 40


def test_a_face_that_comes_is_fitted_at_once():
    turns = FaceTurns()
    played(turns, [0, 1], 10)
    assert 2 in turns.choose([0, 1, 2])
    turns.forget()
    assert turns.choose([0, 1, 2]) == {0, 1, 2}


def test_whoever_becomes_the_first_is_fitted_every_time():
    turns = FaceTurns()
    played(turns, [0, 1], 10)
    assert all(1 in each for each in played(turns, [1, 0], 10))
