"""Real faces for fine-tuning: photos with parameters fitted to them, the worst fits left out."""

import logging
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

import numpy as np
import numpy.typing as npt

from engine.errors import AssetError, CaptureError
from engine.flame.model import HeadModel
from engine.frames import crop_camera, view_from_crop
from engine.io.image import load_image
from engine.stages.crop_picture import resized_square
from engine.stages.normal_estimator import points_in_map
from engine.stages.weak_perspective import face_anchor
from engine.synth.map_files import MapInfo, begin_folder, rows_path, write_rows
from engine.synth.predicted_maps import row_of
from engine.types import F64, Frame, Reconstruction

__all__ = ["PhotoFitter", "RealPlan", "fit_real_maps", "real_row"]

Rows = npt.NDArray[np.void]

log = logging.getLogger(__name__)


class PhotoFitter(Protocol):
    """Such as `engine.pipeline.Reconstructor`, with a normal network and without tracking."""

    def run(self, frame: Frame) -> Reconstruction | None: ...


@dataclass(frozen=True, slots=True)
class RealPlan:
    """Which fits are kept."""

    keep_share: float = 0.7  # 0..1 of the fits, those with the least angle to the normals seen
    least_quality: float = 0.3  # 0..1 of the landmarks' fit
    map_px: int = 64


def fit_real_maps(
    photos: Iterable[Path], fitter: PhotoFitter, model: HeadModel, out: Path, plan: RealPlan
) -> int:
    """Fit photos and keep the best as rows of the training split; returns how many.

    Raises: AssetError: if none is left, or the folder holds something else. OutputError.
    """
    begin_folder(out, MapInfo("real", model.model_id, plan.map_px))
    anchor = face_anchor(model)
    found: list[tuple[float, Rows]] = []
    for index, path in enumerate(photos):
        fit = _fitted(path, index, fitter)
        if fit is None or fit.normals is None or fit.quality < plan.least_quality:
            log.info("%s: left out", path.name)
            continue
        if np.isfinite(fit.normal_residual_deg):
            found.append((fit.normal_residual_deg, real_row(fit, anchor, plan.map_px)))
    found.sort(key=lambda pair: pair[0])
    kept = [row for _, row in found[: round(plan.keep_share * len(found))]]
    if not kept:
        raise AssetError("no face was fitted well enough; give more photos, or other ones")
    write_rows(rows_path(out, "train", 0), kept)
    return len(kept)


def _fitted(path: Path, index: int, fitter: PhotoFitter) -> Reconstruction | None:
    try:
        loaded = load_image(path)
    except CaptureError as error:
        log.warning("%s", error)
        return None
    return fitter.run(Frame(loaded.image, index, 0, loaded.focal_px))


def real_row(fit: Reconstruction, anchor: F64, map_px: int) -> Rows:
    """A row () of `predicted_maps.predicted_row_type` from a fit with both kinds of normals.

    Raises: AssetError: if the normal network gave one of the two only.
    """
    seen = fit.normals
    if seen is None or seen.head is None or seen.view is None:
        raise AssetError("fits need normals in the head frame and in the view frame")
    size = len(seen.mask)
    turn = view_from_crop(fit.camera, seen.crop_from_frame, size).astype(np.float32)
    image = resized_square(fit.crop.image, size)
    maps = (seen.head, seen.view @ turn, seen.mask, seen.confidence)
    camera = crop_camera(fit.camera, seen.crop_from_frame, size)
    points = points_in_map(fit.crop, seen.crop_from_frame)
    return row_of(maps, image, points, fit.params, camera, anchor, map_px)
