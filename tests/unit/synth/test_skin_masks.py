"""Masks in texture space, on made surfaces."""

import numpy as np
import pytest

from engine.errors import AssetError
from engine.synth.attachments import prepared_texture
from engine.synth.mhclo import TexturedMesh
from engine.synth.skin_masks import build_skin_masks, rasterise, skin_masks
from engine.synth.strands import strand_texture

_QUAD = np.array([[0, 1, 2, 3]], np.int32)
_UV = np.array([[0.0, 0], [1, 0], [1, 1], [0, 1]])


def _face() -> tuple[np.ndarray, np.ndarray]:  # type: ignore[type-arg]
    """A flat head of 0.2 m seen from the front, and landmarks at usual places (metres)."""
    vertices = np.array([[-0.1, 0.1, 0], [0.1, 0.1, 0], [0.1, -0.1, 0], [-0.1, -0.1, 0]])
    lm = np.zeros((68, 3))
    angle = np.linspace(np.pi, 2 * np.pi, 17)
    lm[:17] = np.stack([0.07 * np.cos(angle), 0.08 * np.sin(angle), 0 * angle - 0.05], 1)
    lm[17:27] = np.stack([np.linspace(-0.05, 0.05, 10), np.full(10, 0.045), np.zeros(10)], 1)
    lm[27:31, 1] = np.linspace(0.03, 0.0, 4)
    lm[31:36] = np.stack([np.linspace(-0.012, 0.012, 5), np.full(5, -0.01), np.zeros(5)], 1)
    ring = np.linspace(0, 2 * np.pi, 7)[:6]
    for start, x in ((36, -0.03), (42, 0.03)):
        lm[start : start + 6, 0] = x - 0.012 * np.cos(ring)
        lm[start : start + 6, 1] = 0.025 + 0.005 * np.sin(ring)
    ring = np.linspace(0, 2 * np.pi, 13)[:12]
    lm[48:60] = np.stack([-0.025 * np.cos(ring), -0.035 + 0.009 * np.sin(ring), 0 * ring], 1)
    return vertices, lm


def test_texels_know_their_place_on_the_surface() -> None:
    vertices, _ = _face()
    position, covered = rasterise(vertices, _QUAD, _UV, _QUAD, (20, 10))
    assert covered.all()
    np.testing.assert_allclose(position[0, 0], [-0.09, 0.095, 0], atol=1e-12)
    np.testing.assert_allclose(position[19, 9], [0.09, -0.095, 0], atol=1e-12)


def test_masks_lie_where_the_landmarks_say() -> None:
    vertices, lm = _face()
    masks = skin_masks(vertices, _QUAD, _UV, _QUAD, lm)

    def at(name: str, x: float, y: float) -> float:
        mask = masks[name]
        row, column = (0.1 - y) / 0.2 * mask.shape[0], (x + 0.1) / 0.2 * mask.shape[1]
        return float(mask[int(row), int(column)]) / 255

    assert at("lips", 0.0, -0.035) > 0.95
    assert at("lips", 0.0, 0.0) == 0
    assert at("brows", 0.03, 0.045) > 0.9
    assert at("beard", 0.0, -0.06) > 0.95
    assert at("beard", 0.0, 0.05) == 0
    assert at("lids", 0.03, 0.032) > 0.4
    assert at("lids", 0.03, 0.01) < 0.05
    assert at("nose", 0.0, -0.008) > 0.6
    assert at("cheeks", 0.04, 0.0) > 3 * at("cheeks", 0.0, -0.05)


def test_missing_registration_is_named(tmp_path) -> None:  # type: ignore[no-untyped-def]
    with pytest.raises(AssetError, match="does not hold the registered head"):
        build_skin_masks(tmp_path)


def test_prepared_texture_has_mean_128_where_it_covers() -> None:
    rgba = np.zeros((32, 32, 4), np.uint8)
    rgba[:16, :, :3] = np.linspace(10, 40, 32).astype(np.uint8)[None, :, None]
    rgba[:16, :, 3] = 255
    out = prepared_texture(rgba, 16, flat=False)
    assert abs(float(out[:8, :, 0].mean()) - 128) < 2
    assert out[8, :, 0].min() > 60  # colour goes on beyond the edge
    assert out[12:, :, 3].max() == 0


def test_made_strands_run_down_and_end_raggedly() -> None:
    vertices = np.array([[-0.1, 0.1, 0], [0.1, 0.1, 0], [0.1, -0.1, 0], [-0.1, -0.1, 0]])
    uv = np.array([[0.1, 0.9], [0.9, 0.9], [0.9, 0.1], [0.1, 0.1]])  # v up
    mesh = TexturedMesh(vertices, np.array([[0, 1, 2], [0, 2, 3]], np.int32), uv,
                        np.array([[0, 1, 2], [0, 2, 3]], np.int32))  # fmt: skip
    picture = strand_texture(mesh, 96, np.array([0.0, -1, 0]), 0.0, 0.3, seed=1).astype(float)
    grey = picture[20:60, 20:76, 0]
    assert np.abs(np.diff(grey, axis=1)).mean() > 3 * np.abs(np.diff(grey, axis=0)).mean()
    alpha = picture[..., 3]
    assert alpha[20:60, 20:76].min() == 255
    assert 20 < alpha[82:85, 20:76].mean() < 235
    assert alpha[:4].max() == 0
