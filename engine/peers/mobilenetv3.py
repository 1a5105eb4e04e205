"""MobileNetV3 "minimal" (no squeeze-and-excitation, no hard swish), by timm's names of weights.

As timm's tf_mobilenetv3_{small,large}_minimal_100 with features only, which SMIRK sees by:
TensorFlow's padding and its epsilon of batch normalisation.
Source: Howard et al. 2019, "Searching for MobileNetV3".
"""

from typing import NamedTuple

from torch import Tensor, nn
from torch.nn import functional

__all__ = ["LARGE", "SMALL", "MobileNetV3", "Plan"]

_EPSILON = 1e-3  # TensorFlow's of batch normalisation
_STEM = 16


class _Blocks(NamedTuple):
    """Blocks in a row that are alike, but that only the first has the stride."""

    repeats: int
    stride: int
    expansion: float  # channels inside over channels that come in
    n_out: int


class Plan(NamedTuple):
    """The stages of a network; the last map has n_features channels."""

    first: int  # stride of the block that follows the stem, which has no expansion
    stages: tuple[tuple[_Blocks, ...], ...]
    n_features: int


SMALL = Plan(
    first=2,
    stages=(
        (_Blocks(1, 2, 4.5, 24), _Blocks(1, 1, 3.67, 24)),
        (_Blocks(1, 2, 4, 40), _Blocks(2, 1, 6, 40)),
        (_Blocks(2, 1, 3, 48),),
        (_Blocks(3, 2, 6, 96),),
    ),
    n_features=576,
)
LARGE = Plan(
    first=1,
    stages=(
        (_Blocks(1, 2, 4, 24), _Blocks(1, 1, 3, 24)),
        (_Blocks(3, 2, 3, 40),),
        (_Blocks(1, 2, 6, 80), _Blocks(1, 1, 2.5, 80), _Blocks(2, 1, 2.3, 80)),
        (_Blocks(2, 1, 6, 112),),
        (_Blocks(3, 2, 6, 160),),
    ),
    n_features=960,
)


class MobileNetV3(nn.Module):
    """(B, 3, H, W) RGB -> (B, n_features) means over the last map."""

    def __init__(self, plan: Plan) -> None:
        super().__init__()
        self.conv_stem = _SameConv(3, _STEM, 3, 2)
        self.bn1 = _norm(_STEM)
        n = _STEM
        stages = [nn.Sequential(_Separable(n, n, plan.first))]
        for stage in plan.stages:
            blocks = []
            for repeats, stride, expansion, n_out in stage:
                for i in range(repeats):
                    blocks.append(_Inverted(n, expansion, n_out, 1 if i else stride))
                    n = n_out
            stages.append(nn.Sequential(*blocks))
        stages.append(nn.Sequential(_Pointwise(n, plan.n_features)))
        self.blocks = nn.Sequential(*stages)

    def forward(self, image: Tensor) -> Tensor:
        x = functional.relu(self.bn1(self.conv_stem(image)))
        return self.blocks(x).mean((2, 3))


class _SameConv(nn.Conv2d):
    """A convolution padded as TensorFlow's "SAME": the odd pixel goes to the right and below."""

    def __init__(self, n_in: int, n_out: int, size: int, stride: int = 1, groups: int = 1) -> None:
        super().__init__(n_in, n_out, size, stride, groups=groups, bias=False)

    def forward(self, x: Tensor) -> Tensor:
        size, stride = self.kernel_size[0], self.stride[0]
        down, right = (max((-(-n // stride) - 1) * stride + size - n, 0) for n in x.shape[2:])
        if down or right:
            left, up = right // 2, down // 2
            x = functional.pad(x, (left, right - left, up, down - up))
        return super().forward(x)


class _Separable(nn.Module):
    """A depthwise and a pointwise convolution, the latter without activation."""

    def __init__(self, n_in: int, n_out: int, stride: int) -> None:
        super().__init__()
        self.conv_dw = _SameConv(n_in, n_in, 3, stride, groups=n_in)
        self.bn1 = _norm(n_in)
        self.conv_pw = _SameConv(n_in, n_out, 1)
        self.bn2 = _norm(n_out)
        self.shortcut = stride == 1 and n_in == n_out

    def forward(self, x: Tensor) -> Tensor:
        out = functional.relu(self.bn1(self.conv_dw(x)))
        out = self.bn2(self.conv_pw(out))
        return out + x if self.shortcut else out


class _Inverted(nn.Module):
    """Pointwise to more channels, depthwise, pointwise back; the last without activation."""

    def __init__(self, n_in: int, expansion: float, n_out: int, stride: int) -> None:
        super().__init__()
        inside = _in_eights(n_in * expansion)
        self.conv_pw = _SameConv(n_in, inside, 1)
        self.bn1 = _norm(inside)
        self.conv_dw = _SameConv(inside, inside, 3, stride, groups=inside)
        self.bn2 = _norm(inside)
        self.conv_pwl = _SameConv(inside, n_out, 1)
        self.bn3 = _norm(n_out)
        self.shortcut = stride == 1 and n_in == n_out

    def forward(self, x: Tensor) -> Tensor:
        out = functional.relu(self.bn1(self.conv_pw(x)))
        out = functional.relu(self.bn2(self.conv_dw(out)))
        out = self.bn3(self.conv_pwl(out))
        return out + x if self.shortcut else out


class _Pointwise(nn.Module):
    """One pointwise convolution with activation."""

    def __init__(self, n_in: int, n_out: int) -> None:
        super().__init__()
        self.conv = _SameConv(n_in, n_out, 1)
        self.bn1 = _norm(n_out)

    def forward(self, x: Tensor) -> Tensor:
        return functional.relu(self.bn1(self.conv(x)))


def _norm(n: int) -> nn.BatchNorm2d:
    return nn.BatchNorm2d(n, eps=_EPSILON)


def _in_eights(channels: float) -> int:
    """The nearest multiple of eight, halves up, unless that takes a tenth away."""
    rounded = max(8, int(channels + 4) // 8 * 8)
    return rounded + 8 if rounded < 0.9 * channels else rounded
