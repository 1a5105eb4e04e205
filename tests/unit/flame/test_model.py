"""HeadModel checks what it is made of."""

from dataclasses import replace

import numpy as np
import pytest

from engine.flame.landmarks import landmarks68
from engine.flame.model import HeadModel, Landmarks
from engine.flame.posed import surface_points


def test_wrong_counts_are_refused(small_head: HeadModel) -> None:
    with pytest.raises(ValueError, match="lbs_weights"):
        replace(small_head, lbs_weights=small_head.lbs_weights[:-1])
    with pytest.raises(ValueError, match="dtype float64"):
        replace(small_head, v_template=small_head.v_template.astype(np.float64))


def test_missing_regions_are_named(small_head: HeadModel) -> None:
    regions = {k: v for k, v in small_head.regions.items() if k != "nose"}
    with pytest.raises(ValueError, match="nose"):
        replace(small_head, regions=regions)


def test_indices_outside_their_arrays_are_refused(small_head: HeadModel) -> None:
    faces = small_head.faces.copy()
    faces[3, 1] = small_head.n_vertices
    with pytest.raises(ValueError, match=r"faces: 0\.\."):
        replace(small_head, faces=faces)


def test_values_that_are_no_numbers_are_refused(small_head: HeadModel) -> None:
    template = small_head.v_template.copy()
    template[7, 2] = np.nan
    with pytest.raises(ValueError, match="v_template: not all values are finite"):
        replace(small_head, v_template=template)


def test_landmark_count_is_checked(small_head: HeadModel) -> None:
    fewer = Landmarks(small_head.landmarks68.faces_idx[:51], small_head.landmarks68.bary[:51])
    with pytest.raises(ValueError, match="51 landmarks, expected 68"):
        replace(small_head, landmarks68=fewer)


def test_surface_point_is_the_weighted_mean_of_its_corners() -> None:
    vertices = np.array([[0, 0, 0], [1, 0, 0], [0, 2, 0]], np.float32)
    points = Landmarks(np.array([0], np.int32), np.array([[0.2, 0.3, 0.5]], np.float32))
    found = surface_points(vertices, np.array([[0, 1, 2]], np.int32), points)
    np.testing.assert_allclose(found, [[0.3, 1.0, 0.0]], atol=1e-7)


def test_jaw_line_slides_on_the_far_side_only(openhead: HeadModel) -> None:
    frontal = landmarks68(openhead, openhead.v_template, 0.0)
    turned = landmarks68(openhead, openhead.v_template, np.radians(30))
    moved = np.linalg.norm(turned - frontal, axis=1)
    # Nose to image right: the subject's left cheek, points 9 to 16, turns away.
    assert moved[:9].max() < 1e-6
    assert moved[11:16].min() > 0.002
    assert moved[17:].max() < 1e-6
    # On the far side each point lies further out, seen from the camera, than it did.
    across = np.array([np.cos(np.radians(30)), 0.0, np.sin(np.radians(30))])
    assert ((turned - frontal)[11:16] @ across > 0).all()


def test_without_a_contour_the_jaw_line_stays(small_head: HeadModel) -> None:
    plain = replace(small_head, contour=None)
    a = landmarks68(plain, plain.v_template, 0.0)
    np.testing.assert_array_equal(a, landmarks68(plain, plain.v_template, 0.6))
