"""The residual against maps drawn from known heads."""

import numpy as np
import pytest
from scipy.spatial.transform import Rotation

from engine.flame.model import HeadModel
from engine.flame.normals import vertex_normals
from engine.flame.posed import PosedHead
from engine.frames import crop_camera, default_camera
from engine.render.context import headless_context
from engine.render.renderer import MeshRenderer
from engine.stages.normal_residual import NormalResidual
from engine.types import F32, FlameParams, NormalMap

pytestmark = pytest.mark.assets

CAMERA, SIZE = default_camera(640, 480), 128
CROP = np.array([[0.4, 0, -64.0], [0, 0.4, -32.0]])  # 320 frame px around the middle


def drawn(openhead: HeadModel, vertices: F32, params: FlameParams) -> F32:
    """(S, S, 3) view normals of the head as the renderer draws them into the crop."""
    ctx = headless_context()
    renderer = MeshRenderer(ctx, openhead.faces)
    maps = renderer.render_maps(crop_camera(CAMERA, CROP, SIZE), vertices, params.R, params.t)
    renderer.release()
    ctx.release()
    return maps.view_normals


def map_of(view: F32 | None, head: F32 | None = None, mask: float = 1.0) -> NormalMap:
    flat = np.full((SIZE, SIZE), mask, np.float32)
    return NormalMap(head, view, flat, flat, None, CROP)


@pytest.fixture(scope="module")
def params(openhead: HeadModel) -> FlameParams:
    turn = Rotation.from_euler("y", 15, degrees=True).as_matrix()
    neutral = FlameParams.neutral(openhead.model_id, openhead.n_shape, openhead.n_expr)
    return neutral.with_values(R=turn)


@pytest.mark.gl
def test_own_normals_are_near_and_turned_ones_far(openhead: HeadModel, params: FlameParams):
    residual = NormalResidual(openhead)
    vertices = PosedHead(openhead).vertices(params)
    view = drawn(openhead, vertices, params)
    same = residual(vertices, params, CAMERA, map_of(view))
    assert same < 6.5  # lids are finer than the map's pixels, and the nose hides some vertices
    turn = Rotation.from_euler("z", 20, degrees=True).as_matrix()
    turned = params.with_values(R=turn @ params.R)
    # Turned about the line of sight, a normal at angle a to it goes round by 20 sin a.
    other = residual(vertices, turned, CAMERA, map_of(view))
    assert other > same + 3.0


def test_constant_maps_give_the_known_angle(openhead: HeadModel, params: FlameParams):
    """All of the face's own normals against the same direction, counted by hand."""
    residual = NormalResidual(openhead)
    vertices = PosedHead(openhead).vertices(params)
    ahead = np.tile(np.float32([0, 0, 1]), (SIZE, SIZE, 1))
    found = residual(vertices, params, CAMERA, map_of(ahead))
    hidden = np.zeros(openhead.n_vertices, bool)
    for name in ("eyeballs", "eye_sockets", "nostrils", "mouth_inside", "teeth"):
        hidden[openhead.regions[name]] = True
    for _ in range(2):
        hidden[openhead.faces[hidden[openhead.faces].any(axis=1)]] = True
    skin = np.setdiff1d(openhead.regions["face"], np.flatnonzero(hidden))
    turned = vertex_normals(vertices, openhead.faces)[skin] @ params.R.T
    placed = vertices[skin] @ params.R.T + params.t
    sight = (turned * -placed).sum(1) / np.linalg.norm(placed, axis=1)
    angles = np.degrees(np.arccos(np.clip(turned[sight > 0.2, 2], -1, 1)))
    assert found == pytest.approx(angles.mean(), abs=0.01)


def test_head_normals_do_not_turn_with_head_or_neck(openhead: HeadModel, params: FlameParams):
    residual, head = NormalResidual(openhead), PosedHead(openhead)
    ahead = np.tile(np.float32([0, 0, 1]), (SIZE, SIZE, 1))
    straight = params.with_values(R=np.eye(3))
    bent = straight.with_values(neck=np.float32([0.0, 0.25, 0.0]))
    one = residual(head.vertices(straight), straight, CAMERA, map_of(None, ahead))
    two = residual(head.vertices(bent), bent, CAMERA, map_of(None, ahead))
    # Other vertices come into sight; the normals against the head's own axes stay.
    assert two == pytest.approx(one, abs=4.0)
    wrong = residual(head.vertices(bent), straight, CAMERA, map_of(None, ahead))
    assert abs(wrong - one) > abs(two - one)


def test_nothing_in_the_mask_is_no_number(openhead: HeadModel, params: FlameParams):
    residual = NormalResidual(openhead)
    vertices = PosedHead(openhead).vertices(params)
    ahead = np.tile(np.float32([0, 0, 1]), (SIZE, SIZE, 1))
    assert np.isnan(residual(vertices, params, CAMERA, map_of(ahead, mask=0.2)))
    away = params.with_values(t=np.array([5.0, 0.0, -0.6]))
    assert np.isnan(residual(vertices, away, CAMERA, map_of(ahead)))
