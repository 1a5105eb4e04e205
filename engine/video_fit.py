"""Fits every frame of a source and keeps what is written of it: parameters, film, best frame."""

from collections import defaultdict
from collections.abc import Callable, Generator, Iterator
from contextlib import ExitStack, closing
from dataclasses import dataclass, field
from itertools import islice, takewhile
from pathlib import Path
from typing import Protocol, runtime_checkable

import numpy as np

from engine.ahead import ahead
from engine.flame.model import HeadModel
from engine.io.recorder import VideoRecorder
from engine.io.results import FitSequence
from engine.io.source import Source
from engine.pipeline import FoundFrame, SeenFrame
from engine.render.overlay import OverlayPainter
from engine.render.trust_mark import marked
from engine.types import Frame, Reconstruction

__all__ = ["ClipFitter", "FittedVideo", "Fitter", "fit_video"]

MAX_FRAMES_WITH_VERTICES = 2000
"""Longer videos keep parameters only (vertices follow from them): they would take over 120 MB."""


class Fitter(Protocol):
    """What is needed of a `Reconstructor`."""

    @property
    def n_seen(self) -> int:
        """Faces in the last frame, of which fewer may have been fitted."""
        ...

    def run_all(self, frame: Frame) -> list[Reconstruction]: ...
    def use(self, method: str) -> None: ...
    def reset(self) -> None: ...
    def close(self) -> None: ...


@runtime_checkable
class FitsInSteps(Protocol):
    """A fitter whose steps may each have a thread of its own."""

    def find(self, frame: Frame, /) -> FoundFrame: ...
    def look(self, found: FoundFrame, /) -> SeenFrame: ...
    def fit_seen(self, seen: SeenFrame, /) -> list[Reconstruction]: ...


@runtime_checkable
class ClipFitter(Protocol):
    """A `Fitter` that may change what it said of a video's frames when it has seen more of them."""

    @property
    def settles(self) -> bool:
        """Whether it does."""
        ...

    def run_clip(
        self, frames: Iterator[Frame], on_frame: Callable[[int], None]
    ) -> Iterator[list[Reconstruction]]:
        """The faces of each frame in turn, as late as need be; on_frame: number of frames seen."""
        ...


@dataclass(slots=True)
class FittedVideo:
    """What came of a video; grows while it is fitted."""

    model: HeadModel
    with_vertices: bool
    sequences: dict[int, FitSequence] = field(default_factory=dict)  # by face, largest first seen
    times: list[tuple[int, int]] = field(default_factory=list)  # frame index, t_ns of each frame
    qualities: list[float] = field(default_factory=list)  # of the first face, where there is one
    best: tuple[Frame, list[Reconstruction]] | None = None  # where the first face is fitted best
    best_fits: dict[int, Reconstruction] = field(default_factory=dict)  # by face, as `sequences`
    stages: dict[str, list[float]] = field(default_factory=lambda: defaultdict(list))

    @property
    def n_frames(self) -> int:
        return len(self.times)

    @property
    def n_found(self) -> int:
        """Frames with at least one face."""
        return len(self.qualities)

    @property
    def stage_ms(self) -> dict[str, float]:
        """Mean of each stage."""
        return {stage: float(np.mean(values)) for stage, values in self.stages.items()}

    def add(self, frame: Frame, fits: list[Reconstruction], *, by_id: bool) -> None:
        """by_id: faces keep apart by their id; else the first of every frame is the one face."""
        by_face = {fit.crop.face_id: fit for fit in fits} if by_id else dict(enumerate(fits[:1]))
        for face, fit in by_face.items():
            if face not in self.sequences:
                self.sequences[face] = self._absent_so_far()
            if face not in self.best_fits or fit.quality > self.best_fits[face].quality:
                self.best_fits[face] = fit
        self.times.append((frame.index, frame.t_ns))
        for face, sequence in self.sequences.items():
            sequence.add(frame.index, frame.t_ns, by_face.get(face))
        if not fits:
            return
        self.qualities.append(fits[0].quality)
        if self.best is None or fits[0].quality > self.best[1][0].quality:
            self.best = (frame, fits)
        for stage, ms in fits[0].stage_ms.items():
            self.stages[stage].append(ms)

    def _absent_so_far(self) -> FitSequence:
        sequence = FitSequence(self.model, with_vertices=self.with_vertices)
        for index, t_ns in self.times:
            sequence.add(index, t_ns, None)
        return sequence


def fit_video(
    source: Source,
    fitter: Fitter,
    model: HeadModel,
    *,
    by_id: bool = False,
    painter: OverlayPainter | None = None,
    recording: Path | None = None,
    max_frames: int | None = None,
    on_frame: Callable[[int], None] = lambda n: None,
    again: Callable[[], Source] | None = None,
    stopped: Callable[[], bool] = lambda: False,
) -> FittedVideo:
    """Fit a source to its end.

    Where the fitter works in steps, frames are read and faces found in them on a thread of its own,
    and looked at on another, while earlier frames are fitted; what comes out is the same.

    Args:
        source: read and closed here.
        by_id: tell several faces apart by their id.
        painter, recording: both given: the overlay of each frame goes into this MP4; a doubtful
            one is framed in amber.
        max_frames: stop after so many.
        on_frame: called with the number of frames done.
        again: opens the source once more, for a `ClipFitter`, which gives its fits when their
            pictures are gone; None: each frame is fitted by itself.
        stopped: asked before each frame; True: the source ends there.
    Raises: CaptureError: if the source fails. OutputError: if the recording cannot be written.
    """
    short = source.n_frames is None or source.n_frames <= MAX_FRAMES_WITH_VERTICES
    fitted = FittedVideo(model, with_vertices=short)
    fitter.reset()
    with ExitStack() as stack:
        stack.callback(source.close)
        recorder: VideoRecorder | None = None
        frames = _frames(source, max_frames, stopped)
        if again is not None and isinstance(fitter, ClipFitter) and fitter.settles:
            pictures = again()
            stack.callback(pictures.close)
            pairs = _pairs(_frames(pictures, max_frames), fitter.run_clip(frames, on_frame))
        else:
            pairs = _fitted_frames(frames, fitter, on_frame)
        for frame, fits in stack.enter_context(closing(pairs)):
            fitted.add(frame, fits, by_id=by_id)
            if painter is not None and recording is not None:
                picture = marked(painter.paint(frame.image, fits), fits)
                if recorder is None:
                    height, width = picture.shape[:2]
                    recorder = stack.enter_context(VideoRecorder(recording, width, height))
                recorder.write(picture, frame.t_ns)
    return fitted


Frames = Generator[Frame, None, None]
Pairs = Generator[tuple[Frame, list[Reconstruction]], None, None]


def _pairs(frames: Frames, settled: Iterator[list[Reconstruction]]) -> Pairs:
    """The fits of a `ClipFitter` with their pictures, which are read once more."""
    with closing(frames):
        yield from zip(frames, settled, strict=False)  # the first ones, where it was stopped


def _fitted_frames(frames: Frames, fitter: Fitter, on_frame: Callable[[int], None]) -> Pairs:
    """Each frame with its fits, in order."""
    with closing(_fits(frames, fitter)) as pairs:
        for number, pair in enumerate(pairs, start=1):
            yield pair
            on_frame(number)


def _fits(frames: Frames, fitter: Fitter) -> Pairs:
    if not isinstance(fitter, FitsInSteps):
        with closing(frames):
            for frame in frames:
                yield frame, fitter.run_all(frame)
        return
    with closing(ahead(_seen(ahead(_found(frames, fitter)), fitter))) as seen_frames:
        for seen in seen_frames:
            yield seen.frame, fitter.fit_seen(seen)


# Each step closes the one that it reads from, on the thread that reads.


def _frames(
    source: Source, most: int | None, stopped: Callable[[], bool] = lambda: False
) -> Frames:
    with closing(source):
        yield from takewhile(lambda frame: not stopped(), islice(iter(source.read, None), most))


def _found(frames: Frames, fitter: FitsInSteps) -> Generator[FoundFrame, None, None]:
    with closing(frames):
        for frame in frames:
            yield fitter.find(frame)


def _seen(
    found: Generator[FoundFrame, None, None], fitter: FitsInSteps
) -> Generator[SeenFrame, None, None]:
    with closing(found):
        for frame in found:
            yield fitter.look(frame)
