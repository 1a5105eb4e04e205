"""Sources, fitters and a head for tests of worker, window and batch: no camera, no MediaPipe."""

import threading
from collections.abc import Callable

import numpy as np

from app.view import View
from engine.errors import AssetError, CaptureError
from engine.flame.model import REGIONS, HeadModel, Landmarks
from engine.frames import default_camera
from engine.pipeline import SeenFrame
from engine.types import N_MEDIAPIPE, FaceCrop, FlameParams, Frame, Reconstruction

SIZE = (64, 48)  # width, height px


def grey_frame(index: int, grey: int = 128, t_ns: int = 0) -> Frame:
    width, height = SIZE
    return Frame(np.full((height, width, 3), grey, np.uint8), index, t_ns)


TRIANGLE_M = np.array([[-0.2, -0.2, 0], [0.2, -0.2, 0], [0, 0.3, 0]], np.float32)


def triangle_model() -> HeadModel:
    """The head model of `triangle_head`."""
    corners = Landmarks(np.zeros(68, np.int32), np.full((68, 3), 1 / 3, np.float32))
    return HeadModel(
        name="triangle",
        licence="CC0-1.0",
        model_id="0" * 64,
        v_template=TRIANGLE_M,
        shapedirs=np.zeros((3, 3, 1), np.float32),
        exprdirs=np.zeros((3, 3, 1), np.float32),
        posedirs=np.zeros((3, 3, 36), np.float32),
        J_regressor=np.full((5, 3), 1 / 3, np.float32),
        parents=np.array([-1, 0, 1, 1, 1], np.int32),
        lbs_weights=np.tile(np.float32([1, 0, 0, 0, 0]), (3, 1)),
        faces=np.array([[0, 1, 2]], np.int32),
        regions={name: np.arange(3, dtype=np.int32) for name in REGIONS},
        landmarks68=corners,
        mediapipe=Landmarks(corners.faces_idx[:1], corners.bary[:1]),
        mediapipe_idx=np.zeros(1, np.int32),
    )


def triangle_head(frame: Frame, face_id: int = 0, quality: float = 1.0) -> Reconstruction:
    """A "head" of one large triangle, facing the camera 1 m in front of it."""
    height, width = frame.image.shape[:2]
    params = FlameParams.neutral("0" * 64, 1, 1).with_values(t=np.array([0.0, 0.0, -1.0]))
    points = np.zeros((N_MEDIAPIPE, 2), np.float32)
    crop = FaceCrop(np.zeros((8, 8, 3), np.uint8), np.eye(2, 3), points, 1.0, face_id)
    landmarks = np.full((68, 2), (width / 2, height / 2), np.float32)
    return Reconstruction(
        frame_index=frame.index,
        t_ns=frame.t_ns,
        params=params,
        camera=default_camera(width, height),
        vertices=TRIANGLE_M,
        crop=crop,
        landmarks68_px=landmarks,
        landmark_rms=0.01,
        quality=quality,
        stage_ms={"crop": 4.0, "fit": 2.0},
    )


_LIVE_PERIOD_S = 0.001


class FakeSource:
    """Frames one by one; may fail at one. A live one makes its reader wait, as cameras do: without
    that a hundred thousand frames are gone before a window has painted the third."""

    def __init__(
        self, n_frames: int, *, is_live: bool = False, fails_at: int | None = None
    ) -> None:
        self.name = "fake"
        self.is_live = is_live
        self.n_frames: int | None = None if is_live else n_frames
        self.n_dropped = 0
        self.closed_in: str | None = None
        self._n, self._fails_at, self._index = n_frames, fails_at, 0

    def read(self) -> Frame | None:
        if self._index == self._fails_at:
            raise CaptureError("fake stopped giving pictures; check its cable")
        if self._index == self._n:
            return None
        self._index += 1
        if self.is_live:
            threading.Event().wait(_LIVE_PERIOD_S)
        # A live picture never stays quite the same: one that does is told to be frozen.
        grey = 128 + (self._index % 2 if self.is_live else 0)
        return grey_frame(self._index - 1, grey, t_ns=self._index * 1_000_000)

    def close(self) -> None:
        self.closed_in = threading.current_thread().name


class FakeFitter:
    """One face in every frame, or none; remembers how it was treated."""

    def __init__(self, *, sees_face: bool = True) -> None:
        self.sees_face = sees_face
        self.n_seen = int(sees_face)
        self.events: list[str] = []
        self.before_run: Callable[[Frame], None] = lambda frame: None

    @property
    def provider(self) -> str:
        return "fake"

    def run_all(self, frame: Frame) -> list[Reconstruction]:
        self.before_run(frame)
        self.events.append(f"run {frame.index}")
        return [triangle_head(frame)] if self.sees_face else []

    def use(self, method: str) -> None:
        self.events.append(f"use {method}")

    def reset(self) -> None:
        self.events.append("reset")

    def close(self) -> None:
        self.events.append(f"close in {threading.current_thread().name}")


QUALITIES = {"n2fnet": 0.75, "landmarks": 0.5, "n2fnet-refined": 0.875}


class ByMethod(FakeFitter):
    """Heads that tell by their quality which method fitted them."""

    def __init__(self, n_faces: int = 1) -> None:
        super().__init__()
        self.method, self.rival, self._n_faces = "n2fnet", "", n_faces

    def use(self, method: str) -> None:
        super().use(method)
        if method not in QUALITIES:
            raise AssetError(f"{method}.onnx is missing; take a fresh copy")
        self.method = method

    def compare_with(self, method: str) -> None:
        self.rival = method

    def run_all(self, frame: Frame) -> list[Reconstruction]:
        return self.fit_seen(self.see(frame))

    def see(self, frame: Frame) -> SeenFrame:
        self.before_run(frame)
        self.events.append(f"see {frame.index}")
        return SeenFrame(frame, default_camera(*SIZE), (), (), 0, (), ())

    def fit_seen(self, seen: SeenFrame) -> list[Reconstruction]:
        quality = QUALITIES[self.method]
        return [triangle_head(seen.frame, i, quality) for i in range(self._n_faces)]

    def fit_rivals(self, seen: SeenFrame) -> list[Reconstruction]:
        return [triangle_head(seen.frame, 0, QUALITIES[self.rival])] if self.rival else []

    def forget_places(self) -> None:
        self.events.append("forget places")

    def forget_people(self) -> None:
        self.events.append("forget people")


class Collector:
    """Keeps every view and lets a test wait for one."""

    def __init__(self) -> None:
        self.views: list[View] = []
        self._changed = threading.Condition()

    def __call__(self, view: View) -> None:
        with self._changed:
            self.views.append(view)
            self._changed.notify_all()

    def wait_for(self, wanted: Callable[[View], bool]) -> View:
        with self._changed:
            assert self._changed.wait_for(lambda: any(map(wanted, self.views)), 10.0)
            return next(filter(wanted, self.views))
