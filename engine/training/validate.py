"""Scores of a network on validation samples."""

import numpy as np
import torch
from torch import nn

from engine.synth.sample import FACE_CLASSES, MASK_CLASSES
from engine.training.batch import batch_from_rows
from engine.training.normal_metrics import NormalScores, score, summary
from engine.training.optimising import convolutions_in
from engine.training.sample_store import SampleStore

__all__ = ["validate"]

_AT_ONCE = 32


@torch.no_grad()
def validate(net: nn.Module, store: SampleStore, n_most: int, bf16: bool) -> dict[str, float]:
    """Mean scores on samples spread evenly over the store, without augmentation.

    Args:
        net: NormalNet; is left in evaluation mode.
        n_most: samples to look at, at most; 0: all.
        bf16: convolutions in bfloat16, as in training.
    Returns: see `normal_metrics.summary`.
    """
    net.eval()
    device = next(net.parameters()).device
    n = min(n_most or len(store), len(store))
    indices = np.linspace(0, len(store) - 1, n).round().astype(np.int64)
    scores: list[NormalScores] = []
    for first in range(0, n, _AT_ONCE):
        batch = batch_from_rows(store.read(indices[first : first + _AT_ONCE]))
        with convolutions_in(device, bf16=bf16):
            out = net(batch.image.to(device), batch.points.to(device))
        shares = out.parsing.softmax(dim=1)[:, list(MASK_CLASSES)].sum(dim=1)
        maps = [
            m.permute(0, 2, 3, 1).cpu().numpy()
            for m in (out.head, out.view, batch.head, batch.view)
        ]
        masks, parsing = (shares > 0.5).cpu().numpy(), batch.parsing.numpy()
        for k in range(len(parsing)):
            head, view, true_head, true_view = (m[k] for m in maps)
            skin = np.isin(parsing[k], FACE_CLASSES) & true_head.any(axis=-1)
            true_mask = np.isin(parsing[k], MASK_CLASSES)
            scores.append(score(head, view, masks[k], true_head, true_view, skin, true_mask))
    return summary(scores)
