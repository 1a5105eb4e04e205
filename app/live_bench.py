"""Measures the live path: a soak with fakes, and the real networks on the sample clip at 720p."""

import threading
import time
from collections.abc import Callable
from dataclasses import dataclass

import cv2
import numpy as np

from app.hud import ShownMeter
from app.meter import memory_mb
from app.method_menu import Methods
from app.options import Options
from app.qt import QTimer
from app.session import LiveSession, Loaded, make_application
from app.source_thread import Request
from app.view import State, View
from app.worker import Worker
from engine.flame.landmarks import landmarks68
from engine.flame.model import HeadModel
from engine.frames import default_camera, project
from engine.io.assets import asset_path
from engine.io.source import Source
from engine.io.video import VideoSource
from engine.methods import DEFAULT
from engine.normal_choice import choose_normals
from engine.pipeline import Reconstructor
from engine.render.overlay import head_renderer
from engine.types import N_MEDIAPIPE, U8, FaceCrop, FlameParams, Frame, Reconstruction

__all__ = [
    "LiveFigures",
    "SoakFigures",
    "fake_parts",
    "measure_live",
    "soak",
    "without_window",
]

_WARM_UP_S = 3.0
"""Not counted: caches fill, shaders compile."""
_SAMPLE_S = 0.5
_FAKE_FPS, _FAKE_NET_S = 60, 0.030
_FAKE_SIZE = (640, 480)
_WIDTH, _HEIGHT = 1280, 720
_WINDOW = (960, 640)
"""Of all runs with a window, px: what is drawn in software takes time by the pixel."""


@dataclass(frozen=True, slots=True)
class LiveFigures:
    """One way to run, for some seconds."""

    way: str
    drawn: bool  # in a window, with the overlay
    seconds: float
    frames_per_s: float  # displayed; without drawing: handed over
    age_p50_ms: float
    age_p95_ms: float
    dropped: int
    stage_ms: dict[str, float]  # median
    provider: str
    cpu_ms: float  # of the processor, for each of these frames: all threads, drawing included


@dataclass(frozen=True, slots=True)
class SoakFigures:
    """A long run with fakes."""

    live: LiveFigures
    memory_slope_mb_min: float  # by least squares, after the warm-up
    memory_mb: float  # at the end
    threads_left: tuple[str, ...]  # of ours, after the window has closed


class ClockedSource:
    """Pictures over and over, as a camera of a fixed rate gives them; none waits for its reader."""

    is_live = True
    n_frames: int | None = None
    name = "clocked"

    def __init__(self, pictures: list[U8], fps: float) -> None:
        self._pictures, self._fps = pictures, fps
        self._start_ns = time.perf_counter_ns()
        self._next = 0
        self._closed = threading.Event()
        self.n_dropped = 0

    def read(self) -> Frame | None:
        """The newest picture, when it is due."""
        now = time.perf_counter_ns() - self._start_ns
        present = int(now * 1e-9 * self._fps)
        self.n_dropped += max(0, present - self._next)
        self._next = max(self._next, present)
        due_ns = self._start_ns + round(self._next / self._fps * 1e9)
        if self._closed.wait(max(0.0, (due_ns - time.perf_counter_ns()) / 1e9)):
            return None
        picture = self._pictures[self._next % len(self._pictures)]
        self._next += 1
        return Frame(picture, self._next - 1, due_ns)

    def close(self) -> None:
        self._closed.set()


class FakeNets:
    """A resting head in every frame, after as long as networks would take."""

    provider = "none: fakes"
    n_seen = 1

    def __init__(self, model: HeadModel) -> None:
        neutral = FlameParams.neutral(model.model_id, model.n_shape, model.n_expr)
        points = landmarks68(model, model.v_template, 0.0) + neutral.t
        width, height = _FAKE_SIZE
        self._camera = default_camera(width, height)
        self._pixels = project(points, self._camera.K).astype(np.float32)
        self._params, self._vertices = neutral, model.v_template
        marks = np.zeros((N_MEDIAPIPE, 2), np.float32)
        self._crop = FaceCrop(np.zeros((8, 8, 3), np.uint8), np.eye(2, 3), marks, 1.0)
        self._pause = threading.Event()  # never set: its wait is a sleep

    def run_all(self, frame: Frame) -> list[Reconstruction]:
        """Args: frame: of the fake size."""
        self._pause.wait(_FAKE_NET_S)
        found = Reconstruction(
            frame_index=frame.index,
            t_ns=frame.t_ns,
            params=self._params,
            camera=self._camera,
            vertices=self._vertices,
            crop=self._crop,
            landmarks68_px=self._pixels,
            landmark_rms=0.0,
            quality=1.0,
            stage_ms={"fake nets": 1e3 * _FAKE_NET_S},
        )
        return [found]

    def use(self, method: str) -> None:
        """There is but one."""

    def reset(self) -> None:
        """Nothing is remembered."""

    def close(self) -> None:
        """Nothing is held."""


def fake_parts(model: HeadModel) -> Loaded:
    """A fake camera of 60 frames a second, and nets of 30 ms."""
    width, height = _FAKE_SIZE
    rng = np.random.default_rng(0)
    pictures = [rng.integers(60, 200, (height, width, 3), np.uint8) for _ in range(8)]
    return Loaded(
        lambda ctx: head_renderer(ctx, model, live=True),
        lambda: FakeNets(model),
        lambda spec: ClockedSource(pictures, _FAKE_FPS),
        methods=Methods("landmarks", {"landmarks": ""}),
    )


def soak(model: HeadModel, seconds: float) -> SoakFigures:
    """The fakes of `fake_parts`, shown in a window.

    Raises: ProviderError: if there is no display.
    """
    parts = fake_parts(model)
    memory: list[tuple[float, float]] = []

    def sample() -> None:
        memory.append((time.monotonic(), memory_mb()))

    live = _in_window("soak, fake 60/s camera, 30 ms fake nets", parts, Options(), seconds, sample)
    times, sizes = np.array(memory).T
    steady = times - times[0] >= min(10.0, seconds / 3)
    slope = float(np.polyfit(times[steady], sizes[steady], 1)[0]) * 60.0
    left = tuple(t.name for t in threading.enumerate() if t.name.startswith("n2f"))
    return SoakFigures(live, slope, float(sizes[-1]), left)


def measure_live(
    model: HeadModel, seconds: float, *, drawn: bool, method: str = DEFAULT
) -> list[LiveFigures]:
    """The real networks on the sample clip at 1280x720, as a camera of 60 frames a second.

    Args:
        drawn: in a window, with the overlay; False: no window, fits only.
        method: a name of `engine.methods.METHODS`.
    Returns: one stage after the other, then two at a time.
    Raises: EngineError: if clip, networks or display are missing.
    """
    pictures = _clip_720p()
    normals = choose_normals(None)

    def open_source(spec: str) -> Source:
        return ClockedSource(pictures, _FAKE_FPS)

    figures = []
    run = _in_window if drawn else without_window
    for pipelined in (False, True):
        way = ("with overlay" if drawn else "without drawing") + (
            ", two stages at a time" if pipelined else ""
        )
        options = Options(pipelined=pipelined)
        estimator = normals.load(beside=int(pipelined))
        parts = Loaded(
            lambda ctx: head_renderer(ctx, model, live=True),
            lambda normals=estimator: Reconstructor(model, method=method, normals=normals),
            open_source,
            methods=Methods(method, {method: ""}),
        )
        figures.append(run(way, parts, options, seconds))
    return figures


def _clip_720p() -> list[U8]:
    """Every frame of the clip on 1280x720, as high as it goes, sides black."""
    source, pictures = VideoSource(asset_path("sample.mp4")), []
    while (frame := source.read()) is not None:
        height, width = frame.image.shape[:2]
        across = round(width * _HEIGHT / height)
        canvas = np.zeros((_HEIGHT, _WIDTH, 3), np.uint8)
        left = (_WIDTH - across) // 2
        canvas[:, left : left + across] = cv2.resize(frame.image, (across, _HEIGHT))
        canvas.setflags(write=False)
        pictures.append(canvas)
    source.close()
    return pictures


def _in_window(
    way: str,
    parts: Loaded,
    options: Options,
    seconds: float,
    sample: Callable[[], None] = lambda: None,
) -> LiveFigures:
    from app.display import check_display
    from app.qt import QApplication
    from app.settings import SettingsStore

    check_display()
    application = QApplication.instance() or make_application()
    store = SettingsStore(None)
    store.change(pipelined=options.pipelined)
    session = LiveSession(load=lambda tell: parts, store=store)
    window = session.window
    window.resize(*_WINDOW)
    last: list[View] = []
    spent_s: list[float] = []
    begun = QTimer()
    begun.setSingleShot(True)

    began_s = [0.0]

    def begin() -> None:
        began_s[0] = time.process_time()
        window.canvas.shown_meter.restart(whole=True)
        sampler.start(round(1e3 * _SAMPLE_S))
        ending.start(round(1e3 * seconds))

    begun.timeout.connect(begin)
    sampler, ending = QTimer(), QTimer()
    sampler.timeout.connect(sample)
    ending.setSingleShot(True)
    ending.timeout.connect(lambda: (spent_s.append(time.process_time()), window.close()))

    def note(view: View) -> None:
        last[:] = [view]
        if view.state is State.PLAYING and not begun.isActive() and not ending.isActive():
            begun.start(round(1e3 * _WARM_UP_S))

    session.on_view = note
    session.start(Request("clocked", "Clocked"))
    application.exec()
    for timer in (begun, sampler, ending):
        timer.stop()
    cpu_s = spent_s[0] - began_s[0] if spent_s else float("nan")
    meter = window.canvas.shown_meter
    return _figures(way, drawn=True, seconds=seconds, meter=meter, last=last[0], cpu_s=cpu_s)


def without_window(
    way: str, parts: Loaded, options: Options, seconds: float, warm_up_s: float = _WARM_UP_S
) -> LiveFigures:
    """Run for some seconds; ages are those of hand-over."""
    meter, last, playing = ShownMeter(), [View(State.OPENING, "")], threading.Event()

    def publish(view: View) -> None:
        last[0] = view
        if view.state is State.PLAYING and view.captured_ns is not None:
            meter.shown(view.captured_ns)
            playing.set()
        elif view.state is State.FAILED:
            playing.set()

    worker = Worker(parts.make_fitter, parts.open_source, publish, options=options)
    worker.start()
    worker.open(Request("clocked", "Clocked"))
    playing.wait(60.0)
    pause = threading.Event()
    pause.wait(warm_up_s)
    meter.restart(whole=True)
    began_s = time.process_time()
    pause.wait(seconds)
    cpu_s = time.process_time() - began_s
    worker.stop()
    return _figures(way, drawn=False, seconds=seconds, meter=meter, last=last[0], cpu_s=cpu_s)


def _figures(
    way: str, *, drawn: bool, seconds: float, meter: ShownMeter, last: View, cpu_s: float
) -> LiveFigures:
    p50, p95 = meter.age_ms or (float("nan"), float("nan"))
    stats = last.stats
    return LiveFigures(
        way=way,
        drawn=drawn,
        seconds=seconds,
        frames_per_s=meter.fps,
        age_p50_ms=p50,
        age_p95_ms=p95,
        dropped=stats.dropped,
        stage_ms=dict(stats.stage_ms),
        provider=stats.provider,
        cpu_ms=1e3 * cpu_s / max(meter.n_shown, 1),
    )
