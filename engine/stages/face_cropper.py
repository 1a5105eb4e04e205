"""Finds faces and their landmarks with MediaPipe, and cuts the upright square each network sees.

MediaPipe takes RGB pictures and gives coordinates 0..1 with (0, 0) at the corner of the picture;
both conventions end in `face_finder`.
"""

from dataclasses import dataclass

import numpy as np

from engine.stages.crop_geometry import CropSmoother, crop_matrix, face_square
from engine.stages.crop_picture import cut_square
from engine.stages.cut_detector import CutDetector
from engine.stages.face_finder import PictureFinder, landmarks3d_of
from engine.stages.face_tracks import FaceTracks
from engine.stages.mediapipe_graph import Graph, face_mesh
from engine.types import F32, U8, FaceCrop, Frame

__all__ = ["CropConfig", "FaceCropper"]


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
        self._finder: PictureFinder | None = None
        self._tracks = FaceTracks()
        self._cuts = CutDetector()
        self._last_t_ns = 0
        self.n_seen = 0  # faces in the last frame, those beyond n_faces too where they are known

    def run(self, frame: Frame) -> FaceCrop | None:
        """The largest face, or None."""
        faces = self.run_all(frame)
        return faces[0] if faces else None

    def run_all(self, frame: Frame) -> list[FaceCrop]:
        """All faces up to n_faces, largest first; empty if there is none."""
        if not self.config.tracking:
            if self._finder is None:
                self._finder = PictureFinder(self.config.n_faces, self.config.min_score)
            found = _largest_first(self._finder.find(frame.image))
            self.n_seen = len(found)
            wanted = found[: self.config.n_faces]
            return [self._crop(frame.image, points, None, i) for i, points in enumerate(wanted)]
        # A cut, another size, or time that goes back: nothing is where it was.
        if self._cuts.is_cut(frame.image) or frame.t_ns < self._last_t_ns:
            self.reset()
        self._last_t_ns = frame.t_ns
        if self._mesh is None:
            self._mesh = face_mesh(self.config.n_faces, self.config.min_score, tracking=True)
        found = _largest_first(landmarks3d_of(self._mesh, frame.image))
        self.n_seen = len(found)
        squares = [face_square(points[:, :2], self.config.margin) for points in found]
        tracks = self._tracks.assign(squares, frame.t_ns)
        return [
            self._crop(frame.image, points, track.smoother, track.face_id, frame.t_ns)
            for points, track in zip(found, tracks, strict=True)
        ]

    def reset(self) -> None:
        """Forget all tracked faces: call it when the source changes. Ids are not used again."""
        if self._mesh is not None:
            self._mesh.close()
        self._mesh = None
        self._tracks.forget()

    def close(self) -> None:
        """Free MediaPipe's graphs."""
        self.reset()
        if self._finder is not None:
            self._finder.close()
        self._finder = None

    def _crop(
        self,
        image: U8,
        points3d: F32,
        smoother: CropSmoother | None,
        face_id: int,
        t_ns: int = 0,
    ) -> FaceCrop:
        points = np.ascontiguousarray(points3d[:, :2])
        square = face_square(points, self.config.margin)
        if smoother is not None:
            square = smoother.update(square, t_ns)
        matrix = crop_matrix(square, self.config.size_px)
        crop = cut_square(image, square, self.config.size_px)
        height, width = image.shape[:2]
        inside = (points >= 0).all(1) & (points[:, 0] < width) & (points[:, 1] < height)
        return FaceCrop(
            image=crop,
            crop_from_frame=matrix,
            landmarks=points,
            score=float(inside.mean()),
            face_id=face_id,
            landmarks_z=np.ascontiguousarray(points3d[:, 2]),
        )


def _largest_first(found: list[F32]) -> list[F32]:
    return sorted(found, key=lambda p: -float(np.ptp(p[:, :2], axis=0).max()))
