"""What `--stage finetune` takes where the user leaves it open: weights, configuration, shares."""

import logging
from dataclasses import replace
from pathlib import Path
from typing import Final

from engine.flame.model import HeadModel
from engine.io.assets import asset_path
from engine.training.checkpoint import read_weights
from engine.training.n2f_settings import N2FSettings, read_n2f_settings
from engine.training.n2f_weights import N2FNET

__all__ = ["WEIGHTS", "finetune_config", "finetune_start", "without_predicted"]

WEIGHTS: Final = "n2fnet_weights.npz"
"""The shipped N2FNet's, among the assets."""

_CONFIGS: Final = ("finetuned", "finetuned-drawn")

log = logging.getLogger(__name__)


def finetune_start(init: Path | None, model: HeadModel, out: Path) -> Path | None:
    """The checkpoint in `out`, else the weights given, else the shipped ones.

    Returns: None where the shipped ones are of another head model.
    Raises: AssetError: if the shipped ones are missing or changed.
    """
    checkpoint = out / "checkpoint.pt"
    if checkpoint.exists() or init is not None:
        return checkpoint if checkpoint.exists() else init
    shipped = asset_path(WEIGHTS)
    is_of_model = read_weights(shipped, N2FNET)[1].model_id == model.model_id
    return shipped if is_of_model else None


def finetune_config(start: Path) -> str:
    """The configuration whose network has the weights' inputs, else the usual one.

    Raises: AssetError: if the weights cannot be read.
    """
    inputs = read_weights(start, N2FNET)[1].settings.inputs
    same = [name for name in _CONFIGS if read_n2f_settings(name).inputs == inputs]
    return same[0] if same else _CONFIGS[0]


def without_predicted(settings: N2FSettings) -> N2FSettings:
    """The same course where there are no predicted maps: drawn ones have their share, and a log
    line says so.
    """
    stages = tuple(
        replace(stage, drawn=stage.drawn + stage.predicted, predicted=0.0)
        for stage in settings.stages
    )
    if stages != settings.stages:
        log.warning(
            "no predicted maps are given (--shards or --predicted): their share of %s is drawn",
            settings.name,
        )
    return replace(settings, stages=stages)
