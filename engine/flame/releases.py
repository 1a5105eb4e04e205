"""Which FLAME release a file is, under which licence, and what it may be used for.

The releases share their topology and their layout, and users rename the files, so the strongest
evidence is a known hash; then what the file holds; then what it is called, and then we say so.
"""

from collections.abc import Mapping
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np

from engine.flame.archive import SITE
from engine.flame.pickle_loader import N_SHAPE, FlameFile

__all__ = ["ATTRIBUTION", "Release", "recognise"]

ATTRIBUTION = (
    "FLAME: Tianye Li, Timo Bolkart, Michael J. Black, Hao Li, Javier Romero, "
    '"Learning a model of facial shape and expression from 4D scans", '
    "ACM Transactions on Graphics (SIGGRAPH Asia) 36(6), 2017. https://flame.is.tue.mpg.de"
)

_KNOWN = {
    # Reported alike by several independent projects for the official downloads.
    "efcd14cc4a69f3a3d9af8ded80146b5b6b50df3bd74cf69108213b144eba725b": "2020",
    "8fb1af0db1abb51053ead8fd1f2624a63d01c9602f4a4fb4ea23bd2c82017fa0": "2023",
    "e75a0990728ba038c7da2a420ae4396f7ddd7781366c13026066c5b24f127623": "2023-open",
}
_NAMES = {
    "2016": "FLAME 2016",
    "2019": "FLAME 2019",
    "2020": "FLAME 2020",
    "2023": "FLAME 2023",
    "2023-no-jaw": "FLAME 2023 without jaw joint",
    "2023-open": "FLAME 2023 Open",
    "unknown": "FLAME, release unknown",
}
_RESEARCH = "Max Planck Society FLAME licence, non-commercial"
_RESEARCH_USE = (
    "non-commercial research, education and art only; do not pass the model on; commercial use "
    f"needs a licence from the Max Planck Society. Terms: {SITE}/modellicense.html"
)
_OPEN = "CC-BY-4.0"
_OPEN_USE = "any use, commercial too, if the authors are named: show the attribution"
_LIMITED_REACH = 1e-3
"""Movement by expression behind the ears over that of the face; 2019's stops at the face."""


@dataclass(frozen=True, slots=True)
class Release:
    """What is known of a FLAME file."""

    key: str  # "2020", "2023-open", ...; "unknown"
    name: str
    licence: str
    use: str  # what it may be used for, in plain words
    attribution: str
    recognised_by: str  # "sha256", "contents", "file name" or "nothing"
    notes: tuple[str, ...] = ()

    def to_meta(self) -> dict[str, Any]:
        """For the head model's provenance."""
        return asdict(self) | {"notes": list(self.notes)}

    @classmethod
    def from_meta(cls, meta: Mapping[str, Any]) -> "Release":
        """Back from `to_meta`. Raises: TypeError: if fields are missing or unknown."""
        return cls(**{**meta, "notes": tuple(meta.get("notes", ()))})


def recognise(file: FlameFile) -> Release:
    """The release of a file; where nothing is certain, the strictest licence that fits."""
    if (key := _KNOWN.get(file.pickle_sha256)) is not None:
        return _release(key, "sha256", [])
    notes = _general_notes(file)
    key, by = _from_names(file.source.names), "file name"
    if key in ("generic", "unknown", "2016", "2019", "2020") and _expression_stops_at_face(file):
        key, by = "2019", "contents"
    if key == "generic":
        key, by = "unknown", "nothing"
        notes.append("2016 and 2020 files are called the same, and this one has no known hash")
    if key == "unknown":
        by = "nothing"
    if by != "contents":
        notes.append(_judgement(by))
    if key == "2023-open" and _forbids_commerce(file.source.notice):
        notes.append("its zip holds a non-commercial licence in spite of its name; that one counts")
    elif key == "2023-open":
        notes.append(f"if this really is {_NAMES[key]}, it is {_OPEN}; its hash is not one we know")
    return _release(key, by, notes)


def _release(key: str, by: str, notes: list[str]) -> Release:
    # A name is no evidence for a freer licence.
    licence = _OPEN if (key, by) == ("2023-open", "sha256") else _RESEARCH
    if key == "2023-no-jaw":
        notes = [*notes, "its jaw joint must stay still: opening the mouth is in the expression"]
    return Release(
        key=key,
        name=_NAMES[key],
        licence=licence,
        use=_OPEN_USE if licence == _OPEN else _RESEARCH_USE,
        attribution=ATTRIBUTION,
        recognised_by=by,
        notes=tuple(notes),
    )


def _judgement(by: str) -> str:
    if by == "file name":
        return "release not recognised from contents; judged by file name"
    return "release not recognised from contents or file name; the strictest licence is assumed"


def _general_notes(file: FlameFile) -> list[str]:
    notes = []
    if any(word in file.source.names for word in ("female", "male")):
        notes.append("a model of one sex; the generic one fits everybody")
    if file.exprdirs.shape[2] == 0:
        notes.append(f"no expression: all its components are within the first {N_SHAPE}, identity")
    return notes


def _from_names(names: str) -> str:
    if "2023" in names and "open" in names:
        return "2023-open"
    if "no_jaw" in names or "nojaw" in names:
        return "2023-no-jaw"
    for year in ("2023", "2020", "2019", "2016"):
        if year in names:
            return year
    generic = ("generic_model", "male_model", "flame_neutral", "flame_male", "flame_female")
    return "generic" if any(word in names for word in generic) else "unknown"


def _expression_stops_at_face(file: FlameFile) -> bool:
    """Whether expression leaves the back of the head in its place."""
    if file.exprdirs.shape[2] == 0:
        return False
    moved = np.sqrt((file.exprdirs.astype(np.float64) ** 2).sum(axis=(1, 2)))
    depth = file.v_template[:, 2]
    low, high = np.quantile(depth, [0.15, 0.85])
    back, front = moved[depth <= low].max(), moved[depth >= high].max()
    return bool(front > 0.0 and back < _LIMITED_REACH * front)


def _forbids_commerce(notice: str) -> bool:
    text = notice.lower().replace("-", "").replace(" ", "")
    return "noncommercial" in text and "licenses/by/4.0" not in text
