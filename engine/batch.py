"""Fits many pictures and videos into a folder: goes on after a failure, and where it stopped."""

import logging
from collections.abc import Callable, Iterable
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Protocol, runtime_checkable

import numpy as np

from engine.batch_plan import (
    Job,
    Record,
    program_version,
    read_record,
    remove_outputs,
    write_record,
)
from engine.errors import CaptureError, EngineError, cause_of
from engine.fit_writer import FitWriter, face_stem
from engine.flame.model import HeadModel
from engine.io.image import load_image
from engine.io.results import Status, SummaryRow
from engine.io.video import VideoSource
from engine.types import LOW_QUALITY, WRONG_NORMALS_DEG, Frame
from engine.video_fit import FittedVideo, Fitter, fit_video

__all__ = ["Batch", "BatchSettings", "Outcome", "judge_video"]

logger = logging.getLogger(__name__)

_MOST_FACES = 8
"""--faces takes no more."""
_MOST_FRAMES = 0.5
"""A video with a face in fewer of its frames than this is called low."""
_CUT_SHORT = "stopped early: the best until then is written; the same command does it anew"
_SMALLEST_FACE_PX = 60
"""Smaller faces are hardly ever found."""


@dataclass(frozen=True, slots=True)
class BatchSettings:
    """How a batch is fitted and what it writes."""

    out: Path  # existing folder
    method: str
    n_faces: int  # most faces in a picture
    exports: tuple[str, ...]  # some of EXPORTS
    overwrite: bool  # do inputs again that are done
    normals: str = ""  # which normal network; empty without one
    network: str = ""  # which network of the method; empty without one


@dataclass(frozen=True, slots=True)
class Outcome:
    """What became of one input."""

    row: SummaryRow
    outputs: tuple[str, ...] = ()  # file names in the output folder
    kept: bool = False  # done in an earlier run

    @property
    def failed(self) -> bool:
        """Whether there is no result."""
        return self.row.status in ("error", "no-face")


@runtime_checkable
class WritesCurves(Protocol):
    """A fitter that tells how it got where it is."""

    def write_curve(self, path: Path, face_id: int, /) -> None: ...


class Batch:
    """Does one job at a time; the set-up is paid once. Used by one thread, closed by it."""

    def __init__(
        self,
        model: HeadModel,
        settings: BatchSettings,
        make_fitter: Callable[[bool], Fitter],
    ) -> None:
        """make_fitter: called with True for videos (tracking), False for pictures, when needed."""
        self._model = model
        self._settings = settings
        self._make_fitter = make_fitter
        self._fitters: dict[bool, Fitter] = {}
        self._writer = FitWriter(model, settings.out, settings.exports)

    def run(
        self,
        job: Job,
        on_frame: Callable[[int], None] = lambda n: None,
        stopped: Callable[[], bool] = lambda: False,
    ) -> Outcome:
        """Fit one input and write its outputs. Failures are outcomes, not exceptions.

        Args:
            on_frame: called with the number of frames done.
            stopped: whether to make do with what there is by now; it is written, but not taken for
                done: the next run does that input again.
        """
        try:
            return self._run(job, on_frame, stopped)
        except EngineError as error:
            return _outcome(job, "error", str(error))
        except MemoryError:
            return _outcome(job, "error", f"{job.path} is too large for the memory here; scale it")
        except Exception as error:  # one input's trouble must not stop the others
            logger.debug("%s", job.path, exc_info=True)
            self._fitters.clear()  # in what state they are nobody knows: the next ones are new
            message = f"{job.path} cannot be fitted: {cause_of(error)}"
            return _outcome(job, "error", f"{message}; leave it out, or see why with n2f --verbose")

    def _run(
        self, job: Job, on_frame: Callable[[int], None], stopped: Callable[[], bool]
    ) -> Outcome:
        if job.problem is not None:
            raise CaptureError(job.problem)
        try:
            stat = job.path.stat()
        except OSError as error:
            raise CaptureError(
                f"{job.path} cannot be opened: {error.strerror}; check the path"
            ) from error
        identity = (str(job.path.resolve()), stat.st_size, stat.st_mtime_ns)
        if (kept := self._kept(job, identity)) is not None:
            return kept
        if job.is_video:
            outcome = self._fit_video(job, on_frame, stopped)
        else:
            outcome = self._fit_picture(job)
            on_frame(1)
        if stopped():
            message = "; ".join(filter(None, (outcome.row.message, _CUT_SHORT)))
            return replace(outcome, row=replace(outcome.row, message=message))
        self._note(job, identity, outcome)
        return outcome

    def _note(self, job: Job, identity: tuple[str, int, int], outcome: Outcome) -> None:
        """Leave the record; with overwrite, nothing that an earlier run wrote stays beside it."""
        settings, earlier = self._settings, read_record(self._settings.out, job.stem)
        former = [n for n in earlier.outputs if n not in outcome.outputs] if earlier else []
        if settings.overwrite:
            remove_outputs(settings.out, former)
            former = []
        row = outcome.row
        record = Record(
            *identity,
            version=program_version(),
            settings=self._identity_settings(),
            exports=settings.exports,
            status=row.status,
            message=row.message,
            stage_ms=dict(row.stage_ms),
            # Without overwrite, what was asked for before is of the same input and settings.
            outputs=(*outcome.outputs, *(n for n in former if (settings.out / n).exists())),
        )
        write_record(settings.out, job.stem, record)

    def _identity_settings(self) -> dict[str, str | int]:
        """What the numbers in the outputs depend on."""
        settings = self._settings
        identity: dict[str, str | int] = {
            "method": settings.method,
            "model_id": self._model.model_id,
            "faces": settings.n_faces,
        }
        networks = {"normals": settings.normals, "network": settings.network}
        return identity | {name: value for name, value in networks.items() if value}

    def _kept(self, job: Job, identity: tuple[str, int, int]) -> Outcome | None:
        """The outcome of an earlier run, if it still holds; None: there is work to do."""
        out, record = self._settings.out, read_record(self._settings.out, job.stem)
        if record is None or self._settings.overwrite:
            return None
        same_file = (record.input, record.size, record.modified_ns) == identity
        if not same_file or record.settings != self._identity_settings():
            why = "other settings" if same_file else "an older version of this input"
            raise CaptureError(
                f"{out / job.stem}.npz is there already, from {why}; "
                "give --overwrite to replace it, or another folder with --out"
            )
        complete = set(self._settings.exports) <= set(record.exports)
        if not complete or not all((out / name).exists() for name in record.outputs):
            return None
        return _outcome(
            job, record.status, record.message, record.stage_ms, record.outputs, kept=True
        )

    def _fit_picture(self, job: Job) -> Outcome:
        loaded = load_image(job.path)
        frame = Frame(loaded.image, index=0, t_ns=0, focal_px=loaded.focal_px)
        fitter = self._fitter(tracking=False)
        fitter.reset()
        fits = fitter.run_all(frame)
        if not fits:
            height, width = frame.image.shape[:2]
            return _outcome(job, "no-face", _no_face_message("this picture", (width, height)))
        outputs = self._writer.write_picture(job.stem, frame, fits)
        outputs += self._write_curves(job.stem, fitter, [fit.crop.face_id for fit in fits])
        status, message = _judge(fits[0].quality, fits[0].normal_residual_deg)
        faces = _faces_message(len(fits), fitter.n_seen)
        message = "; ".join(filter(None, (faces, message)))
        return _outcome(job, status, message, fits[0].stage_ms, outputs)

    def _fit_video(
        self, job: Job, on_frame: Callable[[int], None], stopped: Callable[[], bool]
    ) -> Outcome:
        film = self._writer.film_path(job.stem)
        painter = self._writer.painter if film is not None else None
        source = VideoSource(job.path)
        fitted = fit_video(
            source,
            self._fitter(tracking=True),
            self._model,
            by_id=self._settings.n_faces > 1,
            painter=painter,
            recording=film,
            on_frame=on_frame,
            again=lambda: VideoSource(job.path),
            stopped=stopped,
        )
        films = (film.name,) if film is not None and fitted.n_frames else ()
        if fitted.best is None:
            message = _no_face_message(f"any of {fitted.n_frames} frames")
            return _outcome(job, "no-face", message, fitted.stage_ms, films)
        outputs = (*films, *self._writer.write_video(job.stem, fitted))
        outputs += self._write_curves(job.stem, self._fitter(tracking=True), fitted.sequences)
        status, message = judge_video(fitted, source.problem)
        return _outcome(job, status, message, fitted.stage_ms, outputs)

    def _write_curves(self, stem: str, fitter: Fitter, faces: Iterable[int]) -> tuple[str, ...]:
        """STEM.curve.csv of each face, where the fitter has one."""
        if not isinstance(fitter, WritesCurves):
            return ()
        names = []
        for number, face in enumerate(faces, start=1):
            names.append(f"{face_stem(stem, number)}.curve.csv")
            fitter.write_curve(self._settings.out / names[-1], face)
        return tuple(names)

    def _fitter(self, *, tracking: bool) -> Fitter:
        if tracking not in self._fitters:
            self._fitters[tracking] = self._make_fitter(tracking)
        return self._fitters[tracking]

    def close(self) -> None:
        """Free what was set up."""
        for fitter in self._fitters.values():
            fitter.close()
        self._fitters.clear()
        self._writer.close()


def _outcome(
    job: Job,
    status: Status,
    message: str,
    stage_ms: dict[str, float] | None = None,
    outputs: tuple[str, ...] = (),
    *,
    kept: bool = False,
) -> Outcome:
    return Outcome(
        SummaryRow(job.address or str(job.path), status, message, stage_ms or {}), outputs, kept
    )


def _no_face_message(where: str, size_px: tuple[int, int] | None = None) -> str:
    """size_px: width and height, if that may be the reason."""
    face = f"use one with a face of at least about {_SMALLEST_FACE_PX} px"
    if size_px is not None and min(size_px) < _SMALLEST_FACE_PX:
        width, height = size_px
        return f"no face found in {where}, which is only {width} x {height} px; {face}"
    return (
        f"no face found in {where}; {face}, well lit, not turned away and not cut by the "
        "picture's edge"
    )


def _faces_message(n_fitted: int, n_seen: int) -> str:
    """Of a picture with several faces; "" where there is one."""
    if n_seen <= n_fitted:
        return f"{n_fitted} faces" if n_fitted > 1 else ""
    fitted = "the largest fitted" if n_fitted == 1 else f"the {n_fitted} largest fitted"
    fits = "fits both" if n_seen == 2 else "fits all of them"
    more = f"; --faces {n_seen} {fits}" if n_seen <= _MOST_FACES else ""
    return f"{n_seen} faces seen, {fitted}{more}"


def _judge(quality: float, residual_deg: float) -> tuple[Status, str]:
    if residual_deg > WRONG_NORMALS_DEG:
        return "low", (
            f"the head's normals are {residual_deg:.0f} degrees off those that the network saw: "
            "check the network's axes and frame (--normals, --checkpoint)"
        )
    if quality >= LOW_QUALITY:
        return "ok", ""
    return "low", f"quality {quality:.2f} of 1: the head may be off; look at its overlay (png)"


def judge_video(fitted: FittedVideo, problem: str | None = None) -> tuple[Status, str]:
    """How a video with at least one face went: status, and a message for people.

    Args:
        problem: what was wrong with the file, None if nothing.
    """
    parts = [f"face in {fitted.n_found} of {fitted.n_frames} frames"]
    if not fitted.with_vertices:
        parts.append("vertices left out of the npz, as they would fill the disk")
    if problem is not None:
        parts.append(problem)
    residuals = [fit.normal_residual_deg for fit in fitted.best_fits.values()]
    status, message = _judge(float(np.median(fitted.qualities)), min(residuals, default=np.nan))
    if fitted.n_found < _MOST_FRAMES * fitted.n_frames:
        status = "low"
    if message:
        parts.append(message)
    return status, "; ".join(parts)
