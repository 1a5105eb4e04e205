"""300-W: photos of faces in the wild, 68 points marked by hand in each.

Folders: lfpw/testset and helen/testset (together "common"), ibug ("challenging"): 689 pictures, the
public test set. Private test set: 01_Indoor and 02_Outdoor of 300 each, alone or in a folder 300W.
Each picture has its points beside it, in a .pts file of the same name.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

from engine.benchmark.suites.data_sets import W300
from engine.benchmark.suites.pts import read_pts
from engine.benchmark.types import Kind, SuiteSettings, Truth
from engine.io.image import IMAGE_SUFFIXES, load_image, natural_key
from engine.types import Frame

__all__ = ["W300Sample", "W300Suite"]

_MIRRORED = "_mirror"  # some copies of the data set hold mirrored pictures for training


@dataclass(frozen=True, slots=True)
class _Part:
    """A folder of the data set."""

    folder: tuple[str, ...]
    group: str
    n_pictures: int


PRESETS = {
    "public": (
        _Part(("lfpw", "testset"), "common", 224),
        _Part(("helen", "testset"), "common", 330),
        _Part(("ibug",), "challenging", 135),
    ),
    "private": (
        _Part(("01_Indoor",), "indoor", 300),
        _Part(("02_Outdoor",), "outdoor", 300),
    ),
}
"""public: 689 pictures; all of them together are what the literature calls full."""

DEFAULT = "public"


@dataclass(frozen=True, slots=True)
class W300Sample:
    """One photo and its points."""

    sample_id: str  # e.g. "helen/testset/296814969_3"
    group: str
    picture: Path
    points: Path

    @property
    def subject(self) -> str:
        return self.sample_id  # the data set does not say who is who

    @property
    def box(self) -> tuple[float, float, float, float]:
        """The box of the marked points: which of several faces is meant."""
        points = read_pts(self.points)
        (left, top), (right, bottom) = points.min(axis=0), points.max(axis=0)
        return float(left), float(top), float(right), float(bottom)

    def load(self) -> Frame:
        loaded = load_image(self.picture, upright=False)
        return Frame(loaded.image, 0, 0, loaded.focal_px)

    def truth(self) -> Truth:
        return Truth(landmarks68_px=read_pts(self.points))


class W300Suite:
    """The pictures of a preset that are there."""

    name = "300w"
    kind: Kind = "landmarks"
    neutral = False
    licence = W300.licence

    def __init__(self, settings: SuiteSettings) -> None:
        """Raises: ValueError: if the preset does not exist."""
        self._preset = settings.preset or DEFAULT
        if self._preset not in PRESETS:
            raise ValueError(
                f"preset {self._preset!r} does not exist; 300w has {', '.join(PRESETS)}"
            )
        self._data = settings.data

    @property
    def title(self) -> str:
        return f"300-W, {self._preset} test set"

    def samples(self) -> Sequence[W300Sample]:
        return self._found[0]

    def problems(self) -> list[str]:
        return list(self._found[1])

    def close(self) -> None:
        """Nothing is held."""

    @cached_property
    def _found(self) -> tuple[tuple[W300Sample, ...], tuple[str, ...]]:
        samples: list[W300Sample] = []
        problems: list[str] = []
        if self._data is None or not self._data.is_dir():
            where = "no folder was named" if self._data is None else f"{self._data} is no folder"
            return (), (W300.missing("300-W is missing: give its folder with --data", where),)
        for part in PRESETS[self._preset]:
            folder = _folder(self._data, part.folder)
            if folder is None:
                name = "/".join(part.folder)
                problems.append(
                    W300.missing(f"{name} with {part.n_pictures} pictures is not in {self._data}")
                )
                continue
            found, wrong = _pairs(folder, part)
            samples += found
            problems += wrong
        return tuple(samples), tuple(problems)


def _pairs(folder: Path, part: _Part) -> tuple[list[W300Sample], list[str]]:
    files = sorted((p for p in folder.iterdir() if p.is_file()), key=lambda p: natural_key(p.name))
    usable = [p for p in files if not p.stem.endswith(_MIRRORED) and not p.name.startswith(".")]
    pictures = {p.stem: p for p in usable if p.suffix.lower() in IMAGE_SUFFIXES}
    points = {p.stem: p for p in usable if p.suffix.lower() == ".pts"}
    name = "/".join(part.folder)
    samples = [
        W300Sample(f"{name}/{stem}", part.group, pictures[stem], points[stem])
        for stem in pictures
        if stem in points
    ]
    problems = [
        f"{name}/{stem} has {have} but no {lack}; copy the folder again"
        for left, right, have, lack in (
            (pictures, points, "a picture", ".pts file"),
            (points, pictures, "a .pts file", "picture"),
        )
        for stem in left
        if stem not in right
    ]
    if not problems and len(samples) != part.n_pictures:
        problems.append(
            W300.missing(
                f"{name} holds {len(samples)} pictures, expected {part.n_pictures}", str(folder)
            )
        )
    return samples, problems


def _folder(data: Path, names: tuple[str, ...]) -> Path | None:
    """A folder below the data set, in any case, in 300W or not."""
    for start in (data, *(p for p in _folders(data) if p.name.lower() in ("300w", "300-w"))):
        here: Path | None = start
        for name in names:
            within = [] if here is None else _folders(here)
            here = next((p for p in within if p.name.lower() == name.lower()), None)
        if here is not None:
            return here
    return None


def _folders(folder: Path) -> list[Path]:
    return sorted(p for p in folder.iterdir() if p.is_dir())
