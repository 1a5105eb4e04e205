"""What a benchmark is made of: samples with their truth, faces that methods find, scores.

Lengths are metres; only scores are in millimetres, and say so by name. Meshes need not share a
frame: aligning them is the scorer's task. Landmarks are iBUG's 68, pixels as everywhere.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final, Literal, Protocol

import numpy as np

from engine.types import F32, F64, I32, Camera, FlameParams, Frame, NormalMap, check_array

__all__ = [
    "DEFAULT_SAMPLES",
    "INSIDE",
    "LANDMARKS7",
    "REGIONS",
    "Alignment",
    "BenchSample",
    "Kind",
    "PredictedFace",
    "SampleScore",
    "Suite",
    "SuiteSettings",
    "Truth",
    "TruthMesh",
]

LANDMARKS7: Final = (36, 39, 42, 45, 33, 48, 54)
"""NoW's seven among the 68: eye corners from image left to right, subnasale, mouth corners."""

DEFAULT_SAMPLES: Final = 200
"""Of the synthetic suite, where no limit is set."""

REGIONS: Final = ("face", "eyes", "nose", "mouth", "ears")
"""What is scored by itself, in the order of the paper's Table 1."""

INSIDE: Final = ("eyeballs", "iris", "pupil", "teeth", "mouth_inside", "eye_sockets")
"""Regions that are left out on both sides: scans and tracked meshes do not have them."""

Alignment = Literal["A", "B", "C"]
"""A: similarity from landmarks, then rigid ICP; B: scale free in ICP too; C: no scale at all."""

Kind = Literal["mesh", "landmarks", "now"]
"""How a suite is scored: distances of meshes, errors of 2D landmarks, or NoW's protocol."""


@dataclass(frozen=True, slots=True, eq=False)
class TruthMesh:
    """A measured (or made) surface. V vertices, F triangles."""

    vertices: F64  # (V, 3) metres, any frame
    faces: I32  # (F, 3) counter-clockwise seen from outside
    regions: Mapping[str, I32]  # vertex indices by name: of REGIONS and INSIDE those known
    landmarks7: F64 | None = None  # (7, 3) metres, points LANDMARKS7
    landmarks51: F64 | None = None  # (51, 3) metres, iBUG without the jaw line
    landmarks68: F64 | None = None  # (68, 3) metres
    metric: bool = True  # whether its size is known: alignment C needs it
    model_id: str | None = None  # where it is a head model's mesh: errors by vertex become possible

    def __post_init__(self) -> None:
        check_array("TruthMesh.vertices", self.vertices, (None, 3), np.float64)
        check_array("TruthMesh.faces", self.faces, (None, 3), np.int32)
        for count in (7, 51, 68):
            if (points := getattr(self, f"landmarks{count}")) is not None:
                check_array(f"TruthMesh.landmarks{count}", points, (count, 3), np.float64)


@dataclass(frozen=True, slots=True, eq=False)
class Truth:
    """All that is known of one sample; what a suite does not know is None."""

    mesh: TruthMesh | None = None
    landmarks68_px: F64 | None = None  # (68, 2) frame px
    params: FlameParams | None = None  # synthetic: with R and t, view from model
    camera: Camera | None = None  # of the frame
    normals: NormalMap | None = None  # synthetic: what a faultless normal network would see

    def __post_init__(self) -> None:
        if self.landmarks68_px is not None:
            check_array("Truth.landmarks68_px", self.landmarks68_px, (68, 2), np.float64)


@dataclass(frozen=True, slots=True, eq=False)
class PredictedFace:
    """The face a method found in a frame."""

    vertices: (
        F64  # (V, 3) metres, any frame; posed by jaw and expression unless the suite is at rest
    )
    faces: I32  # (F, 3) counter-clockwise seen from outside
    regions: Mapping[str, I32]  # vertex indices by name: "face", of the others those known
    landmarks68: F64 | None = None  # (68, 3) metres, in the vertices' frame; NaN: not known
    landmarks68_px: F64 | None = None  # (68, 2) frame px
    model_id: str | None = None  # of the head model it is a mesh of
    R: F64 | None = None  # (3, 3) view from model
    partial: bool = False  # ends within the face: true points beyond its rim do not count

    def __post_init__(self) -> None:
        check_array("PredictedFace.vertices", self.vertices, (None, 3), np.float64)
        check_array("PredictedFace.faces", self.faces, (None, 3), np.int32)
        if self.landmarks68 is not None:
            check_array("PredictedFace.landmarks68", self.landmarks68, (68, 3), np.float64)
        if self.landmarks68_px is not None:
            check_array("PredictedFace.landmarks68_px", self.landmarks68_px, (68, 2), np.float64)
        if self.R is not None:
            check_array("PredictedFace.R", self.R, (3, 3), np.float64)


@dataclass(frozen=True, slots=True, eq=False)
class SampleScore:
    """How one method did on one sample."""

    values: Mapping[str, float]  # e.g. "cd_mm", "nose_cd_mm", "nme_interocular_percent"
    errors_mm: F32 | None = None  # (V,) distance of each true vertex; NaN where not scored
    warnings: tuple[str, ...] = ()  # what looks wrong with the prediction, in words


class BenchSample(Protocol):
    """One picture with its truth. Cheap to hold: data is read when asked for."""

    @property
    def sample_id(self) -> str:
        """Its name, unique in the suite."""

    @property
    def subject(self) -> str:
        """Whom it shows."""

    @property
    def group(self) -> str:
        """The part of the suite it belongs to, e.g. "challenging", "selfie", "makehuman"."""

    @property
    def box(self) -> tuple[float, float, float, float] | None:
        """Where the face is, frame px: left, top, right, bottom; None where nothing is given."""

    def load(self) -> Frame:
        """The picture. Raises: CaptureError: if it is damaged."""

    def truth(self) -> Truth:
        """What is known of it. Raises: AssetError: if a file of it is damaged."""


@dataclass(frozen=True, slots=True)
class SuiteSettings:
    """What a suite is opened with; the same settings give the same samples in any process."""

    suite: str  # synthetic, 300w, multiface, now
    data: Path | None = None  # folder of the data set
    preset: str = ""  # the suite's own choice of samples; empty: its default
    seed: int = 0  # of the synthetic suite
    n_samples: int = DEFAULT_SAMPLES  # of the synthetic suite
    pack: Path | None = None  # of the synthetic suite: a pack file with more people and looks
    cache: Path | None = None  # folder for what is computed once; None: nothing is kept

    def to_dict(self) -> dict[str, str | int | None]:
        """The fields as JSON values."""
        paths = {name: getattr(self, name) for name in ("data", "pack", "cache")}
        texts = {name: None if path is None else str(path) for name, path in paths.items()}
        rest: dict[str, str | int | None] = {
            name: getattr(self, name) for name in ("suite", "preset", "seed", "n_samples")
        }
        return rest | texts


class Suite(Protocol):
    """Samples that are scored alike."""

    @property
    def name(self) -> str:
        """As typed: synthetic, 300w, multiface, now."""

    @property
    def title(self) -> str:
        """As printed over a table."""

    @property
    def kind(self) -> Kind:
        """How its samples are scored."""

    @property
    def neutral(self) -> bool:
        """Whether faces are compared at rest: the method's expression and jaw at zero."""

    @property
    def licence(self) -> str:
        """Of the data."""

    def samples(self) -> Sequence[BenchSample]:
        """In an order that never changes. Empty where the data set is missing."""

    def problems(self) -> list[str]:
        """What is missing or damaged, where to get it, under which licence; [] if complete."""

    def close(self) -> None:
        """Free what it holds."""
