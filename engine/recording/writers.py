"""What a take is written by: films of shots, or their parameters alone."""

from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import IO, Any, Final, Protocol

from engine.errors import OutputError
from engine.flame.model import HeadModel
from engine.io.living import mark_living
from engine.io.recorder import RecordingError, VideoRecorder, partial_path
from engine.io.results import FitSequence, csv_text, save_sequence_npz, write_csv
from engine.recording.clock import TakeClock
from engine.recording.files import free_path
from engine.recording.pictures import ShotPainter
from engine.recording.shot import Content, Look, Shot

__all__ = ["FilmWriter", "ParameterWriter", "Part", "TakeWriter"]

_MOST_FRAMES: Final = 20_000
"""Of parameters in one file: about 70 MB of memory."""
_ROWS_AT_ONCE: Final = 15
"""Half a second, which is what a killed program may lose of a table."""
_REMEDY: Final = "free some space, or choose another folder"


@dataclass(frozen=True, slots=True)
class Part:
    """One file of a take."""

    path: Path
    n_frames: int
    duration_s: float
    n_bytes: int
    notes: dict[str, Any]  # what else is worth keeping, as JSON has it


class TakeWriter(Protocol):
    """Takes shots in their order, on one thread."""

    @property
    def n_bytes(self) -> int:
        """What there is by now."""
        ...

    @property
    def notice(self) -> str:
        """What a person should know; empty where all is as wanted."""
        ...

    def write(self, shot: Shot) -> None:
        """Raises: OutputError: if it cannot be written; nothing more may be written then."""
        ...

    def close(self) -> list[Part]:
        """Finish. Returns: what there is. Raises: OutputError. Safe to call twice."""
        ...


class FilmWriter:
    """Draws shots and records them; another source or size begins another file."""

    def __init__(
        self,
        path: Path,
        painter: ShotPainter,
        content: Content,
        look: Callable[[], Look],
        **encoding: Any,  # noqa: ANN401  (VideoRecorder's own)
    ) -> None:
        """Args:
        path: of the first file, .mp4 or .mkv; the next ones get "-part2", ... behind.
        painter: closed here.
        look: asked for every shot, so that the film changes as the window does.
        encoding: passed on to `VideoRecorder`.
        """
        self._path, self._painter, self._content, self._look = path, painter, content, look
        self._encoding = encoding
        self._recorder: VideoRecorder | None = None
        self._size, self._source = (0, 0), ""
        self._parts: list[Part] = []
        self._clock = TakeClock()
        self.notice = ""

    @property
    def n_bytes(self) -> int:
        """Of all files so far."""
        present = self._recorder.n_bytes if self._recorder is not None else 0
        return sum(part.n_bytes for part in self._parts) + present

    def write(self, shot: Shot) -> None:
        picture = self._painter.picture(shot, self._content, self._look())
        height, width = picture.shape[:2]
        recorder = self._recorder
        if recorder is None or (self._size, self._source) != ((width, height), shot.source):
            recorder = self._begin(width, height, shot.source)
        try:
            recorder.write(picture, self._clock.at(shot))
        except RecordingError as error:
            self._rescue(recorder)
            raise _stopped(error) from error

    def close(self) -> list[Part]:
        """Finish the last file, and the picture's drawing. Returns: all files."""
        self._painter.close()
        self._end()
        return self._parts

    def _begin(self, width: int, height: int, source: str) -> VideoRecorder:
        self._end()
        number = len(self._parts) + 1
        stem = self._path.stem if number == 1 else f"{self._path.stem}-part{number}"
        path = free_path(self._path.parent, stem, self._path.suffix)
        try:
            self._recorder = recorder = VideoRecorder(path, width, height, **self._encoding)
        except RecordingError as error:
            raise OutputError(f"{path} cannot be written: {error.reason}; {_REMEDY}") from error
        self._size, self._source = (width, height), source
        self.notice = recorder.notice
        return recorder

    def _end(self) -> None:
        if (recorder := self._recorder) is None:
            return
        try:
            recorder.close()
        except RecordingError as error:
            self._rescue(recorder)
            raise _stopped(error) from error
        self._recorder = None
        self.notice = recorder.notice
        self._note(recorder, recorder.path)

    def _rescue(self, recorder: VideoRecorder) -> None:
        """What there is of a file that cannot go on gets a name that people see."""
        self._recorder = None
        partial = partial_path(recorder.path)
        if recorder.n_frames and partial.exists():
            self._note(recorder, _named(partial, recorder.path))

    def _note(self, recorder: VideoRecorder, path: Path) -> None:
        width, height = self._size
        notes = {"source": self._source, "width_px": width, "height_px": height}
        notes |= {"encoder": recorder.encoder.name, "content": str(self._content)}
        size = path.stat().st_size
        self._parts.append(Part(path, recorder.n_frames, recorder.duration_s, size, notes))


def _stopped(error: RecordingError) -> OutputError:
    """As a window tells it, where `Take` says what is kept."""
    return OutputError(f"The film cannot go on: {error.reason}; {_REMEDY}")


class ParameterWriter:
    """Keeps what was fitted and nothing that was seen: shots with a picture are refused.

    While it runs, a table grows beside the file, hidden as an unfinished film is; a killed program
    leaves it.
    """

    def __init__(self, path: Path, model: HeadModel) -> None:
        """path: of the first file, .npz; a .csv lies beside it, and further parts."""
        self._path, self._model = path, model
        self._sequence = FitSequence(model)
        self._fresh = FitSequence(model)  # not in the table yet
        self._clock = TakeClock()
        self._from_ns = self._to_ns = 0  # of the present part, by the clock
        self._source = ""
        self._parts: list[Part] = []
        self._table: IO[str] | None = None
        self._unmark: Callable[[], None] = lambda: None
        self._table_bytes = 0
        self.notice = ""

    @property
    def n_bytes(self) -> int:
        """Of the files so far, the table in progress among them."""
        return sum(part.n_bytes for part in self._parts) + self._table_bytes

    def write(self, shot: Shot) -> None:
        if shot.image is not None:
            raise ValueError("a take of parameters got a picture; call Shot.without_pixels first")
        if len(self._sequence) >= _MOST_FRAMES or shot.source != self._source:
            self._save()
        self._source, self._to_ns = shot.source, self._clock.at(shot)
        if not len(self._sequence):
            self._from_ns = self._to_ns
        face = shot.faces[0] if shot.faces else None
        for sequence in (self._sequence, self._fresh):
            sequence.add(shot.frame_index, self._to_ns - self._from_ns, face)
        if len(self._fresh) >= _ROWS_AT_ONCE:
            self._append()

    def close(self) -> list[Part]:
        self._save()
        return self._parts

    @property
    def _next_path(self) -> Path:
        number = len(self._parts) + 1
        stem = self._path.stem if number == 1 else f"{self._path.stem}-part{number}"
        return self._path.with_name(f"{stem}.npz")

    def _append(self) -> None:
        """Write the rows that are not in the table yet."""
        fresh, self._fresh = self._fresh, FitSequence(self._model)
        partial = partial_path(self._next_path.with_suffix(".csv"))
        text = csv_text(fresh, header=self._table is None)
        try:
            if self._table is None:
                self._table = partial.open("w", encoding="utf-8")
                self._unmark = mark_living(partial)
            self._table.write(text)
            self._table.flush()  # a killed program loses nothing of it
        except OSError as error:
            self._rescue(len(self._sequence) - len(fresh))
            raise OutputError(
                f"The table cannot go on: {error.strerror or error}; {_REMEDY}"
            ) from error
        self._table_bytes += len(text)

    def _rescue(self, n_rows: int) -> None:
        """The rows of a table that cannot go on get a name that people see."""
        self._sequence, self._fresh = FitSequence(self._model), FitSequence(self._model)
        self._close_table()
        path = self._next_path.with_suffix(".csv")
        if n_rows and partial_path(path).exists():
            self._note(_named(partial_path(path), path), n_rows)

    def _close_table(self) -> None:
        table, self._table, self._table_bytes = self._table, None, 0
        if table is not None:
            with suppress(OSError):  # what could not be written before is tried once more
                table.close()
        self._unmark()

    def _save(self) -> None:
        sequence, n_kept = self._sequence, len(self._sequence) - len(self._fresh)
        self._sequence, self._fresh = FitSequence(self._model), FitSequence(self._model)
        if not len(sequence):
            return
        self._close_table()
        path = self._next_path
        table = path.with_suffix(".csv")
        try:
            save_sequence_npz(path, sequence)
        except OutputError:
            self._rescue(n_kept)
            raise
        write_csv(table, sequence)  # over the one that grew, which has the same name till then
        partial_path(table).unlink(missing_ok=True)
        self._note(path, len(sequence), table)

    def _note(self, path: Path, n_frames: int, table: Path | None = None) -> None:
        notes = {"source": self._source, "content": "parameters"}
        size = path.stat().st_size
        if table is not None:
            notes["table"] = table.name
            size += table.stat().st_size
        duration_s = (self._to_ns - self._from_ns) / 1e9
        self._parts.append(Part(path, n_frames, duration_s, size, notes))


def _named(partial: Path, path: Path) -> Path:
    """Give what cannot go on its name. Returns: where it is now."""
    try:
        return partial.replace(path)
    except OSError:
        return partial
