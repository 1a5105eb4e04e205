"""HeadModel: a head in FLAME form, as data. Read from and written to one .npz file.

Metres, model frame (+x subject's left, +y up, +z out of the face, origin inside the head).
Joints are always FLAME's five: root, neck, jaw, left eye, right eye.
Source: Li et al. 2017 (FLAME), "Model formulation".
"""

import hashlib
import io
import json
import zipfile
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from engine.errors import AssetError
from engine.files import replacing
from engine.types import F32, I32, check_array

__all__ = [
    "JOINTS",
    "REGIONS",
    "ArkitMap",
    "Contour",
    "HeadModel",
    "Landmarks",
    "head_model_bytes",
    "head_model_from_bytes",
    "load_head_model",
    "save_head_model",
]

JOINTS = ("root", "neck", "jaw", "eye_left", "eye_right")
REGIONS = ("face", "eyes", "nose", "mouth", "ears", "forehead", "scalp", "neck")
"""Regions that every head model has; eyeballs, teeth and mouth_inside come on top where present."""

_FORMAT = 1


@dataclass(frozen=True, slots=True, eq=False)
class Landmarks:
    """Points fixed to the surface: a triangle each, and barycentric weights in it."""

    faces_idx: I32  # (N,) rows of HeadModel.faces
    bary: F32  # (N, 3) weights of the triangle's corners, sum 1

    def __post_init__(self) -> None:
        check_array("Landmarks.faces_idx", self.faces_idx, (None,), np.int32)
        check_array("Landmarks.bary", self.bary, (self.faces_idx.size, 3), np.float32)


@dataclass(frozen=True, slots=True, eq=False)
class Contour:
    """The 17 iBUG jaw-line points as a function of yaw: they slide along the visible outline."""

    yaw_deg: F32  # (Y,) rising; positive yaw turns the nose to image right
    faces_idx: I32  # (Y, 17)
    bary: F32  # (Y, 17, 3)

    def __post_init__(self) -> None:
        n = self.yaw_deg.size
        check_array("Contour.yaw_deg", self.yaw_deg, (None,), np.float32)
        check_array("Contour.faces_idx", self.faces_idx, (n, 17), np.int32)
        check_array("Contour.bary", self.bary, (n, 17, 3), np.float32)


@dataclass(frozen=True, slots=True, eq=False)
class ArkitMap:
    """ARKit's 52 blend shapes as parameters of the head model, each at full strength (1.0)."""

    names: tuple[str, ...]  # Apple's camelCase names, e.g. "eyeBlinkLeft"
    expr: F32  # (52, n_expr) standard units
    jaw: F32  # (52, 3) axis-angle, radians
    eyes: F32  # (52, 6) axis-angle, radians, left then right
    eyelids: F32  # (52, 2) left, right


@dataclass(frozen=True, slots=True, eq=False)
class HeadModel:
    """A morphable head in FLAME form. V vertices, F triangles, J = 5 joints."""

    name: str  # e.g. "openhead 1", "FLAME 2023 Open"
    licence: str
    model_id: str  # sha256 of the file it was read from
    v_template: F32  # (V, 3) metres, model frame
    shapedirs: F32  # (V, 3, n_shape) metres per standard unit
    exprdirs: F32  # (V, 3, n_expr) metres per standard unit
    posedirs: F32  # (V, 3, 36) metres; 9 entries of (R - I), row-major, for each joint but the root
    J_regressor: F32  # (5, V) joints from shaped vertices
    parents: I32  # (5,) -1 for the root
    lbs_weights: F32  # (V, 5)
    faces: I32  # (F, 3) counter-clockwise seen from outside
    regions: Mapping[str, I32]  # vertex indices by name; REGIONS always, more where present
    landmarks68: Landmarks  # iBUG order, contour points as for a frontal head
    mediapipe: Landmarks  # points of MediaPipe's mesh on this surface
    mediapipe_idx: I32  # (M,) which of MediaPipe's 478 points they are
    contour: Contour | None = None
    eyelid_dirs: F32 | None = None  # (V, 3, 2) metres: closes the left, the right eye at 1.0
    uv: F32 | None = None  # (T, 2) 0..1, v up
    uv_faces: I32 | None = None  # (F, 3) rows of uv
    mirror: I32 | None = None  # (V,) index of each vertex' mirror image
    arkit: ArkitMap | None = None
    meta: Mapping[str, Any] = field(default_factory=dict)  # provenance: release, source, notice

    def __post_init__(self) -> None:
        V, J, F = len(self.v_template), len(JOINTS), len(self.faces)
        checks: list[tuple[str, tuple[int | None, ...], npt.DTypeLike]] = [
            ("v_template", (V, 3), np.float32),
            ("shapedirs", (V, 3, None), np.float32),
            ("exprdirs", (V, 3, None), np.float32),
            ("posedirs", (V, 3, 9 * (J - 1)), np.float32),
            ("J_regressor", (J, V), np.float32),
            ("parents", (J,), np.int32),
            ("lbs_weights", (V, J), np.float32),
            ("faces", (F, 3), np.int32),
            ("mediapipe_idx", (self.mediapipe.faces_idx.size,), np.int32),
            ("eyelid_dirs", (V, 3, 2), np.float32),
            ("uv", (None, 2), np.float32),
            ("uv_faces", (F, 3), np.int32),
            ("mirror", (V,), np.int32),
        ]
        for name, shape, dtype in checks:
            if (array := getattr(self, name)) is not None:
                check_array(f"HeadModel.{name}", array, shape, dtype)
        self._check_values()
        if len(self.landmarks68.faces_idx) != 68:
            raise ValueError(f"HeadModel: {len(self.landmarks68.faces_idx)} landmarks, expected 68")
        if missing := [r for r in REGIONS if r not in self.regions]:
            raise ValueError(f"HeadModel: regions {missing} are missing")

    def _check_values(self) -> None:
        """Indices within their arrays, numbers finite."""
        V, F = len(self.v_template), len(self.faces)
        indices = [("faces", self.faces, V), ("mediapipe_idx", self.mediapipe_idx, 478)]
        indices += [(f"region {name}", idx, V) for name, idx in self.regions.items()]
        for name in ("landmarks68", "mediapipe", "contour"):
            if (points := getattr(self, name)) is not None:
                indices.append((f"{name}.faces_idx", points.faces_idx, F))
        if self.uv is not None and self.uv_faces is not None:
            indices.append(("uv_faces", self.uv_faces, len(self.uv)))
        for name, idx, n in indices:
            if idx.size and (idx.min() < 0 or idx.max() >= n):
                raise ValueError(f"HeadModel.{name}: {idx.min()}..{idx.max()}, expected 0..{n - 1}")
        for name in (
            "v_template",
            "shapedirs",
            "exprdirs",
            "posedirs",
            "J_regressor",
            "lbs_weights",
        ):
            if not np.isfinite(getattr(self, name)).all():
                raise ValueError(f"HeadModel.{name}: not all values are finite")

    @property
    def n_vertices(self) -> int:
        return len(self.v_template)

    @property
    def n_shape(self) -> int:
        return self.shapedirs.shape[2]

    @property
    def n_expr(self) -> int:
        return self.exprdirs.shape[2]

    @property
    def jaw_fixed(self) -> bool:
        """Whether its jaw does not turn: FLAME 2023 without jaw moves it by expressions alone."""
        return bool(self.meta.get("jaw_fixed"))


def load_head_model(path: Path) -> HeadModel:
    """Read a head model written by `save_head_model`.

    Raises: AssetError: if the file is missing, damaged, or not a head model.
    """
    try:
        data = path.read_bytes()
    except OSError as error:
        raise AssetError(f"head model {path} cannot be read: {error.strerror or error}") from error
    try:
        return head_model_from_bytes(data)
    except (ValueError, KeyError, zipfile.BadZipFile, EOFError) as error:
        raise AssetError(
            f"{path} is not a readable head model ({error}). "
            "If it is a FLAME pickle, run `n2f assets import` on it first."
        ) from error


def head_model_from_bytes(data: bytes) -> HeadModel:
    """The head model in the bytes of a file; its model_id is their sha256.

    Raises: ValueError, KeyError, EOFError, zipfile.BadZipFile: if they are no head model.
    """
    with np.load(io.BytesIO(data), allow_pickle=False) as archive:
        arrays = {key: archive[key] for key in archive.files}
    return _from_arrays(arrays, hashlib.sha256(data).hexdigest())


def _from_arrays(arrays: dict[str, Any], model_id: str) -> HeadModel:
    meta = json.loads(str(arrays["meta"]))
    if not isinstance(meta, dict):
        raise ValueError(f"meta is a {type(meta).__name__}, expected a table")
    if (found := meta.pop("format")) != _FORMAT:
        raise ValueError(f"head model format {found}, expected {_FORMAT}")
    f32 = {k: np.ascontiguousarray(v, np.float32) for k, v in arrays.items() if v.dtype.kind == "f"}
    i32 = {k: np.ascontiguousarray(v, np.int32) for k, v in arrays.items() if v.dtype.kind in "iu"}
    contour = arkit = None
    if "contour_yaw_deg" in f32:
        contour = Contour(f32["contour_yaw_deg"], i32["contour_faces_idx"], f32["contour_bary"])
    if "arkit_expr" in f32:
        names = tuple(str(n) for n in arrays["arkit_names"])
        parts = (f32[f"arkit_{part}"] for part in ("expr", "jaw", "eyes", "eyelids"))
        arkit = ArkitMap(names, *parts)
    return HeadModel(
        name=meta.pop("name"),
        licence=meta.pop("licence"),
        model_id=model_id,
        v_template=f32["v_template"],
        shapedirs=f32["shapedirs"],
        exprdirs=f32["exprdirs"],
        posedirs=f32["posedirs"],
        J_regressor=f32["J_regressor"],
        parents=i32["parents"],
        lbs_weights=f32["lbs_weights"],
        faces=i32["faces"],
        mediapipe_idx=i32["mediapipe_idx"],
        regions={k.removeprefix("region_"): v for k, v in i32.items() if k.startswith("region_")},
        landmarks68=Landmarks(i32["landmarks68_faces_idx"], f32["landmarks68_bary"]),
        mediapipe=Landmarks(i32["mediapipe_faces_idx"], f32["mediapipe_bary"]),
        contour=contour,
        eyelid_dirs=f32.get("eyelid_dirs"),
        uv=f32.get("uv"),
        uv_faces=i32.get("uv_faces"),
        mirror=i32.get("mirror"),
        arkit=arkit,
        meta=meta,
    )


_FLOATS = ("v_template", "shapedirs", "exprdirs", "posedirs", "J_regressor", "lbs_weights")
_INTS = ("parents", "faces", "mediapipe_idx")
_HALF = ("shapedirs", "exprdirs", "posedirs", "eyelid_dirs")
"""Stored as float16 metres: the largest rounding error is under 0.005 mm at 10 mm per unit."""


def save_head_model(model: HeadModel, path: Path) -> str:
    """Write a head model; the same model gives the same bytes.

    Returns: its model_id (sha256 of the file), which replaces `model.model_id`.
    """
    data = head_model_bytes(model)
    with replacing(path) as temporary:
        temporary.write_bytes(data)
    return hashlib.sha256(data).hexdigest()


def head_model_bytes(model: HeadModel) -> bytes:
    """What the file of a head model holds."""
    arrays: dict[str, Any] = {k: getattr(model, k) for k in (*_FLOATS, *_INTS)}
    for key in ("eyelid_dirs", "uv", "uv_faces", "mirror"):
        if (array := getattr(model, key)) is not None:
            arrays[key] = array
    for key in _HALF:
        if key in arrays:
            arrays[key] = arrays[key].astype(np.float16)
    arrays |= {f"region_{name}": idx.astype(np.int32) for name, idx in model.regions.items()}
    for key in ("landmarks68", "mediapipe"):
        points: Landmarks = getattr(model, key)
        arrays |= {f"{key}_faces_idx": points.faces_idx, f"{key}_bary": points.bary}
    if (c := model.contour) is not None:
        arrays |= {
            "contour_yaw_deg": c.yaw_deg,
            "contour_faces_idx": c.faces_idx,
            "contour_bary": c.bary,
        }
    if (a := model.arkit) is not None:
        arrays |= {"arkit_names": np.array(a.names), "arkit_expr": a.expr, "arkit_jaw": a.jaw}
        arrays |= {"arkit_eyes": a.eyes, "arkit_eyelids": a.eyelids}
    meta = {"format": _FORMAT, "name": model.name, "licence": model.licence, **model.meta}
    arrays["meta"] = np.array(json.dumps(meta, sort_keys=True))
    buffer = io.BytesIO()
    # Stored, not deflated: the bytes then do not depend on the zlib that happens to be installed.
    np.savez(buffer, **{key: arrays[key] for key in sorted(arrays)})
    return buffer.getvalue()
