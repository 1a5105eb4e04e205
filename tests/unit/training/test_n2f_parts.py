"""N2FNet's parts: rotations, the face mesh, the losses."""

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
from scipy.spatial.transform import Rotation

from engine.fitting.rotation6d import geodesic, matrix_from_6d, rotation_vector, six_from_matrix
from engine.flame.lbs import posed_vertices
from engine.flame.model import HeadModel
from engine.flame.posed import surface_points
from engine.stages.weak_perspective import CropPose, project_weakly
from engine.synth.draw_maps import DrawPlan, draw_maps
from engine.synth.map_files import MapStore
from engine.training.face_mesh import REGION_WEIGHTS, FaceMesh, gram_matrix
from engine.training.n2f_augment import _mirrored, mirror_map, turned
from engine.training.n2f_batch import N2FBatch, batch_from_map_rows
from engine.training.n2f_losses import kabsch, n2f_losses, projected
from engine.training.n2f_settings import LossWeights, N2FSettings
from engine.training.n2f_validate import _params
from engine.training.n2fnet import GROUPS, N2FNet, N2FOutputs
from tests.bumpy_head import bumpy_head
from tests.n2f_made import made_batch, true_outputs

HEAD = bumpy_head(level=3)
ALL = LossWeights(*[1.0] * 11)


def test_six_numbers_are_the_first_two_rows():
    """As Pixel3DMM and PyTorch3D have it."""
    R = torch.tensor([[0.0, -1, 0], [1, 0, 0], [0, 0, 1]])
    assert six_from_matrix(R).tolist() == [0, -1, 0, 1, 0, 0]
    assert torch.equal(matrix_from_6d(torch.tensor([0.0, -1, 0, 1, 0, 0])), R)


def test_six_numbers_of_any_length_give_a_rotation():
    R = matrix_from_6d(torch.randn(50, 6, generator=torch.Generator().manual_seed(0)))
    assert torch.allclose(R @ R.transpose(1, 2), torch.eye(3).expand(50, 3, 3), atol=1e-5)
    assert torch.allclose(torch.det(R), torch.ones(50), atol=1e-5)


def test_the_angle_between_rotations_and_its_gradient_at_zero():
    turn = torch.from_numpy(Rotation.from_rotvec([0.3, -0.2, 0.5]).as_matrix()).float()
    eye = torch.eye(3).requires_grad_()
    angle = float(geodesic(eye, turn).detach())
    assert angle == pytest.approx(np.linalg.norm([0.3, -0.2, 0.5]), abs=1e-5)
    np.testing.assert_allclose(rotation_vector(eye, turn).detach(), [0.3, -0.2, 0.5], atol=1e-5)
    geodesic(eye, torch.eye(3)).backward()
    assert torch.isfinite(eye.grad).all()


def test_the_face_mesh_is_the_whole_heads():
    random = np.random.default_rng(0)
    mesh = FaceMesh(HEAD, 50)
    shape, expr = random.normal(0, 1, (2, HEAD.n_shape)), random.normal(0, 1, (2, HEAD.n_expr))
    jaw, lids = random.normal(0, 0.2, (2, 3)), random.uniform(0, 1, (2, 2))
    posed = mesh(*(torch.from_numpy(a).float() for a in (shape, expr, jaw, lids)))
    rest = np.zeros((2, 3))
    vertices = posed_vertices(
        HEAD, shape=shape, expr=expr, neck=rest, jaw=jaw, eyes=np.zeros((2, 6)), eyelids=lids, xp=np
    )
    for k in range(2):
        marks = surface_points(vertices[k].astype(np.float32), HEAD.faces, HEAD.landmarks68)
        np.testing.assert_allclose(posed.landmarks68[k], marks, atol=1e-6)
    assert (posed.normals[..., 2] > 0).float().mean() > 0.8


def test_a_fixed_jaw_moves_nothing():
    """As `FlameRegressor` has it, for FLAME 2023 without jaw."""
    batch, fixed = made_batch(HEAD, 2), replace(HEAD, meta={**HEAD.meta, "jaw_fixed": True})
    mesh = FaceMesh(fixed, 50)
    moved = mesh(batch.shape, batch.expr, batch.jaw, batch.eyelids)
    still = mesh(batch.shape, batch.expr, 0 * batch.jaw, batch.eyelids)
    assert torch.equal(moved.corners, still.corners)
    assert not _params(fixed, batch, 0).jaw.any()
    assert _params(HEAD, batch, 0).jaw.any()


def test_the_gram_matrix_is_the_mean_squared_distance():
    change = np.random.default_rng(0).normal(0, 1, HEAD.n_shape + HEAD.n_expr)
    dirs = np.concatenate([HEAD.shapedirs, HEAD.exprdirs], axis=2)
    moved_mm = 1e3 * dirs @ change
    wanted = sum(
        w * (moved_mm[HEAD.regions[r]] ** 2).sum(axis=1).mean() for r, w in REGION_WEIGHTS.items()
    )
    wanted /= sum(REGION_WEIGHTS.values())
    assert change @ gram_matrix(HEAD) @ change == pytest.approx(wanted, rel=1e-5)


def test_projection_is_that_of_the_stages():
    batch = made_batch(HEAD, 2)
    points = torch.randn(2, 5, 3, generator=torch.Generator().manual_seed(1)) * 0.05
    anchor = torch.tensor([0.0, 0.01, 0.06])
    found = projected(points, batch.R, batch.camera, anchor)
    for k in range(2):
        pose = CropPose(batch.R[k].double().numpy(), batch.camera[k].double().numpy())
        wanted = project_weakly(points[k].double().numpy(), pose, anchor.double().numpy())
        np.testing.assert_allclose(found[k], wanted, atol=1e-5)


def test_a_rigid_motion_is_found():
    source = torch.randn(1, 30, 3, generator=torch.Generator().manual_seed(0))
    R = torch.from_numpy(Rotation.from_rotvec([0.1, 2.0, -0.4]).as_matrix()).float()[None]
    found, t = kabsch(source, source @ R.transpose(1, 2) + 3)
    assert torch.allclose(found, R, atol=1e-5)
    assert torch.allclose(t, torch.full((1, 1, 3), 3.0), atol=1e-4)


def test_the_truth_has_no_loss_but_prior_and_spread():
    batch, mesh = made_batch(HEAD, 3), FaceMesh(HEAD, 100)
    losses = n2f_losses(true_outputs(batch), batch, mesh, ALL)
    for name in ("params", "vertices", "aligned", "camera", "lids", "landmarks", "gaps"):
        assert float(getattr(losses, name)) < 1e-3, name
    assert float(losses.rotation) < 0.02
    assert float(losses.nll) == pytest.approx(0.0, abs=1e-4)  # no miss, variance 1


def test_losses_are_in_their_units():
    batch, mesh = made_batch(HEAD, 3), FaceMesh(HEAD, 100)
    true = true_outputs(batch)
    turn = torch.from_numpy(Rotation.from_euler("y", 10, degrees=True).as_matrix()).float()
    wrong = true._replace(rotation=true.rotation @ turn, camera=true.camera + 0.1)
    losses = n2f_losses(wrong, batch, mesh, ALL)
    assert float(losses.rotation) == pytest.approx(2.0, abs=1e-3)  # of 5 degrees
    assert float(losses.camera) == pytest.approx(6.0, abs=1e-3)
    wider = true._replace(log_variance=torch.full_like(true.log_variance, 2.0))
    assert float(n2f_losses(wider, batch, mesh, ALL).nll) == pytest.approx(1.0, abs=1e-4)


def test_the_normal_loss_sees_the_heads_own_normals():
    """A map whose every pixel holds the direction to the viewer fits a face that looks there."""
    batch, mesh = made_batch(HEAD, 2), FaceMesh(HEAD, 100)
    flat = batch.R[:, 2, :, None, None].expand(-1, -1, 64, 64)
    batch = type(batch)(**{f: getattr(batch, f) for f in batch.__slots__} | {"head": flat})
    posed = mesh(batch.shape, batch.expr, batch.jaw, batch.eyelids)
    facing = (posed.normals @ batch.R[:, 2, :, None])[..., 0]
    wanted = (1 - facing)[facing > 0.15].mean()
    found = n2f_losses(true_outputs(batch), batch, mesh, ALL).normals
    assert float(found) == pytest.approx(float(wanted), abs=0.02)  # some lie outside of the crop


def test_all_losses_have_finite_gradients_from_the_start():
    settings = N2FSettings(widths=(8, 8, 8), blocks=(1, 1, 1), hidden=16, grid_width=4)
    net, mesh = N2FNet(settings, HEAD.n_shape, HEAD.n_expr), FaceMesh(HEAD, 50)
    batch = made_batch(HEAD, 4)
    losses = n2f_losses(net(batch.maps(settings.inputs)), batch, mesh, ALL)
    losses.total(ALL).backward()
    used = [p for p in net.parameters() if p.requires_grad]
    assert all(p.grad is not None and torch.isfinite(p.grad).all() for p in used)


def test_the_spread_has_its_groups_in_order():
    log_variance = torch.arange(2 + 1 + 14.0)[None]
    zeros = [torch.zeros(1, n) for n in (2, 1, 3, 2, 3)]
    out = N2FOutputs(*zeros, torch.eye(3)[None], torch.zeros(1, 3), log_variance)
    firsts = {name: float(out.log_variances[name][0, 0]) for name in GROUPS}
    assert firsts == {
        "shape": 0, "expr": 2, "jaw": 3, "eyelids": 6, "neck": 8, "rotation": 11, "camera": 14,
    }  # fmt: skip
    assert float(out.std_of("expr")) == pytest.approx(np.e)


@pytest.mark.gl
@pytest.mark.assets
def test_mirrored_and_turned_heads_still_lie_under_their_normals(
    openhead: HeadModel, tmp_path: Path
):
    """Where the changed parameters put the face, the changed map has the face's normals."""
    draw_maps(openhead, tmp_path, DrawPlan(6))
    store = MapStore(tmp_path, "train", openhead.model_id)
    store.refresh()
    batch = batch_from_map_rows(store.read(np.arange(6)), 64, picture=False)
    mesh, mirror = FaceMesh(openhead), mirror_map(openhead)
    assert mirror is not None

    def miss(changed: N2FBatch) -> float:
        return float(n2f_losses(true_outputs(changed), changed, mesh, ALL).normals)

    before = miss(batch)
    flipped = _mirrored(batch, mirror, torch.ones(6, dtype=torch.bool))
    assert miss(flipped) == pytest.approx(before, abs=0.005)
    assert miss(replace(flipped, R=batch.R)) > before + 0.02
    moved = turned(batch, torch.full((6,), 0.4), torch.full((6,), -0.1))
    assert miss(moved) == pytest.approx(before, abs=0.01)  # read between pixels
    assert miss(replace(moved, R=batch.R)) > before + 0.02
    back = turned(moved, torch.full((6,), -0.4), torch.full((6,), 0.1))
    # Scale and turn have the same middle: the way back is exact.
    torch.testing.assert_close(back.camera, batch.camera, atol=1e-5, rtol=0)
    torch.testing.assert_close(back.R, batch.R, atol=1e-5, rtol=0)


@pytest.mark.assets
def test_points_are_mirrored_and_turned_with_the_head(openhead: HeadModel):
    mesh, mirror = FaceMesh(openhead), mirror_map(openhead)
    assert mirror is not None

    def points_of(batch: N2FBatch) -> torch.Tensor:
        posed = mesh(batch.shape, batch.expr, batch.jaw, batch.eyelids).points
        flat = projected(posed, batch.R, batch.camera, mesh.anchor)
        size = batch.camera[:, None, :1].exp()
        depth = size * ((posed - mesh.anchor) @ batch.R.transpose(1, 2))[..., 2:]
        points = torch.zeros(len(batch), 478, 3)
        points[:, torch.from_numpy(openhead.mediapipe_idx).long()] = torch.cat([flat, depth], 2)
        return points

    batch = made_batch(openhead, 4)
    batch = replace(batch, shape=0.3 * batch.shape, points=points_of(batch))
    batch = replace(batch, points=points_of(batch))
    batch.points[3] = 0  # not known
    surface = torch.from_numpy(openhead.mediapipe_idx[openhead.mediapipe_idx < 468]).long()
    moved = turned(batch, torch.full((4,), 0.3), torch.full((4,), -0.1))
    torch.testing.assert_close(
        moved.points[:3, surface], points_of(moved)[:3, surface], atol=1e-5, rtol=0
    )
    flipped = _mirrored(batch, mirror, torch.ones(4, dtype=torch.bool))
    miss = (flipped.points - points_of(flipped))[:3, surface].norm(dim=-1).mean()
    assert float(miss) < 0.006  # points lie on openhead's two sides nearly alike
    assert float((batch.points - points_of(flipped))[:3, surface].norm(dim=-1).mean()) > 0.02
    assert not moved.points[3].any()
    assert not flipped.points[3].any()


@pytest.mark.assets
def test_a_mirrored_head_is_the_mirror_image_of_the_head(openhead: HeadModel):
    batch, mirror = made_batch(openhead, 2), mirror_map(openhead)
    assert mirror is not None
    flipped = _mirrored(batch, mirror, torch.tensor([True, False]))

    def vertices(b: N2FBatch, k: int) -> np.ndarray:
        moved = openhead.shapedirs @ b.shape[k].numpy() + openhead.exprdirs @ b.expr[k].numpy()
        return openhead.v_template + moved

    wanted = (vertices(batch, 0) * [-1.0, 1, 1])[openhead.mirror]
    # Its shapes, mirrored, are mixtures of its shapes but for some hundredths.
    moved = np.linalg.norm(wanted - openhead.v_template, axis=1).mean()
    off = np.linalg.norm(vertices(flipped, 0) - wanted, axis=1).mean()
    assert off < 0.03 * moved
    assert torch.equal(flipped.shape[1], batch.shape[1])
    assert mirror_map(replace(openhead, mirror=None)) is None
