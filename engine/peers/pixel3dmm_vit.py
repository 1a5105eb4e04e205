"""The backbone of Pixel3DMM's networks: a DINO vision transformer, its weights named as timm's.

Source: Caron et al. 2021, "Emerging Properties in Self-Supervised Vision Transformers"; Dosovitskiy
et al. 2021 (ViT).
"""

import torch
from torch import Tensor, nn
from torch.nn import functional

from engine.peers.pixel3dmm_sizes import NetworkSizes

__all__ = ["DinoViT", "attend", "resampled_positions"]

_EPS = 1e-6  # of every norm, as in timm's ViTs
_MLP_RATIO = 4


class DinoViT(nn.Module):
    """Picture (B, 3, S, S), normalised -> tokens (B, grid * grid, width), row by row."""

    def __init__(self, sizes: NetworkSizes) -> None:
        super().__init__()
        width = sizes.backbone_width
        self.cls_token = nn.Parameter(torch.zeros(1, 1, width))
        self.pos_embed = nn.Parameter(torch.zeros(1, 1 + sizes.grid**2, width))
        self.patch_embed = nn.ModuleDict(
            {"proj": nn.Conv2d(3, width, sizes.patch_px, stride=sizes.patch_px)}
        )
        self.blocks = nn.ModuleList(
            _Block(width, sizes.n_backbone_heads) for _ in range(sizes.n_backbone_blocks)
        )
        self.norm = nn.LayerNorm(width, eps=_EPS)

    def forward(self, image: Tensor) -> Tensor:
        patches = self.patch_embed["proj"](image).flatten(2).transpose(1, 2)
        first = self.cls_token.expand(len(image), -1, -1)
        tokens = torch.cat([first, patches], dim=1) + self.pos_embed
        for block in self.blocks:
            tokens = block(tokens)
        kept: Tensor = self.norm(tokens)[:, 1:]
        return kept


class _Block(nn.Module):
    def __init__(self, width: int, n_heads: int) -> None:
        super().__init__()
        self.norm1, self.norm2 = nn.LayerNorm(width, eps=_EPS), nn.LayerNorm(width, eps=_EPS)
        self.attn = _Attention(width, n_heads)
        hidden = _MLP_RATIO * width
        self.mlp = nn.ModuleDict({"fc1": nn.Linear(width, hidden), "fc2": nn.Linear(hidden, width)})

    def forward(self, tokens: Tensor) -> Tensor:
        tokens = tokens + self.attn(self.norm1(tokens))
        hidden = functional.gelu(self.mlp["fc1"](self.norm2(tokens)))
        return tokens + self.mlp["fc2"](hidden)


class _Attention(nn.Module):
    def __init__(self, width: int, n_heads: int) -> None:
        super().__init__()
        self.qkv, self.proj = nn.Linear(width, 3 * width), nn.Linear(width, width)
        self._n_heads = n_heads

    def forward(self, tokens: Tensor) -> Tensor:
        mixed: Tensor = self.proj(attend(self.qkv(tokens), self._n_heads))
        return mixed


def attend(qkv: Tensor, n_heads: int) -> Tensor:
    """Self-attention from (B, N, 3 C), queries, keys and values one after another, to (B, N, C)."""
    parts = qkv.unflatten(-1, (3, n_heads, -1)).permute(2, 0, 3, 1, 4)
    mixed = functional.scaled_dot_product_attention(parts[0], parts[1], parts[2])
    return mixed.transpose(1, 2).flatten(2)


def resampled_positions(positions: Tensor, grid: int) -> Tensor:
    """Position embeddings (1, 1 + n * n, C) for a grid of another size, as timm does it.

    Raises: ValueError: if the tokens are no square grid and one before it.
    """
    n = round((positions.shape[1] - 1) ** 0.5)
    if positions.shape[1] != 1 + n * n:
        raise ValueError(f"pos_embed has {positions.shape[1]} tokens, expected a square and one")
    if n == grid:
        return positions
    square = positions[:, 1:].unflatten(1, (n, n)).permute(0, 3, 1, 2)
    # antialias chooses another bicubic kernel (a = -0.5), even where it has nothing to smooth.
    larger = functional.interpolate(square, size=(grid, grid), mode="bicubic", antialias=True)
    return torch.cat([positions[:, :1], larger.flatten(2).transpose(1, 2)], dim=1)
