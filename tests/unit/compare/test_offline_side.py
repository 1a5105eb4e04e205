"""An offline method: its process, its cache, and how both may fail."""

import logging
from collections.abc import Iterator
from contextlib import closing
from multiprocessing import active_children
from pathlib import Path

import numpy as np
import pytest

from engine.compare.offline_side import OfflineSide
from engine.compare.side_fit import SideFit
from engine.compare.sides import Report
from engine.errors import EngineError
from engine.types import Frame
from tests.compare_fakes import (
    DyingOptimiser,
    EndlessOptimiser,
    FakeOptimiser,
    PickyOptimiser,
    UnusableOptimiser,
    moved_head,
    noisy_frame,
    slow_side,
    steps,
    told_steps,
)

WAIT_S = 60.0


@pytest.fixture(autouse=True)
def _no_process_stays() -> Iterator[None]:
    yield
    assert not active_children()


def take_fit(side: OfflineSide, frame: Frame) -> tuple[SideFit, list[Report]]:
    """The fit, and what was told before it."""
    side.submit(frame)
    told: list[Report] = []
    while not (told and isinstance(told[-1], SideFit)):
        reports = side.take(WAIT_S)
        assert reports
        told += reports
    return told[-1], told[:-1]


def test_fits_come_with_time_curve_and_their_own_frame():
    with closing(slow_side(FakeOptimiser)) as side:
        frame = noisy_frame(7)
        fit, told = take_fit(side, frame)
        assert not side.busy
    assert fit.fit is not None
    assert (fit.fit.frame_index, fit.fit.t_ns) == (7, frame.t_ns)
    assert np.array_equal(fit.fit.vertices, moved_head(frame).vertices)
    assert fit.curve == steps()
    assert not fit.from_cache
    assert fit.seconds > 0.0
    assert told[0] == told_steps()[0]


def test_a_second_look_needs_no_process(tmp_path: Path):
    frame = noisy_frame(0)
    with closing(slow_side(FakeOptimiser, tmp_path)) as side:
        first, _ = take_fit(side, frame)
    with closing(slow_side(UnusableOptimiser, tmp_path)) as side:
        second, told = take_fit(side, frame)
        assert not active_children()
    assert (second.from_cache, second.seconds, second.curve) == (True, first.seconds, first.curve)
    assert told == []


def test_one_frame_that_fails_is_told_not_kept_and_the_next_goes_on(tmp_path: Path):
    with closing(slow_side(PickyOptimiser, tmp_path)) as side:
        failed, _ = take_fit(side, noisy_frame(1))
        fine, _ = take_fit(side, noisy_frame(2))
    assert failed.fit is None
    assert failed.problem == "the normals are all zero; use another picture"
    assert fine.fit is not None
    assert len(list(tmp_path.iterdir())) == 1


def test_closing_ends_a_process_in_the_middle_of_a_fit():
    side = slow_side(EndlessOptimiser)
    side.submit(noisy_frame(0))
    assert side.take(WAIT_S) == [told_steps()[0]]
    assert side.busy
    side.close()
    assert not active_children()
    side.close()


@pytest.mark.parametrize(
    ("make", "cause"),
    [
        (UnusableOptimiser, "slow cannot be used: weights.npz does not exist; train it first"),
        (DyingOptimiser, r"the process of slow died \(exit code 7\)"),
    ],
)
def test_what_is_wrong_with_the_whole_method_is_an_error(make: object, cause: str):
    with closing(slow_side(make)) as side, pytest.raises(EngineError, match=cause):
        take_fit(side, noisy_frame(0))


def test_a_cache_that_cannot_be_written_costs_no_fit(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
):
    (tmp_path / "file").touch()
    with closing(slow_side(FakeOptimiser, tmp_path / "file")) as side:
        with caplog.at_level(logging.WARNING):
            fit, _ = take_fit(side, noisy_frame(0))
        assert fit.fit is not None
    assert "fits are not kept from here on" in caplog.text
