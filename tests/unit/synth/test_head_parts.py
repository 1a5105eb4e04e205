from pathlib import Path

import numpy as np

from engine.flame.model import load_head_model
from engine.synth.harmonic import harmonic_spread
from engine.synth.head_labels import face_classes, face_parts
from engine.synth.natural_faces import natural_faces
from engine.synth.pack import PARTS
from engine.synth.sample import PARSING
from engine.synth.skins import CROP_PX, TEXTURE_PX, crop_uv

_MODEL = load_head_model(Path("assets/openhead.npz"))


def test_the_nose_tip_is_skin_and_the_iris_is_eye() -> None:
    classes, parts = face_classes(_MODEL), face_parts(_MODEL)
    tip = _MODEL.landmarks68.faces_idx[30]
    assert (PARSING[classes[tip]], PARTS[parts[tip]]) == ("skin", "skin")
    iris = np.isin(_MODEL.faces, _MODEL.regions["iris"]).all(axis=1)
    assert set(classes[iris]) == {PARSING.index("eyes")}
    assert set(parts[iris]) == {PARTS.index("eye")}


def test_teeth_are_inside_the_mouth() -> None:
    teeth = np.isin(_MODEL.faces, _MODEL.regions["teeth"]).all(axis=1)
    assert set(face_classes(_MODEL)[teeth]) == {PARSING.index("mouth_inside")}
    assert set(face_parts(_MODEL)[teeth]) == {PARTS.index("teeth")}


def test_crop_corners_are_the_corners_of_the_picture() -> None:
    left, top, right, bottom = CROP_PX
    # v up in the whole skin: the crop's upper edge is at 1 - top.
    uv = np.array([[left, TEXTURE_PX - top], [right, TEXTURE_PX - bottom]]) / TEXTURE_PX
    np.testing.assert_allclose(crop_uv(uv), [[0, 0], [1, 1]], atol=1e-12)


def test_values_between_known_vertices_are_means() -> None:
    triangles = np.array([[0, 1, 2], [1, 3, 2]], np.int32)
    spread = harmonic_spread(triangles, 4, np.array([0, 1, 3], np.int32))
    # Vertex 2 is joined to 0, 1 and 3.
    np.testing.assert_allclose(spread @ np.array([3.0, 6.0, 9.0]), [3, 6, 6, 9])


def test_natural_faces_keep_their_bounds() -> None:
    assert _MODEL.arkit is not None
    faces = natural_faces(_MODEL.arkit, 400, seed=1)
    E = _MODEL.n_expr
    jaw, eyes, lids = faces[:, E : E + 3], faces[:, E + 3 : E + 9], faces[:, E + 9 :]
    assert jaw[:, 0].min() >= 0
    assert jaw[:, 0].max() <= 0.3501
    assert np.abs(eyes[:, [0, 3]]).max() <= np.radians(15.01)
    assert np.abs(eyes[:, [1, 4]]).max() <= np.radians(27)  # 25, and what the eyes converge by
    assert lids.min() >= 0
    assert lids.max() <= 1
    assert 0.01 < (lids.min(axis=1) > 0.9).mean() < 0.15  # fully closed: seldom
    np.testing.assert_array_equal(faces, natural_faces(_MODEL.arkit, 400, seed=1))
