"""ResNet-50 without its classifier, by torchvision's names of weights: the eyes of DECA and EMOCA.

Source: He et al. 2016, "Deep residual learning"; stride in the middle convolution as torchvision
has it.
"""

from torch import Tensor, nn
from torch.nn import functional

__all__ = ["N_FEATURES", "ResNet50", "ResNetRegressor"]

N_FEATURES = 2048

_STAGES = ((64, 3, 1), (128, 4, 2), (256, 6, 2), (512, 3, 2))  # width, blocks, stride
_EXPANSION = 4


class ResNet50(nn.Module):
    """(B, 3, H, W) RGB -> (B, 2048) means over the last map."""

    def __init__(self) -> None:
        super().__init__()
        self.conv1 = nn.Conv2d(3, 64, 7, 2, 3, bias=False)
        self.bn1 = nn.BatchNorm2d(64)
        self.maxpool = nn.MaxPool2d(3, 2, 1)
        n = 64
        for number, (width, n_blocks, stride) in enumerate(_STAGES, start=1):
            blocks = [_Bottleneck(n, width, stride)]
            n = width * _EXPANSION
            blocks += [_Bottleneck(n, width, 1) for _ in range(n_blocks - 1)]
            setattr(self, f"layer{number}", nn.Sequential(*blocks))

    def forward(self, image: Tensor) -> Tensor:
        x = self.maxpool(functional.relu(self.bn1(self.conv1(image))))
        x = self.layer4(self.layer3(self.layer2(self.layer1(x))))
        return x.mean((2, 3))


class ResNetRegressor(nn.Module):
    """(B, 3, 224, 224) RGB 0..1 -> (B, n_out): a ResNet-50 and two linear layers."""

    def __init__(self, n_out: int) -> None:
        super().__init__()
        self.encoder = ResNet50()
        self.layers = nn.Sequential(nn.Linear(N_FEATURES, 1024), nn.ReLU(), nn.Linear(1024, n_out))

    def forward(self, image: Tensor) -> Tensor:
        return self.layers(self.encoder(image))


class _Bottleneck(nn.Module):
    """1x1, 3x3 and 1x1 convolutions beside a shortcut, which is projected where sizes differ."""

    def __init__(self, n_in: int, width: int, stride: int) -> None:
        super().__init__()
        n_out = width * _EXPANSION
        self.conv1 = nn.Conv2d(n_in, width, 1, bias=False)
        self.bn1 = nn.BatchNorm2d(width)
        self.conv2 = nn.Conv2d(width, width, 3, stride, 1, bias=False)
        self.bn2 = nn.BatchNorm2d(width)
        self.conv3 = nn.Conv2d(width, n_out, 1, bias=False)
        self.bn3 = nn.BatchNorm2d(n_out)
        self.downsample = None
        if stride != 1 or n_in != n_out:
            self.downsample = nn.Sequential(
                nn.Conv2d(n_in, n_out, 1, stride, bias=False), nn.BatchNorm2d(n_out)
            )

    def forward(self, x: Tensor) -> Tensor:
        out = functional.relu(self.bn1(self.conv1(x)))
        out = functional.relu(self.bn2(self.conv2(out)))
        out = self.bn3(self.conv3(out))
        return functional.relu(out + (x if self.downsample is None else self.downsample(x)))
