"""From a network's raw maps to normals of our head frame and to coordinates in FLAME's texture.

Normals: their axes are x = x_net, y = -z_net, z = -y_net. Mirrored pictures give mirrored maps,
whose x (or u) is turned back; theirs are the mean of both. Theirs go through 8-bit files besides,
by casting, which loses up to 1/255 of the range.
"""

from collections.abc import Callable
from typing import Final

import torch
from torch import Tensor, nn

from engine.errors import ModelContractError
from engine.peers.pixel3dmm_net import Pixel3dmmNet
from engine.types import F32

__all__ = ["NET_CHANNELS", "PIXEL_MEAN", "PIXEL_STD", "MapNet", "as_8_bit", "head_normals"]

NET_CHANNELS: Final = ("x", "-z", "-y")
"""What each channel of their normals holds, in our axes."""

PIXEL_MEAN: Final = (0.485, 0.456, 0.406)
PIXEL_STD: Final = (0.229, 0.224, 0.225)
"""Of RGB in 0..1, as DINO's backbones want it (ImageNet's)."""

_SEAM: Final = 2 * 0.0075
"""FLAME's texture is symmetric about u = 0.50375, so that of -1..1 mirrors to this less itself."""
_SHORTEST = 1e-3


class MapNet(nn.Module):
    """Picture (1, 3, S, S), normalised -> one map (1, C, S, S), averaged over picture and mirror.

    Normals as the network gives them, of any length and in NET_CHANNELS; uv 0..1.
    """

    def __init__(self, net: Pixel3dmmNet, name: str, *, mirror: bool = True) -> None:
        """Args:
            name: "normals" or "uv_map".
        Raises: ModelContractError: if the network does not predict it.
        """
        super().__init__()
        if name not in net.sizes.maps:
            raise ModelContractError(
                f"this network predicts {', '.join(net.sizes.maps)}, not {name}; take "
                f"{'normals' if name == 'normals' else 'uv'}.ckpt"
            )
        self.net, self._mirror = net, mirror
        self._channels = net.sizes.channels_of(name)
        self._finish: Callable[[Tensor], Tensor] = _to_shares if name == "uv_map" else _unchanged
        n = self._channels.stop - self._channels.start
        self.register_buffer("_signs", torch.tensor([-1.0, *[1.0] * (n - 1)])[:, None, None])
        shifts = [_SEAM if name == "uv_map" else 0.0, *[0.0] * (n - 1)]
        self.register_buffer("_shifts", torch.tensor(shifts)[:, None, None])

    def forward(self, image: Tensor) -> Tensor:
        if not self._mirror:
            return self._finish(self.net(image)[:, self._channels])
        found = self.net(torch.cat([image, image.flip(3)]))[:, self._channels]
        turned_back = found[1:].flip(3) * self._signs + self._shifts
        return self._finish((found[:1] + turned_back) / 2)


def head_normals(raw: Tensor) -> tuple[F32, F32]:
    """Their normals in our head frame.

    Args:
        raw: (3, S, S) of any length, in NET_CHANNELS.
    Returns: (S, S, 3) unit; (S, S) 1 where there is a normal, 0 where (0, 0, 1) stands for none.
    """
    turned = torch.stack([raw[0], -raw[2], -raw[1]], dim=-1)
    lengths = turned.norm(dim=-1, keepdim=True)
    is_normal = torch.isfinite(lengths) & (lengths > _SHORTEST)
    unit = torch.where(is_normal, turned / lengths, torch.tensor([0.0, 0.0, 1.0]))
    return unit.numpy(), is_normal[..., 0].float().numpy()


def as_8_bit(values: Tensor, low: float, high: float) -> Tensor:
    """What an 8-bit file with low as 0 and high as 255 leaves of values: cast, not rounded."""
    levels = ((values - low) / (high - low)).clamp(0, 1) * 255
    return levels.to(torch.uint8).float() / 255 * (high - low) + low


def _unchanged(values: Tensor) -> Tensor:
    return values


def _to_shares(values: Tensor) -> Tensor:
    return ((values + 1) / 2).clamp(0, 1)
