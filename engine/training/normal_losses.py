"""What the normal network is trained to make small."""

from dataclasses import dataclass

import torch
from torch import Tensor
from torch.nn import functional

from engine.synth.sample import PARSING
from engine.training.batch import Batch
from engine.training.normal_net import NormalOutputs

__all__ = ["NormalLosses", "angles", "angmf", "normal_losses"]

_NORMAL_WEIGHT = {"skin": 1.0, "eyes": 0.3, "mouth_inside": 0.3, "ears": 0.5, "neck": 0.3}
"""Of each class in the losses of normals; 0 for the others, whose normals nobody needs."""

_PARSING_WEIGHT = {"background": 0.5, "eyes": 2.0, "mouth_inside": 2.0, "ears": 1.5, "other": 1.5}
"""Of each class in the cross-entropy; 1 for the others."""

_FEATURES = slice(27, 68)  # iBUG: nose, eyes, lips
_FEATURE_SIGMA = 0.04  # crop sizes
_FEATURE_GAIN = 1.0  # normals beside a feature count 1 + this


@dataclass(frozen=True, slots=True, eq=False)
class NormalLosses:
    """Parts of the loss, scalars."""

    head: Tensor  # AngMF, nats
    view: Tensor
    pose: Tensor  # radians, by which the maps are turned as wholes, sum of both
    edges: Tensor  # mean difference of differences of neighbours
    parsing: Tensor  # cross-entropy, nats

    def total(self, pose_weight: float, edge_weight: float, parsing_weight: float) -> Tensor:
        """What is minimised."""
        return (
            self.head
            + self.view
            + pose_weight * self.pose
            + edge_weight * self.edges
            + parsing_weight * self.parsing
        )


def normal_losses(out: NormalOutputs, batch: Batch) -> NormalLosses:
    """All parts, as means weighted by class and by nearness to eyes, nose and lips."""
    weight = _class_weights(_NORMAL_WEIGHT, 0.0, batch.parsing) * _feature_weight(batch)
    maps = ((out.head, batch.head), (out.view, batch.view))
    nll = [
        _mean(angmf(angles(n, truth), out.log_kappa[:, k]), weight * truth.any(dim=1))
        for k, (n, truth) in enumerate(maps)
    ]
    pose = torch.stack([_turn(n, truth, weight).mean() for n, truth in maps]).sum()
    edges = torch.stack([_edges(n, truth, weight) for n, truth in maps]).sum()
    shares = weight.new_tensor([_PARSING_WEIGHT.get(name, 1.0) for name in PARSING])
    parsing = functional.cross_entropy(out.parsing, batch.parsing, shares, ignore_index=-1)
    return NormalLosses(nll[0], nll[1], pose, edges, parsing)


def angles(n: Tensor, truth: Tensor) -> Tensor:
    """(B, S, S) radians between unit vectors (B, 3, S, S); its gradient is finite everywhere.

    Where truth is zero the value means nothing.
    """
    cos = (n * truth).sum(dim=1)
    sin = ((1 - cos.square()).clamp_min(0) + 1e-6).sqrt()
    return torch.atan2(sin, cos)


def angmf(angle: Tensor, log_kappa: Tensor) -> Tensor:
    """Negative log-likelihood of an angle under the angular von Mises-Fisher distribution.

    Source: Bae et al. 2021, "Estimating and exploiting the aleatoric uncertainty in surface normal
    estimation", eq. 5.
    """
    kappa = log_kappa.exp()
    return kappa * angle - torch.log1p(kappa.square()) + torch.log1p(torch.exp(-torch.pi * kappa))


def _class_weights(weights: dict[str, float], other: float, parsing: Tensor) -> Tensor:
    """(B, S, S); what is hidden (-1) counts a little: it can be guessed."""
    table = torch.tensor([*(weights.get(name, other) for name in PARSING), 0.3])
    return table.to(parsing.device)[parsing]


def _feature_weight(batch: Batch) -> Tensor:
    """(B, S, S) 1, and more beside eyes, nose and lips."""
    cells = torch.arange(batch.size, device=batch.landmarks.device)
    scale = 1 / (_FEATURE_SIGMA * batch.size)
    marks = batch.landmarks[:, _FEATURES]
    gx, gy = (torch.exp(-0.5 * ((marks[..., k, None] - cells) * scale).square()) for k in range(2))
    return 1 + _FEATURE_GAIN * (gy.transpose(1, 2) @ gx).clamp_max(1)


def _turn(n: Tensor, truth: Tensor, weight: Tensor) -> Tensor:
    """(B,) radians by which each map of normals is turned as a whole.

    The rotation w that explains most of the errors, for small angles: the least sum of
    weight * |n - truth - w x truth|^2.
    """
    there = (weight * truth.any(dim=1))[:, None].flatten(2)  # (B, 1, pixels)
    t, error = truth.flatten(2), torch.linalg.cross(truth, n, dim=1).flatten(2)
    n_there = there.sum(dim=2).clamp_min(1.0)
    moment = (there * error).sum(dim=2) / n_there
    spread = (there * t) @ t.transpose(1, 2) / n_there[..., None]
    seen = (there.sum(dim=2) / n_there)[..., None] * torch.eye(3, device=n.device)
    # A map without a face has no errors; a flat one does not show every turn.
    system = seen - spread + 1e-2 * torch.eye(3, device=n.device)
    turn = torch.linalg.solve(system, moment)
    return (turn.square().sum(dim=1) + 1e-8).sqrt()


def _edges(n: Tensor, truth: Tensor, weight: Tensor) -> Tensor:
    """L1 of the differences to the right and lower neighbour, 1 and 2 pixels away."""
    there = weight * truth.any(dim=1)
    error = n - truth
    parts = []
    for step in (1, 2):
        across = (error[..., step:] - error[..., :-step]).abs().sum(dim=1)
        down = (error[:, :, step:] - error[:, :, :-step]).abs().sum(dim=1)
        parts.append(_mean(across, torch.minimum(there[..., step:], there[..., :-step])))
        parts.append(_mean(down, torch.minimum(there[:, step:], there[:, :-step])))
    return torch.stack(parts).mean()


def _mean(values: Tensor, weight: Tensor) -> Tensor:
    return (values * weight).sum() / weight.sum().clamp_min(1.0)
