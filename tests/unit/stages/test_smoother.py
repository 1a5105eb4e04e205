"""The head smoother: what stays, what is followed how quickly, and when it starts anew."""

import numpy as np
import pytest
from scipy.spatial.transform import Rotation

from engine.stages.smoother import HeadSmoother, OneEuro, Pace, RotationOneEuro
from engine.types import FlameParams
from tests.live_fakes import triangle_model

DT_NS = 33_333_333
DT_S = DT_NS / 1e9


def params(**changes: object) -> FlameParams:
    return FlameParams.neutral("0" * 64, 1, 1).with_values(**changes)


def test_a_constant_comes_out_as_it_is():
    one_euro = OneEuro(Pace(1.0, 0.0))
    for _ in range(5):
        assert one_euro(np.array([2.0, -3.0]), DT_S).tolist() == [2.0, -3.0]


def test_a_step_without_speed_term_is_the_exponential_of_its_cutoff():
    one_euro = OneEuro(Pace(1.0, 0.0))
    one_euro(np.zeros(1), DT_S)
    turn = 2 * np.pi * DT_S
    share = turn / (1 + turn)  # one step of a first-order low pass at 1 Hz
    assert one_euro(np.ones(1), DT_S)[0] == pytest.approx(share)
    assert one_euro(np.ones(1), DT_S)[0] == pytest.approx(1 - (1 - share) ** 2)


def test_half_the_time_step_follows_half_as_far_at_slow_cutoffs():
    steps = []
    for dt in (DT_S, DT_S / 2):
        one_euro = OneEuro(Pace(0.1, 0.0))
        one_euro(np.zeros(1), dt)
        steps.append(one_euro(np.ones(1), dt)[0])
    assert steps[0] / steps[1] == pytest.approx(2.0, rel=0.02)


def test_noise_at_rest_shrinks_and_a_fast_move_is_hardly_late():
    rng = np.random.default_rng(0)
    one_euro = OneEuro(Pace(1.0, 1.0))
    rest = [one_euro(rng.normal(0, 0.01, 1), DT_S)[0] for _ in range(200)]
    assert np.std(rest[50:]) < 0.005
    ramp = [(10.0 * k * DT_S, one_euro(np.array([10.0 * k * DT_S]), DT_S)[0]) for k in range(60)]
    lag_s = (ramp[-1][0] - ramp[-1][1]) / 10.0
    assert lag_s < 0.02


def test_rotations_are_filtered_as_rotations_through_half_turns_too():
    rotation = RotationOneEuro(Pace(2.0, 1.0))
    for degrees in range(0, 400, 4):
        out = rotation(Rotation.from_euler("y", degrees, degrees=True).as_matrix(), DT_S)
        assert out @ out.T == pytest.approx(np.eye(3), abs=1e-9)
    behind = Rotation.from_matrix(out.T).as_matrix() @ (
        Rotation.from_euler("y", 396, degrees=True).as_matrix()
    )
    assert 0.0 < np.degrees(Rotation.from_matrix(behind).magnitude()) < 12.0


def test_eyelids_follow_sooner_than_expressions():
    smoother = HeadSmoother(triangle_model())
    smoother.run(params(), 0)
    closed = params(eyelids=np.ones(2, np.float32), expr=np.ones(1, np.float32))
    out = smoother.run(closed, DT_NS)
    assert out.eyelids[0] > 0.8
    assert out.expr[0] < out.eyelids[0]


def test_the_shape_is_averaged_for_two_seconds_and_then_stays():
    smoother = HeadSmoother(triangle_model())
    values = np.linspace(0.0, 1.0, 121).astype(np.float32)
    for k, value in enumerate(values):
        out = smoother.run(params(shape=np.array([value])), k * DT_NS)
        if k == 59:  # 2 s less a frame
            assert smoother.shape is None
    locked = smoother.shape
    assert locked is not None
    assert out.shape.tolist() == locked.tolist()
    assert locked[0] == pytest.approx(values[:60].mean(), abs=0.01)


def test_bad_frames_teach_nothing_about_the_shape():
    smoother = HeadSmoother(triangle_model())
    for k in range(90):
        bad = k % 2 == 1
        value = np.array([9.0 if bad else 1.0], np.float32)
        smoother.run(params(shape=value), k * DT_NS, quality=0.1 if bad else 1.0)
    for k in range(90, 140):
        smoother.run(params(shape=np.ones(1, np.float32)), k * DT_NS)
    assert smoother.shape is not None
    assert smoother.shape[0] == pytest.approx(1.0)


def test_a_known_person_has_the_shape_at_once_and_after_a_reset():
    known = np.array([0.7], np.float32)
    smoother = HeadSmoother(triangle_model(), known)
    assert smoother.run(params(), 0).shape.tolist() == known.tolist()
    smoother.reset()
    assert smoother.run(params(), DT_NS).shape.tolist() == known.tolist()


@pytest.mark.parametrize("t_ns", [2_000_000_000, -DT_NS])
def test_after_a_gap_or_a_step_back_in_time_a_value_is_taken_as_it_is(t_ns: int):
    smoother = HeadSmoother(triangle_model())
    smoother.run(params(), 0)
    out = smoother.run(params(t=np.array([1.0, 0.0, -2.0])), t_ns)
    assert out.t == pytest.approx([1.0, 0.0, -2.0])
