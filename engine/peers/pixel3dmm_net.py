"""Pixel3DMM's networks, built from a checkpoint: backbone, attention over all tokens, upsampling.

Attribute names are those of the official files, so that their weights fit without renaming.
Source: Giebenhain et al. 2025, "Pixel3DMM", and its published code.
"""

from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn import functional

from engine.errors import AssetError
from engine.peers.pixel3dmm_checkpoint import Checkpoint
from engine.peers.pixel3dmm_sizes import NetworkSizes, prefix_of, read_sizes
from engine.peers.pixel3dmm_vit import DinoViT, attend, resampled_positions

__all__ = ["KeyUse", "Pixel3dmmNet", "load_network"]

_MLP_RATIO = 4
_POSITIONS = "img_encoder.model.pos_embed"
_UNUSED = (
    *("dir_norm.", "dir_norm_uv.", "uv_enc_mlp.", "vol_decoder.norm.", "img_encoder.model.head."),
    *("view_embed", "t_conv1.", "t_conv2.", "t_conv3.", "t_conv3_conf.", "token_2_patch_conf."),
)
"""Weights that the official files hold although such networks, or some of them, do without."""


@dataclass(frozen=True, slots=True)
class KeyUse:
    """Which of a checkpoint's tensors the network has taken."""

    used: tuple[str, ...]
    unused: tuple[str, ...]  # known to be spare, or not of the network, such as masks of its loss


class Pixel3dmmNet(nn.Module):
    """Picture (B, 3, S, S), normalised -> all maps (B, C, S, S), raw."""

    def __init__(self, sizes: NetworkSizes) -> None:
        super().__init__()
        self.sizes = sizes
        fed, width, unpatch = sizes.backbone_width, sizes.width, sizes.unpatch_px
        self.img_encoder = nn.ModuleDict({"model": DinoViT(sizes)})
        if sizes.has_positions:
            self.patch_pos_enc = nn.Parameter(torch.zeros(1, fed, sizes.grid, sizes.grid))
        if sizes.view_width:
            # Of several views the first is the one that a single picture is.
            self.view_embed = nn.Parameter(torch.zeros(1, 1, sizes.view_width, 1, 1))
        self.vol_decoder = nn.ModuleDict(
            {
                "down_proj": nn.Linear(fed + sizes.view_width, width),
                "layers": nn.ModuleList(
                    _DoubleBlock(width, sizes.n_heads) for _ in range(sizes.n_blocks)
                ),
            }
        )
        if sizes.upsamples:
            self.t_conv1 = nn.ConvTranspose2d(width, width, 2, stride=2)
            self.t_conv2 = nn.ConvTranspose2d(width, width, 2, stride=2)
            self.t_conv3 = nn.ConvTranspose2d(width, width, 2, stride=2)
        self.token_2_patch_content = nn.Linear(width, unpatch**2 * sizes.n_channels)

    def forward(self, image: Tensor) -> Tensor:
        tokens = self.img_encoder["model"](image)
        if self.sizes.has_positions:
            tokens = tokens + self.patch_pos_enc.flatten(2).transpose(1, 2)
        if self.sizes.view_width:
            view = self.view_embed[:, 0, :, 0, 0].expand(*tokens.shape[:2], -1)
            tokens = torch.cat([tokens, view], dim=-1)
        tokens = self.vol_decoder["down_proj"](tokens)
        for block in self.vol_decoder["layers"]:
            tokens = block(tokens)
        grid = self.sizes.grid
        features = tokens.transpose(1, 2).unflatten(2, (grid, grid))
        if self.sizes.upsamples:
            for enlarge in (self.t_conv1, self.t_conv2, self.t_conv3):
                features = functional.gelu(enlarge(features))
        drawn = self.token_2_patch_content(features.permute(0, 2, 3, 1))
        return _unpatchified(drawn, self.sizes.unpatch_px)


class _DoubleBlock(nn.Module):
    """Two layers of attention. The residual starts from the normalised tokens, as in theirs."""

    def __init__(self, width: int, n_heads: int) -> None:
        super().__init__()
        self.norm1, self.norm2 = nn.LayerNorm(width), nn.LayerNorm(width)
        self.norm3, self.norm4 = nn.LayerNorm(width), nn.LayerNorm(width)
        self.self_attn, self.self_attn2 = _Attention(width, n_heads), _Attention(width, n_heads)
        self.mlp, self.mlp2 = _mlp(width), _mlp(width)

    def forward(self, tokens: Tensor) -> Tensor:
        tokens = self.norm1(tokens)
        tokens = tokens + self.self_attn(tokens)
        tokens = tokens + self.mlp(self.norm2(tokens))
        tokens = self.norm3(tokens)
        tokens = tokens + self.self_attn2(tokens)
        mixed: Tensor = tokens + self.mlp2(self.norm4(tokens))
        return mixed


class _Attention(nn.Module):
    """As torch's MultiheadAttention without biases, with its names."""

    def __init__(self, width: int, n_heads: int) -> None:
        super().__init__()
        self.in_proj_weight = nn.Parameter(torch.zeros(3 * width, width))
        self.out_proj = nn.Linear(width, width, bias=False)
        self._n_heads = n_heads

    def forward(self, tokens: Tensor) -> Tensor:
        qkv = functional.linear(tokens, self.in_proj_weight)
        mixed: Tensor = self.out_proj(attend(qkv, self._n_heads))
        return mixed


def _mlp(width: int) -> nn.Sequential:
    hidden = _MLP_RATIO * width
    # Identity stands where training drops out: the second layer keeps its number.
    return nn.Sequential(
        nn.Linear(width, hidden), nn.GELU(), nn.Identity(), nn.Linear(hidden, width)
    )


def _unpatchified(drawn: Tensor, side: int) -> Tensor:
    """(B, H, W, side * side * C), each token's pixels row by row -> (B, C, H side, W side)."""
    parts = drawn.unflatten(-1, (side, side, -1))  # B H W p q C
    return parts.permute(0, 5, 1, 3, 2, 4).flatten(4, 5).flatten(2, 3)


def load_network(checkpoint: Checkpoint) -> tuple[Pixel3dmmNet, KeyUse]:
    """The network of a checkpoint, ready to predict, and what of the checkpoint it is made of.

    Raises: AssetError: if the checkpoint is of another network, lacks tensors, or has any in the
        network that are neither used nor known to be spare.
    """
    try:
        sizes = read_sizes(checkpoint)
        net = Pixel3dmmNet(sizes)
        weights, use = _fitting(checkpoint, net)
    except ValueError as error:
        raise AssetError(
            f"{checkpoint.path} is no network of Pixel3DMM's: {error}; take normals.ckpt or uv.ckpt"
        ) from error
    net.load_state_dict(weights)
    return net.eval(), use


def _fitting(checkpoint: Checkpoint, net: Pixel3dmmNet) -> tuple[dict[str, Tensor], KeyUse]:
    """The checkpoint's tensors by the network's names. Raises: ValueError: if they do not fit."""
    start, wanted = prefix_of(checkpoint.tensors), net.state_dict()
    weights, used, unused = {}, [], []
    for name, array in checkpoint.tensors.items():
        own = name.removeprefix(start) if name.startswith(start) else None
        if own is None or (own not in wanted and own.startswith(_UNUSED)):
            unused.append(name)
        elif own in wanted:
            weights[own] = _checked(name, torch.from_numpy(array), own, wanted[own], net.sizes)
            used.append(name)
        else:
            raise ValueError(f"{ascii(name)[1:-1]} belongs to no part of it that is known")
    if missing := [name for name in wanted if name not in weights]:
        raise ValueError(f"{', '.join(missing[:4])} missing ({len(missing)} in all)")
    return weights, KeyUse(tuple(sorted(used)), tuple(sorted(unused)))


def _checked(name: str, found: Tensor, own: str, wanted: Tensor, sizes: NetworkSizes) -> Tensor:
    """A tensor as the network takes it. Raises: ValueError: if it does not fit."""
    if not found.is_floating_point() or not np.isfinite(found.numpy()).all():
        raise ValueError(f"{name} holds values that are not finite numbers")
    if own == _POSITIONS and found.ndim == 3:
        found = resampled_positions(found, sizes.grid)
    if own == "view_embed" and found.ndim == 5:
        found = found[:, :1]
    if found.shape != wanted.shape:
        raise ValueError(f"{name} has shape {tuple(found.shape)}, expected {tuple(wanted.shape)}")
    return found
