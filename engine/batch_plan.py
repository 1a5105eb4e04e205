"""Which inputs a batch has and what their outputs are called, decided before any work."""

import hashlib
import json
import tempfile
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from importlib.metadata import version
from pathlib import Path

from engine.errors import CaptureError, OutputError
from engine.files import replacing
from engine.fit_writer import FACE_MARK
from engine.io.image import IMAGE_SUFFIXES, UNREAD_SUFFIXES, natural_key
from engine.io.readable import probing
from engine.io.results import Status
from engine.io.stream import without_password
from engine.io.video import VIDEO_SUFFIXES
from engine.source_factory import is_live_spec, is_video_file

__all__ = [
    "FACE_MARK",
    "Job",
    "Record",
    "check_output_folder",
    "media_in",
    "plan_jobs",
    "program_version",
    "read_record",
    "remove_outputs",
    "write_record",
]


@dataclass(frozen=True, slots=True)
class Job:
    """One input file and the stem of its outputs."""

    path: Path
    is_video: bool
    stem: str
    problem: str | None = None  # why it cannot even be looked at, e.g. an empty folder
    address: str | None = None  # of what is no file, which a path would spoil; no password in it


@dataclass(frozen=True, slots=True)
class Record:
    """What is kept beside the outputs of an input, as STEM.json, so that a batch can go on."""

    input: str  # absolute path; the name of what is no file
    size: int  # bytes; 0 for what is no file, such as a camera
    modified_ns: int  # same
    version: str  # of the program
    settings: dict[str, str | int]  # what the outputs depend on, model_id among them
    exports: tuple[str, ...]  # kinds of output that were asked for
    status: Status
    message: str
    stage_ms: dict[str, float]
    outputs: tuple[str, ...]  # file names in the output folder


def check_output_folder(out: Path, inputs: Iterable[Path | str]) -> None:
    """Make the folder and see that it can be written and holds no input.

    Raises: OutputError.
    """
    try:
        out.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryFile(dir=out):
            pass
    except (OSError, ValueError) as error:  # ValueError: a NUL in the name
        if isinstance(error, FileExistsError) and out.is_file():
            raise OutputError(
                f"{out} is a file, expected a folder; choose another with --out"
            ) from error
        reason = getattr(error, "strerror", None) or str(error)
        raise OutputError(
            f"{out} cannot be written: {reason}; choose another folder with --out"
        ) from error
    for path in inputs:
        if not is_live_spec(str(path)) and _lies_in(Path(path), out):
            raise OutputError(
                f"{out} is where the input {path} lies, which outputs could replace; "
                "choose another folder with --out"
            )


def _lies_in(path: Path, out: Path) -> bool:
    try:
        with probing(path, "check the path"):
            folder = path if path.is_dir() else path.parent
            return folder.resolve() == out.resolve()
    except CaptureError:
        return False  # what is wrong with it is told when its turn comes


def plan_jobs(inputs: Sequence[Path | str], out: Path) -> list[Job]:
    """The files to fit, each once, in the order given; a folder stands for the files in it.

    A stem is the input's own. Where two inputs share it, the later one (or the one that was not
    there in an earlier run into the same folder) gets its folder's name in front, or a hash behind.
    """
    owners: dict[str, Path] = {}
    jobs: list[Job] = []
    for given in inputs:
        path = Path(given)
        try:
            files = _files_of(given)
        except CaptureError as error:
            address = without_password(str(given)) if is_live_spec(str(given)) else None
            jobs.append(Job(path, False, path.name, problem=str(error), address=address))
            continue
        for file, absolute in files:
            if absolute not in owners.values():
                stem = _free_stem(absolute, out, owners)
                owners[stem] = absolute
                jobs.append(Job(file, is_video_file(file), stem))
    return jobs


def _files_of(given: Path | str) -> list[tuple[Path, Path]]:
    """The files that an input stands for, each as it was named and absolute."""
    path = Path(given)
    if is_live_spec(str(given)):
        spec = without_password(str(given))
        raise CaptureError(
            f"this is a live source: use n2f live --source {spec}; n2f fit takes files and folders"
        )
    with probing(path, "check the path and its permissions"):
        files = media_in(path) if path.is_dir() else [path]
        return [(file, file.resolve()) for file in files]


def media_in(folder: Path) -> list[Path]:
    """The pictures and videos in a folder (not below it), 2 before 10.

    Raises: CaptureError: if the folder is missing, unreadable or holds neither.
    """
    try:
        entries = [p for p in folder.iterdir() if p.is_file() and not p.name.startswith(".")]
    except OSError as error:
        raise CaptureError(
            f"{folder} cannot be listed: {error.strerror}; check its permissions"
        ) from error
    suffixes = IMAGE_SUFFIXES | UNREAD_SUFFIXES | VIDEO_SUFFIXES
    known = [p for p in entries if p.suffix.lower() in suffixes]
    if not known:
        raise CaptureError(f"{folder} holds no picture and no video; name a folder that does")
    return sorted(known, key=lambda p: natural_key(p.name))


def _free_stem(absolute: Path, out: Path, owners: dict[str, Path]) -> str:
    plain = absolute.stem.replace(FACE_MARK, "_face")
    if plain == "summary":  # summary.json is the batch's own
        plain = "summary_"
    digest = hashlib.sha256(str(absolute).encode()).hexdigest()[:8]
    for stem in (plain, f"{absolute.parent.name}_{plain}"):
        record = read_record(out, stem)
        if stem not in owners and (record is None or record.input == str(absolute)):
            return stem
    return f"{plain}_{digest}"


def read_record(out: Path, stem: str) -> Record | None:
    """What an earlier run left about an input; None where there is nothing (readable)."""
    try:
        fields = json.loads((out / f"{stem}.json").read_text())
        lists = {key: tuple(fields[key]) for key in ("exports", "outputs")}
        return Record(**{**fields, **lists})
    except (OSError, ValueError, TypeError, KeyError):
        return None


def remove_outputs(out: Path, names: Iterable[str]) -> None:
    """Delete outputs of an earlier run, those that are still there. Raises: OutputError."""
    for name in names:
        path = out / Path(name).name  # whatever a record says, nothing outside the folder
        try:
            path.unlink(missing_ok=True)
        except OSError as error:
            raise OutputError(
                f"{path} is out of date and cannot be deleted: {error.strerror}; delete it yourself"
            ) from error


def program_version() -> str:
    """For Record.version."""
    return version("n2fnet")


def write_record(out: Path, stem: str, record: Record) -> None:
    """Leave word of an input that is done, after its outputs. Raises: OutputError."""
    fields = {name: getattr(record, name) for name in Record.__slots__}
    with replacing(out / f"{stem}.json") as temporary:
        temporary.write_text(json.dumps(fields, indent=1) + "\n")
