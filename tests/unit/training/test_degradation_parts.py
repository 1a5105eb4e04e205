"""Errors of single parts of a face and covers come where these are, and only there."""

from dataclasses import fields, replace

import numpy as np
import pytest
import torch
from torch.nn import functional

from engine.stages.weak_perspective import CropPose, project_weakly
from engine.training.degradation import (
    Degradation,
    blocky,
    degraded,
    flip_averaged,
    tangent_field,
)
from engine.training.degradation_covers import bearded, earless, holes, with_glasses
from engine.training.degradation_parts import (
    blobs_in_place,
    ellipsoids,
    jaw_turned,
    nearness,
    uneven_errors,
)
from tests.bumpy_head import bumpy_head
from tests.n2f_made import made_batch

N, SIZE = 32, 64
NONE = Degradation().scaled(0.0)
EYES = [(0.0315, 0.029, -0.0035), (-0.0315, 0.029, -0.0035)]
FOREHEAD = (0.0, 0.072, -0.005)


@pytest.fixture
def random():
    return torch.Generator().manual_seed(1)


@pytest.fixture(scope="module")
def frontal():
    """Smooth maps that look ahead, of heads that do, with open eyes and closed mouths."""
    batch = made_batch(bumpy_head(level=2), N, SIZE)
    ahead = torch.tensor([0.0, 0.0, 1.0]).view(1, 3, 1, 1).repeat(N, 1, SIZE, SIZE)
    zeros = torch.zeros(N, 3)
    return replace(
        batch,
        head=ahead,
        mean=ahead,
        R=torch.eye(3).repeat(N, 1, 1),
        jaw=zeros,
        eyelids=torch.zeros(N, 2),
        camera=zeros + torch.tensor([1.4, 0.0, 0.0]),
    )


def pixel(place: tuple[float, float, float], size: int = SIZE) -> tuple[int, int]:
    """Row and column where a place, metres from the anchor, is in frontal maps."""
    pose = CropPose(np.eye(3), np.array([1.4, 0.0, 0.0]))
    x, y = project_weakly(np.array([place]), pose, np.zeros(3))[0]
    return int(y * size), int(x * size)


def yawed(degrees: float) -> torch.Tensor:
    """(N, 3, 3) heads that turn towards their left."""
    a = torch.tensor(degrees * torch.pi / 180)
    rows = [[a.cos(), 0, a.sin()], [0, 1, 0], [-a.sin(), 0, a.cos()]]
    return torch.tensor(rows).repeat(N, 1, 1)


def angles_deg(a: torch.Tensor, b: torch.Tensor) -> torch.Tensor:
    sine = torch.linalg.cross(a, b, dim=1).norm(dim=1)
    return torch.rad2deg(torch.atan2(sine, (a * b).sum(1)))


def test_places_lie_where_weak_perspective_has_them():
    batch = made_batch(bumpy_head(level=2), 4, SIZE)
    place = np.array([[0.03, 0.02, -0.05]])
    x, y, shape = ellipsoids(
        batch, torch.from_numpy(place).float()[None], torch.full((1, 1, 3), 0.01), SIZE
    )
    found = nearness(x, y, shape)[:, 0].flatten(1).argmin(1)
    for k in range(4):
        pose = CropPose(batch.R[k].double().numpy(), batch.camera[k].double().numpy())
        wanted = project_weakly(place, pose, np.zeros(3))[0] * SIZE - 0.5
        assert abs(int(found[k]) % SIZE - wanted[0]) <= 0.51
        assert abs(int(found[k]) // SIZE - wanted[1]) <= 0.51


def test_a_ball_is_seen_as_a_disc_of_its_radius_from_everywhere():
    batch = made_batch(bumpy_head(level=2), 8, 256)
    at = torch.zeros(1, 1, 3)
    disc = nearness(*ellipsoids(batch, at, torch.full((1, 1, 3), 0.03), 256)) < 1
    wanted = torch.pi * (0.03 * batch.camera[:, 0].exp() * 256).square()
    assert torch.allclose(disc.sum((1, 2, 3)) / wanted, torch.ones(8), atol=0.03)


def test_an_opening_jaw_takes_the_lower_lip_down_by_its_angle():
    lip = torch.tensor([[0.0, -0.0395, 0.015]])
    moved = jaw_turned(lip, torch.tensor([[0.0, 0, 0], [0.2, 0, 0]]))[:, 0]
    assert torch.allclose(moved[0], lip[0], atol=1e-7)
    assert float(moved[1, 1] - lip[0, 1]) == pytest.approx(-0.2 * (0.015 + 0.0791), abs=0.001)


def test_errors_are_larger_at_grazing_angles_and_keep_their_root_mean_square(frontal, random):
    facing = torch.ones(N, 1, SIZE, SIZE)
    facing[..., SIZE - 8 :] = 0.1
    times = uneven_errors(replace(frontal, facing=facing), 1.5)
    plain = float(times[0, 0][pixel(FOREHEAD)])
    assert torch.allclose(times[..., SIZE - 8 :] / plain, torch.tensor(1.5), atol=0.005)
    assert torch.allclose(times.square().mean((1, 2, 3)), torch.ones(N), atol=1e-4)
    still = replace(NONE, field_deg=(5.0, 5.0))
    off = angles_deg(tangent_field(frontal.head, still, random, times), frontal.head).square()
    ratio = off[..., SIZE - 8 :].mean() / off[..., : SIZE - 8].mean()
    assert 1.25 < float(ratio.sqrt()) < 1.65  # parts of the face are among the others
    assert float(off.mean().sqrt()) == pytest.approx(5.0, rel=0.15)


def test_errors_are_larger_at_eyes_mouth_and_jaw_line(frontal):
    times = uneven_errors(frontal, 1.5)[0, 0]
    plain = times[pixel(FOREHEAD)]
    for place in (*EYES, (0.0, -0.04, 0.015), (0.043, -0.068, -0.024), (0.0, -0.08, 0.007)):
        assert 1.3 < float(times[pixel(place)] / plain) <= 1.5
    assert float(uneven_errors(frontal, 1.0).std()) == 0


def test_blocks_are_of_one_normal_each(random):
    maps = functional.normalize(torch.randn(N, 3, 256, 256, generator=random), dim=1)
    found = blocky(maps, replace(NONE, block_share=0.5, block_px=8.0), random)
    changed = (found != maps).any(1).any(1).any(1)
    assert 0.2 < float(changed.float().mean()) < 0.8
    blocks = found[changed].unflatten(3, (32, 8)).unflatten(2, (32, 8))
    assert torch.equal(blocks, blocks[:, :, :, :1, :, :1].expand_as(blocks))
    assert bool((blocks[..., 0, :, 0].diff(dim=3).abs().amax(1) > 0).all())
    assert torch.allclose(found[changed].norm(dim=1), torch.ones(()), atol=1e-5)


def test_open_eyes_and_mouths_bulge_and_closed_ones_stay(frontal, random):
    how = replace(NONE, blob_eyes_share=1.0, blob_mouth_share=1.0)
    mouth = pixel((0.0, -0.05, 0.015))
    closed = replace(frontal, eyelids=torch.ones(N, 2))
    assert torch.equal(blobs_in_place(closed.head, closed, how, random), closed.head)
    jaw = torch.tensor([0.35, 0.0, 0.0]).repeat(N, 1)
    found = blobs_in_place(frontal.head, replace(frontal, jaw=jaw), how, random)
    off = angles_deg(found, frontal.head)
    for place in (*map(pixel, EYES), mouth):
        assert float(off[:, place[0], place[1]].mean()) > 5
    assert not off[:, *pixel(FOREHEAD)].any()
    # Eyeballs bulge: to the right of an eye's middle normals look further to the right.
    row, column = pixel(EYES[0])
    assert float((found[:, 0, row, column + 2] - found[:, 0, row, column - 2]).mean()) > 0.1


def test_only_one_eye_of_a_head_in_profile_gets_a_blob(frontal, random):
    how = replace(NONE, blob_eyes_share=1.0)
    batch = replace(frontal, R=yawed(80.0))
    found = blobs_in_place(batch.head, batch, how, random)
    pose = CropPose(yawed(80.0)[0].double().numpy(), np.array([1.4, 0.0, 0.0]))
    left, right = project_weakly(np.array(EYES), pose, np.zeros(3)) * SIZE
    off = angles_deg(found, batch.head).mean(0)
    assert float(off[int(right[1]), int(right[0])]) > 1
    assert float(off[int(left[1]), int(left[0]) + 1]) == 0


def test_lids_edges_are_blurred_and_the_rest_is_not(frontal, random):
    stripes = functional.normalize(torch.randn(N, 3, SIZE, SIZE, generator=random), dim=1)
    batch = replace(frontal, eyelids=torch.ones(N, 2))
    how = replace(NONE, blob_eyes_share=1.0, lid_blur_px=(4.0, 4.0))
    found = blobs_in_place(stripes, batch, how, random)
    row, column = pixel(EYES[1])
    assert float(angles_deg(found, stripes)[:, row, column].mean()) > 10
    assert torch.equal(found[..., : row - 6, :], stripes[..., : row - 6, :])


def test_holes_are_out_of_the_mask_and_take_their_area(frontal, random):
    only = replace(NONE, hole_share=0.5, hole_area=0.03)
    gaps = holes(frontal.mask, only, random)
    area = gaps.mean((1, 2, 3))
    assert set(gaps.unique().tolist()) == {0.0, 1.0}
    assert 0.2 < float((area > 0).float().mean()) < 0.8
    assert float(area[area > 0].mean()) == pytest.approx(0.03, abs=0.01)
    found = degraded(frontal, replace(only, hole_share=1.0), random)
    gone = found.mask == 0
    assert 0.02 < float(gone.float().mean()) < 0.04
    assert not (found.head * gone).any()
    assert torch.equal(found.mask[~gone], frontal.mask[~gone])


def test_ears_are_missing_where_they_are_seen(frontal, random):
    gaps = earless(frontal, 1.0, random)
    ears = [pixel((x, 0.004, -0.095)) for x in (-0.084, 0.084)]
    assert all(bool((gaps[:, 0, row, column] == 1).all()) for row, column in ears)
    assert not gaps[..., SIZE // 2 - 12 : SIZE // 2 + 12].any()
    # Towards the subject's left: the left ear is behind the head.
    batch = replace(frontal, R=yawed(60.0))
    assert float(earless(batch, 1.0, random).sum()) < 0.75 * 2 * float(gaps.sum())
    place = np.array([[0.082, 0.004, -0.095]])
    pose = CropPose(yawed(60.0)[0].double().numpy(), np.array([1.4, 0.0, 0.0]))
    x, y = project_weakly(place, pose, np.zeros(3))[0] * SIZE
    assert not earless(batch, 1.0, random)[:, 0, int(y), int(x)].any()


def test_glasses_have_rims_and_half_of_them_dark_lenses(frontal, random):
    head, mask = with_glasses(frontal.head, frontal.mask, frontal, 1.0, random)
    off = angles_deg(head, frontal.head)
    for row, column in map(pixel, EYES):
        dark = off[:, row, column] > 0
        assert 0.2 < float(dark.float().mean()) < 0.8
    assert bool((off[:, *pixel((0.0, 0.031, 0.014))] > 0).all())  # the bridge
    assert not off[:, *pixel(FOREHEAD)].any()
    masked = mask.amin((1, 2, 3)) < 0.5
    assert 0.2 < float(masked.float().mean()) < 0.8
    assert torch.equal(mask[~masked], frontal.mask[~masked])


def test_beards_are_fine_noise_around_the_mouth(frontal, random):
    how = replace(NONE, beard_share=1.0, beard_deg=(10.0, 10.0))
    off = angles_deg(bearded(frontal.head, frontal, how, random), frontal.head)
    row, column = pixel((0.0, -0.065, 0.0))
    chin = off[:, row - 2 : row + 3, column - 2 : column + 3]
    assert float(chin.square().mean().sqrt()) == pytest.approx(10.0, rel=0.2)
    assert float(off[:, : SIZE // 3].max()) < 0.1
    assert not off[:, *pixel((0.0, -0.04, 0.012))].any()  # lips


def test_a_flip_average_is_half_of_the_copys_turn_and_keeps_lengths(frontal, random):
    how = replace(NONE, flip_share=1.0, flip_px=0.0, flip_deg=4.0)
    off = angles_deg(flip_averaged(frontal.head, how, random), frontal.head)
    assert 0.5 < float(off.max()) <= 2.01
    assert torch.allclose(off, off[:, :1, :1].expand_as(off), atol=1e-3)  # the same all over
    edge = torch.zeros(N, 3, SIZE, SIZE)
    edge[:, 0, :, : SIZE // 2] = 1
    edge[:, 2, :, SIZE // 2 :] = 1
    how = replace(NONE, flip_share=1.0, flip_px=8.0, flip_deg=0.0)
    found = flip_averaged(edge, how, random)
    assert torch.allclose(found.norm(dim=1), torch.ones(()), atol=1e-5)
    moved = (angles_deg(found, edge) > 1).any(1).any(0)  # columns
    assert bool(moved[SIZE // 2 - 2 : SIZE // 2 + 2].any())
    assert not moved[: SIZE // 2 - 3].any()
    assert not moved[SIZE // 2 + 3 :].any()


def test_no_strength_leaves_all_but_bytes_as_it_was(frontal, random):
    maps = functional.normalize(torch.randn(N, 3, SIZE, SIZE, generator=random), dim=1)
    batch = replace(frontal, head=maps)
    assert torch.equal(blocky(maps, NONE, random), maps)
    assert torch.equal(blobs_in_place(maps, batch, NONE, random), maps)
    assert torch.equal(bearded(maps, batch, NONE, random), maps)
    assert torch.equal(flip_averaged(maps, NONE, random), maps)
    assert not holes(batch.mask, NONE, random).any()
    assert not earless(batch, NONE.earless_share, random).any()
    head, mask = with_glasses(maps, batch.mask, batch, NONE.glasses_share, random)
    assert torch.equal(head, maps)
    assert torch.equal(mask, batch.mask)


def test_a_seed_gives_the_same_covers_and_parts():
    batch = made_batch(bumpy_head(level=2), 16, SIZE)
    shares = [f.name for f in fields(Degradation) if f.name.endswith("_share")]
    all_of_it = replace(Degradation(), **dict.fromkeys(shares, 0.7))
    a, b, c = (
        degraded(batch, all_of_it, torch.Generator().manual_seed(seed)) for seed in (5, 5, 6)
    )
    for name in ("head", "view", "mask", "confidence"):
        assert torch.equal(getattr(a, name), getattr(b, name))
        assert not torch.equal(getattr(a, name), getattr(c, name))
    assert all(bool(torch.isfinite(getattr(a, name)).all()) for name in ("head", "confidence"))
    assert float(a.head.norm(dim=1).max()) < 1.02  # bytes
    assert torch.equal(a.jaw, batch.jaw)


def test_half_a_strength_is_half_of_the_shares_and_of_the_unevenness():
    half = replace(Degradation(), uneven=1.5).scaled(0.5)
    for field in fields(Degradation):
        if field.name.endswith("_share") and field.name != "fill_share":
            now, before = getattr(half, field.name), getattr(Degradation(), field.name)
            assert now == pytest.approx(before / 2)
    assert half.uneven == pytest.approx(1.25)


def test_uncovered_maps_keep_their_mask_but_for_its_edge(frontal, random):
    how = replace(Degradation().uncovered(), most_mask_px=0.0)
    found = degraded(frontal, how, random)
    assert torch.equal(found.mask, frontal.mask)
    assert float(found.head.norm(dim=1).min()) > 0.8  # no gaps; means at the edges of blobs
