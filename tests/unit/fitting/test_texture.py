"""The optimiser on maps that say where in the head's texture each pixel lies."""

from collections.abc import Iterator
from dataclasses import replace

import numpy as np
import pytest
import torch

from engine.errors import CaptureError
from engine.fitting.energy import Energy
from engine.fitting.equations import normal_equations
from engine.fitting.linear_head import HeadLinearizer
from engine.fitting.map_size import at_most
from engine.fitting.observed import EYE_POINTS, Texture, observe
from engine.fitting.optimiser import Optimiser
from engine.fitting.settings import FitSettings
from engine.fitting.state import state_from
from engine.fitting.torch_head import TorchHead
from engine.fitting.uv_matches import matched_vertices, uv_matches
from engine.fitting.visibility import Rasteriser
from engine.flame.model import HeadModel
from engine.flame.posed import PosedHead
from engine.frames import crop_camera
from engine.render.context import headless_context
from engine.render.renderer import MeshRenderer
from engine.stages.mediapipe_points import IRISES
from engine.synth.sample import PARSING
from engine.types import F32, I32, FlameParams, NormalMap
from tests.rendered_faces import Face, crop_of, random_params, rendered_face

QUICK = FitSettings(optimizer="gn", w_shape_general=0.02, w_exp=0.02)
STEP = 1e-6  # no pixel begins or ends to count
NOISE_PX = 6.0
"""Of MediaPipe's points off the eyes, in the frame, where a face is some 250 px wide."""


def vertex_uv_of(model: HeadModel) -> F32:
    """(V, 2) of the head's own texture, as if it were FLAME's."""
    assert model.uv is not None
    assert model.uv_faces is not None
    uv = np.zeros((model.n_vertices, 2), np.float32)
    uv[model.faces] = model.uv[model.uv_faces]
    return uv


@pytest.fixture(scope="module")
def vertex_uv(openhead: HeadModel) -> F32:
    return vertex_uv_of(openhead)


@pytest.fixture(scope="module")
def face(openhead: HeadModel, vertex_uv: F32) -> Face:
    """A head turned to its right, drawn with its places in the texture; 256 px."""
    ctx = headless_context()
    renderer = MeshRenderer(ctx, openhead.faces, samples=0)
    params = random_params(openhead, np.random.default_rng(11))
    drawn = rendered_face(openhead, renderer, params, size=256)
    camera = crop_camera(drawn.camera, drawn.normals.crop_from_frame, 256)
    vertices = PosedHead(openhead).vertices(params)
    maps = renderer.render_maps(camera, vertices, params.R, params.t)
    seen = maps.interpolate(vertex_uv, openhead.faces)
    seen[..., 1] = 1 - seen[..., 1]
    parsing = np.where(maps.mask, PARSING.index("hair"), PARSING.index("background"))
    for region, name in (("face", "skin"), ("ears", "ears"), ("eyes", "eyes")):
        member = np.zeros((openhead.n_vertices, 1), np.float32)
        member[openhead.regions[region]] = 1.0
        parsing[maps.interpolate(member, openhead.faces)[..., 0] > 0.99] = PARSING.index(name)
    normals = replace(drawn.normals, parsing=parsing.astype(np.uint8), uv=seen.astype(np.float32))
    renderer.release()
    ctx.release()
    noise = np.random.default_rng(0).normal(0, NOISE_PX, drawn.landmarks.shape)
    noise[[*EYE_POINTS, *IRISES]] = 0.0
    return replace(drawn, normals=normals, landmarks=(drawn.landmarks + noise).astype(np.float32))


@pytest.fixture(scope="module")
def optimiser(openhead: HeadModel, vertex_uv: F32) -> Iterator[Optimiser]:
    made = Optimiser(openhead, QUICK, vertex_uv=vertex_uv)
    yield made
    made.close()


def miss_mm(model: HeadModel, found: FlameParams, face: Face, vertices: I32) -> float:
    """Mean distance of vertices along the picture, mm: depth and size are not seen."""
    head = PosedHead(model)
    a, b = (head.vertices(p)[vertices] @ p.R.T + p.t for p in (found, face.params))
    apart = (a[:, :2] / -a[:, 2:] - b[:, :2] / -b[:, 2:]) * -face.params.t[2]
    return float(np.linalg.norm(apart, axis=1).mean() * 1e3)


@pytest.mark.assets
@pytest.mark.gl
@pytest.mark.slow
def test_the_map_places_what_normals_do_not_show(
    openhead: HeadModel, vertex_uv: F32, optimiser: Optimiser, face: Face
) -> None:
    """Ears have no normals that count and no points of MediaPipe's; those of the face are noisy."""
    with_map = optimiser.fit(crop_of(face), face.camera, face.normals)
    alone = optimiser.fit(crop_of(face), face.camera, replace(face.normals, uv=None))
    assert {"uv", "uv_pixel"} <= with_map.terms.keys()
    assert "uv_pixel" not in alone.terms
    uv, inside = face.normals.uv, face.normals.parsing == PARSING.index("skin")
    inside |= face.normals.parsing == PARSING.index("ears")
    wanted = matched_vertices(openhead)
    seen = uv_matches(uv, inside, vertex_uv, openhead.faces, wanted).vertices
    for region in ("ears", "face"):
        own = np.intersect1d(seen, openhead.regions[region])
        before, after = (miss_mm(openhead, f.params, face, own) for f in (alone, with_map))
        assert after < 0.6 * before, region
        assert after < 0.5, region


@pytest.mark.assets
@pytest.mark.gl
@pytest.mark.slow
def test_a_map_without_coordinates_of_the_head_is_left_aside(
    openhead: HeadModel, face: Face
) -> None:
    plain = Optimiser(openhead, QUICK)
    fit = plain.fit(crop_of(face), face.camera, face.normals)
    plain.close()
    assert "uv_pixel" not in fit.terms


@pytest.mark.assets
@pytest.mark.gl
def test_the_term_by_pixel_falls_as_its_equations_say(
    openhead: HeadModel, vertex_uv: F32, face: Face
) -> None:
    """Off the truth by some millimetres: slopes by columns of the equations and by differences."""
    alone = replace(
        FitSettings(), normal_super=0.0, points_super=0.0, sil_super=0.0, w_lmks=0.0,
        w_lmks_lid=0.0, w_lmks_iris=0.0, w_exp=0.0, w_shape_general=0.0, w_jaw=0.0, w_eyes=0.0,
        w_eyes_same=0.0, w_mirror=0.0,
    )  # fmt: skip
    head = TorchHead(openhead, "cpu", torch.float64, vertex_uv)
    seen = observe(
        crop_of(face), face.camera, face.normals, "cpu", torch.float64,
        texture=Texture(openhead, vertex_uv),
    )  # fmt: skip
    energy = Energy(head, replace(seen, uv=None), alone)
    params = face.params.with_values(t=face.params.t + np.array([0.002, 0.001, 0.01]))
    state = state_from(openhead, params, "cpu", torch.float64)
    rasteriser = Rasteriser(head)
    energy.see(rasteriser.see(params, energy.seen, alone.normal_mask_ksize))
    rasteriser.close()
    found = normal_equations(energy, HeadLinearizer(head), state, with_shape=False)
    n = 6 + openhead.n_expr + 9 + openhead.n_shape
    for column in (0, 1, 2, 3, 4, 5):
        step = torch.zeros(n, dtype=torch.float64)
        step[column] = STEP
        up, down = (energy.terms(state.moved(s))["uv_pixel"] for s in (step, -step))
        slope = float(up - down) / (2 * STEP)
        assert float(found.g[column]) == pytest.approx(slope, rel=0.02), column


@pytest.mark.assets
@pytest.mark.gl
def test_places_that_are_not_finite_are_told(optimiser: Optimiser, face: Face) -> None:
    bad = face.normals.uv.copy()
    bad[3, 4] = np.nan
    with pytest.raises(CaptureError, match="uv has 2 values that are not finite"):
        optimiser.fit(crop_of(face), face.camera, replace(face.normals, uv=bad))


def test_smaller_maps_show_the_same_at_the_same_places() -> None:
    y, x = np.mgrid[:64, :64].astype(np.float32)
    normals = np.zeros((64, 64, 3), np.float32)
    normals[..., 2] = 1.0
    mask = np.ones((64, 64), np.float32)
    matrix = np.array([[0.5, 0.0, 3.0], [0.0, 0.5, -7.0]])
    whole = NormalMap(normals, None, mask, mask, None, matrix, uv=np.stack([x, y], -1) / 64)
    small = at_most(whole, 16)
    assert small.uv is not None
    frame = np.array([30.0, 90.0, 1.0])
    at = small.crop_from_frame @ frame
    # Of ramps the mean over 4 x 4 px is the value in their middle.
    column, row = (int(v) for v in np.floor(at))
    share = at - [column, row]
    read = small.uv[row, column] + share * (small.uv[row + 1, column + 1] - small.uv[row, column])
    np.testing.assert_allclose(read * 64, matrix @ frame, atol=1e-4)
    np.testing.assert_allclose(small.head, normals[:16, :16])
    assert at_most(whole, 64) is whole
