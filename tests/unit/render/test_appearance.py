"""Colours, gloss and fade of heads."""

import dataclasses

import numpy as np
import pytest

from engine.flame.model import HeadModel
from engine.render.appearance import PORTRAIT, head_surface
from engine.render.colour import linear_from_srgb
from engine.render.mesh_buffers import CLAY, Surface
from tests.bumpy_head import bumpy_head


@pytest.fixture(scope="module")
def model() -> HeadModel:
    plain = bumpy_head()
    eyes = plain.regions["eyes"]
    iris = {"eyeballs": eyes, "iris": eyes[: len(eyes) // 2]}
    return dataclasses.replace(plain, regions={**plain.regions, **iris})


def test_regions_get_their_colours_and_inner_ones_win(model: HeadModel) -> None:
    surface = head_surface(model, PORTRAIT)
    iris = model.regions["iris"]
    white = np.setdiff1d(model.regions["eyeballs"], iris)
    np.testing.assert_allclose(surface.albedo[iris], np.tile(PORTRAIT.iris, (len(iris), 1)))
    np.testing.assert_allclose(surface.albedo[white], np.tile(PORTRAIT.eyeballs, (len(white), 1)))
    assert (surface.gloss[model.regions["eyeballs"]] == 1.0).all()


def test_the_neck_fades_from_nothing_at_its_cut_to_opaque_above(model: HeadModel) -> None:
    opacity = head_surface(model).opacity_v
    height = model.v_template[:, 1] - model.v_template[:, 1].min()
    assert opacity[height == 0.0].max() == 0.0
    assert opacity[height > 0.045].min() == 1.0
    middle = np.abs(height - 0.0225) < 0.003
    # Half way up, plus or minus the slope there (1.5 / 0.045 m) over 3 mm.
    np.testing.assert_allclose(opacity[middle], 0.5, atol=0.1)


def test_a_surface_is_packed_in_linear_light_with_clay_where_it_says_nothing() -> None:
    albedo = np.array([[0.5, 0.0, 1.0], [1.0, 1.0, 1.0], [0.1, 0.1, 0.1]], np.float32)
    packed = Surface(albedo=albedo).packed(2)  # the third vertex is in no triangle
    np.testing.assert_allclose(packed[0], [0.214041, 0.0, 1.0, 1.0, 0.0], atol=1e-6)
    clay = Surface(gloss=np.array([0.25], np.float32)).packed(1)[0]
    np.testing.assert_allclose(clay[:3], linear_from_srgb(np.array(CLAY, np.float32)))
    np.testing.assert_array_equal(clay[3:], [1.0, 0.25])


def test_a_surface_for_fewer_vertices_is_refused() -> None:
    with pytest.raises(ValueError, match=r"opacity_v: shape \(2,\), expected \(3,\)"):
        Surface(opacity_v=np.ones(2, np.float32)).packed(3)
