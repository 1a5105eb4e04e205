"""Real faces for fine-tuning: photos and videos with fitted parameters, without the worst fits."""

import json
import logging
import shutil
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

import numpy as np
import numpy.typing as npt

from engine.errors import AssetError
from engine.files import replacing
from engine.flame.model import HeadModel
from engine.frames import crop_camera, view_from_crop
from engine.stages.crop_picture import resized_square
from engine.stages.normal_estimator import points_in_map
from engine.stages.weak_perspective import face_anchor
from engine.synth.map_files import MapInfo, begin_folder, rows_path, write_rows
from engine.synth.predicted_maps import row_of
from engine.training.face_pictures import digest_of, frames_of
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
    pictures: Sequence[Path],
    fitter: PhotoFitter,
    model: HeadModel,
    out: Path,
    plan: RealPlan,
    source: str = "",
) -> int:
    """Fit photos and frames of videos and keep the best as rows of the training split.

    Fits are written file by file, so that it goes on where it stopped.

    Args:
        pictures: photos and videos; see `face_pictures.frames_of`.
        source: sha256 of the normal network's file.
    Returns: how many rows there are.
    Raises: AssetError: if none is left, or the folder holds fits of other pictures or something
        else. CaptureError: if a picture is not there any more. OutputError.
    """
    begin_folder(out, MapInfo("real", model.model_id, plan.map_px))
    _begin_list(out, pictures, source)
    target, fits = rows_path(out, "train", 0), out / "fits"
    if not target.exists():
        anchor = face_anchor(model)
        for number, path in enumerate(pictures):
            if not _fits_path(fits, number).exists():
                _write_fits(_fits_path(fits, number), _fits_of(path, fitter, anchor, plan))
        kept = _best(fits, len(pictures), plan.keep_share)
        if not len(kept):
            raise AssetError("no face was fitted well enough; give more photos, or other ones")
        write_rows(target, kept)
    if fits.exists():
        shutil.rmtree(fits)
    return len(np.load(target, mmap_mode="r", allow_pickle=False))


def _begin_list(out: Path, pictures: Sequence[Path], source: str) -> None:
    """Note of which pictures, and by which network, the fits are; or see that they are of these."""
    path = out / "pictures.json"
    wanted = {"n": len(pictures), "sha256": digest_of(pictures), "normals": source}
    if path.exists() or rows_path(out, "train", 0).exists():
        try:
            found = json.loads(path.read_text(encoding="utf-8"))
        except (OSError, ValueError):
            found = None
        if found != wanted:
            raise AssetError(
                f"{out} holds fits of other pictures than the {len(pictures)} given now (names and "
                "sizes are compared), or by another normal network; delete that folder to fit "
                f"these, choose another --out, or take its fits as they are: --real {out} in place "
                "of --data"
            )
        return
    with replacing(path) as temporary:
        temporary.write_text(json.dumps(wanted) + "\n")


def _fits_path(folder: Path, number: int) -> Path:
    return folder / f"{number:06d}.npz"


def _fits_of(
    path: Path, fitter: PhotoFitter, anchor: F64, plan: RealPlan
) -> list[tuple[float, Rows]]:
    """Degrees to the normals seen, and the row, of each picture in a file that is fitted well."""
    found: list[tuple[float, Rows]] = []
    for frame in frames_of(path):
        fit = fitter.run(frame)
        good = fit is not None and fit.normals is not None and fit.quality >= plan.least_quality
        if fit is None or not good or not np.isfinite(fit.normal_residual_deg):
            log.info("%s, picture %d: left out", path.name, frame.index)
            continue
        found.append((fit.normal_residual_deg, real_row(fit, anchor, plan.map_px)))
    return found


def _write_fits(path: Path, fits: list[tuple[float, Rows]]) -> None:
    """Also where there is none, so that the file is not looked at again."""
    residuals = np.array([residual for residual, _ in fits], np.float32)
    rows = np.stack([row for _, row in fits]) if fits else np.empty(0)
    with replacing(path) as temporary, temporary.open("wb") as file:
        np.savez(file, residuals=residuals, rows=rows)


def _best(folder: Path, n_files: int, keep_share: float) -> list[Rows]:
    """Rows with the least residuals."""
    places: list[tuple[float, int, int]] = []
    for number in range(n_files):
        with np.load(_fits_path(folder, number), allow_pickle=False) as fits:
            places += [(float(r), number, k) for k, r in enumerate(fits["residuals"])]
    kept = sorted(places)[: round(keep_share * len(places))]
    wanted: dict[int, list[int]] = {}
    for _, number, k in kept:
        wanted.setdefault(number, []).append(k)
    rows: list[Rows] = []
    for number, indices in sorted(wanted.items()):
        with np.load(_fits_path(folder, number), allow_pickle=False) as fits:
            rows += list(fits["rows"][sorted(indices)])
    return rows


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
