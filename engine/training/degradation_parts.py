"""Where eyes, mouth, jaw line and ears lie in a batch's maps, and errors that only these have.

Drawn maps bring no landmarks. A batch's R and camera say where each place of the head frame lies
(`engine.stages.weak_perspective`); parts are taken where the mean head has them, lower ones turned
with the jaw. Real heads have them some millimetres beside that, as openhead's shapes vary; what an
expression does besides turning the jaw and closing the lids is not known here.

Places are metres from the head's anchor, in the head frame.
"""

from dataclasses import replace

import torch
from torch import Tensor
from torch.nn import functional

from engine.flame.lbs import rodrigues
from engine.training.degradation_maps import (
    REFERENCE_PX,
    blurred,
    uniform,
    unit,
    with_length_of,
)
from engine.training.degradation_settings import Degradation
from engine.training.n2f_batch import N2FBatch

__all__ = [
    "blobs_in_place", "ellipsoids", "inside_of", "jaw_turned", "mirrored_pair", "nearness",
    "radius_px", "uneven_errors", "visible",
]  # fmt: skip

Place = tuple[float, float, float]

# All of openhead's v_template less its `face_anchor`: means of regions, iBUG's points, joints.
_JAW_JOINT: Place = (0.0, -0.0113, -0.0791)
_MIDDLE: Place = (0.0, 0.0, -0.07)  # parts look away from here
_EYE: Place = (0.0315, 0.029, -0.0035)
_EYE_RADII: Place = (0.0135, 0.0055, 0.003)  # the gap of open lids
_LIPS_MEET: Place = (0.0, -0.0395, 0.015)
_MOUTH_HALF_WIDTH_M = 0.022
_AROUND_EYE: Place = (0.018, 0.010, 0.008)
_AROUND_MOUTH: Place = (0.022, 0.011, 0.010)
_JAW_LINE: tuple[Place, ...] = (
    (0.0694, -0.0104, -0.0519), (0.0656, -0.0294, -0.0455), (0.0572, -0.0507, -0.0360),
    (0.0430, -0.0679, -0.0238), (0.0305, -0.0749, -0.0095), (0.0154, -0.0784, 0.0055),
)  # fmt: skip
_CHIN: Place = (0.0, -0.0815, 0.0071)
_JAW_LINE_M = 0.010
_GRAZING = 0.3  # cosine to the line of sight
_COARSE = 4  # what is around parts is smooth: reckoned at so many times fewer pixels a side


def mirrored_pair(place: Place) -> tuple[Place, Place]:
    """The subject's left one and the right one."""
    return place, (-place[0], place[1], place[2])


def jaw_turned(places: Tensor, jaw: Tensor) -> Tensor:
    """(B, K, 3) places (K, 3) of the lower jaw, turned by jaw (B, 3), axis-angle in radians."""
    joint = torch.tensor(_JAW_JOINT)
    return joint + (places - joint) @ rodrigues(jaw, xp=torch).transpose(1, 2)


def visible(batch: N2FBatch, places: Tensor, least: float) -> Tensor:
    """(B, K, 1, 1) 0..1: 0 where a part looks away from the viewer.

    Args:
        places: (B or 1, K, 3) metres from the anchor.
        least: cosine between where a part looks and the viewer from which on it is seen.
    """
    outward = functional.normalize(places - torch.tensor(_MIDDLE), dim=2)
    towards = (outward * batch.R[:, 2:]).sum(2)
    return ((towards - least) * 5).clamp(0, 1)[..., None, None]


def ellipsoids(
    batch: N2FBatch, places: Tensor, radii: Tensor, size: int
) -> tuple[Tensor, Tensor, Tensor]:
    """Ellipsoids around places, as they are seen in a map of size x size.

    Args:
        places, radii: (B or 1, K, 3) metres; radii along the head's axes.
    Returns:
        metres from each centre along the crop's x (B, K, 1, P) and, upwards, y (B, K, P, 1);
        and (B, K, 2, 2) the shape S of the outline, x^T S^-1 x = 1, metres squared.
    """
    scale = batch.camera[:, :1].exp()
    middle = torch.einsum("bij,bkj->bki", batch.R[:, :2], places.expand(len(scale), -1, -1))
    ramp = (torch.arange(size) + 0.5) / size - 0.5
    x = (ramp - batch.camera[:, 1:2]) / scale
    y = (batch.camera[:, 2:3] - ramp) / scale
    across = batch.R[:, None, :2] * radii[:, :, None]
    # A thing thinner than a pixel is still seen.
    pixel = (0.4 / (size * scale)).square()[..., None, None]
    shape = across @ across.transpose(2, 3) + pixel * torch.eye(2)
    return (
        x[:, None, None] - middle[..., 0, None, None],
        y[:, None, :, None] - middle[..., 1, None, None],
        shape,
    )


def nearness(x: Tensor, y: Tensor, shape: Tensor) -> Tensor:
    """(B, K, P, P) squares of distances from the middle, 1 at the outline; of `ellipsoids`."""
    a, b, d = (shape[..., i, j, None, None] for i, j in ((0, 0), (0, 1), (1, 1)))
    det = a * d - b * b
    return (d / det * x.square() + a / det * y.square()) - (2 * b / det * x) * y


def radius_px(batch: N2FBatch, shape: Tensor, size: int) -> Tensor:
    """(B, K, 1, 1) mean radius of outlines, pixels."""
    a, b, d = shape[..., 0, 0], shape[..., 0, 1], shape[..., 1, 1]
    return ((a * d - b * b).pow(0.25) * size * batch.camera[:, :1].exp())[..., None, None]


def inside_of(
    batch: N2FBatch, places: Tensor, radii: Tensor, size: int, least: float
) -> tuple[Tensor, Tensor, Tensor]:
    """(B, K, P, P) 1 inside ellipsoids that are seen, 0 outside, with edges a pixel wide.

    Args:
        places, radii, least: as in `ellipsoids` and `visible`.
    Returns: that, and metres from the centres along x and y, as `ellipsoids` has them.
    """
    x, y, shape = ellipsoids(batch, places, radii, size)
    edge = (1 - nearness(x, y, shape).sqrt()) * radius_px(batch, shape, size) + 0.5
    return edge.clamp(0, 1) * visible(batch, places, least), x, y


def uneven_errors(batch: N2FBatch, more: float) -> Tensor:
    """(B, 1, P, P) how large errors are by place: root mean square 1 in the mask.

    At mouth, eyes, jaw line (where the mean head has them in this pose) and where the surface is
    seen from the side (`batch.facing` below about 0.3) up to `more` times as large as elsewhere.

    Args:
        more: 1 or more.
    """
    size = batch.head.shape[-1]
    chin = torch.tensor([_CHIN, *_JAW_LINE, *(mirrored_pair(p)[1] for p in _JAW_LINE)])
    lips = torch.tensor([_LIPS_MEET])
    rest = torch.tensor([_LIPS_MEET, *mirrored_pair(_EYE)]).expand(len(batch), -1, -1)
    moved = jaw_turned(torch.cat([chin, lips]), batch.jaw)
    places = torch.cat([moved, rest], dim=1)
    sizes = [(_JAW_LINE_M,) * 3] * len(chin) + [_AROUND_MOUTH] * 2 + [_AROUND_EYE] * 2
    x, y, shape = ellipsoids(batch, places, torch.tensor([sizes]), max(4, size // _COARSE))
    # Much like a Gaussian, whose tails of tiny numbers would take most of the time.
    near = (1 - nearness(x, y, shape) / 6).clamp_min(0).square() * visible(batch, places, -0.2)
    near = near.amax(dim=1, keepdim=True)
    near = functional.interpolate(near, (size, size), mode="bilinear", align_corners=False)
    grazing = ((_GRAZING + 0.1 - batch.facing) / 0.2).clamp(0, 1)
    times = 1 + (more - 1) * torch.maximum(near, grazing)
    total = (times.square() * batch.mask).sum((1, 2, 3), keepdim=True)
    area = batch.mask.sum((1, 2, 3), keepdim=True).clamp_min(1e-6)
    return times / (total / area).sqrt().clamp_min(1)


def blobs_in_place(
    normals: Tensor, batch: N2FBatch, how: Degradation, random: torch.Generator
) -> Tensor:
    """Flat or bulging blobs for eyeballs and for what an open mouth shows; lids' edges blurred.

    Eyes are as open as `batch.eyelids` says, the mouth as `batch.jaw` does; parted by lips alone
    it is left as it is.
    """
    n = len(batch)
    result = normals.clone()
    places, radii, opened = _openings(batch)
    eyes, mouth = (
        torch.rand(n, 1, generator=random) < share
        for share in (how.blob_eyes_share, how.blob_mouth_share)
    )
    for k, wanted in enumerate((eyes, eyes, mouth)):
        rows = (wanted[:, 0] & (opened[:, k] > 0)).nonzero()[:, 0]
        if len(rows):
            some, own = _rows(batch, rows), (places[rows, k : k + 1], radii[rows, k : k + 1])
            result[rows] = _with_blob(result[rows], some, own, opened[rows, k], random)
    rows = eyes[:, 0].nonzero()[:, 0]
    if len(rows):
        result[rows] = _lids_blurred(result[rows], _rows(batch, rows), how.lid_blur_px, random)
    return result


def _rows(batch: N2FBatch, rows: Tensor) -> N2FBatch:
    """Of some maps, what tells where things are."""
    names = ("R", "camera", "mask")
    return replace(batch, **{name: getattr(batch, name)[rows] for name in names})


def _with_blob(
    normals: Tensor,
    batch: N2FBatch,
    ellipsoid: tuple[Tensor, Tensor],
    opened: Tensor,
    random: torch.Generator,
) -> Tensor:
    """With normals of a flat to round thing inside an ellipsoid: its place and radii (B, 1, 3)."""
    n, _, size, _ = normals.shape
    places, radii = ellipsoid
    inside, x, y = inside_of(batch, places, radii, size, 0.15)
    share = inside * batch.mask * opened[:, None, None, None]
    bulge = uniform((n, 1), 0, 1, random) / radii[:, 0, :1]
    ahead = torch.tensor([0.0, 0.0, 1.0]) + 0.15 * torch.randn(n, 3, generator=random)
    right, up, axis = (
        v[..., None, None] for v in (bulge * batch.R[:, 0], bulge * batch.R[:, 1], ahead)
    )
    return normals + share * (unit(axis + right * x + up * y) - normals)


def _openings(batch: N2FBatch) -> tuple[Tensor, Tensor, Tensor]:
    """Of eyes and mouth: places, radii (B, 3, 3), and 0..1 (B, 3): 0 if closed."""
    open_eyes = 1 - batch.eyelids.clamp(0, 1)
    upper = torch.tensor([[_LIPS_MEET]]).expand(len(batch), -1, -1)
    lower = jaw_turned(upper[0], batch.jaw)
    gap = (upper[..., 1] - lower[..., 1]).clamp_min(0) / 2
    eyes = torch.tensor([mirrored_pair(_EYE)]).expand(len(batch), -1, -1)
    places = torch.cat([eyes, (upper + lower) / 2], dim=1)
    heights = torch.cat([_EYE_RADII[1] * open_eyes, gap], dim=1)
    open_ = torch.cat([(2 * open_eyes).clamp(0, 1), (gap / 0.003).clamp(0, 1)], dim=1)
    widths = torch.tensor([_EYE_RADII[0], _EYE_RADII[0], _MOUTH_HALF_WIDTH_M]).expand_as(open_)
    radii = torch.stack([widths, heights, torch.full_like(heights, _EYE_RADII[2])], dim=2)
    return places, radii, open_


def _lids_blurred(
    normals: Tensor, batch: N2FBatch, blur_px: tuple[float, float], random: torch.Generator
) -> Tensor:
    n, _, size, _ = normals.shape
    places, radii = torch.tensor([mirrored_pair(_EYE)]), torch.tensor([[_AROUND_EYE] * 2])
    around, _, _ = inside_of(batch, places, radii, size, 0.15)
    share = around.amax(dim=1, keepdim=True)
    soft = blurred(normals, uniform((n,), *blur_px, random) * size / REFERENCE_PX)
    return with_length_of(normals + share * (soft - normals), normals)
