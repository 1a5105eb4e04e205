"""HeadMapMaker: heads drawn at random as normal maps, without looks: what N2FNet begins with.

A map is drawn at twice its size and averaged over 2 x 2 pixels; where normals differ the mean is
shorter than 1, and at the head's outline too. Head frame; poses and crops as live ones.
"""

from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from engine.flame.model import HeadModel
from engine.flame.normals import vertex_normals
from engine.flame.posed import PosedHead
from engine.frames import crop_camera, project
from engine.render.context import headless_context
from engine.render.renderer import MeshRenderer
from engine.stages.crop_geometry import FaceSquare, crop_matrix, face_square
from engine.stages.face_cropper import CropConfig
from engine.stages.weak_perspective import crop_pose, face_anchor
from engine.synth.crop_maps import draw_crop
from engine.synth.head_labels import face_classes, face_parts
from engine.synth.live_points import modelled_points, true_points
from engine.synth.natural_faces import natural_faces
from engine.synth.pack import SynthHead
from engine.synth.person import Person, draw_person
from engine.synth.placement import Placement, draw_placement
from engine.synth.posing import PersonPoser, PosedPerson
from engine.synth.sample import MASK_CLASSES
from engine.synth.settings import Split
from engine.types import F32, F64, N_MEDIAPIPE, U8, FlameParams

__all__ = [
    "HeadMapMaker",
    "averaged",
    "coded",
    "map_row_type",
    "mean_normals",
    "param_fields",
    "plain_head",
]

Rows = npt.NDArray[np.void]

_SPLITS = ("train", "val")
_EYE_CORNERS = {33: 36, 263: 45}  # MediaPipe's outer corners: iBUG's
_OVERSAMPLED = 2
_FACES = 2000  # to mix expressions from
_SEED = 64  # apart from the seeds of pictures


@dataclass(frozen=True, slots=True, eq=False)
class _Drawn:
    person: Person
    posed: PosedPerson
    placement: Placement
    crop: F64  # (2, 3) crop px from window px


def param_fields(n_shape: int, n_expr: int) -> list[tuple[str, Any, tuple[int, ...]]]:
    """What a row says of the head: coefficients, and its pose as `CropPose` has it."""
    lengths = {"shape": n_shape, "expr": n_expr, "jaw": 3, "eyelids": 2, "neck": 3, "camera": 3}
    return [*((k, np.float32, (n,)) for k, n in lengths.items()), ("R", np.float32, (3, 3))]


def map_row_type(size: int, n_shape: int, n_expr: int) -> np.dtype[np.void]:
    """A drawn head in an array file; maps of size x size, coded by `coded`."""
    return np.dtype(
        [
            ("head", np.uint8, (size, size, 3)),  # normals of the whole head
            ("mean", np.uint8, (size, size, 3)),  # the mean head's at the same places of the skin
            ("facing", np.uint8, (size, size)),  # 255 times the cosine to the line of sight
            ("mask", np.uint8, (size, size)),  # 255 times the share of skin, eyes and mouth
            *param_fields(n_shape, n_expr),
        ]
    )


def coded(vectors: F32) -> U8:
    """(..., 3) vectors of at most length 1 as bytes: 127.5 is 0."""
    values: U8 = np.rint(127.5 + 127.5 * np.clip(vectors, -1, 1)).astype(np.uint8)
    return values


def averaged(values: F32, times: int) -> F32:
    """(S, S, ...) means over times x times pixels."""
    side = len(values) // times
    blocks = values.reshape(side, times, side, times, *values.shape[2:])
    means: F32 = blocks.mean(axis=(1, 3), dtype=np.float32)
    return means


def plain_head(model: HeadModel) -> SynthHead:
    """Any head model as a population; without ARKit shapes expressions come from its basis."""
    return SynthHead(
        name=model.name,
        model=model,
        face_class=face_classes(model),
        part=face_parts(model),
        uv=np.zeros((1, 2), np.float32),
        uv_faces=np.zeros_like(model.faces),
        shape_samples=None,
        expr_samples=None if model.arkit is None else natural_faces(model.arkit, _FACES, _SEED),
    )


class HeadMapMaker:
    """Draws rows of `map_row_type`; uses an OpenGL context: use and close it in one thread."""

    def __init__(
        self, head: SynthHead, size: int = 64, seed: int = 0, split: Split = "train"
    ) -> None:
        """Raises: ProviderError: without OpenGL."""
        model = head.model
        self.size, self._seed, self._split = size, seed, split
        self._head = head
        self.row_type = map_row_type(size, model.n_shape, model.n_expr)
        self._poser = PersonPoser(head)
        self._anchor = face_anchor(model)
        self._in_mask = np.isin(head.face_class, MASK_CLASSES)
        self._mean_normals = mean_normals(model)
        self._has_all_points = np.count_nonzero(model.mediapipe_idx < 468) == 468
        self._ctx = headless_context()
        self._renderer = MeshRenderer(self._ctx, model.faces, samples=0)

    def make(self, index: int) -> Rows:
        """The row () of an index: the same for the same seed and split."""
        rng = np.random.default_rng([_SEED, self._seed, _SPLITS.index(self._split), index])
        drawn = self._draw(rng)
        side = self.size * _OVERSAMPLED
        camera = crop_camera(drawn.placement.camera, drawn.crop, side)
        R, t = drawn.placement.R, drawn.placement.t
        maps = self._renderer.render_maps(camera, drawn.posed.vertices, R, t)
        mean = maps.interpolate(self._mean_normals, self._head.model.faces)
        mask = maps.mask & self._in_mask[maps.triangles]
        pose = crop_pose(camera, R, t, self._anchor)
        to_viewer = maps.head_normals @ pose.R[2].astype(np.float32)
        row = np.zeros((), self.row_type)
        for name, vectors in (("head", maps.head_normals), ("mean", mean)):
            row[name] = coded(averaged(vectors, _OVERSAMPLED))
        for name, values in (("facing", to_viewer.clip(0, 1)), ("mask", mask)):
            row[name] = np.rint(255 * averaged(values.astype(np.float32), _OVERSAMPLED))
        for name in ("shape", "expr", "jaw", "eyelids", "neck"):
            row[name] = getattr(drawn.person, name)
        row["R"], row["camera"] = pose.R, pose.camera
        return row

    def close(self) -> None:
        """Free OpenGL."""
        self._ctx.release()

    def _draw(self, rng: np.random.Generator) -> _Drawn:
        person = draw_person(rng, self._head, self._split)
        posed = self._poser.pose(person)
        placement = draw_placement(rng)
        side = self.size * _OVERSAMPLED
        if self._has_all_points:
            truth = true_points(self._head.model, posed, placement)
            square = draw_crop(rng, modelled_points(rng, truth))
        else:
            square = self._square(posed, placement)
        return _Drawn(person, posed, placement, crop_matrix(square, side))

    def _square(self, posed: PosedPerson, placement: Placement) -> FaceSquare:
        """The crop around a head that knows few of MediaPipe's points: around its face."""
        face = posed.vertices[self._head.model.regions["face"]]
        points = np.resize(face, (N_MEDIAPIPE, 3))
        for own, ibug in _EYE_CORNERS.items():
            points[own] = posed.landmarks[ibug]
        view = points @ placement.R.T + placement.t
        return face_square(
            project(view, placement.camera.K).astype(np.float32), CropConfig().margin
        )


def mean_normals(model: HeadModel) -> F32:
    """(V, 3) unit normals of the neutral mean head, head frame."""
    neutral = FlameParams.neutral(model.model_id, model.n_shape, model.n_expr)
    return vertex_normals(PosedHead(model).vertices(neutral), model.faces)
