"""NoW: iPhone photos of people whose neutral faces were scanned.

DATA holds imagepathsvalidation.txt or imagepathstest.txt (a line: SUBJECT/CHALLENGE/PICTURE, longer
paths allowed), NoW_Dataset/final_release_version with iphone_pictures and detected_face, and, for
validation, scans/SUBJECT/*.obj (mm) and scans_lmks_onlypp/SUBJECT/*.pp. The scans of the test set
are not public: its samples have no truth.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property, lru_cache
from pathlib import Path

from engine.benchmark.suites.data_sets import NOW
from engine.benchmark.suites.now_files import read_box, read_picked_points
from engine.benchmark.types import Kind, SuiteSettings, Truth, TruthMesh
from engine.errors import AssetError
from engine.io.image import load_image
from engine.io.mesh_import import read_obj
from engine.types import Frame

__all__ = ["NowSample", "NowSuite"]

PRESETS = {
    "validation": ("imagepathsvalidation.txt", 352),
    "test": ("imagepathstest.txt", 1702),
}
"""The list of pictures, and how many it has as published."""

DEFAULT = "validation"
_MM = 1e-3
_RELEASE = ("NoW_Dataset", "final_release_version")


@dataclass(frozen=True, slots=True)
class NowSample:
    """One photo; the scan is its subject's."""

    subject: str
    group: str  # multiview_neutral, multiview_expressions, multiview_occlusions, selfie
    picture: Path
    box_file: Path
    scan: Path | None
    landmarks: Path | None

    @property
    def sample_id(self) -> str:
        return f"{self.subject}/{self.group}/{self.picture.stem}"

    @property
    def box(self) -> tuple[float, float, float, float]:
        return read_box(self.box_file)

    def load(self) -> Frame:
        loaded = load_image(self.picture, upright=False)
        return Frame(loaded.image, 0, 0, loaded.focal_px)

    def truth(self) -> Truth:
        if self.scan is None or self.landmarks is None:
            return Truth()
        return Truth(mesh=_scan(self.scan, self.landmarks))


@lru_cache(maxsize=2)  # a subject's pictures follow each other
def _scan(path: Path, landmarks: Path) -> TruthMesh:
    vertices, faces = read_obj(path)
    if not len(faces):
        raise AssetError(f"scan {path} has no faces; copy it again")
    points = read_picked_points(landmarks)
    return TruthMesh(_MM * vertices, faces, {}, landmarks7=_MM * points)


class NowSuite:
    """The pictures of a preset's list that are there."""

    name = "now"
    kind: Kind = "now"
    neutral = True
    licence = NOW.licence

    def __init__(self, settings: SuiteSettings) -> None:
        """Raises: ValueError: if the preset does not exist."""
        self._preset = settings.preset or DEFAULT
        if self._preset not in PRESETS:
            raise ValueError(
                f"preset {self._preset!r} does not exist; now has {', '.join(PRESETS)}"
            )
        self._data = settings.data

    @property
    def title(self) -> str:
        return f"NoW, {self._preset} set"

    def samples(self) -> Sequence[NowSample]:
        return self._found[0]

    def problems(self) -> list[str]:
        return list(self._found[1])

    def close(self) -> None:
        """Nothing is held."""

    @cached_property
    def _found(self) -> tuple[tuple[NowSample, ...], tuple[str, ...]]:
        if self._data is None or not self._data.is_dir():
            where = "no folder was named" if self._data is None else f"{self._data} is no folder"
            return (), (NOW.missing("NoW is missing: give its folder with --data", where),)
        listed, n_published = PRESETS[self._preset]
        try:
            lines = (self._data / listed).read_text(encoding="utf-8").splitlines()
        except (OSError, UnicodeDecodeError):
            return (), (NOW.missing(f"{listed} is missing or unreadable in {self._data}"),)
        return _look_up(
            self._data, [line.strip() for line in lines if line.strip()], n_published, self._preset
        )


def _look_up(
    data: Path, lines: list[str], n_published: int, preset: str
) -> tuple[tuple[NowSample, ...], tuple[str, ...]]:
    samples: list[NowSample] = []
    problems: list[str] = []
    if len(lines) != n_published:
        problems.append(
            NOW.missing(f"the list has {len(lines)} pictures, {n_published} were published")
        )
    release = data.joinpath(*_RELEASE)
    scans: dict[str, tuple[Path | None, Path | None]] = {}
    for line in lines:
        parts = line.replace("\\", "/").split("/")
        if len(parts) < 3:
            problems.append(f"the list names {line!r}, expected SUBJECT/CHALLENGE/PICTURE")
            continue
        subject, challenge, picture = parts[-3:]
        sample, problem = _sample(release, subject, challenge, picture)
        if problem:
            problems.append(problem)
            continue
        if preset == "validation":
            if subject not in scans:
                scans[subject] = _scan_files(data, subject, problems)
            if None in scans[subject]:
                continue
            scan, landmarks = scans[subject]
            sample = NowSample(subject, challenge, sample.picture, sample.box_file, scan, landmarks)
        samples.append(sample)
    return tuple(samples), tuple(problems)


def _sample(release: Path, subject: str, challenge: str, picture: str) -> tuple[NowSample, str]:
    below = Path(subject) / challenge / picture
    photo = release / "iphone_pictures" / below
    box = (release / "detected_face" / below).with_suffix(".npy")
    lacking = next((path for path in (photo, box) if not path.is_file()), None)
    problem = NOW.missing(f"{lacking} is missing") if lacking else ""
    return NowSample(subject, challenge, photo, box, None, None), problem


def _scan_files(data: Path, subject: str, problems: list[str]) -> tuple[Path | None, Path | None]:
    """The scan and its landmarks; what is missing is added to the problems."""
    found: list[Path | None] = []
    for folder, suffix in (("scans", ".obj"), ("scans_lmks_onlypp", ".pp")):
        here = data / folder / subject
        files = sorted(here.glob(f"*{suffix}")) if here.is_dir() else []
        if not files:
            problems.append(NOW.missing(f"{folder}/{subject} has no {suffix} file", str(data)))
        found.append(files[0] if files else None)
    return found[0], found[1]
