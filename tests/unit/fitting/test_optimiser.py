"""The optimiser on drawn heads whose truth is known, and on maps that cannot be fitted."""

from collections.abc import Iterator
from dataclasses import replace

import numpy as np
import pytest
import torch

from engine.errors import CaptureError, ModelContractError
from engine.fitting.curve import CurvePoint
from engine.fitting.observed import Correspondences
from engine.fitting.optimiser import Optimiser
from engine.fitting.oracle import OracleFitter
from engine.fitting.settings import FitSettings
from engine.flame.face_distance import FaceDistance
from engine.flame.landmarks import landmarks68
from engine.flame.model import HeadModel
from engine.flame.posed import PosedHead
from engine.render.context import headless_context
from engine.render.renderer import MeshRenderer
from tests.rendered_faces import Face, crop_of, random_params, rendered_face, turn_between_deg

pytestmark = [pytest.mark.assets, pytest.mark.gl, pytest.mark.slow]

QUICK = FitSettings(
    optimizer="gn", camera_steps=60, lr_camera_R=0.02, lr_camera_t=0.005, iters=30, refresh_every=10
)
TRUE = replace(QUICK, w_shape_general=0.002, w_exp=0.002)
"""For normals that are drawn, not seen by a network."""


@pytest.fixture(scope="module")
def faces(openhead: HeadModel) -> list[Face]:
    ctx = headless_context()
    renderer = MeshRenderer(ctx, openhead.faces, samples=0)
    rng = np.random.default_rng(5)
    drawn = [rendered_face(openhead, renderer, random_params(openhead, rng)) for _ in range(3)]
    renderer.release()
    ctx.release()
    return drawn


@pytest.fixture(scope="module")
def quick(openhead: HeadModel) -> Iterator[Optimiser]:
    optimiser = Optimiser(openhead, QUICK)
    yield optimiser
    optimiser.close()


def test_true_normals_bring_the_head_back(openhead: HeadModel, faces: list[Face]) -> None:
    """Within a quarter of a millimetre of the oracle; size, which normals do not show, apart."""
    optimiser, oracle = Optimiser(openhead, TRUE), OracleFitter(openhead)
    distance, head = FaceDistance(openhead, scaled=True), PosedHead(openhead)
    for face in faces:
        fit = optimiser.fit(crop_of(face), face.camera, face.normals)
        true = head.vertices(face.params).copy()
        best = oracle.fit_vertices(true.astype(np.float64))
        floor = distance(head.vertices(best).copy(), true)[0]
        assert distance(head.vertices(fit.params).copy(), true)[0] < floor + 0.25
        assert turn_between_deg(fit.params, face.params) < 1.0
        assert fit.energy < 0.2 * fit.start_energy
    optimiser.close()


def test_both_optimisers_go_down_the_same_energy(
    openhead: HeadModel, quick: Optimiser, faces: list[Face]
) -> None:
    face = faces[0]
    adam = Optimiser(openhead, replace(QUICK, optimizer="adam"))
    slow = adam.fit(crop_of(face), face.camera, face.normals)
    fast = quick.fit(crop_of(face), face.camera, face.normals)
    adam.close()
    assert fast.start_energy < 1.05 * slow.start_energy  # placed on the landmarks as well
    assert fast.energy < slow.energy < slow.start_energy
    assert [point.iteration for point in slow.curve] == [0, 10, 20, 29]
    assert sum(fast.terms.values()) == pytest.approx(fast.energy)


def test_cancelled_halfway_keeps_the_best_so_far(quick: Optimiser, faces: list[Face]) -> None:
    face, seen = faces[1], []

    def until_third(point: CurvePoint, n: int) -> bool:
        seen.append((point.iteration, n))
        return len(seen) < 3

    fit = quick.fit(crop_of(face), face.camera, face.normals, on_progress=until_third)
    assert fit.stopped
    assert seen == [(0, 20), (1, 20), (2, 20)]
    assert fit.energy < fit.start_energy


def test_later_frames_keep_the_shape_of_the_first(quick: Optimiser, faces: list[Face]) -> None:
    face = faces[2]
    first = quick.fit(crop_of(face), face.camera, face.normals)
    again = quick.fit(crop_of(face), face.camera, face.normals, before=first.params)
    np.testing.assert_array_equal(again.params.shape, first.params.shape)
    assert "smooth_R" in again.terms
    assert np.linalg.norm(again.params.t - first.params.t) < 0.002


@pytest.mark.parametrize(
    ("spoil", "message"),
    [
        (lambda n: replace(n, head=np.zeros_like(n.head), view=None), "normals are zero"),
        (lambda n: replace(n, mask=np.zeros_like(n.mask)), "mask is empty"),
        (lambda n: replace(n, head=np.full_like(n.head, np.nan)), "not finite"),
    ],
)
def test_maps_that_cannot_be_fitted_say_why(
    quick: Optimiser, faces: list[Face], spoil, message: str
) -> None:
    face = faces[0]
    with pytest.raises(CaptureError, match=message):
        quick.fit(crop_of(face), face.camera, spoil(face.normals))


def test_a_start_of_another_head_model_is_refused(quick: Optimiser, faces: list[Face]) -> None:
    face = faces[0]
    other = face.params.with_values(model_id="another")
    with pytest.raises(ModelContractError, match="head model"):
        quick.fit(crop_of(face), face.camera, face.normals, start=other)


def test_the_oracle_finds_a_surface_of_which_it_knows_no_vertices(
    openhead: HeadModel, faces: list[Face]
) -> None:
    """Triangles in another order of vertices, elsewhere in space: 0.1 mm are left."""
    params = faces[0].params
    head = PosedHead(openhead)
    true = head.vertices(params).copy()
    placed = (true @ params.R.T + params.t).astype(np.float64)
    points = landmarks68(openhead, true, 0.0) @ params.R.T + params.t
    order = np.random.default_rng(0).permutation(len(placed))
    back = np.argsort(order).astype(np.int32)
    fit = OracleFitter(openhead).fit_surface(
        placed[order], back[openhead.faces], points.astype(np.float64)
    )
    assert FaceDistance(openhead)(head.vertices(fit).copy(), true)[0] < 0.15
    assert turn_between_deg(fit, params) < 0.5


def test_the_oracle_refuses_what_is_no_mesh(openhead: HeadModel) -> None:
    oracle = OracleFitter(openhead)
    with pytest.raises(CaptureError, match="other topologies"):
        oracle.fit_vertices(np.zeros((10, 3)))
    with pytest.raises(CaptureError, match="not finite"):
        oracle.fit_surface(np.full((4, 3), np.nan), np.zeros((1, 3), np.int32), np.zeros((68, 3)))
    with pytest.raises(CaptureError, match="no faces"):
        oracle.fit_surface(np.zeros((4, 3)), np.zeros((0, 3), np.int32), np.zeros((68, 3)))


def test_correspondences_take_the_place_of_mediapipes_points(
    openhead: HeadModel, quick: Optimiser, faces: list[Face]
) -> None:
    """Points where the head really is pull it there; the same ones 5 px aside do not fit."""
    face, points = faces[0], openhead.mediapipe
    A = face.normals.crop_from_frame
    px = face.landmarks[openhead.mediapipe_idx] @ A[:, :2].T + A[:, 2]
    fits = []
    for aside in (0.0, 5.0):
        uv = Correspondences(
            torch.tensor(px + aside, dtype=torch.float32),
            torch.ones(len(px)),
            points.faces_idx,
            points.bary,
        )
        fits.append(quick.fit(crop_of(face), face.camera, face.normals, uv=uv))
    assert turn_between_deg(fits[0].params, face.params) < 2.0
    assert fits[1].terms["uv"] > 3 * fits[0].terms["uv"]
