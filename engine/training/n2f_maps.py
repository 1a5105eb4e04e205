"""Makes the maps that a training of N2FNet lacks, and says where all of them are."""

import logging
from dataclasses import dataclass
from pathlib import Path

from engine.errors import AssetError
from engine.flame.model import HeadModel
from engine.io.image import list_images
from engine.normal_choice import choose_normals
from engine.pipeline import Reconstructor
from engine.stages.normal_estimator import NormalEstimator
from engine.synth.draw_maps import DrawPlan, draw_maps
from engine.synth.predicted_maps import predict_maps
from engine.synth.workers import cpu_count
from engine.training.n2f_data import MapFolders
from engine.training.n2f_settings import N2FSettings
from engine.training.real_maps import RealPlan, fit_real_maps

__all__ = ["MapSources", "prepare_maps"]

log = logging.getLogger(__name__)

_VAL_SHARE = 50  # one in so many is drawn to validate


@dataclass(frozen=True, slots=True)
class MapSources:
    """What a user gave; folders not given are made in the training's own."""

    drawn: Path | None = None
    n_drawn: int = 50_000
    shards: Path | None = None
    normals: Path | None = None  # the normal network; None: the bundled one
    predicted: Path | None = None
    real: Path | None = None
    photos: Path | None = None  # folder of pictures to fit, in place of `real`
    val: Path | None = None

    def folders(self, settings: N2FSettings, out: Path) -> tuple[MapFolders, Path | None]:
        """Of all maps, and of those to validate on."""
        drawn = self.drawn or (out / "drawn" if _needs(settings, 0) else None)
        predicted = self.predicted or (out / "predicted" if self.shards is not None else None)
        val = self.val
        for folder in (predicted, drawn):
            if val is None and folder is not None and any(folder.glob("val-*.npy")):
                val = folder
        real = self.real or (out / "real" if self.photos is not None else None)
        return MapFolders(drawn, predicted, real), val


def prepare_maps(
    settings: N2FSettings,
    model: HeadModel,
    sources: MapSources,
    out: Path,
    workers: int | None = None,
) -> None:
    """Draw and predict what is missing; goes on where it stopped.

    Args:
        workers: processes that draw; None: one for each processor.
    Raises: AssetError: if shards or the network are missing or unusable. ProviderError: without
        OpenGL. OutputError.
    """
    if sources.drawn is None and _needs(settings, 0):
        seen = settings.trunk_px
        counts = {"train": sources.n_drawn, "val": -(-sources.n_drawn // _VAL_SHARE)}
        for split, n in counts.items():
            plan = DrawPlan(n, "train" if split == "train" else "val", settings.seed, seen)
            made = draw_maps(model, out / "drawn", plan, workers or cpu_count())
            log.info("drew %d files of %s maps", made, split)
    if sources.photos is not None and sources.real is None:
        _fit_photos(model, sources, sources.photos, out / "real", settings)
    if sources.shards is None:
        return
    network = _network(sources)
    for split in ("train", "val"):
        if split == "train" or any(sources.shards.glob("val-*.tar")):
            predict_maps(
                sources.shards, split, model, out / "predicted",
                network=network, map_px=settings.trunk_px if "head" in settings.inputs else 64,
            )  # fmt: skip


def _network(sources: MapSources) -> Path:
    choice = choose_normals(None if sources.normals is None else str(sources.normals))
    if choice.path is None:
        raise AssetError(f"no normal network to look at the pictures: {choice.reason}")
    return choice.path


def _fit_photos(
    model: HeadModel, sources: MapSources, photos: Path, out: Path, settings: N2FSettings
) -> None:
    """By landmarks and normals together, unless it is done already."""
    if any(out.glob("train-*.npy")):
        return
    fitter = Reconstructor(
        model,
        method="landmarks-refined",
        tracking=False,
        normals=NormalEstimator(_network(sources), may_fall_back=True),
    )
    try:
        map_px = settings.trunk_px if "head" in settings.inputs else 64
        n = fit_real_maps(list_images(photos), fitter, model, out, RealPlan(map_px=map_px))
        log.info("%d photos of %s are fitted", n, photos)
    finally:
        fitter.close()


def _needs(settings: N2FSettings, source: int) -> bool:
    return any(stage.shares[source] for stage in settings.stages)
