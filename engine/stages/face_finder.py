"""Finds faces in a single picture: large and small, turned, cut off by the edge.

Points are (478, 3): x right, y down, in our pixel convention, and z in the same px, growing towards
the viewer from about the middle of the head, as MediaPipe guesses it.
"""

import cv2
import numpy as np

from engine.stages.mediapipe_graph import Graph, face_detector, face_mesh, landmark_places
from engine.types import F32, U8

__all__ = ["PictureFinder", "landmarks3d_of"]

_MIN_EYES_PX = 2.0  # outer eye corners nearer than this are no face
_BORDERED_PX = 1600  # faces at the edge are looked for in a copy no larger than this
_MIN_WINDOW_PX, _MAX_WINDOWS = 48, 40
_HALF_PX = np.array([0.5, 0.5, 0.0], np.float32)  # corner of a pixel -> its centre

Box = tuple[float, float, float, float, float]  # score, then x, y, width, height in px


class PictureFinder:
    """Made once, used from one thread; `close` frees MediaPipe.

    Looks for n_faces, and for one more where that costs nothing.
    """

    def __init__(self, n_faces: int, min_score: float) -> None:
        self._n_faces = n_faces
        self._mesh = face_mesh(n_faces + 1, min_score, tracking=False)
        self._detector = face_detector(min_score)

    def find(self, image: U8) -> list[F32]:
        """(478, 3) px of each face, in whichever of four orientations a detector is surest of one.

        In any order.
        """
        turns = _orientation(self._detector, image)
        turned = np.ascontiguousarray(np.rot90(image, turns))
        found = landmarks3d_of(self._mesh, turned)
        # What the mesh's own detector is too coarse for, first in the whole picture, then in parts.
        for boxes in (_boxes, _boxes_in_windows):
            if len(found) < self._n_faces:
                found = self._with_small(turned, found, boxes(self._detector, turned))
        if not found:
            found = _find_cut_off(self._mesh, turned)
        return [_unturn(p, image, turns) for p in found]

    def close(self) -> None:
        self._mesh.close()
        self._detector.close()

    def _with_small(self, image: U8, found: list[F32], boxes: list[Box]) -> list[F32]:
        """Add the faces of boxes in which none is known yet."""
        height, width = image.shape[:2]
        for _, x, y, w, h in boxes:
            # The detector's box is forehead to chin; the mesh wants about twice that around it.
            side = max(w, h) * 2.2
            cx, cy = x + w / 2, y + h / 2
            x0, y0 = max(0, int(cx - side / 2)), max(0, int(cy - side / 2))
            x1, y1 = min(width, int(cx + side / 2) + 1), min(height, int(cy + side / 2) + 1)
            known = any(_is_near(p, cx, cy, side / 4) for p in found)
            if known or x1 - x0 < 8 or y1 - y0 < 8 or len(found) >= self._n_faces:
                continue
            part = np.ascontiguousarray(image[y0:y1, x0:x1])
            corner = np.array([x0, y0, 0], np.float32)
            # The window may show neighbours too: the face that was asked for is in its middle.
            moved = (p + corner for p in landmarks3d_of(self._mesh, part))
            near = [p for p in moved if _is_near(p, cx, cy, side / 4)]
            found = [*found, *near[:1]]
        return found


def landmarks3d_of(mesh: Graph, image: U8) -> list[F32]:
    """(478, 3) px for each face, our pixel convention; z grows towards the viewer."""
    height, width = image.shape[:2]
    # MediaPipe's z is in units of the picture's width too, and grows away from the viewer.
    size = np.array([width, height, -width], np.float32)
    faces: list[F32] = []
    for face in mesh.process(image):
        points = landmark_places(face) * size
        eyes = points[263, :2] - points[33, :2]
        if np.isfinite(points).all() and np.hypot(*eyes) >= _MIN_EYES_PX:
            faces.append(points - _HALF_PX)
    return faces


def _is_near(points: F32, x: float, y: float, reach: float) -> bool:
    """Whether the middle of a face is within reach of a place, along both axes."""
    return bool((abs(points[:, :2].mean(axis=0) - (x, y)) < reach).all())


def _boxes(detector: Graph, image: U8) -> list[Box]:
    """Faces that a detector sees, best first."""
    height, width = image.shape[:2]
    found = [(d.score[0], d.location_data.relative_bounding_box) for d in detector.process(image)]
    boxes = [(s, b.xmin * width, b.ymin * height, b.width * width, b.height * height)
             for s, b in found]  # fmt: skip
    return sorted(boxes, reverse=True)


def _boxes_in_windows(detector: Graph, image: U8) -> list[Box]:
    """Faces that are seen in square windows, as wide as the shorter side and half that."""
    height, width = image.shape[:2]
    boxes: list[Box] = []
    for side in (min(height, width), min(height, width) // 2):
        if side < _MIN_WINDOW_PX:
            continue
        rows, columns = (_starts(length, side) for length in (height, width))
        if len(rows) * len(columns) > _MAX_WINDOWS:
            continue
        for y0 in rows:
            for x0 in columns:
                window = np.ascontiguousarray(image[y0 : y0 + side, x0 : x0 + side])
                boxes += [(s, x + x0, y + y0, w, h) for s, x, y, w, h in _boxes(detector, window)]
    return sorted(boxes, reverse=True)


def _starts(length: int, side: int) -> list[int]:
    """Where windows begin that cover a length and overlap by at least half."""
    n = 1 + max(0, -(-2 * (length - side) // side))
    return [round(k * (length - side) / max(n - 1, 1)) for k in range(n)]


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
    shrink = max(1.0, max(image.shape[:2]) / _BORDERED_PX)
    size = (max(1, round(image.shape[1] / shrink)), max(1, round(image.shape[0] / shrink)))
    small = image if shrink == 1.0 else cv2.resize(image, size, interpolation=cv2.INTER_AREA)
    border = max(size) // 2
    padded = cv2.copyMakeBorder(
        small, border, border, border, border, cv2.BORDER_CONSTANT, value=(127, 127, 127)
    )
    # Pixel centres: x = (x_small + 0.5) * shrink - 0.5.
    across, down = image.shape[1] / size[0], image.shape[0] / size[1]
    back = np.array([across, down, across], np.float32)
    corner = np.array([border, border, 0], np.float32)
    found = [(p - corner + _HALF_PX) * back - _HALF_PX for p in landmarks3d_of(mesh, padded)]
    return [p for p in found if _share_inside(p, image) > 0.3]


def _share_inside(points: F32, image: U8) -> float:
    height, width = image.shape[:2]
    x, y = points[:, 0], points[:, 1]
    return float(((x >= 0) & (y >= 0) & (x < width) & (y < height)).mean())


def _unturn(points: F32, image: U8, turns: int) -> F32:
    """Pixels of np.rot90(image, turns) -> pixels of image; z stays."""
    last_x, last_y = image.shape[1] - 1, image.shape[0] - 1
    x, y, z = points.T
    turned = {0: (x, y), 1: (last_x - y, x), 2: (last_x - x, last_y - y), 3: (y, last_y - x)}[turns]
    unturned: F32 = np.stack([*turned, z], axis=1).astype(np.float32)
    return unturned
