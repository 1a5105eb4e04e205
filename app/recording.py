"""What the window records and sends: takes, screenshots, the last seconds, receivers; no Qt."""

import importlib
import logging
import os
import queue
import threading
from collections.abc import Callable
from dataclasses import dataclass, replace
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING

from app.told import Told, error_told, take_told
from app.view import State, View
from engine.errors import EngineError, OutputError
from engine.flame.model import HeadModel
from engine.io.image import save_png
from engine.recording.files import free_path, rescue_partials, take_stem
from engine.recording.pictures import ShotPainter
from engine.recording.replay import Replay
from engine.recording.shot import Content, Look, Shot, shot_of
from engine.streaming.sink import SinkState, SinkThread
from engine.streaming.targets import SendTarget
from engine.types import U8

if TYPE_CHECKING:
    from engine.recording.take import Take, TakeState
    from engine.recording.writers import TakeWriter

__all__ = ["RecordingDesk", "TakeSettings", "Told", "default_folder"]

logger = logging.getLogger(__name__)

_FINISHING_S = 60.0
"""So long a film may take to be written to its end: an hour of it is copied once more."""
_FEW_PROCESSORS = 4
_LATER = (
    "engine.head_exports",
    "engine.recording.take",
    "engine.recording.writers",
    "engine.streaming.senders",
)
"""Imported while the window is open already: together they take as long as half of it."""
_PRIVATE = "Privacy is on: pictures are not kept. Record, and parameters alone are written."
_NO_HEAD = "The head model is still being loaded; try again in a moment."


@dataclass(frozen=True, slots=True)
class TakeSettings:
    """What the next take is."""

    content: Content = Content.OVERLAY
    suffix: str = ".mp4"  # or ".mkv"
    private: bool = False  # parameters alone; no pixels leave memory


def default_folder() -> Path:
    """Where this user's takes go."""
    import platformdirs

    return platformdirs.user_videos_path() / "n2fnet"


class RecordingDesk:
    """Gets every view on the worker's thread; everything else is asked of it by the window."""

    def __init__(
        self,
        folder: Path | None = None,
        look: Callable[[], Look] = Look,
        clock: Callable[[], datetime] = datetime.now,
    ) -> None:
        """Args:
        folder: for takes and pictures, asked for now; None: as stored, or the user's videos.
        look: how heads are drawn now; asked on other threads.
        clock: what takes are named by.
        """
        self.folder = folder or default_folder()
        self._is_asked_for = folder is not None
        self.settings = TakeSettings()
        self.look = look
        self._clock = clock
        self._changed = threading.Lock()
        self._model: HeadModel | None = None
        self._take: Take | None = None
        self._shot: Shot | None = None
        self._replay: Replay | None = None
        self._packer: SinkThread | None = None  # packs shots into the replay
        self._sinks: dict[SendTarget, SinkThread] = {}
        self._jobs: list[threading.Thread] = []
        self._closing = threading.Event()
        self._told: queue.SimpleQueue[Told] = queue.SimpleQueue()

    def equip(self, model: HeadModel) -> None:
        """The head model is loaded: heads can be drawn, and takes begin. On any thread."""
        for name in _LATER:
            importlib.import_module(name)
        self._model = model
        if rescued := rescue_partials(self.folder):
            names = ", ".join(path.name for path in rescued)
            self._told.put(Told(f"Recovered from the last time: {names} in {self.folder}"))

    def on_view(self, view: View) -> None:
        """Record and send what a view shows, if anything asks for it."""
        frame = view.frame
        if view.state not in (State.PLAYING, State.ENDED) or frame is None:
            return
        shot = shot_of(view.source, frame, view.faces, view.place)
        with self._changed:
            before, self._shot = self._shot, shot
            if view.state is State.ENDED or view.again:
                return  # the same one once more, perhaps fitted anew
            if before is not None and before.image is frame.image:
                return
            private, take = self.settings.private, self._take
            sinks = [*self._sinks.values(), *([self._packer] if self._packer else [])]
        unseen = shot.without_pixels() if private else shot
        if take is not None:
            take.submit(unseen, wait=view.stats.age_ms is None)  # files can wait
        for sink in sinks:
            sink.submit(unseen)

    @property
    def take(self) -> "TakeState | None":
        """The take in progress; None while there is none."""
        take = self._take
        return take.state if take is not None else None

    @property
    def sinks(self) -> dict[SendTarget, SinkState]:
        """Where is sent to, and how it goes."""
        with self._changed:
            return {target: sink.state for target, sink in self._sinks.items()}

    @property
    def replay_seconds(self) -> float | None:
        """How much of the last seconds is at hand; None: they are not kept."""
        replay = self._replay
        return replay.seconds if replay is not None else None

    def news(self) -> list[Told]:
        """What there is to tell since the last time; ends a take that broke off."""
        take = self._take
        if take is not None and take.state.ended:
            self.stop()
        told = []
        while not self._told.empty():
            told.append(self._told.get())
        return told

    def set_folder(self, folder: Path | str) -> None:
        """Takes and pictures go there from now on."""
        self.folder, self._is_asked_for = Path(folder), False

    def set_stored_folder(self, folder: str) -> None:
        """What a person chose another time, empty: the usual one; what is asked for now goes
        before."""
        if not self._is_asked_for:
            self.folder = Path(folder) if folder else default_folder()

    def set_settings(self, **changes: object) -> None:
        """Change fields of `settings`; a take in progress ends where its content changes."""
        before, changed = self.settings, replace(self.settings, **changes)
        if changed == before:
            return
        if self._take is not None:
            self.stop()
        with self._changed:
            self.settings = changed
        if changed.private and not before.private:
            self._forget_pictures()

    def toggle(self) -> None:
        """Start a take, or stop the one in progress."""
        if self._take is None:
            self.start()
        else:
            self.stop()

    def start(self) -> bool:
        """Begin a take. Returns: whether it did; if not, `news` says why."""
        model, settings = self._model, self.settings
        if model is None:
            self._told.put(Told(_NO_HEAD, is_problem=True))
            return False
        from engine.recording.take import Take

        try:
            stem = take_stem(self._clock())
            suffix = ".npz" if settings.private else settings.suffix
            path = free_path(self.folder, stem, suffix)
        except OutputError as error:
            self._told.put(error_told(error))
            return False
        take = Take(self._writer(path, model, settings, live=True), path.with_suffix(".json"))
        with self._changed:
            self._take = take
        return True

    def stop(self) -> None:
        """End the take; it is finished in the background, and `news` tells where it is."""
        with self._changed:
            take, self._take = self._take, None
        if take is not None:
            self._run(lambda: self._told.put(take_told(take.stop(_FINISHING_S))), "The recording")

    def screenshot(self, content: Content | None = None) -> None:
        """Write the present frame as PNG, on a thread of its own; an avatar with alpha.

        Args:
            content: None: what is recorded.
        """
        model, shot, content = self._model, self._shot, content or self.settings.content
        if not self._may_keep_pictures():
            return
        if model is None or shot is None:
            self._told.put(Told("There is no picture yet.", is_problem=True))
            return

        def paint() -> U8:
            with ShotPainter(model) as painter:
                if content is Content.AVATAR:
                    return painter.cutout(shot, self.look())
                return painter.picture(shot, content, self.look())

        self._run(lambda: self._save(paint()), "The picture")

    def save_picture(self, picture: U8) -> None:
        """Write a picture, RGB or RGBA, as PNG, on a thread of its own."""
        if self._may_keep_pictures():
            self._run(lambda: self._save(picture), "The picture")

    def keep_replay(self, on: bool) -> None:
        """Keep the last seconds at hand, or stop doing so and forget them."""
        on = on and not self.settings.private
        with self._changed:
            packer, replay = self._packer, self._replay
            if on == (packer is not None):
                return
            self._replay = replay = Replay() if on else None
            self._packer = SinkThread("replay", lambda: _Packer(replay)) if replay else None
        if packer is not None:
            self._run(packer.close, "Keeping the last seconds")

    def save_replay(self) -> None:
        """Write the last seconds as a film, on a thread of its own."""
        model, replay = self._model, self._replay
        if not self._may_keep_pictures():
            return
        if model is None or replay is None or replay.seconds == 0.0:
            self.keep_replay(True)
            self._told.put(Told("From now on the last ten seconds are kept; save them again later"))
            return
        shots, settings = replay.shots(), self.settings

        from engine.recording.take import Take

        def record() -> None:
            path = free_path(self.folder, f"{take_stem(self._clock())}-last", settings.suffix)
            take = Take(self._writer(path, model, settings, live=False), path.with_suffix(".json"))
            for shot in shots:
                take.submit(shot, wait=True)
            self._told.put(take_told(take.stop(_FINISHING_S)))

        self._run(record, "The film")

    def send_to(self, target: SendTarget) -> None:
        """Begin to send; a receiver that is sent to already stays."""
        model = self._model
        if model is None:
            self._told.put(Told(_NO_HEAD, is_problem=True))
            return
        if target.kind == "camera" and self.settings.private:
            self._told.put(Told(_PRIVATE, is_problem=True))
            return
        from engine.head_exports import arkit_solver
        from engine.streaming.senders import make_sink

        with self._changed:
            if target not in self._sinks:
                self._sinks[target] = SinkThread(
                    str(target),
                    lambda: make_sink(
                        target, model, lambda: arkit_solver(model), self.look, Content.OVERLAY
                    ),
                )

    def stop_sending(self, target: SendTarget) -> None:
        """Send there no more."""
        with self._changed:
            sink = self._sinks.pop(target, None)
        if sink is not None:
            self._run(sink.close, "Sending")

    def test_channels(self, target: SendTarget) -> None:
        """Move every channel of a receiver in turn; the face is not sent there meanwhile."""
        from engine.streaming.senders import send_pattern

        was_sent_to = target in self._sinks
        self.stop_sending(target)

        def test() -> None:
            send_pattern(
                target, lambda name: self._told.put(Told(f"{target}: {name}")), self._closing.wait
            )
            if was_sent_to and not self._closing.is_set():
                self.send_to(target)

        self._run(test, "The test")

    def close(self) -> bool:
        """Finish everything. Returns: False if something hangs."""
        self._closing.set()
        self.stop()
        self.keep_replay(False)
        for target in list(self._sinks):
            self.stop_sending(target)
        for job in self._jobs:
            job.join(_FINISHING_S)
        return not any(job.is_alive() for job in self._jobs)

    def _writer(
        self, path: Path, model: HeadModel, settings: TakeSettings, *, live: bool
    ) -> "Callable[[], TakeWriter]":
        from engine.recording.writers import FilmWriter, ParameterWriter

        if settings.private:
            return lambda: ParameterWriter(path, model)
        # On few processors the encoder must leave time to fit heads: files get larger.
        few = live and (os.cpu_count() or 1) <= _FEW_PROCESSORS
        preset = "ultrafast" if few else "veryfast"
        return lambda: FilmWriter(
            path, ShotPainter(model, live=live), settings.content, self.look, preset=preset
        )

    def _may_keep_pictures(self) -> bool:
        if self.settings.private:
            self._told.put(Told(_PRIVATE, is_problem=True))
        return not self.settings.private

    def _forget_pictures(self) -> None:
        """Privacy was turned on: nothing that was seen before stays at hand either."""
        self.keep_replay(False)
        for target in [target for target in self._sinks if target.kind == "camera"]:
            self.stop_sending(target)

    def _save(self, picture: U8) -> None:
        path = free_path(self.folder, take_stem(self._clock()), ".png")
        save_png(path, picture)
        self._told.put(Told(f"Saved {path}"))

    def _run(self, act: Callable[[], object], what: str) -> None:
        def job() -> None:
            try:
                act()
            except EngineError as error:
                self._told.put(error_told(error))
            except Exception as error:  # a thread's errors must reach the window
                logger.exception("%s failed", what)
                self._told.put(Told(f"{what} failed: {error}; try again", is_problem=True))

        self._jobs = [job for job in self._jobs if job.is_alive()]
        self._jobs.append(threading.Thread(target=job, name="n2f-picture", daemon=True))
        self._jobs[-1].start()


class _Packer:
    """Puts shots into a replay; a sink, so that packing costs the worker no time."""

    def __init__(self, replay: Replay) -> None:
        self._replay = replay

    def send(self, shot: Shot) -> bool:
        self._replay.add(shot)
        return True

    def close(self) -> None:
        """Nothing is open."""
