"""What a Pixel3DMM checkpoint says of its network: sizes from hyper-parameters and tensors' shapes.

Shapes decide wherever they can; hyper-parameters tell the rest (heads, what the channels hold).
"""

import math
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final

from engine.peers.pixel3dmm_checkpoint import Checkpoint, Tensor

__all__ = ["MAP_CHANNELS", "NetworkSizes", "prefix_of", "read_sizes"]

MAP_CHANNELS: Final = {"pos_map": 3, "uv_map": 2, "normals": 3, "albedo": 3, "nocs": 3}
"""Maps that such a network can predict, in the order of its channels."""

_WITH_SECOND: Final = ("pos_map", "uv_map", "normals")
"""Maps that some networks predict twice, the second time for another pose of the head."""

_HEAD_WIDTH: Final = 64  # of DINO's backbones, tiny to large
_DECODER_HEADS: Final = 8  # the published configuration, where a file says nothing
_SIZE_PX: Final = 512
_BACKBONE_WIDTHS: Final = {"tiny": 192, "small": 384, "base": 768, "large": 1024}
_ANCHOR: Final = "vol_decoder.down_proj.weight"
_REFUSED: Final = ("use_plucker", "prior_input")
"""Variants of the network that take more than a picture."""


@dataclass(frozen=True, slots=True)
class NetworkSizes:
    """What a network is made of. Widths are numbers of channels."""

    size_px: int  # side of the square picture
    patch_px: int  # side of a backbone token
    backbone_width: int
    n_backbone_blocks: int
    width: int  # of the decoder
    n_blocks: int  # each has two layers of attention
    n_heads: int  # of the decoder
    unpatch_px: int  # side of what one token of the last layer draws
    maps: tuple[str, ...]  # of MAP_CHANNELS, in order
    view_width: int = 0  # channels that tell views apart, beside the backbone's
    has_positions: bool = False  # positions are added once more before the decoder
    has_second: bool = False  # of each map of _WITH_SECOND, right behind it

    def __post_init__(self) -> None:
        """Raises: ValueError: naming what does not fit together."""
        if self.size_px % self.patch_px or not self.patch_px <= self.size_px <= 4096:
            raise ValueError(f"pictures of {self.size_px} px do not fit {self.patch_px} px tokens")
        if self.backbone_width % _HEAD_WIDTH:
            raise ValueError(f"a backbone of width {self.backbone_width} is none of DINO's")
        if self.width % self.n_heads:
            raise ValueError(f"a decoder of width {self.width} cannot have {self.n_heads} heads")
        if self.patch_px != self.unpatch_px * (8 if self.upsamples else 1):
            raise ValueError(f"it draws {self.unpatch_px} px for each token of {self.patch_px} px")

    @property
    def n_backbone_heads(self) -> int:
        """Attention heads of the backbone."""
        return self.backbone_width // _HEAD_WIDTH

    @property
    def grid(self) -> int:
        """Tokens along a side."""
        return self.size_px // self.patch_px

    @property
    def upsamples(self) -> bool:
        """Whether three transposed convolutions come before the last layer."""
        return self.unpatch_px < self.patch_px

    @property
    def n_channels(self) -> int:
        """Of all maps."""
        return _n_channels(self.maps, self.has_second)

    def channels_of(self, name: str) -> slice:
        """Where a map lies among the channels. Raises: ValueError: if it is not predicted."""
        start = _n_channels(self.maps[: self.maps.index(name)], self.has_second)
        return slice(start, start + MAP_CHANNELS[name])


def prefix_of(tensors: Mapping[str, Tensor]) -> str:
    """What stands before the network's own names, "net." in the official files.

    Raises: ValueError: if the network is not in it.
    """
    found = [name.removesuffix(_ANCHOR) for name in tensors if name.endswith(_ANCHOR)]
    if len(found) != 1:
        shown = ascii(", ".join(sorted(tensors)[:3]))[1:-1] or "nothing"
        raise ValueError(f"no {_ANCHOR} is in it, but {shown} ...")
    return found[0]


def read_sizes(checkpoint: Checkpoint) -> NetworkSizes:
    """The sizes of the network in a checkpoint.

    Raises: ValueError: if it is another network, or its parts do not fit together.
    """
    tensors, start = checkpoint.tensors, prefix_of(checkpoint.tensors)
    settings = checkpoint.settings.get("model")
    model: Mapping[str, Any] = settings if isinstance(settings, dict) else {}
    if refused := [key for key in _REFUSED if model.get(key)]:
        raise ValueError(f"it is a variant that takes more than a picture ({', '.join(refused)})")
    encoder = f"{start}img_encoder.model."
    projection = _shape(tensors, f"{encoder}patch_embed.proj.weight", 4)
    width, fed = _shape(tensors, f"{start}{_ANCHOR}", 2)
    _check_backbone(model.get("encoder_backbone"), projection)
    drawn = _shape(tensors, f"{start}token_2_patch_content.weight", 2)[0]
    has_second = bool(model.get("pred_disentangled"))
    maps = _maps(model.get("prediction_type"), drawn, has_second)
    return NetworkSizes(
        size_px=_size_px(checkpoint.settings),
        patch_px=projection[2],
        backbone_width=projection[0],
        n_backbone_blocks=_count(tensors, f"{encoder}blocks."),
        width=width,
        n_blocks=_count(tensors, f"{start}vol_decoder.layers."),
        n_heads=_positive(model.get("num_heads"), _DECODER_HEADS),
        unpatch_px=math.isqrt(drawn // _n_channels(maps, has_second)),
        maps=maps,
        view_width=fed - projection[0],
        has_positions=f"{start}patch_pos_enc" in tensors,
        has_second=has_second,
    )


def _n_channels(maps: Sequence[str], has_second: bool) -> int:
    return sum(MAP_CHANNELS[m] * (2 if has_second and m in _WITH_SECOND else 1) for m in maps)


def _maps(named: object, n_drawn: int, has_second: bool) -> tuple[str, ...]:
    """What a network predicts; without hyper-parameters the two published ones are told apart."""
    if named is None:
        # 2 x 2 px of each of 3 or 2 channels.
        named = {12: "normals", 8: "uv_map"}.get(n_drawn, "")
    words = named if isinstance(named, list) else str(named).split(",")
    if unknown := [word for word in words if word not in MAP_CHANNELS]:
        raise ValueError(f"it predicts {', '.join(map(str, unknown)) or 'nothing known'}")
    maps = tuple(name for name in MAP_CHANNELS if name in words)
    n_channels = _n_channels(maps, has_second)
    if n_channels * math.isqrt(n_drawn // n_channels) ** 2 != n_drawn:
        raise ValueError(
            f"its last layer has {n_drawn} outputs, too many or few for {', '.join(maps)}"
        )
    return maps


def _check_backbone(name: object, projection: tuple[int, ...]) -> None:
    """Raises: ValueError: if the backbone's name tells of other sizes than its tensors have."""
    found = re.match(r"vit_(\w+?)_patch(\d+)_\d+\.dino$", str(name))
    if name is None:
        return
    if found is None:
        raise ValueError(f"its backbone is {str(name)[:60]!a}, expected a DINO ViT")
    width = _BACKBONE_WIDTHS.get(found[1], projection[0])
    if (width, int(found[2])) != (projection[0], projection[2]):
        raise ValueError(f"it names {name}, but its tokens are {projection[0]} wide")


def _size_px(settings: Mapping[str, Any]) -> int:
    for part in ("test_dataset", "train_dataset"):
        section = settings.get(part)
        sides = section.get("img_size") if isinstance(section, dict) else None
        if isinstance(sides, list) and sides and type(sides[0]) is int:
            return sides[0]
    return _SIZE_PX


def _positive(value: object, default: int) -> int:
    return value if type(value) is int and value > 0 else default


def _count(tensors: Mapping[str, Tensor], start: str) -> int:
    """Blocks that are numbered from 0 on. Raises: ValueError: if there are none."""
    numbers = {
        int(part)
        for name in tensors
        if name.startswith(start) and (part := name[len(start) :].split(".")[0]).isdecimal()
    }
    if not numbers or numbers != set(range(len(numbers))):
        raise ValueError(f"{start}0, {start}1, ... are not all in it")
    return len(numbers)


def _shape(tensors: Mapping[str, Tensor], name: str, n_axes: int) -> tuple[int, ...]:
    if name not in tensors:
        raise ValueError(f"{name} is missing")
    if tensors[name].ndim != n_axes:
        raise ValueError(f"{name} has shape {tensors[name].shape}, expected {n_axes} axes")
    return tensors[name].shape
