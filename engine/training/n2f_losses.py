"""What N2FNet learns by. Each part is about 1 for a fair fit: mm, mm², degrees / 5, or as said."""

from typing import NamedTuple

import torch
from torch import Tensor
from torch.nn import functional

from engine.fitting.rotation6d import geodesic, rotation_vector
from engine.training.face_mesh import FaceMesh, PosedFace
from engine.training.n2f_batch import N2FBatch
from engine.training.n2f_settings import LossWeights
from engine.training.n2fnet import N2FOutputs

__all__ = ["N2FLosses", "kabsch", "n2f_losses", "projected"]

_DEGREES = 180 / torch.pi
_PER_MM = 1e3
_INNER = slice(17, 68)  # of iBUG's 68: without the jaw line
_LEAST_FACING = 0.15
_MOST_WHITENED = 25.0  # squared: one wild sample is not to rule the spread


class N2FLosses(NamedTuple):
    """Means over the batch."""

    params: Tensor  # mm²: squared distance of vertices in the linear part, weighted by region
    vertices: Tensor  # mm: after skinning, head frame, mean of |x|, |y|, |z|
    aligned: Tensor  # mm: the same after rigid alignment, what the chamfer distance sees
    rotation: Tensor  # geodesic, in units of 5 degrees
    camera: Tensor  # log size x 10 and shift in per cent of the crop x 0.5, mean of absolutes
    lids: Tensor  # eyelids, jaw: tenths of their ranges
    landmarks: Tensor  # 2 per cent of the crop: projected landmarks, mean of |x| and |y|
    gaps: Tensor  # 4 mm: between lids, between lips
    normals: Tensor  # 1 - cosine to the normals observed where the fit is projected to
    nll: Tensor  # nats per coefficient, of the residual under the spread said
    prior: Tensor  # squared coefficients, sum

    def total(self, weights: LossWeights) -> Tensor:
        """The loss; parts of weight 0 do not count even if they are not finite."""
        used = [(value, getattr(weights, name)) for name, value in self._asdict().items()]
        return torch.stack([weight * value for value, weight in used if weight]).sum()


def n2f_losses(out: N2FOutputs, batch: N2FBatch, mesh: FaceMesh, weights: LossWeights) -> N2FLosses:
    """All parts; those that need the mesh are 0 where their weights are."""
    change = torch.cat([out.shape - batch.shape, out.expr - batch.expr], dim=1)
    zero = change.new_zeros(())
    w = weights
    vertices = aligned = landmarks = gaps = normals = zero
    if w.vertices or w.aligned or w.landmarks or w.gaps or w.normals:
        found = mesh(out.shape, out.expr, out.jaw, out.eyelids)
        with torch.no_grad():
            true = mesh(batch.shape, batch.expr, batch.jaw, batch.eyelids)
        vertices = _PER_MM * (found.vertices - true.vertices).abs().mean()
        aligned = _PER_MM * _rigidly_aligned(found.vertices, true.vertices).abs().mean()
        landmarks = 50 * _landmark_error(found, true, out, batch, mesh)
        gaps = 0.25 * _PER_MM * (found.gaps - true.gaps).norm(dim=-1).mean()
        normals = _normal_error(found, out, batch, mesh)
    shift = (out.camera - batch.camera).abs()
    return N2FLosses(
        params=((change @ mesh.gram) * change).sum(dim=1).mean(),
        vertices=vertices,
        aligned=aligned,
        rotation=geodesic(out.rotation, batch.R).mean() * _DEGREES / 5,
        camera=(10 * shift[:, 0] + 50 * shift[:, 1:].mean(dim=1)).mean(),
        lids=10
        * ((out.eyelids - batch.eyelids).abs().mean() + 2 * (out.jaw - batch.jaw).abs().mean()),
        landmarks=landmarks,
        gaps=gaps,
        normals=normals,
        nll=_negative_log_likelihood(out, batch),
        prior=(out.shape.square().sum(1) + out.expr.square().sum(1)).mean(),
    )


def projected(points: Tensor, rotation: Tensor, camera: Tensor, anchor: Tensor) -> Tensor:
    """`weak_perspective.project_weakly` of (B, N, 3) head frame -> (B, N, 2) crop sides, y down."""
    turned = (points - anchor) @ rotation.transpose(1, 2)
    flat = torch.stack([turned[..., 0], -turned[..., 1]], dim=-1)
    return 0.5 + camera[:, None, 1:] + camera[:, None, :1].exp() * flat


def kabsch(source: Tensor, target: Tensor) -> tuple[Tensor, Tensor]:
    """R (B, 3, 3) and t (B, 1, 3) of the best rigid motion source @ R' + t -> target."""
    centre_s, centre_t = source.mean(1, keepdim=True), target.mean(1, keepdim=True)
    U, _, Vt = torch.linalg.svd((target - centre_t).transpose(1, 2) @ (source - centre_s))
    signs = torch.ones_like(U[:, 0])
    signs[:, 2] = torch.det(U @ Vt).sign()
    R = (U * signs[:, None]) @ Vt
    return R, centre_t - centre_s @ R.transpose(1, 2)


def _rigidly_aligned(found: Tensor, true: Tensor) -> Tensor:
    """(B, N, 3) metres left; the motion itself is held fixed: the best one has no gradient."""
    with torch.no_grad():
        R, t = kabsch(found.float(), true.float())
    return found @ R.transpose(1, 2) + t - true


def _landmark_error(
    found: PosedFace, true: PosedFace, out: N2FOutputs, batch: N2FBatch, mesh: FaceMesh
) -> Tensor:
    """Crop sides; the 51 inner landmarks count twice."""

    def flat(points: Tensor, true_points: Tensor) -> Tensor:
        here = projected(points, out.rotation, out.camera, mesh.anchor)
        return (here - projected(true_points, batch.R, batch.camera, mesh.anchor)).abs()

    marks = flat(found.landmarks68, true.landmarks68).mean(dim=(0, 2))
    points = flat(found.points, true.points).mean()
    return (marks.sum() + marks[_INNER].sum()) / (68 + 51) * 0.5 + 0.5 * points


def _normal_error(found: PosedFace, out: N2FOutputs, batch: N2FBatch, mesh: FaceMesh) -> Tensor:
    """1 - cosine, where the face looks at the camera and the map is trusted; no rasteriser."""
    places = projected(found.vertices, out.rotation, out.camera, mesh.anchor)
    seen = torch.cat([batch.head * batch.mask, batch.mask * batch.confidence], dim=1)
    grid = places[:, None] * 2 - 1
    values = functional.grid_sample(seen, grid, "bilinear", "zeros", align_corners=False)[:, :, 0]
    normals, observed = found.normals, values[:, :3].transpose(1, 2)
    facing = (normals @ out.rotation[:, 2, :, None]).detach()[..., 0]
    weight = values[:, 3].detach() * (facing > _LEAST_FACING)
    length = observed.norm(dim=-1).clamp_min(1e-3)
    cosine = (normals * observed).sum(-1) / length
    return (weight * (1 - cosine)).sum() / weight.sum().clamp_min(1)


def _negative_log_likelihood(out: N2FOutputs, batch: N2FBatch) -> Tensor:
    """Of what the network missed by; the misses themselves are held fixed."""
    with torch.no_grad():
        misses = {
            "shape": out.shape - batch.shape,
            "expr": out.expr - batch.expr,
            "jaw": out.jaw - batch.jaw,
            "eyelids": out.eyelids - batch.eyelids,
            "neck": out.neck - batch.neck,
            "rotation": rotation_vector(batch.R, out.rotation),
            "camera": out.camera - batch.camera,
        }
    parts = []
    for group, log_variance in out.log_variances.items():
        whitened = misses[group].square() * (-log_variance).exp()
        # Beyond the limit as a root: finite, and still growing.
        capped = torch.where(
            whitened > _MOST_WHITENED,
            2 * (_MOST_WHITENED * whitened + 1e-12).sqrt() - _MOST_WHITENED,
            whitened,
        )
        parts.append(0.5 * (capped + log_variance).flatten())
    return torch.stack([part.mean() for part in parts]).mean()
