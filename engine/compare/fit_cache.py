"""Fits that took long, kept on disk under a hash of all that they depend on.

One .npz for each fit, about 150 kB, in the user's cache; the least recently used go first when the
folder grows over its bound.
"""

import hashlib
import io
import logging
import os
import zipfile
import zlib
from contextlib import suppress
from dataclasses import replace
from pathlib import Path
from typing import Any, Final

import numpy as np
import numpy.typing as npt

from engine.compare.side_fit import SideFit, Step
from engine.errors import OutputError
from engine.files import replacing
from engine.flame.cache import default_cache_dir
from engine.types import Camera, FaceCrop, FlameParams, Frame, Reconstruction

__all__ = ["MAX_BYTES", "FitCache", "frame_key"]

logger = logging.getLogger(__name__)

MAX_BYTES: Final = 512_000_000
"""Some 3000 fits."""
_FORMAT: Final = "1"
"""Raise when the same fit would be written another way."""
_PARAMS: Final = ("shape", "expr", "neck", "jaw", "eyes", "eyelids", "R", "t")
_CROP: Final = ("image", "crop_from_frame", "landmarks", "landmarks_z")
_SCORES: Final = ("landmark_rms", "quality", "normal_residual_deg")
Arrays = dict[str, npt.NDArray[Any]]


def frame_key(frame: Frame, identity: str) -> str:
    """Hexadecimal SHA-256 of a frame's pixels, its camera and how it is fitted.

    Args:
        identity: of method, settings, head model and networks.
    """
    digest = hashlib.sha256(f"{_FORMAT} {identity} {frame.image.shape} {frame.focal_px}".encode())
    digest.update(np.ascontiguousarray(frame.image).data)
    return digest.hexdigest()


class FitCache:
    """A folder of fits. Safe for several processes: files appear whole or not at all."""

    def __init__(self, folder: Path | None = None, max_bytes: int = MAX_BYTES) -> None:
        """folder: None: in the user's cache."""
        self.folder = folder or default_cache_dir() / "compare"
        self._max_bytes = max_bytes

    def load(self, key: str, frame: Frame) -> SideFit | None:
        """The fit under a key, as one of this frame; None where there is none that is whole."""
        path = self._path(key)
        try:
            with np.load(io.BytesIO(path.read_bytes()), allow_pickle=False) as archive:
                found = _fit_from({name: archive[name] for name in archive.files}, frame)
            os.utime(path)
        except FileNotFoundError:
            return None
        except (OSError, ValueError, KeyError, EOFError, zipfile.BadZipFile, zlib.error) as error:
            logger.warning("%s is damaged (%s); the frame is fitted again", path, error)
            return None
        return found

    def save(self, key: str, found: SideFit) -> None:
        """Keep a fit, at the cost of those that nobody used for longest.

        Raises: OutputError: if it cannot be written.
        """
        buffer = io.BytesIO()
        np.savez_compressed(buffer, **_arrays_of(found))
        # Named by the process: two that fit the same frame do not write the same temporary.
        own = self.folder / f"{key}-{os.getpid()}.npz"
        with replacing(own) as temporary:
            temporary.write_bytes(buffer.getvalue())
        try:
            own.replace(self._path(key))
        except OSError as error:
            raise OutputError(f"{own} cannot be renamed: {error.strerror}") from error
        self._trim()

    def _path(self, key: str) -> Path:
        return self.folder / f"{key}.npz"

    def _trim(self) -> None:
        files = []
        for path in self.folder.glob("*.npz"):
            with suppress(OSError):  # another process removed it
                status = path.stat()
                files.append((status.st_mtime_ns, status.st_size, path))
        total = sum(size for _, size, _ in files)
        for _, size, path in sorted(files):
            if total <= self._max_bytes:
                return
            with suppress(OSError):
                path.unlink()
            total -= size


def _arrays_of(found: SideFit) -> Arrays:
    arrays: Arrays = {"seconds": np.array(found.seconds)}
    names = sorted({name for step in found.curve for name in step.terms})
    arrays["term_names"] = np.array(names, dtype=np.str_)
    arrays["steps"] = np.array(
        [
            (s.iteration, s.seconds, s.total, *(s.terms.get(n, np.nan) for n in names))
            for s in found.curve
        ]
    ).reshape(-1, 3 + len(names))
    fit = found.fit
    if fit is None:
        return arrays
    arrays |= {f"params_{name}": getattr(fit.params, name) for name in _PARAMS}
    arrays |= {f"crop_{name}": getattr(fit.crop, name) for name in _CROP}
    arrays |= {name: np.array(getattr(fit, name)) for name in _SCORES}
    arrays["crop_score"] = np.array(fit.crop.score)
    arrays["model_id"] = np.array(fit.params.model_id)
    arrays["K"], arrays["vertices"] = fit.camera.K, fit.vertices
    arrays["landmarks68_px"] = fit.landmarks68_px
    return arrays


def _fit_from(arrays: Arrays, frame: Frame) -> SideFit:
    names = [str(name) for name in arrays["term_names"]]
    curve = tuple(
        Step(int(row[0]), float(row[1]), float(row[2]), dict(zip(names, row[3:], strict=True)))
        for row in arrays["steps"].tolist()
    )
    found = SideFit(None, float(arrays["seconds"]), curve, from_cache=True)
    if "vertices" not in arrays:
        return found
    params = {name: arrays[f"params_{name}"] for name in _PARAMS}
    crop: dict[str, Any] = {name: arrays[f"crop_{name}"] for name in _CROP}
    height, width = frame.image.shape[:2]
    fit = Reconstruction(
        frame_index=frame.index,
        t_ns=frame.t_ns,
        params=FlameParams(model_id=str(arrays["model_id"]), **params),
        camera=Camera(arrays["K"], width, height),
        vertices=arrays["vertices"],
        crop=FaceCrop(score=float(arrays["crop_score"]), **crop),
        landmarks68_px=arrays["landmarks68_px"],
        landmark_rms=float(arrays["landmark_rms"]),
        quality=float(arrays["quality"]),
        normal_residual_deg=float(arrays["normal_residual_deg"]),
    )
    return replace(found, fit=fit)
