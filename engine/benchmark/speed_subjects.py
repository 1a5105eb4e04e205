"""The subjects of the speed suite: the pipeline with its stages, its networks, the peers'."""

import logging
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, closing
from functools import partial
from pathlib import Path
from typing import Final

import numpy as np

from engine.benchmark.network_cost import multiply_adds
from engine.benchmark.timed import Subject, simple
from engine.errors import EngineError
from engine.flame.model import HeadModel
from engine.io.assets import asset_path
from engine.io.video import VideoSource
from engine.methods import METHODS, network_path
from engine.normal_choice import choose_normals
from engine.pipeline import Reconstructor
from engine.stages.flame_regressor import THREADS as N2FNET_THREADS
from engine.stages.mediapipe_graph import face_mesh
from engine.stages.onnx_session import OnnxSession
from engine.types import Frame
from engine.video_fit import fit_video

__all__ = [
    "RANDOM",
    "THREADS",
    "WHOLE",
    "frames_per_s",
    "optimiser_subjects",
    "our_subjects",
    "peer_subjects",
]

logger = logging.getLogger(__name__)

THREADS: Final = 2
"""Of the normal network and the peers'; the rest of the pipeline runs in one."""
RANDOM: Final = "random weights: speed alone"
WHOLE: Final = "whole"
CLIP: Final = "sample.mp4"
_WARM_UP_FRAMES: Final = 10

_STAGES: Final = {
    "crop": "crop (MediaPipe)",
    "normals": "normals",
    "n2fnet": "N2FNet and placing",
    "fit": "landmark fit",
    "refine": "refinement",
    "pose": "pose",
}
"""What the stages of a Reconstruction are called in the table."""


def our_subjects(
    model: HeadModel, methods: tuple[str, ...], problems: list[str], stack: ExitStack
) -> list[Subject]:
    """The pipeline by each method on the sample clip, MediaPipe alone, and the networks.

    Args:
        problems: what cannot run is told here.
        stack: closes what the subjects hold.
    """
    subjects: list[Subject] = []
    frames = _frames(asset_path(CLIP))
    for name in methods:
        try:
            subjects.append(_pipeline(model, name, frames, stack))
        except EngineError as error:
            problems.append(f"{name}: {error}")
    subjects.append(_mediapipe(frames, stack))
    return subjects + _networks(methods, problems)


def frames_per_s(model: HeadModel, method: str, n: int) -> float:
    """What `n2f fit` makes of the clip: read, found, looked at and fitted at once, never drawn.

    Args: n: frames that count, the clip's length at most; as many as warm it up go before.
    Raises: EngineError: if the method cannot be used.
    """
    estimator = choose_normals(None).load(beside=2) if METHODS[method].needs_normals else None
    with closing(Reconstructor(model, method=method, normals=estimator)) as reconstructor:
        fit_video(VideoSource(asset_path(CLIP)), reconstructor, model, max_frames=_WARM_UP_FRAMES)
        start = time.perf_counter()
        fitted = fit_video(VideoSource(asset_path(CLIP)), reconstructor, model, max_frames=n)
        return fitted.n_frames / (time.perf_counter() - start)


def optimiser_subjects(model: HeadModel, problems: list[str], stack: ExitStack) -> list[Subject]:
    """`pixel3dmm` by both its optimisers, each time on a frame of the clip as a single picture.

    Args: as for `our_subjects`.
    """
    estimator = choose_normals(None).load()
    try:
        from engine.fitting.reconstructor import OptimisingReconstructor  # torch is an extra
        from engine.fitting.settings import FitSettings
    except ImportError as error:
        problems.append(f"pixel3dmm: {error}; install n2fnet[train]")
        return []
    if estimator is None:
        problems.append("pixel3dmm: no normal network is shipped")
        return []
    frame = _frames(asset_path(CLIP))[0]
    subjects = []
    for name, settings in (
        ("pixel3dmm-gn", FitSettings(optimizer="gn")),
        ("pixel3dmm", FitSettings()),
    ):
        fitter = OptimisingReconstructor(
            model, normals=estimator, settings=settings, tracking=False
        )
        stack.callback(fitter.close)
        run = simple(partial(fitter.run, frame))
        subjects.append(Subject(name, "pipeline", "torch, cpu", 1, run, least_runs=1, warm_up=1))
    return subjects


def peer_subjects(folder: Path, problems: list[str]) -> list[Subject]:
    """The peers' networks in torch and in ONNX Runtime, one picture at a time.

    Args:
        folder: for their graphs.
        problems: what cannot run is told here.
    """
    try:
        from engine.peers.timed_network import TIMED, torch_run  # torch is an extra
    except ImportError as error:
        problems.append(f"the peers' networks: {error}; install n2fnet[train]")
        return []
    subjects = []
    for name in TIMED:
        path = folder / f"{name}.onnx"
        try:
            _write_graph(name, path)
            session, cost = OnnxSession(path, threads=THREADS), multiply_adds(path)
        except EngineError as error:
            problems.append(f"{name} in ONNX Runtime: {error}")
            session, cost = None, None
        run = simple(torch_run(name, THREADS))
        subjects.append(Subject(name, "peer", "torch, cpu", THREADS, run, RANDOM, cost))
        if session is not None:
            subjects.append(_network(name, "peer", session, RANDOM, cost))
    return subjects


def _write_graph(name: str, path: Path) -> None:
    from engine.peers.architectures import random_network
    from engine.peers.export import export_network

    export_network(random_network(name), name, path)


def _frames(clip: Path) -> list[Frame]:
    source = VideoSource(clip)
    try:
        return list(iter(source.read, None))
    finally:
        source.close()


def _endless(frames: list[Frame]) -> Iterator[Frame]:
    """Forth and back: a jump to the start would be a cut."""
    number = 0
    step_ns = frames[1].t_ns - frames[0].t_ns
    while True:
        for k in (*range(len(frames)), *range(len(frames) - 2, 0, -1)):
            yield Frame(frames[k].image, index=number, t_ns=number * step_ns)
            number += 1


def _pipeline(model: HeadModel, method: str, frames: list[Frame], stack: ExitStack) -> Subject:
    """As the window runs it: a video is followed, every frame is used."""
    estimator = choose_normals(None).load() if METHODS[method].needs_normals else None
    reconstructor = Reconstructor(model, method=method, normals=estimator)
    stack.callback(reconstructor.close)
    film = _endless(frames)

    def run() -> dict[str, float]:
        frame = next(film)
        start = time.perf_counter_ns()
        found = reconstructor.run(frame)
        whole = (time.perf_counter_ns() - start) * 1e-6
        parts = {} if found is None else {_STAGES[s]: ms for s, ms in found.stage_ms.items()}
        parts["landmarks and comparison"] = whole - sum(parts.values())
        return parts | {WHOLE: whole}

    provider = estimator.provider if estimator is not None else "cpu"
    return Subject(method, "pipeline", f"ONNX Runtime, {provider}", THREADS, run)


def _mediapipe(frames: list[Frame], stack: ExitStack) -> Subject:
    graph = face_mesh(1, 0.5, tracking=True)
    stack.callback(graph.close)
    film = _endless(frames)
    run = simple(lambda: graph.process(next(film).image))
    return Subject("mediapipe", "pipeline", "MediaPipe", 1, run, "its face mesh alone, tracking")


def _networks(methods: tuple[str, ...], problems: list[str]) -> list[Subject]:
    """Those of the methods, each once, on zeros."""
    paths = {network_path(METHODS[name], None) for name in methods} - {None}
    normals = choose_normals(None).path
    if any(METHODS[name].needs_normals for name in methods):
        paths.add(normals)
    subjects = []
    for path in sorted(filter(None, paths), key=lambda p: p.name, reverse=True):
        try:
            cost: int | None = multiply_adds(path)
        except EngineError as error:
            problems.append(f"multiply-adds of {path.name}: {error}")
            cost = None
        threads = THREADS if path == normals else N2FNET_THREADS
        session = OnnxSession(path, threads=threads, provider="auto")
        subjects.append(_network(path.stem, "network", session, "", cost, threads))
    return subjects


def _network(
    name: str,
    group: str,
    session: OnnxSession,
    note: str,
    cost: int | None,
    threads: int = THREADS,
) -> Subject:
    zeros = {
        info.name: np.zeros([n or 1 for n in info.shape], info.dtype)
        for info in session.inputs.values()
    }
    run: Callable[[], dict[str, float]] = simple(lambda: session.run(zeros))
    return Subject(name, group, f"ONNX Runtime, {session.provider}", threads, run, note, cost)
