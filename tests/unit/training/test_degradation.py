"""Each error of the degradation has the size that it says."""

from dataclasses import replace

import pytest
import torch
from torch.nn import functional

from engine.training.degradation import (
    Degradation,
    band_limited,
    confidence_of,
    degraded,
    frame_turned,
    in_bytes,
    mask_corrupted,
    noisy,
    shrunk_to_mean,
    tangent_field,
    wrongly_filled,
)
from tests.bumpy_head import bumpy_head
from tests.n2f_made import made_batch

N, SIZE = 48, 64


@pytest.fixture
def random():
    return torch.Generator().manual_seed(1)


def flat(direction: tuple[float, float, float] = (0.0, 0.0, 1.0)) -> torch.Tensor:
    return torch.tensor(direction).view(1, 3, 1, 1).repeat(N, 1, SIZE, SIZE)


def angles_deg(a: torch.Tensor, b: torch.Tensor) -> torch.Tensor:
    sine = torch.linalg.cross(a, b, dim=1).norm(dim=1)
    return torch.rad2deg(torch.atan2(sine, (a * b).sum(1)))


def test_a_blur_takes_fine_waves_and_leaves_slow_ones(random):
    ramp = torch.arange(SIZE) / SIZE
    for periods, least, most in ((2, 0.93, 1.0), (16, 0.0, 0.45)):
        tilt = 0.2 * torch.sin(2 * torch.pi * periods * ramp).expand(SIZE, SIZE)
        waves = functional.normalize(torch.stack([tilt, 0 * tilt, 1 + 0 * tilt])[None], dim=1)
        left = band_limited(waves.repeat(N, 1, 1, 1), (6.0, 6.0), random)  # 1.5 px at 64
        ratio = left[:, 0].std() / waves[:, 0].std()
        assert least < float(ratio) <= most
        assert torch.allclose(left.norm(dim=1), torch.ones(()), atol=1e-5)


def test_shrinkage_is_uniform_within_its_limits(random):
    found = shrunk_to_mean(flat(), flat((1.0, 0.0, 0.0)), (0.1, 0.5), random)[:, :, 0, 0]
    share = found[:, 0] / (found[:, 0] + found[:, 2])  # of the mean in the mixture
    assert float(share.min()) >= 0.1 - 1e-6
    assert float(share.max()) <= 0.5 + 1e-6
    assert float(share.mean()) == pytest.approx(0.3, abs=0.04)
    assert torch.equal(shrunk_to_mean(flat(), 0 * flat(), (0.1, 0.5), random), flat())


def test_the_smooth_field_has_its_size_and_is_smooth(random):
    still = Degradation().scaled(0.0)
    turned = tangent_field(flat(), replace(still, field_deg=(5.0, 5.0)), random)
    angle = angles_deg(turned, flat())
    assert float(angle.square().mean(dim=(1, 2)).sqrt().mean()) == pytest.approx(5.0, rel=0.15)
    step = angles_deg(turned[..., 1:], turned[..., :-1])
    assert float(step.mean()) < 0.35 * float(angle.mean())
    details = tangent_field(flat(), replace(still, detail_deg=(5.0, 5.0)), random)
    off = angles_deg(details, flat())
    assert float(off.square().mean(dim=(1, 2)).sqrt().mean()) == pytest.approx(5.0, rel=0.15)
    steps = angles_deg(details[..., 1:], details[..., :-1])
    assert float(steps.mean() / off.mean()) > 1.5 * float(step.mean() / angle.mean())


def test_confidence_has_its_levels_and_falls_where_normals_are_off(random):
    how = replace(Degradation(), confidence=(0.66, 0.66), confidence_outside=(0.3, 0.3))
    mask = torch.zeros(N, 1, SIZE, SIZE)
    mask[..., 8:56, 8:56] = 1
    still = replace(Degradation().scaled(0.0), field_deg=(6.0, 6.0))
    seen = tangent_field(flat(), still, random)
    found = confidence_of(seen, flat(), mask, how, random)
    inside = found[..., 8:56, 8:56]
    assert float(inside.mean()) == pytest.approx(0.66, abs=0.02)
    assert float(inside.std(dim=(2, 3)).mean()) == pytest.approx(how.confidence_spread, rel=0.2)
    assert torch.allclose(found[mask == 0], torch.tensor(0.3))
    off = angles_deg(seen, flat())[:, 8:56, 8:56]
    pairs = [torch.stack([inside[k].flatten(), off[k].flatten()]) for k in range(N)]
    fits = [float(torch.corrcoef(pair)[0, 1]) for pair in pairs]
    assert -0.8 < sum(fits) / N < -0.45


def test_a_frame_error_turns_all_of_a_map_alike(random):
    maps = functional.normalize(torch.randn(N, 3, 4, 4, generator=random), dim=1)
    turned = frame_turned(maps, 4.0, random)
    a, b = maps.flatten(2), turned.flatten(2)
    assert torch.allclose(a.transpose(1, 2) @ a, b.transpose(1, 2) @ b, atol=1e-5)  # a rotation
    angle = angles_deg(turned, maps)
    assert 2.0 < float(angle.max()) <= 4.01


def test_noise_has_its_size_and_bytes_are_cut_off(random):
    # From an oblique direction no component is at the end of its range.
    oblique = flat((0.48, 0.6, 0.64))
    angle = angles_deg(in_bytes(noisy(oblique, (2.0, 2.0), random)), oblique)
    assert float(angle.square().mean().sqrt()) == pytest.approx(2.0, rel=0.1)
    still = in_bytes(oblique)
    assert 0.05 < float(angles_deg(still, oblique).mean()) < 0.5
    assert float((still - oblique).mean()) < 0  # downwards
    assert not in_bytes(noisy(0 * oblique, (2.0, 2.0), random)).any()


def test_the_masks_edge_moves_by_its_pixels_and_the_rest_stays(random):
    mask = torch.zeros(N, 1, SIZE, SIZE)
    mask[..., : SIZE // 2] = 1
    moved = mask_corrupted(mask, 6.0, random)  # 1.5 px at 64
    edge = moved.mean(dim=(1, 2, 3)) * SIZE - SIZE / 2
    assert 0.4 < float(edge.abs().max()) < 2.0
    assert float(edge.std()) > 0.2
    assert bool((moved[..., : SIZE // 2 - 6] == 1).all())
    assert not moved[..., SIZE // 2 + 6 :].any()


def test_covered_places_show_nothing_or_something_else(random):
    covered = torch.zeros(N, 1, SIZE, SIZE)
    covered[..., 20:40, 20:40] = 1
    maps, leak = wrongly_filled(flat(), covered, 0.5, random)
    inside = maps[..., 20:40, 20:40].norm(dim=1).mean(dim=(1, 2))
    assert torch.all((inside < 1e-6) | ((inside - 1).abs() < 1e-4))
    assert 0.3 < float((inside > 0.5).float().mean()) < 0.7
    leaks = leak[..., 20:40, 20:40].amax(dim=(1, 2, 3))
    assert 0.1 < float(leaks.mean()) < 0.45
    assert bool((inside[leaks > 0] > 0.5).all())
    outside = (1 - covered) * maps
    assert torch.allclose(outside, (1 - covered) * flat())


def test_no_strength_changes_little_and_parameters_stay(random):
    batch = made_batch(bumpy_head(level=2), 4)
    none = degraded(batch, Degradation().scaled(0.0), random)
    assert float(angles_deg(none.head, batch.head).mean()) < 0.5  # bytes
    assert torch.equal(none.mask, batch.mask)
    much = degraded(batch, Degradation(), random)
    assert float(angles_deg(much.head, batch.head).mean()) > 3
    assert torch.equal(much.shape, batch.shape)
    # That of maps that a network has seen is not 1, either.
    for found in (none, much):
        assert 0.5 < float((found.confidence * found.mask).sum() / found.mask.sum()) < 0.8


def test_a_seed_gives_the_same_errors():
    batch = made_batch(bumpy_head(level=2), 2)
    a, b = (degraded(batch, Degradation(), torch.Generator().manual_seed(5)) for _ in range(2))
    assert torch.equal(a.head, b.head)
    assert torch.equal(a.mask, b.mask)


def test_the_view_turns_with_the_head():
    batch = made_batch(bumpy_head(level=2), 2)
    how = replace(Degradation(), blob_share=1.0, view_deg=0.0)
    found = degraded(batch, how, torch.Generator().manual_seed(0))
    wanted = torch.einsum("bij,bjyx->biyx", batch.R, found.head)
    assert torch.allclose(found.view, wanted)


def test_view_normals_are_turned_against_head_normals_by_up_to_their_limit(random):
    only = replace(Degradation().scaled(0.0), view_deg=8.0)
    batch = made_batch(bumpy_head(), N, SIZE)
    found = degraded(batch, only, random)
    expected = torch.einsum("bij,bjyx->biyx", batch.R, found.head)
    there = found.head.square().sum(1) > 0.9
    off = angles_deg(functional.normalize(found.view, dim=1), functional.normalize(expected, dim=1))
    assert float(off[there].max()) <= 8.0 + 0.1
    assert 2.0 < float(off[there].mean()) < 4.5  # turns about an axis spare what lies along it
