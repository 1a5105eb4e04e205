"""Multiface: people in a dome of cameras, with meshes tracked from all of them.

DATA holds captures, m--YYYYMMDD--HHMM--ID--GHS, as folders, as the archives they come in, or both.
Tracked meshes are in mm and in head-aligned coordinates, of one topology, without regions or
landmarks: those are carried over from the head model once, and kept.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property, lru_cache
from pathlib import Path, PurePosixPath

import numpy as np

from engine.benchmark.foreign import Labels, labels_of
from engine.benchmark.suites.data_sets import MULTIFACE
from engine.benchmark.suites.multiface_choice import (
    DEFAULT,
    PRESETS,
    Picture,
    chosen_pictures,
    read_pose,
    thinned,
)
from engine.benchmark.suites.multiface_files import (
    Calibration,
    Capture,
    find_captures,
    parse_krt,
)
from engine.benchmark.types import Kind, SuiteSettings, Truth, TruthMesh
from engine.errors import AssetError, EngineError
from engine.frames import project
from engine.head_choice import chosen_head_model
from engine.io.image import decode_image
from engine.io.mesh_import import parse_obj
from engine.types import F64, Camera, Frame

__all__ = ["MultifaceSample", "MultifaceSuite"]

WIDTH, HEIGHT = 1334, 2048
"""Of the released pictures, px."""

_MM = 1e-3
_VIEW_FROM_OPENCV = np.diag([1.0, -1.0, -1.0])
_SHOWN = 3  # missing files that are named; the others are counted


@dataclass(frozen=True, slots=True, eq=False)
class _Subject:
    """What all pictures of a capture share."""

    capture: Capture
    cameras: dict[str, Calibration]
    labels: Labels


class MultifaceSample:
    """One picture of a capture."""

    def __init__(self, subject: _Subject, picture: Picture) -> None:
        self._subject, self._picture = subject, picture

    @property
    def sample_id(self) -> str:
        p = self._picture
        return f"{self.subject}/{p.segment}/{p.camera}/{p.frame}"

    @property
    def subject(self) -> str:
        return self._subject.capture.name.split("--")[3]

    @property
    def group(self) -> str:
        return self._picture.group

    @property
    def box(self) -> tuple[float, float, float, float]:
        """The box of the true face in the picture."""
        truth = self.truth()
        if truth.mesh is None or truth.camera is None:
            raise ValueError("a sample of Multiface has mesh and camera")
        face = truth.mesh.vertices[truth.mesh.regions["face"]]
        pixels = project(face, truth.camera.K)
        (left, top), (right, bottom) = pixels.min(axis=0), pixels.max(axis=0)
        return float(left), float(top), float(right), float(bottom)

    def load(self) -> Frame:
        capture, path = self._subject.capture, self._picture.path
        name = Path(PurePosixPath(capture.name) / path)
        focal_px = float(self._subject.cameras[self._picture.camera].K[0, 0])
        return Frame(decode_image(capture.read(path), name).image, 0, 0, focal_px)

    def truth(self) -> Truth:
        """The tracked mesh in the view frame of the picture's camera, metres."""
        return _truth(self._subject, self._picture)


@lru_cache(maxsize=4)  # load, truth and box of one sample follow each other
def _truth(subject: _Subject, picture: Picture) -> Truth:
    capture, labels = subject.capture, subject.labels
    vertices = _mesh(capture, picture.mesh, int(labels.faces.max()) + 1)
    R_head, t_head = read_pose(capture, picture.pose)
    camera = subject.cameras[picture.camera]
    ahead = (vertices @ R_head.T + t_head) @ camera.R.T + camera.t
    view = _MM * ahead @ _VIEW_FROM_OPENCV
    marks = labels.landmarks68(view)
    mesh = TruthMesh(view, labels.faces, labels.regions, landmarks51=marks[17:])
    return Truth(mesh=mesh, camera=Camera(camera.K, WIDTH, HEIGHT))


def _mesh(capture: Capture, path: str, at_least: int) -> F64:
    """(V, 3) mm from float32 numbers without a header."""
    data = capture.read(path)
    if len(data) % 12 or len(data) // 12 < at_least:
        raise AssetError(
            f"{capture.name}/{path} holds {len(data)} bytes, expected float32 for {at_least} "
            "vertices; copy it again"
        )
    vertices = np.frombuffer(data, "<f4").reshape(-1, 3).astype(np.float64)
    if not np.isfinite(vertices).all():
        raise AssetError(f"{capture.name}/{path} holds numbers that are not finite")
    return vertices


class MultifaceSuite:
    """The pictures of a preset that are there."""

    name = "multiface"
    kind: Kind = "mesh"
    neutral = False
    licence = MULTIFACE.licence

    def __init__(self, settings: SuiteSettings) -> None:
        """Raises: ValueError: if the preset does not exist."""
        self._named = settings.preset or DEFAULT
        if self._named not in PRESETS:
            raise ValueError(
                f"preset {self._named!r} does not exist; multiface has {', '.join(PRESETS)}"
            )
        self._settings = settings

    @property
    def title(self) -> str:
        return f"Multiface, {self._named}: {PRESETS[self._named].text}"

    def samples(self) -> Sequence[MultifaceSample]:
        return self._found[0]

    def problems(self) -> list[str]:
        return list(self._found[1])

    def close(self) -> None:
        """Nothing is held."""

    @cached_property
    def _found(self) -> tuple[tuple[MultifaceSample, ...], tuple[str, ...]]:
        data = self._settings.data
        if data is None or not data.is_dir():
            where = "no folder was named" if data is None else f"{data} is no folder"
            return (), (MULTIFACE.missing("Multiface is missing: give its folder: --data", where),)
        captures = find_captures(data)
        if not captures:
            return (), (MULTIFACE.missing(f"no capture m--...--GHS and no archive in {data}"),)
        samples: list[MultifaceSample] = []
        problems: list[str] = []
        preset = PRESETS[self._named]
        known: dict[bytes, Labels] = {}
        for capture in captures:
            try:
                subject = _subject(capture, known, self._settings.cache)
                marks = subject.labels.landmarks68(_mean(capture, subject.labels))
                pictures, missing = chosen_pictures(
                    capture, subject.cameras, dict(enumerate(marks)), preset
                )
            except EngineError as error:
                problems.append(MULTIFACE.missing(f"{capture.name} is left out: {error}"))
                continue
            finally:
                problems += capture.damaged
            samples += [MultifaceSample(subject, picture) for picture in pictures]
            problems += _told(capture, missing)
        kept = thinned(len(samples), preset.n_pictures)
        return tuple(samples[i] for i in kept), tuple(problems)


def _subject(capture: Capture, known: dict[bytes, Labels], cache: Path | None) -> _Subject:
    """Args: known: labels by topology, which captures share; added to."""
    cameras = parse_krt(capture.read("KRT").decode("utf-8", "replace"), f"{capture.name}/KRT")
    path = _first_obj(capture)
    _, faces = parse_obj(capture.read(path).decode("utf-8", "replace"), f"{capture.name}/{path}")
    topology = faces.tobytes()
    if topology not in known:
        neutral = _mesh(capture, "vert_mean.bin", int(faces.max(initial=-1)) + 1)
        known[topology] = labels_of(_MM * neutral, faces, chosen_head_model(None), cache)
    return _Subject(capture, cameras, known[topology])


def _mean(capture: Capture, labels: Labels) -> F64:
    return _mesh(capture, "vert_mean.bin", int(labels.faces.max()) + 1)


def _first_obj(capture: Capture) -> str:
    """The topology: the first of the meshes; all are alike."""
    for segment in capture.listed("tracked_mesh"):
        for name in capture.listed(f"tracked_mesh/{segment}"):
            if name.endswith(".obj"):
                return f"tracked_mesh/{segment}/{name}"
    raise AssetError("no .obj in tracked_mesh, which the triangles are read from")


def _told(capture: Capture, missing: list[str]) -> list[str]:
    if not missing:
        return []
    named = ", ".join(missing[:_SHOWN])
    more = f" and {len(missing) - _SHOWN} more" if len(missing) > _SHOWN else ""
    return [MULTIFACE.missing(f"{capture.name} lacks {named}{more}")]
