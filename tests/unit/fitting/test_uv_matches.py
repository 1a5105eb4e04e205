"""Vertices and the pixels that have their texture coordinates."""

from pathlib import Path

import numpy as np
import pytest

from engine.errors import AssetError
from engine.fitting.uv_matches import matched_vertices, read_vertex_uv, uv_matches
from engine.flame.model import HeadModel

SIZE = 256
FACES = np.array([[2, 1, 0], [1, 2, 3]], np.int32)
VERTEX_UV = np.array([[0.0, 1.0], [1.0, 1.0], [0.2, 0.75], [0.5, 0.0], [0.5, 0.5]], np.float32)


def ramps() -> np.ndarray:
    """The whole texture, square on: u to the right, v (of the map) down."""
    y, x = np.mgrid[:SIZE, :SIZE].astype(np.float32) / np.float32(SIZE - 1)
    return np.stack([x, y], axis=-1)


EVERYWHERE = np.ones((SIZE, SIZE), bool)


def test_vertices_go_to_the_pixels_that_have_their_coordinates() -> None:
    found = uv_matches(ramps(), EVERYWHERE, VERTEX_UV, FACES, np.arange(4, dtype=np.int32))
    assert found.vertices.tolist() == [0, 1, 2, 3]
    # v of vertices is up, of the map down: (0.2, 0.75) is a quarter from the upper edge.
    np.testing.assert_allclose(found.px, [[0, 0], [255, 0], [51, 63.75], [127.5, 255]], atol=0.5)


def test_matches_name_the_corner_of_a_triangle() -> None:
    found = uv_matches(ramps(), EVERYWHERE, VERTEX_UV, FACES, np.array([3, 2], np.int32))
    assert found.faces_idx.tolist() == [1, 0]
    assert found.bary.tolist() == [[0, 0, 1], [1, 0, 0]]
    named = [FACES[f][b.argmax()] for f, b in zip(found.faces_idx, found.bary, strict=True)]
    assert named == found.vertices.tolist()


def test_vertices_that_no_pixel_comes_near_are_left_out() -> None:
    inside = EVERYWHERE.copy()
    inside[:32] = False
    found = uv_matches(ramps(), inside, VERTEX_UV, FACES, np.arange(4, dtype=np.int32))
    assert found.vertices.tolist() == [2, 3]
    # An eighth of the texture is not seen, far more than the 0.007 that counts.
    assert uv_matches(ramps(), ~EVERYWHERE, VERTEX_UV, FACES, FACES[0]).px.shape == (0, 2)


def test_a_map_that_shows_one_place_everywhere_matches_once() -> None:
    """As a network does that is at the texture's edge, where its values are clamped."""
    flat = np.zeros((SIZE, SIZE, 2), np.float32)
    found = uv_matches(flat, EVERYWHERE, VERTEX_UV, FACES, np.arange(4, dtype=np.int32))
    assert found.vertices.tolist() == [0]


def test_vertices_of_no_triangle_are_left_out() -> None:
    found = uv_matches(ramps(), EVERYWHERE, VERTEX_UV, FACES, np.array([4, 2], np.int32))
    assert found.vertices.tolist() == [2]


@pytest.mark.assets
def test_face_and_ears_are_matched_and_eyes_are_not(openhead: HeadModel) -> None:
    chosen = set(matched_vertices(openhead).tolist())
    regions = openhead.regions
    assert set(regions["ears"].tolist()) <= chosen
    assert chosen & set(regions["nose"].tolist())
    assert not chosen & {*regions["eyes"].tolist(), *regions["eye_sockets"].tolist()}
    assert not chosen & (set(regions["scalp"].tolist()) - set(regions["face"].tolist()))


def test_texture_coordinates_are_read_or_refused(tmp_path: Path) -> None:
    np.save(tmp_path / "uv.npy", VERTEX_UV.astype(np.float64))
    assert read_vertex_uv(tmp_path / "uv.npy", 5).dtype == np.float32
    with pytest.raises(AssetError, match=r"is \(5, 2\), expected \(5023, 2\)"):
        read_vertex_uv(tmp_path / "uv.npy", 5023)
    np.save(tmp_path / "big.npy", VERTEX_UV + 1)
    np.save(tmp_path / "objects.npy", np.array([{}], object))
    for name in ("big.npy", "objects.npy", "none.npy"):
        with pytest.raises(AssetError, match=name):
            read_vertex_uv(tmp_path / name, 5)
