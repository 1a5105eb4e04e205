"""ArcFace's IResNet-100, by insightface's names of weights: what MICA recognises people by.

Source: Deng et al. 2019, "ArcFace"; blocks as in Han et al. 2017, "Deep pyramidal residual
networks": normalised before and after each convolution, no activation after the sum.
"""

from torch import Tensor, nn

__all__ = ["N_IDENTITY", "IResNet100"]

N_IDENTITY = 512

_STAGES = ((64, 3), (128, 13), (256, 30), (512, 3))  # width, blocks; every stage halves the map
_LAST_MAP = 7  # of 112 pixels


class IResNet100(nn.Module):
    """(B, 3, 112, 112) RGB -1..1 -> (B, 512) identity, of any length."""

    def __init__(self) -> None:
        super().__init__()
        self.conv1 = nn.Conv2d(3, 64, 3, 1, 1, bias=False)
        self.bn1 = nn.BatchNorm2d(64)
        self.prelu = nn.PReLU(64)
        n = 64
        for number, (width, n_blocks) in enumerate(_STAGES, start=1):
            blocks = [_Block(n, width, 2)]
            blocks += [_Block(width, width, 1) for _ in range(n_blocks - 1)]
            n = width
            setattr(self, f"layer{number}", nn.Sequential(*blocks))
        self.bn2 = nn.BatchNorm2d(n)
        self.fc = nn.Linear(n * _LAST_MAP**2, N_IDENTITY)
        self.features = nn.BatchNorm1d(N_IDENTITY)

    def forward(self, image: Tensor) -> Tensor:
        x = self.prelu(self.bn1(self.conv1(image)))
        x = self.layer4(self.layer3(self.layer2(self.layer1(x))))
        return self.features(self.fc(self.bn2(x).flatten(1)))


class _Block(nn.Module):
    """Two 3x3 convolutions beside a shortcut, which is projected where the map is halved."""

    def __init__(self, n_in: int, n_out: int, stride: int) -> None:
        super().__init__()
        self.bn1 = nn.BatchNorm2d(n_in)
        self.conv1 = nn.Conv2d(n_in, n_out, 3, 1, 1, bias=False)
        self.bn2 = nn.BatchNorm2d(n_out)
        self.prelu = nn.PReLU(n_out)
        self.conv2 = nn.Conv2d(n_out, n_out, 3, stride, 1, bias=False)
        self.bn3 = nn.BatchNorm2d(n_out)
        self.downsample = None
        if stride != 1:
            self.downsample = nn.Sequential(
                nn.Conv2d(n_in, n_out, 1, stride, bias=False), nn.BatchNorm2d(n_out)
            )

    def forward(self, x: Tensor) -> Tensor:
        out = self.prelu(self.bn2(self.conv1(self.bn1(x))))
        out = self.bn3(self.conv2(out))
        return out + (x if self.downsample is None else self.downsample(x))
