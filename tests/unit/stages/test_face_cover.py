"""Which vertices are chosen."""

import numpy as np
import pytest

from engine.flame.model import HeadModel
from engine.stages.face_cover import even_choice, face_cover, skin_of_face


def test_even_choice_of_a_row_takes_the_middle_then_the_ends() -> None:
    points = np.c_[np.arange(9.0), np.zeros((9, 2))].astype(np.float32)
    assert even_choice(points, 3).tolist() == [4, 0, 8]
    assert sorted(even_choice(points, 20).tolist()) == list(range(9))
    assert even_choice(points[:0], 3).size == 0


@pytest.mark.assets
def test_cover_is_even_and_off_eyes_mouth_and_border(openhead: HeadModel) -> None:
    chosen = face_cover(openhead, 400)
    assert len(np.unique(chosen)) == 400
    assert skin_of_face(openhead)[chosen].all()
    for name in ("eyeballs", "eye_sockets", "nostrils", "mouth_inside", "teeth"):
        assert not np.isin(chosen, openhead.regions[name]).any()
    assert openhead.eyelid_dirs is not None
    moved = np.linalg.norm(openhead.eyelid_dirs[chosen], axis=1).max()
    assert moved < 2e-4
    outside = np.setdiff1d(np.arange(openhead.n_vertices), openhead.regions["face"])
    touching = openhead.faces[np.isin(openhead.faces, chosen).any(axis=1)]
    assert not np.isin(touching, outside).any()
    points = openhead.v_template[chosen]
    distances = np.linalg.norm(points[:, None] - points, axis=2) + np.eye(len(points))
    # 400 vertices on some 300 square centimetres.
    assert distances.min() > 2e-3
    assert distances.min(axis=1).max() < 15e-3


@pytest.mark.assets
def test_fewer_vertices_are_a_subset_spread_wider(openhead: HeadModel) -> None:
    few, many = face_cover(openhead, 100), face_cover(openhead, 400)
    assert np.isin(few, many).all()


@pytest.mark.assets
def test_skin_under_other_skin_is_left_out(openhead: HeadModel) -> None:
    """Inside the wings of the nose lies skin that no camera sees."""
    chosen = openhead.v_template[face_cover(openhead, 2000)]
    beside_nose = (np.abs(np.abs(chosen[:, 0]) - 0.007) < 1e-3) & (
        np.abs(chosen[:, 1] - 0.008) < 1e-3
    )
    assert not (beside_nose & (chosen[:, 2] < 0.106)).any()
