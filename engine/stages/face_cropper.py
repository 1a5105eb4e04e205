"""Finds faces and their landmarks with MediaPipe, and cuts the upright square each network sees.

MediaPipe takes RGB pictures and gives coordinates 0..1 with (0, 0) at the corner of the picture;
both conventions end here.
"""

from dataclasses import dataclass
from typing import Any

import cv2
import numpy as np

from engine.stages.crop_geometry import CropSmoother, FaceSquare, crop_matrix, face_square
from engine.stages.mediapipe_graph import Graph, face_detector, face_mesh
from engine.types import F32, U8, FaceCrop, Frame

__all__ = ["CropConfig", "FaceCropper"]

_GAP_NS = 500_000_000  # after half a second without frames nothing is known of where faces are


@dataclass(frozen=True, slots=True)
class CropConfig:
    """How faces are found and cut out."""

    size_px: int = 192  # side of the crop
    margin: float = 0.20  # of the landmarks' larger extent, added on each side
    n_faces: int = 1  # how many to look for
    min_score: float = 0.5  # 0..1, MediaPipe's threshold for detection and tracking
    tracking: bool = True  # False: every frame is a picture of its own

    def __post_init__(self) -> None:
        if not 0.0 <= self.min_score <= 1.0:
            raise ValueError(f"min_score must be in 0..1, got {self.min_score}")
        if self.size_px < 16 or self.n_faces < 1:
            raise ValueError(f"size_px {self.size_px} must be >= 16, n_faces {self.n_faces} >= 1")


class FaceCropper:
    """Frame -> faces, largest first. Use it from one thread; `close` frees MediaPipe."""

    def __init__(self, config: CropConfig | None = None) -> None:
        self.config = config or CropConfig()
        self._mesh: Graph | None = None
        self._stills: tuple[Graph, Graph] | None = None  # face mesh, and detector of faces
        self._tracks: dict[int, _Track] = {}
        self._next_id = 0
        self._size: tuple[int, int] | None = None
        self._last_t_ns: int | None = None

    def run(self, frame: Frame) -> FaceCrop | None:
        """The largest face, or None."""
        faces = self.run_all(frame)
        return faces[0] if faces else None

    def run_all(self, frame: Frame) -> list[FaceCrop]:
        """All faces up to n_faces, largest first; empty if there is none."""
        if not self.config.tracking:
            found = self._find_in_picture(frame.image)
            return [self._crop(frame.image, points, None, i) for i, points in enumerate(found)]
        size = (frame.image.shape[0], frame.image.shape[1])
        last = self._last_t_ns
        if self._size != size or (last is not None and not 0 <= frame.t_ns - last < _GAP_NS):
            self.reset()
        self._size, self._last_t_ns = size, frame.t_ns
        if self._mesh is None:
            self._mesh = face_mesh(self.config.n_faces, self.config.min_score, tracking=True)
        found = _largest_first(_landmarks(self._mesh, frame.image))
        return [
            self._crop(frame.image, points, track.smoother, track.face_id, frame.t_ns)
            for points, track in self._assign(found)
        ]

    def reset(self) -> None:
        """Forget all tracked faces: another source, a cut, a gap. Ids are not used again."""
        if self._mesh is not None:
            self._mesh.close()
        self._mesh = None
        self._tracks.clear()
        self._size = self._last_t_ns = None

    def close(self) -> None:
        """Free MediaPipe's graphs."""
        self.reset()
        for graph in self._stills or ():
            graph.close()
        self._stills = None

    def _crop(
        self,
        image: U8,
        points: F32,
        smoother: CropSmoother | None,
        face_id: int,
        t_ns: int = 0,
    ) -> FaceCrop:
        square = face_square(points, self.config.margin)
        if smoother is not None:
            square = smoother.update(square, t_ns)
        matrix = crop_matrix(square, self.config.size_px)
        crop = _warp(image, matrix, self.config.size_px, square)
        height, width = image.shape[:2]
        inside = (points >= 0).all(1) & (points[:, 0] < width) & (points[:, 1] < height)
        return FaceCrop(
            image=crop,
            crop_from_frame=matrix,
            landmarks=points,
            score=float(inside.mean()),
            face_id=face_id,
        )

    def _assign(self, found: list[F32]) -> list[tuple[F32, "_Track"]]:
        """Give each face the id of the nearest face of the frame before, if it is near enough."""
        free = dict(self._tracks)
        assigned: list[tuple[F32, _Track]] = []
        for points in found:
            square = face_square(points, self.config.margin)
            near = min(free, key=lambda i: _gap(free[i], square), default=None)
            if near is not None and _gap(free[near], square) < 0.5 * square.side:
                track = free.pop(near)
            else:
                track = _Track(self._next_id, CropSmoother(), square)
                self._next_id += 1
            track.square = square
            assigned.append((points, track))
        self._tracks = {track.face_id: track for _, track in assigned}
        return assigned

    def _find_in_picture(self, image: U8) -> list[F32]:
        """Faces of a still, in whichever of four orientations a detector is surest of one."""
        if self._stills is None:
            mesh = face_mesh(self.config.n_faces, self.config.min_score, tracking=False)
            self._stills = mesh, face_detector(self.config.min_score)
        mesh, detector = self._stills
        turns = _orientation(detector, image)
        turned = np.ascontiguousarray(np.rot90(image, turns))
        found = _landmarks(mesh, turned)
        if len(found) < self.config.n_faces:
            found = self._with_small(mesh, detector, turned, found)
        if not found:
            found = _find_cut_off(mesh, turned)
        return _largest_first([_unturn(p, image, turns) for p in found])

    def _with_small(self, mesh: Graph, detector: Graph, image: U8, found: list[F32]) -> list[F32]:
        """Add the faces that are too small for the mesh's own detector."""
        height, width = image.shape[:2]
        for _, x, y, w, h in _boxes(detector, image):
            # The detector's box is forehead to chin; the mesh wants about twice that around it.
            side = max(w * width, h * height) * 2.2
            cx, cy = (x + w / 2) * width, (y + h / 2) * height
            x0, y0 = max(0, int(cx - side / 2)), max(0, int(cy - side / 2))
            x1, y1 = min(width, int(cx + side / 2) + 1), min(height, int(cy + side / 2) + 1)
            known = any((abs(p.mean(axis=0) - (cx, cy)) < side / 4).all() for p in found)
            if known or x1 - x0 < 8 or y1 - y0 < 8 or len(found) == self.config.n_faces:
                continue
            part = np.ascontiguousarray(image[y0:y1, x0:x1])
            corner = np.array([x0, y0], np.float32)
            found = [*found, *(p + corner for p in _landmarks(mesh, part)[:1])]
        return found


def _orientation(detector: Graph, image: U8) -> int:
    """Quarter turns, counter-clockwise, that bring the best face upright."""
    scores = []
    for turns in range(4):
        boxes = _boxes(detector, np.ascontiguousarray(np.rot90(image, turns)))
        scores.append(boxes[0][0] if boxes else 0.0)
    best = int(np.argmax(scores))
    # MediaPipe also sees slanted faces: only a clear difference is a turned picture.
    return best if scores[best] > scores[0] + 0.1 else 0


def _find_cut_off(mesh: Graph, image: U8) -> list[F32]:
    """Faces that the edge of the picture cuts through: with a border they are found."""
    border = max(image.shape[:2]) // 2
    padded = cv2.copyMakeBorder(
        image, border, border, border, border, cv2.BORDER_CONSTANT, value=(127, 127, 127)
    )
    found = [p - np.float32(border) for p in _landmarks(mesh, padded)]
    return [p for p in found if _share_inside(p, image) > 0.3]


@dataclass(slots=True)
class _Track:
    face_id: int
    smoother: CropSmoother
    square: FaceSquare


def _gap(track: _Track, square: FaceSquare) -> float:
    return float(np.hypot(*(track.square.centre - square.centre)))


def _largest_first(found: list[F32]) -> list[F32]:
    return sorted(found, key=lambda p: -float(np.ptp(p, axis=0).max()))


def _share_inside(points: F32, image: U8) -> float:
    height, width = image.shape[:2]
    return float(((points >= 0).all(1) & (points < [width, height]).all(1)).mean())


def _unturn(points: F32, image: U8, turns: int) -> F32:
    """Pixels of np.rot90(image, turns) -> pixels of image."""
    last_x, last_y = image.shape[1] - 1, image.shape[0] - 1
    x, y = points.T
    turned = {0: (x, y), 1: (last_x - y, x), 2: (last_x - x, last_y - y), 3: (y, last_y - x)}[turns]
    unturned: F32 = np.stack(turned, axis=1).astype(np.float32)
    return unturned


def _warp(image: U8, matrix: np.ndarray[Any, Any], size: int, square: FaceSquare) -> U8:
    # Averaging first keeps a big face from aliasing: warpAffine looks at four pixels only.
    shrink = square.side / size
    if shrink > 2.0:
        factor = int(shrink)
        height, width = image.shape[0] // factor, image.shape[1] // factor
        image = cv2.resize(image, (width, height), interpolation=cv2.INTER_AREA)
        # Pixel centres: x_small = (x + 0.5) / factor - 0.5.
        matrix = matrix @ np.array(
            [[factor, 0, (factor - 1) / 2], [0, factor, (factor - 1) / 2], [0, 0, 1]]
        )
    crop: U8 = cv2.warpAffine(image, matrix, (size, size), flags=cv2.INTER_LINEAR)
    return crop


def _landmarks(mesh: Graph, image: U8) -> list[F32]:
    """(478, 2) px for each face, our pixel convention."""
    size = np.array([image.shape[1], image.shape[0]], np.float32)
    faces: list[F32] = []
    for face in mesh.process(image):
        points = np.array([(p.x, p.y) for p in face.landmark], np.float32)
        faces.append(points * size - np.float32(0.5))
    return faces


def _boxes(detector: Graph, image: U8) -> list[tuple[float, float, float, float, float]]:
    """Score, x, y, width, height of faces, all 0..1, best first."""
    found = [(d.score[0], d.location_data.relative_bounding_box) for d in detector.process(image)]
    return sorted(((s, b.xmin, b.ymin, b.width, b.height) for s, b in found), reverse=True)
