"""The data that flows between stages: frozen, checked where it is made, never written to after.

Frames: model = FLAME's (metres, +x subject's left, +y up, +z out of the face); view = OpenGL camera
(+x right, +y up, +z to the viewer); pixels = (x, y), y down, (0, 0) the centre of the first pixel.
"""

from dataclasses import dataclass, field, replace
from typing import Any

import numpy as np
import numpy.typing as npt

F32 = npt.NDArray[np.float32]
F64 = npt.NDArray[np.float64]
I32 = npt.NDArray[np.int32]
I64 = npt.NDArray[np.int64]
U8 = npt.NDArray[np.uint8]
Bool = npt.NDArray[np.bool_]

WRONG_NORMALS_DEG = 35.0
"""A head further off the normals that were seen does not follow them; noise is 90 degrees off."""
LOW_QUALITY = 0.5
"""Below this `Reconstruction.quality` a fit is reported as `low`."""
N_MEDIAPIPE = 478
"""MediaPipe: 468 surface points, then 5 iris points of the right and 5 of the left eye."""


def check_array(
    name: str, array: npt.NDArray[Any], shape: tuple[int | None, ...], dtype: npt.DTypeLike
) -> None:
    """Raise ValueError unless array has dtype and shape (None matches any length)."""
    if array.dtype != np.dtype(dtype):
        raise ValueError(f"{name}: dtype {array.dtype}, expected {np.dtype(dtype)}")
    fits = array.ndim == len(shape) and all(
        want is None or have == want for have, want in zip(array.shape, shape, strict=True)
    )
    if not fits:
        expected = tuple("any" if n is None else n for n in shape)
        raise ValueError(f"{name}: shape {array.shape}, expected {expected}")


@dataclass(frozen=True, slots=True, eq=False)
class Frame:
    """One picture from a source."""

    image: U8  # (H, W, 3) RGB
    index: int  # 0-based position in the source
    t_ns: int  # capture time: monotonic clock for live sources, presentation time for files
    focal_px: float | None = None  # where the source knows it (EXIF); None: assume a usual camera

    def __post_init__(self) -> None:
        check_array("Frame.image", self.image, (None, None, 3), np.uint8)


@dataclass(frozen=True, slots=True, eq=False)
class FaceCrop:
    """One detected face: an upright square cut out of a frame, and its landmarks."""

    image: U8  # (S, S, 3) RGB
    crop_from_frame: F64  # (2, 3) similarity, frame px -> crop px
    landmarks: F32  # (478, 2) frame px, MediaPipe's order
    score: float  # 0..1 share of the landmarks that lie inside the frame
    face_id: int = 0  # stays with one face while it is tracked
    landmarks_z: F32 = field(  # (478,) frame px, grows towards the viewer; MediaPipe's guess
        default_factory=lambda: np.zeros(N_MEDIAPIPE, np.float32)
    )

    def __post_init__(self) -> None:
        check_array("FaceCrop.image", self.image, (None, None, 3), np.uint8)
        check_array("FaceCrop.crop_from_frame", self.crop_from_frame, (2, 3), np.float64)
        check_array("FaceCrop.landmarks", self.landmarks, (N_MEDIAPIPE, 2), np.float32)
        check_array("FaceCrop.landmarks_z", self.landmarks_z, (N_MEDIAPIPE,), np.float32)


@dataclass(frozen=True, slots=True, eq=False)
class NormalMap:
    """A face's normals as a network sees them, on the pixels of a crop of its own size."""

    head: F32 | None  # (S, S, 3) unit, head frame: how the surface lies in the head
    view: F32 | None  # (S, S, 3) unit, view frame
    mask: F32  # (S, S) 0..1, share of skin, eyes and mouth
    confidence: F32  # (S, S) 0..1, how far the normals can be trusted
    parsing: U8 | None  # (S, S) classes of the network
    crop_from_frame: F64  # (2, 3) similarity, frame px -> the map's px
    uv: F32 | None = None  # (S, S, 2) 0..1 place in FLAME's texture, v down; None: not predicted

    def __post_init__(self) -> None:
        check_array("NormalMap.mask", self.mask, (None, None), np.float32)
        size = self.mask.shape[0]
        check_array("NormalMap.mask", self.mask, (size, size), np.float32)
        if self.head is None and self.view is None:
            raise ValueError("NormalMap: neither head nor view normals, expected at least one")
        for name, normals in (("head", self.head), ("view", self.view)):
            if normals is not None:
                check_array(f"NormalMap.{name}", normals, (size, size, 3), np.float32)
        check_array("NormalMap.confidence", self.confidence, (size, size), np.float32)
        if self.parsing is not None:
            check_array("NormalMap.parsing", self.parsing, (size, size), np.uint8)
        if self.uv is not None:
            check_array("NormalMap.uv", self.uv, (size, size, 2), np.float32)
        check_array("NormalMap.crop_from_frame", self.crop_from_frame, (2, 3), np.float64)


@dataclass(frozen=True, slots=True, eq=False)
class Camera:
    """A pinhole camera without distortion."""

    K: F64  # (3, 3) px; may hold the rotation and shear of a crop
    width: int  # px
    height: int  # px

    def __post_init__(self) -> None:
        check_array("Camera.K", self.K, (3, 3), np.float64)
        if self.width < 1 or self.height < 1:
            raise ValueError(f"Camera: size {self.width}x{self.height}, expected at least 1x1")


@dataclass(frozen=True, slots=True, eq=False)
class FlameParams:
    """What a fit finds out about one head in one frame; belongs to the model named by model_id."""

    model_id: str  # sha256 of the head model's file
    shape: F32  # (n_shape,) standard units
    expr: F32  # (n_expr,) standard units
    neck: F32  # (3,) axis-angle, radians
    jaw: F32  # (3,) axis-angle, radians
    eyes: F32  # (6,) axis-angle, radians: left eye, then right eye
    eyelids: F32  # (2,) 0 open .. 1 closed: left, right; zeros where the model has none
    R: F64  # (3, 3) view from model
    t: F64  # (3,) metres, view from model

    def __post_init__(self) -> None:
        check_array("FlameParams.shape", self.shape, (None,), np.float32)
        check_array("FlameParams.expr", self.expr, (None,), np.float32)
        check_array("FlameParams.neck", self.neck, (3,), np.float32)
        check_array("FlameParams.jaw", self.jaw, (3,), np.float32)
        check_array("FlameParams.eyes", self.eyes, (6,), np.float32)
        check_array("FlameParams.eyelids", self.eyelids, (2,), np.float32)
        check_array("FlameParams.R", self.R, (3, 3), np.float64)
        check_array("FlameParams.t", self.t, (3,), np.float64)

    @classmethod
    def neutral(cls, model_id: str, n_shape: int, n_expr: int) -> "FlameParams":
        """The mean head, frontal, 0.6 m in front of the camera."""
        return cls(
            model_id=model_id,
            shape=np.zeros(n_shape, np.float32),
            expr=np.zeros(n_expr, np.float32),
            neck=np.zeros(3, np.float32),
            jaw=np.zeros(3, np.float32),
            eyes=np.zeros(6, np.float32),
            eyelids=np.zeros(2, np.float32),
            R=np.eye(3),
            t=np.array([0.0, 0.0, -0.6]),
        )

    def with_values(self, **changes: Any) -> "FlameParams":  # noqa: ANN401  (fields' own types)
        """A copy with some fields replaced."""
        return replace(self, **changes)


@dataclass(frozen=True, slots=True, eq=False)
class Reconstruction:
    """A fitted head for one frame."""

    frame_index: int
    t_ns: int
    params: FlameParams
    camera: Camera
    vertices: (
        F32  # (V, 3) metres, model frame: posed by jaw, neck, eyes, expression, not by R and t
    )
    crop: FaceCrop
    landmarks68_px: F32  # (68, 2) iBUG points of the fitted head, frame px
    landmark_rms: float  # reprojection error of the fitted points / inter-ocular distance, 0..
    quality: float  # 0 (do not trust) .. 1
    normal_residual_deg: float = float("nan")  # mean angle to the observed normals; NaN without
    normals: NormalMap | None = None  # as a network sees them; None without one
    stage_ms: dict[str, float] = field(default_factory=dict)

    def __post_init__(self) -> None:
        check_array("Reconstruction.vertices", self.vertices, (None, 3), np.float32)
        check_array("Reconstruction.landmarks68_px", self.landmarks68_px, (68, 2), np.float32)
