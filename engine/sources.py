"""SyntheticSource: a head that moves, speaks and blinks, always available, with its truth known."""

import threading
import time

import moderngl
import numpy as np

from engine.errors import CaptureError, ProviderError
from engine.flame.lbs import rodrigues
from engine.flame.model import HeadModel
from engine.flame.posed import PosedHead
from engine.frames import default_camera
from engine.render.appearance import PORTRAIT, head_surface
from engine.render.context import headless_context
from engine.render.renderer import MeshRenderer, RenderMode
from engine.types import F32, F64, U8, FlameParams, Frame

__all__ = ["SyntheticSource", "head_motion"]

_WIDTH, _HEIGHT = 640, 480
_FPS = 30
_N_FRAMES = 300
_SHAPE_SIGMA = 0.6
"""Standard deviation of the identity, below 1 so that every seed gives a usual face."""
_TURN_DEG = (12.0, 24.0, 9.0)
"""Largest pitch, yaw and roll."""
_BLINK_EVERY_S, _BLINK_S = 3.4, 0.28
_JAW_OPEN_RAD = 0.16
"""How far the jaw opens in speech, for models without ARKit shapes; jawOpen 0.55 elsewhere."""


class SyntheticSource:
    """Renders 640x480 frames at 30 a second; the same seed gives the same frames.

    As a file does, it waits for its reader. With live=True it keeps real time as a camera does:
    what a slow reader misses is skipped, and t_ns is on time.perf_counter_ns.
    """

    name = "synthetic"

    def __init__(
        self,
        model: HeadModel,
        *,
        seed: int = 0,
        n_frames: int | None = _N_FRAMES,
        live: bool = False,
    ) -> None:
        """n_frames: length, None for endless."""
        self.is_live = live
        self.n_dropped = 0
        self.n_frames = n_frames
        self.camera = default_camera(_WIDTH, _HEIGHT)
        self._model = model
        self._seed = seed
        self._head = PosedHead(model)
        self._background = _background(seed)
        self._next = 0
        self._start_ns: int | None = None
        self._closed = threading.Event()
        self._reader: threading.Thread | None = None
        self._gl: tuple[moderngl.Context, MeshRenderer] | None = None

    def truth(self, index: int) -> FlameParams:
        """The parameters that frame `index` shows."""
        return head_motion(self._model, index / _FPS, self._seed)

    def read(self) -> Frame | None:
        """The next frame, or None at the end.

        Raises: CaptureError: if no OpenGL context can be had here.
        """
        if self._ended():
            self._free()
            return None
        renderer = self._renderer()  # before the clock starts: it takes as long as many frames
        t_ns = self._wait_for_turn()
        if self._ended():
            self._free()
            return None
        index = self._next
        self._next += 1
        params = self.truth(index)
        renderer.draw(
            self.camera,
            self._head.vertices(params),
            params.R,
            params.t,
            mode=RenderMode.SHADED,
            background=self._background,
        )
        return Frame(renderer.read(), index, t_ns)

    def _ended(self) -> bool:
        return self._closed.is_set() or (self.n_frames is not None and self._next >= self.n_frames)

    def _wait_for_turn(self) -> int:
        """Time of the next frame; a live source waits for it and skips what is past."""
        if not self.is_live:
            return self._next * 1_000_000_000 // _FPS
        now = time.perf_counter_ns()
        if self._start_ns is None:
            self._start_ns = now
        present = (now - self._start_ns) * _FPS // 1_000_000_000
        self.n_dropped += max(0, present - self._next)
        self._next = max(self._next, present)
        due = self._start_ns + self._next * 1_000_000_000 // _FPS
        self._closed.wait(max(0, due - now) / 1e9)
        return due

    def _renderer(self) -> MeshRenderer:
        # A context belongs to one thread: it is made by the thread that reads.
        if self._gl is None:
            try:
                ctx = headless_context()
            except ProviderError as error:
                raise CaptureError(f"synthetic frames cannot be drawn: {error}") from error
            surface = head_surface(self._model, PORTRAIT)
            self._gl = (ctx, MeshRenderer(ctx, self._model.faces, surface=surface))
            self._reader = threading.current_thread()
        return self._gl[1]

    def close(self) -> None:
        """End the frames. From another thread: the reader's next `read` frees the GL context."""
        self._closed.set()
        if self._reader is threading.current_thread():
            self._free()

    def _free(self) -> None:
        if self._gl is not None:
            ctx, renderer = self._gl
            renderer.release()
            ctx.release()
            self._gl = None


def head_motion(model: HeadModel, time_s: float, seed: int) -> FlameParams:
    """A head that turns within 25 degrees, speaks, looks around and blinks, smooth in time.

    Args:
        time_s: seconds from the start.
        seed: decides person and movement.
    """
    rng = np.random.default_rng(seed)
    shape = rng.normal(scale=_SHAPE_SIGMA, size=model.n_shape).astype(np.float32)
    phase = rng.uniform(0.0, 2.0 * np.pi, 24)
    neutral = FlameParams.neutral(model.model_id, model.n_shape, model.n_expr)
    turn = np.array([_wander(time_s, rate, phase[i]) for i, rate in enumerate((0.23, 0.17, 0.13))])
    shift = np.array(
        [_wander(time_s, rate, phase[i + 3]) for i, rate in enumerate((0.11, 0.14, 0.09))]
    )
    pitch, yaw, roll = np.deg2rad(_TURN_DEG) * turn
    return _with_face(model, neutral, time_s, phase[6:], seed).with_values(
        shape=shape,
        R=_axis(0, pitch) @ _axis(1, yaw) @ _axis(2, roll),
        t=np.array([0.0, -0.015, -0.56]) + np.array([0.03, 0.015, 0.05]) * shift,
    )


def _with_face(
    model: HeadModel, neutral: FlameParams, time_s: float, phase: F64, seed: int
) -> FlameParams:
    blink = _blink(time_s, seed)
    phrase = 0.5 + 0.5 * _wander(time_s, 0.31, phase[0])
    syllable = 0.5 + 0.5 * np.sin(2.0 * np.pi * 3.1 * time_s + phase[1])
    speech = phrase * syllable
    gaze = np.array([0.06 * _wander(time_s, 0.4, phase[2]), 0.16 * _wander(time_s, 0.3, phase[3])])
    eyes = np.tile([gaze[0], gaze[1], 0.0], 2).astype(np.float32)
    eyelids = np.full(2, blink if model.eyelid_dirs is not None else 0.0, np.float32)
    if model.arkit is None:
        jaw = np.array([_JAW_OPEN_RAD * speech, 0.0, 0.0], np.float32)
        return neutral.with_values(jaw=jaw, eyes=eyes, eyelids=eyelids)
    smile = 0.5 + 0.5 * _wander(time_s, 0.08, phase[4])
    strengths = {
        "jawOpen": 0.55 * speech,
        "mouthFunnel": 0.5 * phrase * (0.5 + 0.5 * _wander(time_s, 1.3, phase[5])),
        "mouthSmileLeft": 0.55 * smile,
        "mouthSmileRight": 0.5 * smile,
        "browInnerUp": 0.5 * max(0.0, _wander(time_s, 0.21, phase[6])),
        "mouthStretchLeft": 0.25 * speech,
        "mouthStretchRight": 0.25 * speech,
    }
    weights = np.array([strengths.get(name, 0.0) for name in model.arkit.names], np.float32)
    return neutral.with_values(
        expr=weights @ model.arkit.expr, jaw=weights @ model.arkit.jaw, eyes=eyes, eyelids=eyelids
    )


def _wander(time_s: float, rate_hz: float, phase: float) -> float:
    """Within -1..1, smooth, without a period that one notices."""
    turns = 2.0 * np.pi * rate_hz * time_s
    return float(0.7 * np.sin(turns + phase) + 0.3 * np.sin(2.37 * turns + 1.7 * phase))


def _blink(time_s: float, seed: int) -> float:
    """0 open .. 1 closed; one blink at a random moment of each stretch of time."""
    stretch = int(time_s // _BLINK_EVERY_S)
    margin = _BLINK_EVERY_S - _BLINK_S
    start = stretch * _BLINK_EVERY_S + np.random.default_rng([seed, stretch]).uniform(0.0, margin)
    share = (time_s - start) / _BLINK_S
    return float(np.sin(np.pi * share) ** 2) if 0.0 < share < 1.0 else 0.0


def _axis(axis: int, angle: float) -> F64:
    vector = np.zeros((1, 3))
    vector[0, axis] = angle
    matrix: F64 = rodrigues(vector, xp=np)[0]
    return matrix


def _background(seed: int) -> U8:
    """(H, W, 3) a room out of focus: a dim gradient with soft lights."""
    rng = np.random.default_rng([seed, 1])
    y, x = np.mgrid[0:_HEIGHT, 0:_WIDTH].astype(np.float32) / _WIDTH
    top, bottom = np.array([96.0, 104.0, 112.0]), np.array([58.0, 54.0, 56.0])
    image: F32 = (top + (bottom - top) * (y / y.max())[..., None]).astype(np.float32)
    for _ in range(7):
        centre, radius = rng.uniform(0.0, 1.0, 2), rng.uniform(0.08, 0.25)
        spot = np.exp(-(((x - centre[0]) ** 2 + (y - centre[1]) ** 2) / radius**2))
        image += spot[..., None] * rng.uniform(-18.0, 34.0, 3).astype(np.float32)
    return np.clip(image, 0.0, 255.0).astype(np.uint8)
