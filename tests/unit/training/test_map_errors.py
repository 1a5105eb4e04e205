"""The ruler for normal maps finds each error by its size, and takes it for no other."""

from dataclasses import replace

import pytest
import torch
from torch.nn import functional

from engine.training.degradation import (
    Degradation,
    band_limited,
    frame_turned,
    noisy,
    shrunk_to_mean,
    tangent_field,
)
from engine.training.map_errors import MapErrors, map_errors
from engine.training.n2f_batch import N2FBatch
from tests.bumpy_head import bumpy_head
from tests.n2f_made import made_batch

N = 6


def waves(phase: float) -> torch.Tensor:
    """(N, 3, 64, 64) normals of a ball with waves on it."""
    ramp = torch.linspace(-0.8, 0.8, 64)
    x = ramp.expand(64, 64) + 0.15 * torch.sin(12 * ramp[:, None] + phase).expand(64, 64)
    y = -ramp[:, None].expand(64, 64) + 0.15 * torch.sin(14 * ramp + phase).expand(64, 64)
    return functional.normalize(torch.stack([x, y, 1 + 0 * x])[None], dim=1).repeat(N, 1, 1, 1)


@pytest.fixture
def true() -> N2FBatch:
    batch = made_batch(bumpy_head(level=2), N)
    head = waves(0.0)
    view = torch.einsum("bij,bjyx->biyx", batch.R, head)
    return replace(batch, head=head, mean=waves(1.5), view=view)


@pytest.fixture
def random() -> torch.Generator:
    return torch.Generator().manual_seed(0)


def errors(true: N2FBatch, head: torch.Tensor) -> MapErrors:
    view = torch.einsum("bij,bjyx->biyx", true.R, head)
    return map_errors(replace(true, head=head, view=view), true)


def test_no_error_is_none(true: N2FBatch):
    found = errors(true, true.head)
    for name in ("angle", "blur_px", "shrinkage", "frame", "view", "field", "detail", "noise"):
        assert float(getattr(found, name).abs().max()) < 0.1


def test_a_turn_is_the_frames(true: N2FBatch, random: torch.Generator):
    turned = frame_turned(true.head, 8.0, random)
    found = errors(true, turned)
    assert 3.0 < float(found.frame.max()) < 8.1
    assert float(found.field.max()) < 0.1
    assert float(found.shrinkage.abs().max()) < 0.01
    view = frame_turned(true.view, 8.0, random)
    found = map_errors(replace(true, view=view), true)
    assert 3.0 < float(found.view.max()) < 8.1
    assert float(found.frame.max()) < 0.1


def test_a_shrinkage_is_its_share(true: N2FBatch, random: torch.Generator):
    shrunk = shrunk_to_mean(true.head, true.mean, (0.3, 0.3), random)
    found = errors(true, shrunk)
    torch.testing.assert_close(found.shrinkage, torch.full((N,), 0.3), atol=0.02, rtol=0)
    assert float(found.frame.max()) < 0.3


def test_a_blur_is_its_width(true: N2FBatch, random: torch.Generator):
    found = errors(true, band_limited(true.head, (8.0, 8.0), random))
    torch.testing.assert_close(found.blur_px, torch.full((N,), 8.0))
    assert float(found.shrinkage.abs().max()) < 0.1


def test_noise_and_smooth_fields_are_told_apart(true: N2FBatch, random: torch.Generator):
    loud = errors(true, noisy(true.head, (5.0, 5.0), random))
    assert float(loud.noise.mean()) == pytest.approx(5.0, rel=0.2)
    assert float(loud.field.mean()) < 1.0
    how = replace(Degradation().scaled(0.0), field_deg=(5.0, 5.0), field_px=(40.0,))
    bent = errors(true, tangent_field(true.head, how, random))
    assert float(bent.field.mean()) > 2.5
    assert float(bent.noise.mean()) < 0.2 * float(bent.field.mean())


def test_confidence_is_measured_where_it_is(true: N2FBatch, random: torch.Generator):
    mask = torch.zeros(N, 1, 64, 64)
    mask[..., :32] = 1
    seen = noisy(true.head, (5.0, 5.0), random)
    cosine = (functional.normalize(seen, dim=1) * true.head).sum(1, keepdim=True)
    off = torch.rad2deg(torch.arccos(cosine.clamp(-1, 1)))
    confidence = (0.8 - 0.02 * off) * mask + 0.25 * (1 - mask)
    found = map_errors(replace(true, head=seen, confidence=confidence), replace(true, mask=mask))
    assert float(found.confidence_outside.mean()) == pytest.approx(0.25)
    inside = float(confidence[..., :32].mean())
    assert float(found.confidence.mean()) == pytest.approx(inside, abs=1e-4)
    assert float(found.confidence_fit.max()) < -0.99


def test_maps_without_a_face_are_refused(true: N2FBatch):
    with pytest.raises(ValueError, match="0 pixels of a face"):
        map_errors(true, replace(true, mask=0 * true.mask))
