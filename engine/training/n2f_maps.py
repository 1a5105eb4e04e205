"""Makes the maps that a training of N2FNet lacks, and says where all of them are."""

import logging
from dataclasses import dataclass
from pathlib import Path

from engine.batch_plan import media_in
from engine.errors import AssetError
from engine.flame.model import HeadModel
from engine.io.assets import sha256_of
from engine.normal_choice import choose_normals
from engine.pipeline import Reconstructor
from engine.stages.normal_estimator import NormalEstimator
from engine.synth.draw_maps import DrawPlan, draw_maps
from engine.synth.map_files import MapStore
from engine.synth.predicted_maps import check_shards, predict_maps
from engine.synth.workers import cpu_count
from engine.training.n2f_data import SOURCES, MapFolders, check_store
from engine.training.n2f_settings import N2FSettings
from engine.training.real_maps import RealPlan, fit_real_maps

__all__ = ["MapSources", "check_sources", "n_to_draw", "prepare_maps"]

log = logging.getLogger(__name__)

_N_DRAWN = 50_000  # for a configuration's full course
_LEAST_DRAWN = 2_000
_VAL_SHARE = 50  # one in so many is drawn to validate
_LEAST_VAL = 200


@dataclass(frozen=True, slots=True)
class MapSources:
    """What a user gave; folders not given are made in the training's own."""

    drawn: Path | None = None
    n_drawn: int = _N_DRAWN
    shards: Path | None = None
    normals: Path | None = None  # the normal network; None: the bundled one
    predicted: Path | None = None
    real: Path | None = None
    photos: Path | None = None  # folder of photos and videos to fit, in place of `real`
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


def n_to_draw(scale: float) -> int:
    """How many heads suit a share of a configuration's steps: whole thousands, 2,000 or more."""
    thousands = -(-round(_N_DRAWN * min(scale, 1.0)) // 1000)
    return max(_LEAST_DRAWN, 1000 * thousands)


def check_sources(settings: N2FSettings, model: HeadModel, sources: MapSources) -> None:
    """See, before hours of drawing and fitting, that all that the stages need is there.

    Raises: AssetError: if maps are neither given nor can be made, cannot be used, or are real ones
        that no stage learns of. CaptureError: if the folder of photos has none.
    """
    if not _needs(settings, 2) and (sources.photos is not None or sources.real is not None):
        raise AssetError(
            f"no stage of {settings.name} has a share `real`: --data and --real are of no use to "
            "it; leave them out, or choose a configuration that learns of them, such as finetuned"
        )
    if "image" in settings.inputs and _needs(settings, 0):
        raise AssetError(
            f"{settings.name} looks at pictures, which drawn maps have not; give stages drawn = 0"
        )
    given = {"drawn": sources.drawn, "predicted": sources.predicted, "real": sources.real}
    makes = {
        "drawn": (True, ""),
        "predicted": (sources.shards is not None, "--shards FOLDER of n2f synth, or "),
        "real": (sources.photos is not None, "--stage finetune with --data FOLDER, or "),
    }
    for number, name in enumerate(SOURCES):
        (can_make, how), folder = makes[name], given[name]
        if folder is not None:
            store = MapStore(folder, "train", model.model_id)
            store.refresh()
            if _needs(settings, number):
                check_store(settings, store)
        elif not can_make and _needs(settings, number):
            raise AssetError(
                f"{settings.name} needs {name} maps; give {how}--{name} FOLDER, or a configuration "
                "without them"
            )
    if sources.val is not None:
        MapStore(sources.val, "val", model.model_id).refresh()
    if sources.shards is not None:
        for split in _splits(sources.shards):
            check_shards(sources.shards, split, model)
    fits = sources.photos is not None and sources.real is None
    if sources.photos is not None and fits:
        media_in(sources.photos)
    if sources.shards is not None or fits:
        _network(sources)


def prepare_maps(
    settings: N2FSettings,
    model: HeadModel,
    sources: MapSources,
    out: Path,
    workers: int | None = None,
) -> None:
    """Draw, fit and predict what is missing; goes on where it stopped.

    Args:
        workers: processes that draw; None: one for each processor.
    Raises: AssetError: if shards or the network are missing or unusable, or fits are there of other
        photos. CaptureError: if the folder of photos has none. ProviderError: without OpenGL.
        OutputError.
    """
    if sources.drawn is None and _needs(settings, 0):
        seen = settings.trunk_px
        n = sources.n_drawn
        counts = {"train": n, "val": max(min(n, _LEAST_VAL), -(-n // _VAL_SHARE))}
        for split, count in counts.items():
            plan = DrawPlan(count, "train" if split == "train" else "val", settings.seed, seen)
            made = draw_maps(model, out / "drawn", plan, workers or cpu_count())
            log.info("drew %d files of %s maps", made, split)
    if sources.photos is not None and sources.real is None:
        _fit_photos(model, sources, sources.photos, out / "real", settings)
    if sources.shards is None:
        return
    network = _network(sources)
    for split in _splits(sources.shards):
        predict_maps(
            sources.shards, split, model, out / "predicted",
            network=network, map_px=settings.trunk_px if "head" in settings.inputs else 64,
        )  # fmt: skip


def _splits(shards: Path) -> list[str]:
    """Those to look at."""
    return ["train", "val"] if any(shards.glob("val-*.tar")) else ["train"]


def _network(sources: MapSources) -> Path:
    choice = choose_normals(None if sources.normals is None else str(sources.normals))
    if choice.path is None:
        raise AssetError(f"no normal network to look at the pictures: {choice.reason}")
    return choice.path


def _fit_photos(
    model: HeadModel, sources: MapSources, photos: Path, out: Path, settings: N2FSettings
) -> None:
    """By landmarks and normals together; goes on where it stopped."""
    network = _network(sources)
    fitter = Reconstructor(
        model,
        method="landmarks-refined",
        tracking=False,
        normals=NormalEstimator(network, may_fall_back=True),
    )
    try:
        plan = RealPlan(map_px=settings.trunk_px if "head" in settings.inputs else 64)
        n = fit_real_maps(media_in(photos), fitter, model, out, plan, sha256_of(network))
        log.info("%d fits of %s are kept", n, photos)
    finally:
        fitter.close()


def _needs(settings: N2FSettings, source: int) -> bool:
    return any(stage.shares[source] for stage in settings.stages)
