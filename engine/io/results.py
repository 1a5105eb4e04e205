"""Fitted heads to files and back: .npz for programs, .csv for people, summary.json for both.

docs/export.md lists arrays and columns; their version is SCHEMA.
"""

import csv
import io
import json
import math
import zipfile
import zlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final, Literal, get_args

import numpy as np
import numpy.typing as npt
from scipy.spatial.transform import Rotation

from engine.errors import AssetError, ModelContractError
from engine.files import replacing
from engine.flame.model import HeadModel
from engine.types import I32, LOW_QUALITY, Bool, Camera, FlameParams, Reconstruction

__all__ = [
    "SCHEMA",
    "FitSequence",
    "SavedFits",
    "Status",
    "SummaryRow",
    "csv_text",
    "load_fit_npz",
    "params_of",
    "save_fit_npz",
    "save_sequence_npz",
    "write_csv",
    "write_summary",
]

Array = npt.NDArray[Any]
Status = Literal["ok", "low", "no-face", "error"]

SCHEMA: Final = "n2fnet.fit/1"
"""Raise the number when a name, shape, unit or frame of npz or csv changes; more may be added."""

_PARAMS: Final = ("shape", "expr", "neck", "jaw", "eyes", "eyelids", "R", "t")
_SCORES: Final = ("quality", "landmark_rms", "normal_residual_deg")


@dataclass(frozen=True, slots=True)
class SummaryRow:
    """What became of one input."""

    input: str
    status: Status
    message: str = ""  # cause and fix where status is not "ok"
    stage_ms: Mapping[str, float] = field(default_factory=dict)  # mean of each stage

    def __post_init__(self) -> None:
        if self.status not in get_args(Status):
            raise ValueError(f"status {self.status!r}, expected one of {get_args(Status)}")


class FitSequence:
    """Collects the fits of a video's frames, those without a face included; keeps no pictures."""

    def __init__(self, model: HeadModel, *, with_vertices: bool = False) -> None:
        """Args:
        model: the head model that every fit belongs to.
        with_vertices: keep (V, 3) for each frame: about 60 kB a frame.
        """
        self.model = model
        self.with_vertices = with_vertices
        self._index: list[tuple[int, int]] = []
        self._rows: list[dict[str, Array] | None] = []

    def __len__(self) -> int:
        return len(self._rows)

    def add(self, frame_index: int, t_ns: int, fit: Reconstruction | None) -> None:
        """Add a frame; fit is None where no face was found.

        Raises: ModelContractError: if the fit belongs to another head model.
        """
        if fit is not None:
            _check_model(fit.params.model_id, self.model)
        self._index.append((frame_index, t_ns))
        self._rows.append(None if fit is None else _row(fit, self.with_vertices))

    def arrays(self) -> dict[str, Array]:
        """Everything, stacked over T frames; NaN (0 in whole numbers) where `found` is False."""
        empty = self._empty_row()
        rows = [empty if row is None else row for row in self._rows]
        stacked = {
            key: np.stack([row[key] for row in rows])
            if rows
            else np.zeros((0, *value.shape), value.dtype)
            for key, value in empty.items()
        }
        index = np.array(self._index, np.int64).reshape(-1, 2)
        stacked |= {"frame_index": index[:, 0], "t_ns": index[:, 1]}
        stacked["found"] = np.array([row is not None for row in self._rows], np.bool_)
        stacked["low"] = stacked["quality"] < LOW_QUALITY
        return stacked

    def _empty_row(self) -> dict[str, Array]:
        neutral = FlameParams.neutral(self.model.model_id, self.model.n_shape, self.model.n_expr)
        row = {key: np.full_like(getattr(neutral, key), np.nan) for key in _PARAMS}
        row |= {key: np.array(np.nan) for key in _SCORES}
        row["K"] = np.full((3, 3), np.nan)
        row["image_size"] = np.zeros(2, np.int32)
        row["landmarks68_px"] = np.full((68, 2), np.nan, np.float32)
        if self.with_vertices:
            row["vertices"] = np.full((self.model.n_vertices, 3), np.nan, np.float32)
        return row


def params_of(arrays: Mapping[str, Array], frame: int, model_id: str) -> FlameParams:
    """The parameters of frame 0..T-1 of `FitSequence.arrays`; NaN where no face was found."""
    return FlameParams(model_id=model_id, **{key: arrays[key][frame] for key in _PARAMS})


@dataclass(frozen=True, slots=True, eq=False)
class SavedFits:
    """Fits read back from a file: T frames, one for a picture."""

    model_id: str
    faces: I32  # (F, 3)
    found: Bool  # (T,) a face was found
    arrays: Mapping[str, Array]  # by name as in `FitSequence.arrays`, each with T in front

    def __len__(self) -> int:
        return len(self.found)

    def params(self, frame: int) -> FlameParams:
        """The parameters of frame 0..T-1; NaN where no face was found."""
        return params_of(self.arrays, frame, self.model_id)

    def camera(self, frame: int) -> Camera:
        """The camera of frame 0..T-1, which must have a face."""
        width, height = (int(n) for n in self.arrays["image_size"][frame])
        return Camera(K=self.arrays["K"][frame], width=width, height=height)


def save_fit_npz(path: Path, fit: Reconstruction, model: HeadModel) -> None:
    """Write the fit of one picture: every FlameParams field, camera, mesh and scores.

    Arrays as in FlameParams and Reconstruction; `K` (3, 3) px, `image_size` (2,) width and height
    px, `vertices` (V, 3) metres and `faces` (F, 3) in the model frame.
    Raises: ModelContractError: if fit and model do not belong together. OutputError: if it cannot
        be written.
    """
    _check_model(fit.params.model_id, model)
    arrays = _row(fit, with_vertices=True)
    arrays["frame_index"] = np.array(fit.frame_index, np.int64)
    arrays["t_ns"] = np.array(fit.t_ns, np.int64)
    arrays["low"] = np.array(fit.quality < LOW_QUALITY)
    _save(path, arrays, model)


def save_sequence_npz(path: Path, sequence: FitSequence) -> None:
    """Write the fits of a video: as `save_fit_npz`, with T frames in front, and `found` (T,).

    Raises: OutputError: if it cannot be written.
    """
    _save(path, sequence.arrays(), sequence.model)


def load_fit_npz(path: Path, model: HeadModel | None = None) -> SavedFits:
    """Read what `save_fit_npz` or `save_sequence_npz` wrote.

    Args:
        path: the file.
        model: if given, the head model that the parameters must belong to.
    Raises: AssetError: if it is missing, damaged or something else. ModelContractError: if it
        belongs to another head model.
    """
    try:
        with np.load(io.BytesIO(path.read_bytes()), allow_pickle=False) as archive:
            arrays: dict[str, Array] = {key: archive[key] for key in archive.files}
        if (schema := str(arrays.pop("schema", SCHEMA))) != SCHEMA:
            raise ValueError(f"its form is {schema}, this program reads {SCHEMA}")
        model_id, faces = str(arrays.pop("model_id")), arrays.pop("faces")
        if "found" not in arrays:
            arrays = {key: value[None] for key, value in arrays.items()}
        found = arrays.pop("found", np.ones(1, np.bool_))
        saved = SavedFits(model_id, faces, found, arrays)
        if len(saved):
            saved.params(0)
    except OSError as error:
        raise AssetError(f"{path} cannot be read: {error.strerror or error}") from error
    except (ValueError, KeyError, EOFError, zipfile.BadZipFile, zlib.error) as error:
        raise AssetError(
            f"{path} is damaged or not written by `n2f fit` ({error}); make it again"
        ) from error
    if model is not None:
        _check_model(model_id, model)
    return saved


def write_csv(path: Path, sequence: FitSequence) -> None:
    """Write one row per frame; cells are empty where no face was found.

    Angles are axis-angle in degrees, translations millimetres (view from model), time seconds,
    image points px, shape and expression standard units. `low` is 1 where a fit is doubtful.
    Raises: OutputError: if it cannot be written.
    """
    with replacing(path) as temporary:
        temporary.write_text(csv_text(sequence), encoding="utf-8")


def csv_text(sequence: FitSequence, *, header: bool = True) -> str:
    """What `write_csv` writes: a line for each frame, and before them the names of the columns."""
    arrays = sequence.arrays()
    columns = _csv_columns(arrays)
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\n")
    if header:
        writer.writerow(["frame", "time_s", "found", *columns, "low", "schema"])
    for i, found in enumerate(arrays["found"]):
        head = [int(arrays["frame_index"][i]), f"{arrays['t_ns'][i] / 1e9:.6f}", int(found)]
        low = int(arrays["low"][i]) if found else ""
        writer.writerow([*head, *(_cell(values[i]) for values in columns.values()), low, SCHEMA])
    return text.getvalue()


def write_summary(path: Path, rows: Sequence[SummaryRow]) -> None:
    """Write summary.json: a list of input, status, message and stage_ms.

    Raises: OutputError: if it cannot be written.
    """
    entries = [
        {
            "input": row.input,
            "status": row.status,
            "message": row.message,
            "stage_ms": {k: round(v, 3) for k, v in row.stage_ms.items() if math.isfinite(v)},
        }
        for row in rows
    ]
    with replacing(path) as temporary:
        temporary.write_text(json.dumps(entries, indent=1, ensure_ascii=False) + "\n", "utf-8")


def _row(fit: Reconstruction, with_vertices: bool) -> dict[str, Array]:
    row: dict[str, Array] = {key: getattr(fit.params, key) for key in _PARAMS}
    row |= {key: np.array(getattr(fit, key), np.float64) for key in _SCORES}
    row["K"] = fit.camera.K
    row["image_size"] = np.array([fit.camera.width, fit.camera.height], np.int32)
    row["landmarks68_px"] = fit.landmarks68_px
    if with_vertices:
        row["vertices"] = fit.vertices
    return row


def _check_model(model_id: str, model: HeadModel) -> None:
    if model_id != model.model_id:
        raise ModelContractError(
            f"parameters of head model {model_id[:12]} do not fit {model.name} "
            f"({model.model_id[:12]}); use the head model that they were made with"
        )


def _save(path: Path, arrays: dict[str, Array], model: HeadModel) -> None:
    buffer = io.BytesIO()
    named = {"schema": np.array(SCHEMA), "model_id": np.array(model.model_id)}
    np.savez_compressed(buffer, faces=model.faces, **named, **arrays)
    with replacing(path) as temporary:
        temporary.write_bytes(buffer.getvalue())


def _csv_columns(arrays: Mapping[str, Array]) -> dict[str, Array]:
    """Column name -> (T,) values, in the units of `write_csv`."""
    columns: dict[str, Array] = {key: arrays[key] for key in _SCORES}
    columns |= _split("rotation", "_deg", "xyz", _rotation_deg(arrays["R"]))
    columns |= _split("translation", "_mm", "xyz", arrays["t"] * 1000.0)
    for key in ("neck", "jaw"):
        columns |= _split(key, "_deg", "xyz", np.degrees(arrays[key]))
    for side, part in (("left", slice(0, 3)), ("right", slice(3, 6))):
        columns |= _split(f"eye_{side}", "_deg", "xyz", np.degrees(arrays["eyes"][:, part]))
    columns |= _split("eyelid", "", ("left", "right"), arrays["eyelids"])
    columns |= {"focal_px": arrays["K"][:, 0, 0]}
    for key in ("shape", "expr"):
        numbers = [f"{i:03d}" for i in range(arrays[key].shape[1])]
        columns |= _split(key, "", numbers, arrays[key])
    return columns


def _split(name: str, unit: str, parts: Sequence[str], values: Array) -> dict[str, Array]:
    return {f"{name}_{part}{unit}": values[:, i] for i, part in enumerate(parts)}


def _rotation_deg(R: Array) -> Array:
    """(T, 3, 3) -> (T, 3) axis-angle in degrees; NaN stays NaN."""
    angles = np.full((len(R), 3), np.nan)
    known = np.isfinite(R).all(axis=(1, 2))
    if known.any():
        angles[known] = Rotation.from_matrix(R[known]).as_rotvec(degrees=True)
    return angles


def _cell(value: float) -> str:
    return "" if not math.isfinite(value) else f"{value:.6g}"
