"""Reading maps between pixels."""

import numpy as np
import pytest

from engine.stages.normal_samples import NormalSampler
from engine.types import F32, NormalMap

SIZE = 32
CROP = np.array([[0.5, 0.1, -20.0], [-0.1, 0.5, 4.0]])


def ramp(a: float, b: float) -> F32:
    """(S, S, 3) vectors of about unit length that change linearly."""
    y, x = np.mgrid[:SIZE, :SIZE].astype(np.float32)
    return np.stack([a * x, b * y, 1 + 0.001 * x], axis=-1).astype(np.float32)


def map_of(head: F32 | None, view: F32 | None, mask: F32 | None = None) -> NormalMap:
    ones = np.ones((SIZE, SIZE), np.float32)
    return NormalMap(head, view, ones if mask is None else mask, ones, None, CROP)


def frame_px(map_px: list[list[float]]) -> np.ndarray:
    return np.linalg.solve(CROP[:, :2], (np.array(map_px) - CROP[:, 2]).T)


def test_linear_maps_are_read_exactly() -> None:
    sampler = NormalSampler(map_of(ramp(0.01, 0.02), ramp(-0.01, 0.005)))
    head, view, weight = sampler.at(frame_px([[7.3, 12.6], [20.0, 5.25]]))
    assert head is not None
    assert view is not None
    np.testing.assert_allclose(head[0, :, 0], [0.073, 0.252, 1.0073], atol=1e-5)
    np.testing.assert_allclose(head[1].T, [[0.01, 0, 0.001]] * 2, atol=1e-5)
    np.testing.assert_allclose(head[2].T, [[0, 0.02, 0]] * 2, atol=1e-5)
    np.testing.assert_allclose(view[0, :, 1], [-0.2, 0.02625, 1.02], atol=1e-5)
    np.testing.assert_allclose(view[2, :, 1], [0, 0.005, 0], atol=1e-5)
    np.testing.assert_allclose(weight, 1.0)


def test_first_pixels_centre_is_the_origin() -> None:
    head = np.zeros((SIZE, SIZE, 3), np.float32)
    head[..., 2] = 1
    head[9, 14] = [1, 0, 0]
    read, _, _ = NormalSampler(map_of(head, None)).at(frame_px([[14.0, 9.0], [14.5, 9.0]]))
    assert read is not None
    np.testing.assert_allclose(read[0].T, [[1, 0, 0], [0.5, 0, 0.5]], atol=1e-5)


def test_weight_is_the_least_around_and_none_beyond_the_edge() -> None:
    mask = np.ones((SIZE, SIZE), np.float32)
    mask[10, 10] = 0.25
    view = ramp(0, 0)
    view[20, 20] = 0  # known to be nothing
    places = [[10.4, 11.2], [13.5, 10.0], [19.5, 20.5], [0.5, 5.0], [30.5, 5.0], [-90.0, 5.0]]
    sampler = NormalSampler(map_of(None, view, mask))
    head, _, weight = sampler.at(np.c_[frame_px(places), [np.nan, 3.0]])
    assert head is None
    np.testing.assert_allclose(weight, [0.25, 1, 0, 0, 0, 0, 0], atol=1e-6)


@pytest.mark.parametrize("field", ["head", "view", "mask"])
def test_what_is_not_finite_is_named(field: str) -> None:
    maps = {"head": ramp(0, 0), "view": ramp(0, 0), "mask": np.ones((SIZE, SIZE), np.float32)}
    maps[field][3, 4] = np.nan
    with pytest.raises(ValueError, match=rf"NormalMap\.{field} has \d values that are not finite"):
        NormalSampler(map_of(**maps))
