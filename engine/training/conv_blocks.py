"""Blocks that all networks here are made of: plain convolutions, which CPUs run fastest."""

from torch import Tensor, nn
from torch.nn import functional

__all__ = ["Conv", "Residual"]


class Conv(nn.Sequential):
    """Convolution, batch normalisation and ReLU; (B, n_in, H, W) to (B, n_out, H / stride, ...)."""

    def __init__(self, n_in: int, n_out: int, stride: int = 1, size: int = 3) -> None:
        super().__init__(
            nn.Conv2d(n_in, n_out, size, stride, size // 2, bias=False),
            nn.BatchNorm2d(n_out),
            nn.ReLU(inplace=True),
        )


class Residual(nn.Module):
    """Two 3x3 convolutions beside a shortcut; (B, n, H, W) to the same."""

    def __init__(self, n: int) -> None:
        super().__init__()
        self.first = Conv(n, n)
        self.conv = nn.Conv2d(n, n, 3, 1, 1, bias=False)
        self.norm = nn.BatchNorm2d(n)

    def forward(self, x: Tensor) -> Tensor:
        return functional.relu(x + self.norm(self.conv(self.first(x))))
