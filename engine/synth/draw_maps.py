"""Folders of drawn heads for N2FNet, made by several processes; goes on where it stopped."""

import logging
import os
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass
from functools import partial
from multiprocessing import get_context
from pathlib import Path

from engine.flame.model import HeadModel
from engine.synth.head_maps import HeadMapMaker, plain_head
from engine.synth.map_files import MapInfo, begin_folder, rows_path, write_rows
from engine.synth.settings import Split
from engine.synth.workers import WORKER_ENVIRONMENT

__all__ = ["DrawPlan", "draw_maps"]

log = logging.getLogger(__name__)

_ROWS_PER_FILE = 1000


@dataclass(frozen=True, slots=True)
class DrawPlan:
    """What is drawn."""

    n: int  # rows
    split: Split = "train"
    seed: int = 0
    map_px: int = 64
    rows_per_file: int = _ROWS_PER_FILE


def draw_maps(model: HeadModel, out: Path, plan: DrawPlan, workers: int = 1) -> int:
    """Draw what is missing of a folder; returns how many files were made.

    Args:
        workers: processes; 1: this one.
    Raises: AssetError: if the folder holds something else. ProviderError: without OpenGL.
        OutputError.
    """
    begin_folder(out, MapInfo("drawn", model.model_id, plan.map_px, plan.seed))
    numbers = range(-(-plan.n // plan.rows_per_file))
    missing = [k for k in numbers if not rows_path(out, plan.split, k).exists()]
    draw = partial(_draw_file, model, out, plan)
    if workers == 1 or len(missing) < 2:
        for number in missing:
            draw(number)
        return len(missing)
    os.environ.update(WORKER_ENVIRONMENT)  # read by processes that start from now on
    with ProcessPoolExecutor(workers, get_context("spawn")) as pool:
        for number in pool.map(draw, missing):
            log.info("%s is there", rows_path(out, plan.split, number))
    return len(missing)


def _draw_file(model: HeadModel, out: Path, plan: DrawPlan, number: int) -> int:
    maker = HeadMapMaker(plain_head(model), plan.map_px, plan.seed, plan.split)
    first = number * plan.rows_per_file
    try:
        last = min(first + plan.rows_per_file, plan.n)
        rows = [maker.make(index) for index in range(first, last)]
    finally:
        maker.close()
    write_rows(rows_path(out, plan.split, number), rows)
    return number
