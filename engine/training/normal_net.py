"""The normal network: a crop and MediaPipe's points in, normals and parsing of each pixel out.

A U-Net of plain 3x3 convolutions, which CPUs run fastest, with attention at its smallest grid.
Frames: head normals in the head frame; view normals in the crop-view frame.
"""

from typing import NamedTuple

import torch
from torch import Tensor, nn
from torch.nn import functional

from engine.synth.sample import MASK_CLASSES, PARSING
from engine.training.conv_blocks import Conv, Residual
from engine.training.point_map import PointMap

__all__ = ["CONFIDENCE_SCALE_DEG", "ExportedNormalNet", "NormalNet", "NormalOutputs"]

CONFIDENCE_SCALE_DEG = 20.0
"""Confidence is exp(-expected angular error / this)."""

_LOG_KAPPA = (-2.0, 5.0)  # expected errors between 80 and 0.8 degrees
_N_HEADS = 4


class NormalOutputs(NamedTuple):
    """What the network says of each pixel, channels first."""

    head: Tensor  # (B, 3, S, S) unit, head frame
    view: Tensor  # (B, 3, S, S) unit, crop-view frame
    log_kappa: Tensor  # (B, 2, S, S) log of AngMF's concentration, of head and view
    parsing: Tensor  # (B, 8, S, S) logits


class _Attention(nn.Module):
    """Self-attention over all cells of a small grid, with learned positions."""

    def __init__(self, n: int, cells: int) -> None:
        super().__init__()
        self.place = nn.Parameter(0.02 * torch.randn(1, cells, n))
        self.norm = nn.LayerNorm(n)
        self.qkv = nn.Linear(n, 3 * n)
        self.out = nn.Linear(n, n)

    def forward(self, x: Tensor) -> Tensor:
        tokens = x.flatten(2).transpose(1, 2)  # (B, cells, n)
        b, cells, n = tokens.shape
        qkv = self.qkv(self.norm(tokens) + self.place).view(b, cells, 3, _N_HEADS, n // _N_HEADS)
        q, k, v = qkv.permute(2, 0, 3, 1, 4)
        share = torch.softmax(q @ k.transpose(-1, -2) * (n // _N_HEADS) ** -0.5, dim=-1)
        mixed = (share @ v).transpose(1, 2).reshape(b, cells, n)
        return x + self.out(mixed).transpose(1, 2).reshape(x.shape)


class _GlobalBlock(nn.Module):
    """Attention once more, then two linear layers on each cell; does nothing until it is trained,
    so that weights of a network without it are a start."""

    def __init__(self, n: int, cells: int) -> None:
        super().__init__()
        self.attention = _Attention(n, cells)
        self.norm = nn.LayerNorm(n)
        self.wide = nn.Linear(n, 2 * n)
        self.back = nn.Linear(2 * n, n)
        for layer in (self.attention.out, self.back):
            nn.init.zeros_(layer.weight)
            nn.init.zeros_(layer.bias)

    def forward(self, x: Tensor) -> Tensor:
        x = self.attention(x)
        tokens = x.flatten(2).transpose(1, 2)
        wide = functional.relu(self.wide(self.norm(tokens)))
        return x + self.back(wide).transpose(1, 2).reshape(x.shape)


class NormalNet(nn.Module):
    """Crop (B, 3, S, S), 0..1 RGB, and points (B, 478, 3), in crop sizes -> NormalOutputs."""

    coordinates: Tensor

    def __init__(
        self,
        size: int = 128,
        widths: tuple[int, int, int, int] = (32, 48, 96, 160),
        full_width: int = 16,
        use_points: bool = True,
        n_global: int = 0,
    ) -> None:
        """
        Args:
            size: pixels of the crop's side, a multiple of 16.
            widths: channels at 1/2, 1/4, 1/8 and 1/16 of the size.
            full_width: channels at full size; best a multiple of 16, the width of CPUs' registers.
            use_points: False: the picture alone; points are then ignored.
            n_global: further blocks of attention at the smallest grid.
        """
        super().__init__()
        if size % 16:
            raise ValueError(f"size {size}: expected a multiple of 16")
        self.size = size
        self.points = PointMap(size // 4) if use_points else None
        ramp = (torch.arange(size) + 0.5) / size * 2 - 1
        grid = torch.stack([ramp.expand(size, size), ramp[:, None].expand(size, size)])
        self.register_buffer("coordinates", grid[None], False)
        a, b, c, d = widths
        self.stem = Conv(5, a, stride=2)
        self.enter = Conv(a, a)
        self.halve = nn.ModuleList(Conv(n, m, stride=2) for n, m in ((a, b), (b, c), (c, d)))
        self.from_points = nn.Conv2d(PointMap.channels, b, 1) if use_points else None
        self.down = nn.ModuleList(
            nn.Sequential(*(Residual(m) for _ in range(blocks)))
            for m, blocks in ((b, 1), (c, 2), (d, 2))
        )
        cells = (size // 16) ** 2
        self.attention = _Attention(d, cells)
        self.global_blocks = nn.Sequential(*(_GlobalBlock(d, cells) for _ in range(n_global)))
        self.narrow = nn.ModuleList(nn.Conv2d(n, m, 1) for n, m in ((d, c), (c, b), (b, a)))
        self.up = nn.ModuleList(Residual(m) for m in (c, b, a))
        self.widen = Conv(a, full_width)
        self.detail = nn.Conv2d(3, full_width, 3, 1, 1)
        self.full = Conv(full_width, full_width)
        self.heads = nn.Conv2d(full_width, 3 + 3 + 2 + len(PARSING), 3, 1, 1)

    def forward(self, image: Tensor, points: Tensor) -> NormalOutputs:
        centred = image * 4 - 2
        coordinates = self.coordinates.expand(len(image), -1, -1, -1)
        x = self.enter(self.stem(torch.cat([centred, coordinates], dim=1)))
        skips = []
        for level, (halve, down) in enumerate(zip(self.halve, self.down, strict=True)):
            skips.append(x)
            x = halve(x)
            if level == 0 and self.points is not None and self.from_points is not None:
                with torch.autocast(image.device.type, enabled=False):
                    spread = self.points(points)
                x = x + self.from_points(spread)
            x = down(x)
        x = self.global_blocks(self.attention(x))
        for narrow, up, skip in zip(self.narrow, self.up, reversed(skips), strict=True):
            x = up(_doubled(narrow(x)) + skip)
        # Edges come from the picture itself; adding is cheaper than joining channels.
        x = functional.relu(_doubled(self.widen(x)) + self.detail(centred))
        # One plane a channel, as the truth has them: mixed layouts make losses slower.
        raw = self.heads(self.full(x)).float().contiguous()
        head, view, log_kappa, parsing = raw.split((3, 3, 2, len(PARSING)), dim=1)
        return NormalOutputs(_unit(head), _unit(view), log_kappa.clamp(*_LOG_KAPPA), parsing)


def _doubled(x: Tensor) -> Tensor:
    return functional.interpolate(x, scale_factor=2.0, mode="nearest")


def _unit(vectors: Tensor) -> Tensor:
    """(B, 3, S, S) scaled to length 1."""
    return vectors / (vectors.square().sum(dim=1, keepdim=True) + 1e-8).sqrt()


def expected_angle(log_kappa: Tensor) -> Tensor:
    """Mean angle, radians, under AngMF ; Bae et al. 2021, eq. 4."""
    kappa = log_kappa.exp()
    tail = torch.exp(-torch.pi * kappa)
    return 2 * kappa / (kappa.square() + 1) + torch.pi * tail / (1 + tail)


class ExportedNormalNet(nn.Module):
    """The network as the program runs it: bytes in, arrays of the normal map out."""

    def __init__(self, net: NormalNet) -> None:
        super().__init__()
        self.net = net

    def forward(self, image: Tensor, points: Tensor) -> tuple[Tensor, ...]:
        """
        Args:
            image: (B, S, S, 3) uint8 RGB.
            points: (B, 478, 3) as `(px + 0.5) / S`, y down, z to the viewer.
        Returns: head and view (B, S, S, 3) unit; confidence (B, S, S), exp(-e / 20 degrees) of the
            expected angular error e, mean of both maps; parsing (B, S, S) uint8; mask (B, S, S),
            the probability of skin, eyes or mouth.
        """
        out = self.net(image.permute(0, 3, 1, 2).float() / 255, points)
        angle = expected_angle(out.log_kappa).mean(dim=1)
        confidence = torch.exp(-angle * (180 / torch.pi / CONFIDENCE_SCALE_DEG))
        odds = out.parsing.clamp(-30, 30).exp()  # ONNX Runtime's softmax over channels is slow
        mask = sum(odds[:, k] for k in MASK_CLASSES) / odds.sum(dim=1)
        return (
            out.head.permute(0, 2, 3, 1),
            out.view.permute(0, 2, 3, 1),
            confidence,
            out.parsing.argmax(dim=1).to(torch.uint8),
            mask,
        )
