"""Mirroring and warping keep picture and truth together."""

import dataclasses

import numpy as np
import pytest
import torch
from scipy.spatial.transform import Rotation

from engine.frames import camera_from_focal, view_from_crop
from engine.stages.mediapipe_mesh import canonical_vertices, mirrored_points
from engine.synth.sample import decode_normals
from engine.training.augment import augmented, with_parts_hidden, with_point_errors
from engine.training.batch import Batch, batch_from_rows, mirrored, similarities, warped
from engine.training.sample_store import SampleStore
from engine.training.settings import NormalTrainSettings
from tests.balls import ball_normals, ball_sample


@pytest.fixture
def batch(ball_folder) -> Batch:
    store = SampleStore(ball_folder, "train", 32)
    store.refresh()
    return batch_from_rows(store.read(np.arange(4)))


def assert_same(a: Batch, b: Batch, atol: float = 1e-5) -> None:
    for field in dataclasses.fields(Batch):
        x, y = (np.asarray(getattr(item, field.name)) for item in (a, b))
        np.testing.assert_allclose(x, y, atol=atol, err_msg=field.name)


def test_a_batch_holds_the_samples_normals(batch):
    sample = ball_sample(2)
    wanted = decode_normals(sample.view_normals).transpose(2, 0, 1)
    np.testing.assert_allclose(batch.view[2], wanted, atol=1e-6)
    assert torch.equal(batch.image[2], torch.from_numpy(sample.image).permute(2, 0, 1) / 255)


def test_mirroring_twice_changes_nothing(batch):
    every = torch.ones(4, dtype=torch.bool)
    assert_same(mirrored(mirrored(batch, every), every), batch)


def test_only_the_chosen_are_mirrored(batch):
    some = mirrored(batch, torch.tensor([True, False, False, True]))
    assert torch.equal(some.image[1], batch.image[1])
    assert torch.equal(some.image[0], batch.image[0].flip(-1))
    x = batch.head[0, 0].flip(-1)
    assert torch.equal(some.head[0, 0], -x)


def test_the_mirror_table_swaps_sides():
    mirror = mirrored_points()
    assert np.array_equal(mirror[mirror], np.arange(478))
    assert [int(mirror[k]) for k in (33, 61, 1, 468, 469)] == [263, 291, 1, 473, 476]
    surface = canonical_vertices()
    np.testing.assert_allclose(surface[mirror[:468]], surface * [-1, 1, 1], atol=1e-9)


def test_a_warp_that_moves_nothing_changes_nothing(batch):
    still = similarities(np.zeros(4), np.ones(4), np.zeros((4, 2)), 32)
    assert_same(warped(batch, still), batch, atol=2e-4)  # the sampler's rounding


def test_normals_of_a_turned_ball_are_those_of_a_ball_turned_about_its_middle():
    """About the principal point the crop-view frame turns about its z axis and nothing else."""
    size, angle = 64, np.radians(20.0)
    view = ball_normals(size, 22.0, (31.5, 31.5))
    n = torch.from_numpy(view.transpose(2, 0, 1))[None].contiguous()
    flat = Batch(
        image=torch.zeros(1, 3, size, size),
        points=torch.zeros(1, 478, 3),
        head=n,
        view=n,
        parsing=torch.zeros(1, size, size, dtype=torch.int64),
        landmarks=torch.tensor([[[31.5, 11.5]]]).expand(1, 68, 2),
        K=camera_from_focal(250.0, size, size).K[None],
    )
    A = similarities(np.array([angle]), np.ones(1), np.zeros((1, 2)), size)
    turned = warped(flat, A)
    inside = torch.from_numpy(ball_normals(size, 19.0, (31.5, 31.5)).any(-1))
    # A ball looks the same from everywhere: its view map stays, its "head" normals go along.
    assert (turned.view[0] - n[0]).abs()[:, inside].max() < 0.02
    clockwise = Rotation.from_euler("z", -angle).as_matrix()
    went = np.einsum("ij,jyx->iyx", clockwise, turned.head[0].numpy())
    assert np.abs(went - n[0].numpy())[:, inside.numpy()].max() < 0.02
    # Clockwise on the screen: what was on top is now to the right.
    expected = [31.5 + 20 * np.sin(angle), 31.5 - 20 * np.cos(angle)]
    np.testing.assert_allclose(turned.landmarks[0, 0], expected, atol=1e-4)


def test_a_shift_turns_the_view_frame_by_the_angle_of_its_ray(batch):
    shift = np.array([[6.0, 0.0]] * 4)
    A = similarities(np.zeros(4), np.ones(4), shift, 32)
    moved = warped(batch, A)
    # The new middle shows what lay 6 px to the left: a camera turned left by atan(6 / f).
    turn = Rotation.from_euler("y", -np.arctan(6.0 / 128.0)).as_matrix()
    old = batch.view[0, :, 16, 12].numpy()
    np.testing.assert_allclose(moved.view[0, :, 16, 18], turn @ old, atol=1e-4)
    np.testing.assert_allclose(moved.head[0, :, 16, 18], batch.head[0, :, 16, 12], atol=1e-4)
    straight = view_from_crop(camera_from_focal(128.0, 32, 32), np.eye(3)[:2], 32)
    np.testing.assert_allclose(straight, np.eye(3), atol=1e-12)


def test_points_follow_the_picture(batch):
    A = similarities(np.full(4, 0.3), np.full(4, 1.1), np.full((4, 2), 1.5), 32)
    moved = warped(batch, A)
    px = batch.points[2, 100, :2].double().numpy() * 32 - 0.5
    there = A[2, :, :2] @ px + A[2, :, 2]
    np.testing.assert_allclose(moved.points[2, 100, :2] * 32 - 0.5, there, atol=1e-4)
    assert float(moved.points[2, 100, 2] / batch.points[2, 100, 2]) == pytest.approx(1.1, rel=1e-5)


def test_hidden_parts_are_not_asked_for(batch):
    hidden = with_parts_hidden(batch, torch.Generator().manual_seed(3), share=1.0)
    covered = hidden.parsing == -1
    assert covered.any(dim=(1, 2)).all()
    same = (hidden.image == batch.image).all(dim=1)
    assert same[~covered].all()
    assert torch.equal(hidden.head, batch.head)


def test_point_errors_stay_small_for_most(batch):
    shaken = with_point_errors(batch, 0.008, torch.Generator().manual_seed(1))
    error = (shaken.points - batch.points)[..., :2].norm(dim=-1)
    assert 0.002 < float(error.median()) < 0.03


def test_equal_generators_augment_equally(batch):
    settings = NormalTrainSettings(size_px=32)
    a, b = (augmented(batch, settings, torch.Generator().manual_seed(5)) for _ in range(2))
    assert_same(a, b, atol=0)
    length = a.head.norm(dim=1)
    assert (((length - 1).abs() < 1e-3) | (length == 0)).all()
