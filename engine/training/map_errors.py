"""How maps of normals err, told apart as `degradation` puts errors together.

The same ruler is laid at what the normal network sees and at degraded maps of the same heads, so
that what it cannot tell apart (a wide blur is much like a shrinkage) falls on both alike.
"""

from dataclasses import dataclass

import torch
from torch import Tensor

from engine.training.degradation import blurred
from engine.training.n2f_batch import N2FBatch
from engine.training.vectors import cross

__all__ = ["MapErrors", "map_errors"]

_BLURS_PX = (0.0, 1.0, 2.0, 3.0, 4.0, 6.0, 8.0, 10.0, 12.0, 16.0)  # tried, at 256 px
_REFERENCE_PX = 256
_ROUNDS = 3  # of turn and share in turn; both hardly change after two
_SMOOTH_PX = 12.0  # at 256 px; of the Gaussian that tells the smooth error from that of details
_NOISE_PX = 4.0  # at 256 px; what this takes away is noise
_GRAZING = 0.3
_LEAST_PIXELS = 64


@dataclass(frozen=True, slots=True, eq=False)
class MapErrors:
    """Of N maps; angles in degrees, lengths in pixels at 256 px, one number a map (N,)."""

    angle: Tensor  # mean, of all errors together
    blur_px: Tensor  # standard deviation of the Gaussian that fits best, of those tried
    shrinkage: Tensor  # share of the mean head's normals
    frame: Tensor  # turn of the whole map
    view: Tensor  # turn of view normals against head normals
    field: Tensor  # root mean square of the smooth rest
    detail: Tensor  # of what is finer, such as lids and nostrils
    noise: Tensor  # of the finest, which changes from one pixel to the next
    grazing: (
        Tensor  # the rest where the surface is seen from the side, times that elsewhere; or nan
    )
    confidence: Tensor  # mean inside the mask
    confidence_spread: Tensor  # standard deviation inside the mask
    confidence_grazing: Tensor  # its mean where seen from the side, times that elsewhere; or nan
    confidence_outside: Tensor  # mean where there is no face
    confidence_fit: Tensor  # correlation of confidence with the angle


def map_errors(seen: N2FBatch, true: N2FBatch) -> MapErrors:
    """Errors of each map inside the true mask.

    Args:
        seen: what a network saw, or degraded maps.
        true: the same heads as they are, `mean` and `facing` known.
    Raises: ValueError: if a map has hardly any face.
    """
    rows = [_errors_of_one(seen, true, k) for k in range(len(true))]
    return MapErrors(*(torch.tensor(column) for column in zip(*rows, strict=True)))


def _errors_of_one(seen: N2FBatch, true: N2FBatch, k: int) -> tuple[float, ...]:
    inside = _inside(true, k)
    if int(inside.sum()) < _LEAST_PIXELS:
        raise ValueError(f"map {k} shows {int(inside.sum())} pixels of a face, too few to measure")
    found, mean = _unit(seen.head[k]), true.mean[k]
    blur, share, turn, model = _explained(found, true.head[k], mean, inside)
    rest = cross(model, torch.einsum("ji,jyx->iyx", turn, found), 0)
    scale = inside.shape[-1] / _REFERENCE_PX
    smooth = _mean_around(rest, inside, _SMOOTH_PX * scale)
    coarse = _mean_around(rest, inside, _NOISE_PX * scale)
    side = inside & (true.facing[k, 0] < _GRAZING)
    front = inside & ~side
    size = rest.square().sum(0)
    angle = _angle_deg(found, _unit(true.head[k]))
    confidence = seen.confidence[k, 0]
    outside = true.mask[k, 0] < 0.01
    return (
        float(angle[inside].mean()),
        blur,
        share,
        _turn_deg(turn),
        _view_deg(seen, true, k, inside),
        _rms_deg(smooth, inside),
        _rms_deg(coarse - smooth, inside),
        _rms_deg(rest - coarse, inside),
        _ratio(size, side, front) ** 0.5,
        float(confidence[inside].mean()),
        float(confidence[inside].std()),
        _ratio(confidence, side, front),
        float(confidence[outside].mean()),
        float(torch.corrcoef(torch.stack([confidence[inside], angle[inside]]))[0, 1]),
    )


def _inside(true: N2FBatch, k: int) -> Tensor:
    """Pixels that are all face, of which the mean head's normals are known."""
    inside: Tensor = (true.mask[k, 0] > 0.99) & (_length(true.mean[k]) > 0.5)
    return inside & (_length(true.head[k]) > 0.5)


def _explained(
    found: Tensor, true: Tensor, mean: Tensor, inside: Tensor
) -> tuple[float, float, Tensor, Tensor]:
    """Blur (px at 256), share of the mean and turn (3, 3) that leave the least; the map so made."""
    least, best = torch.inf, (0.0, 0.0, torch.eye(3), true)
    for blur_px in _BLURS_PX:
        sigma = torch.tensor([blur_px * true.shape[-1] / _REFERENCE_PX])
        soft = _unit(blurred(true[None], sigma)[0]) if blur_px else _unit(true)
        share, turn = 0.0, torch.eye(3)
        for _ in range(_ROUNDS):
            turn = _turn(_unit((1 - share) * soft + share * mean), found, inside)
            back = torch.einsum("ji,jyx->iyx", turn, found)
            towards, off = (mean - soft)[:, inside], (back - soft)[:, inside]
            share = float((towards * off).sum() / towards.square().sum().clamp_min(1e-9))
        model = _unit((1 - share) * soft + share * mean)
        left = float((back - model)[:, inside].square().sum())
        if left < least:
            least, best = left, (blur_px, share, turn, model)
    return best


def _turn(source: Tensor, target: Tensor, inside: Tensor) -> Tensor:
    """(3, 3) that best turns one map into the other; see `normal_pose.rotation_from_maps`."""
    u, _, vt = torch.linalg.svd(target[:, inside] @ source[:, inside].T)
    ones = torch.tensor([1.0, 1.0, float(torch.det(u) * torch.det(vt))])
    turn: Tensor = u @ torch.diag(ones) @ vt
    return turn


def _view_deg(seen: N2FBatch, true: N2FBatch, k: int, inside: Tensor) -> float:
    turn = _turn(_unit(seen.head[k]), _unit(seen.view[k]), inside)
    return _turn_deg(turn @ true.R[k].T)


def _turn_deg(turn: Tensor) -> float:
    cosine = ((torch.trace(turn.double()) - 1) / 2).clamp(-1, 1)
    return float(torch.rad2deg(torch.arccos(cosine)))


def _angle_deg(a: Tensor, b: Tensor) -> Tensor:
    """(P, P) between two maps."""
    return torch.rad2deg(torch.atan2(_length(cross(a, b, 0)), (a * b).sum(0)))


def _mean_around(values: Tensor, inside: Tensor, sigma_px: float) -> Tensor:
    """Gaussian means of (3, P, P) that take in the inside alone."""
    sigma = torch.tensor([sigma_px])
    weight = inside.float()[None, None]
    total = blurred(weight * values[None], sigma)
    return (total / blurred(weight, sigma).clamp_min(1e-6))[0]


def _rms_deg(field: Tensor, inside: Tensor) -> float:
    return float(torch.rad2deg(field.square().sum(0)[inside].mean().sqrt()))


def _ratio(values: Tensor, a: Tensor, b: Tensor) -> float:
    """Means over a divided by means over b; nan where one is (nearly) empty."""
    if min(int(a.sum()), int(b.sum())) < _LEAST_PIXELS // 2:
        return float("nan")
    return float(values[a].mean() / values[b].mean().clamp_min(1e-12))


def _unit(vectors: Tensor) -> Tensor:
    return vectors / _length(vectors).clamp_min(1e-9)


def _length(vectors: Tensor) -> Tensor:
    """(P, P)."""
    return vectors.square().sum(0).sqrt()
