"""N2FNet: normals of a face in, parameters of a head model out.

Head-frame normals hold the head's pose in their layout alone, so the last map is flattened, not
averaged over its place. Frames: rotation is the crop-view frame from the head frame; camera as in
`engine.stages.weak_perspective`.
"""

from typing import NamedTuple

import torch
from torch import Tensor, nn
from torch.nn import functional

from engine.fitting.rotation6d import matrix_from_6d
from engine.training.conv_blocks import Conv, Residual
from engine.training.n2f_settings import INPUTS, N2FSettings
from engine.training.point_code import PointCode, points_present

__all__ = ["GROUPS", "ExportedN2FNet", "N2FNet", "N2FOutputs", "prepared_maps"]

GROUPS = ("shape", "expr", "jaw", "eyelids", "neck", "rotation", "camera")
"""Of outputs; `std` holds their standard deviations one after the other, rotation's as a turn."""

_START_LOG_SCALE = 1.4  # a crop is about 0.25 m wide
_LOG_VARIANCE = (-12.0, 4.0)
_SCALES = {"jaw": 0.1, "camera": 0.1, "neck": 0.1}  # of raw outputs, to be of order 1


class N2FOutputs(NamedTuple):
    """What the network says of B crops."""

    shape: Tensor  # (B, n_shape) standard units
    expr: Tensor  # (B, n_expr) standard units
    jaw: Tensor  # (B, 3) axis-angle, radians
    eyelids: Tensor  # (B, 2) 0 open .. 1 closed
    neck: Tensor  # (B, 3) axis-angle, radians; zeros unless it is asked for
    rotation: Tensor  # (B, 3, 3) crop-view frame from head frame
    camera: Tensor  # (B, 3) log of crop sides per metre; shift x, y in crop sides
    log_variance: Tensor  # (B, n_std) in the order of GROUPS; rotation: 3, as a turn in radians

    def std_of(self, group: str) -> Tensor:
        """(B, n) standard deviations of a group, in its unit."""
        return (0.5 * self.log_variances[group]).exp()

    @property
    def log_variances(self) -> dict[str, Tensor]:
        """By group."""
        n = [self.shape.shape[1], self.expr.shape[1], 3, 2, 3, 3, 3]
        return dict(zip(GROUPS, self.log_variance.split(n, dim=1), strict=True))


class N2FNet(nn.Module):
    """Maps (B, C, P, P) of `prepared_maps`, and points if it looks at these -> N2FOutputs."""

    coordinates: Tensor

    def __init__(self, settings: N2FSettings, n_shape: int, n_expr: int) -> None:
        super().__init__()
        s = self.settings = settings
        self.n_shape, self.n_expr = n_shape, n_expr
        ramp = (torch.arange(s.trunk_px) + 0.5) / s.trunk_px * 2 - 1
        grid = torch.stack(
            [ramp.expand(s.trunk_px, s.trunk_px), ramp[:, None].expand(-1, s.trunk_px)]
        )
        self.register_buffer("coordinates", grid[None], persistent=False)
        a, b, c = s.widths
        n_in = sum(INPUTS[name] for name in s.inputs)
        stem = [Conv(n_in, a, stride=2)]
        if s.trunk_px == 128:
            stem = [Conv(n_in, a // 2, stride=2), Conv(a // 2, a, stride=2)]
        self.trunk = nn.Sequential(
            *stem,
            *(Residual(a) for _ in range(s.blocks[0])),
            Conv(a, b, stride=2),
            *(Residual(b) for _ in range(s.blocks[1])),
            Conv(b, c, stride=2),
            *(Residual(c) for _ in range(s.blocks[2])),
        )
        self.narrow = nn.Conv2d(c, s.grid_width, 1)
        self.latent = nn.Linear(64 * s.grid_width, s.hidden)
        self.points: PointCode | None = None
        self.from_points: nn.Module | None = None
        if "points" in s.inputs:
            self.points = PointCode(s.point_codes)
            self.from_points = nn.Sequential(
                nn.Linear(self.points.n_out, s.hidden), nn.ReLU(), nn.Linear(s.hidden, s.hidden)
            )
        self._lengths = [n_shape, n_expr, 3, 2, 3, 6, 3]
        n_raw = sum(self._lengths)
        self.start = nn.Parameter(self._first_estimate(), requires_grad=False)
        self.mix = nn.Linear(s.hidden + n_raw, s.hidden)
        self.step = nn.Linear(s.hidden, n_raw)
        self.spread = nn.Linear(s.hidden, n_raw - 3)  # a rotation spreads in three directions
        nn.init.normal_(self.step.weight, std=1e-3)
        nn.init.normal_(self.spread.weight, std=1e-3)
        for bias in (self.step.bias, self.spread.bias):
            nn.init.zeros_(bias)

    def forward(self, maps: Tensor, points: Tensor | None = None) -> N2FOutputs:
        """Args:
        maps: (B, C, P, P) the inputs but coordinates, which are put in here.
        points: (B, 478, 3) MediaPipe's, as shares of the crop's side; zeros: not known.
        """
        features = self.narrow(self.trunk(self._with_places(maps))).flatten(1)
        # Parameters need more digits than bfloat16 has.
        with torch.autocast(maps.device.type, enabled=False):
            latent = self.latent(features.float())
            if self.points is not None and self.from_points is not None and points is not None:
                told = self.from_points(self.points(points))
                latent = latent + points_present(points)[:, None] * told
            return self._regressed(functional.relu(latent))

    def _regressed(self, latent: Tensor) -> N2FOutputs:
        raw = self.start.expand(len(latent), -1)
        hidden = latent
        for _ in range(self.settings.n_passes):
            hidden = latent + functional.relu(self.mix(torch.cat([latent, raw], dim=1)))
            raw = raw + self.step(hidden)
        # The spread learns from what the rest has found, and does not pull at it.
        spread = self.spread(hidden.detach()).clamp(*_LOG_VARIANCE)
        return self._outputs(raw, spread)

    def _with_places(self, maps: Tensor) -> Tensor:
        """Coordinates at their place in the order of INPUTS."""
        names = _maps_of(self.settings.inputs)
        parts = dict(zip(names, maps.split([INPUTS[n] for n in names], dim=1), strict=True))
        if "coordinates" in self.settings.inputs:
            parts["coordinates"] = self.coordinates.expand(len(maps), -1, -1, -1)
        return torch.cat([parts[name] for name in self.settings.inputs if name in parts], dim=1)

    def _outputs(self, raw: Tensor, spread: Tensor) -> N2FOutputs:
        parts = dict(zip(GROUPS, raw.split(self._lengths, dim=1), strict=True))
        for name, scale in _SCALES.items():
            parts[name] = scale * parts[name]
        if not self.settings.predict_neck:
            parts["neck"] = 0 * parts["neck"]
        return N2FOutputs(
            shape=parts["shape"],
            expr=parts["expr"],
            jaw=parts["jaw"],
            eyelids=parts["eyelids"].sigmoid(),
            neck=parts["neck"],
            rotation=matrix_from_6d(parts["rotation"]),
            camera=parts["camera"],
            log_variance=spread,
        )

    def _first_estimate(self) -> Tensor:
        """(n_raw,) the mean head, frontal, in the middle of the crop."""
        first = torch.zeros(sum(self._lengths))
        at = dict(zip(GROUPS, first.split(self._lengths), strict=True))
        at["eyelids"][:] = -2.0
        at["rotation"][:] = torch.tensor([1.0, 0, 0, 0, 1, 0])
        at["camera"][0] = _START_LOG_SCALE / _SCALES["camera"]
        return first


def _maps_of(inputs: tuple[str, ...]) -> list[str]:
    """The inputs that are maps and are given."""
    return [name for name in inputs if name not in ("coordinates", "points")]


def prepared_maps(
    inputs: tuple[str, ...],
    given: dict[str, Tensor],
) -> Tensor:
    """What N2FNet.forward takes, of maps that are averaged already.

    Args:
        inputs: names of INPUTS; coordinates and points are left out.
        given: head, view (B, 3, P, P) means of unit normals, in length at most 1; mask, confidence
            (B, 1, P, P) 0..1; image (B, 3, P, P) 0..1. With the mask among the inputs normals
            count as far as it lets them.
    """
    parts = []
    for name in _maps_of(inputs):
        value = given[name]
        if name in ("head", "view", "confidence") and "mask" in inputs:
            value = value * given["mask"]
        parts.append(value * 4 - 2 if name == "image" else value)
    return torch.cat(parts, dim=1)


class ExportedN2FNet(nn.Module):
    """The network as the program runs it: a normal map's arrays in, parameters out."""

    def __init__(self, net: N2FNet) -> None:
        super().__init__()
        self.net = net
        self.names = tuple(name for name in net.settings.inputs if name != "coordinates")

    def forward(self, *arrays: Tensor) -> tuple[Tensor, ...]:
        """
        Args:
            arrays: by `names`: head, view (B, S, S, 3) unit normals or zeros; mask, confidence
                (B, S, S) 0..1; image (B, S, S, 3) uint8 RGB; points (B, 478, 3) shares.
        Returns: by GROUPS, rotation (B, 3, 3); then the standard deviations (B, n_std).
        """
        s = self.net.settings
        named = dict(zip(self.names, arrays, strict=True))
        points = named.pop("points", None)
        given = {}
        for name, array in named.items():
            maps = array[:, None] if array.ndim == 3 else array.permute(0, 3, 1, 2)
            maps = maps.float() / 255 if name == "image" else maps
            if s.size_px > s.trunk_px:
                maps = functional.avg_pool2d(maps, s.size_px // s.trunk_px)
            given[name] = maps
        out = self.net(prepared_maps(s.inputs, given), points)
        return (*(getattr(out, name) for name in GROUPS), (0.5 * out.log_variance).exp())
