"""MakeHuman's heads: adults drawn by macro targets and sliders, as vertices of the base mesh.

Sliders vary by 0.17 of their range: at 0.3 draws look like caricatures.
"""

import gzip
import itertools
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from engine.errors import AssetError
from engine.io.npz_read import UNREADABLE_NPZ, open_npz
from engine.types import F64, I32

__all__ = ["MakeHuman", "draw_people", "load_makehuman"]

_DM = 0.1  # the base mesh is in decimetres
_SLIDER_STD = 0.17
_SIDE_STD = 0.05  # of the difference between left and right sliders
_ASYMMETRY_STD = 0.12
_FOLDERS = (
    "nose",
    "eyes",
    "mouth",
    "chin",
    "cheek",
    "forehead",
    "ears",
    "head",
    "eyebrows",
    "neck",
)
_LEFT_OUT = ("head-trans", "head-age", "neck-trans", "eye-epicanthus")
_UP = ("-incr", "-up", "-out", "-forward", "-convex", "-uncompress", "-r")
_DOWN = ("-decr", "-down", "-in", "-backward", "-concave", "-compress", "-l")
_RACES, _GENDERS, _AGES = ("african", "asian", "caucasian"), ("female", "male"), ("young", "old")


@dataclass(frozen=True, slots=True, eq=False)
class MakeHuman:
    """The base mesh's vertices that a head uses, and what moves them; metres, +y up, +z ahead."""

    vertices: F64  # (N, 3)
    targets: dict[str, F64]  # name -> (N, 3) at full strength
    face_units: dict[str, F64]  # ARKit's names -> (N, 3) at full strength


def load_makehuman(folder: Path, ids: I32) -> MakeHuman:
    """Read the parts of MakeHuman that move the vertices ids (N,) of its base mesh.

    Raises: AssetError: if files are missing, damaged or not of the expected layout.
    """
    base = _base(folder / "base.obj.gz", ids)
    targets = _targets(folder / "targets_head.npz", ids, len(base))
    units = _targets(folder / "faceunits_visemes.npz", ids, len(base))
    if missing := _needed(targets) - set(targets):
        raise AssetError(
            f"{folder / 'targets_head.npz'} lacks {len(missing)} of the targets that adults are "
            f"drawn by, {min(missing)!r} for one; fetch it again"
        )
    arkit = {
        name.removeprefix("faceunits/"): delta
        for name, delta in units.items()
        if name.startswith("faceunits/")
    }
    return MakeHuman(base[ids], targets, arkit)


@contextmanager
def _reading(path: Path) -> Iterator[None]:
    try:
        yield
    except (*UNREADABLE_NPZ, IndexError) as error:
        raise AssetError(
            f"{path} is not a readable part of MakeHuman's head ({error}); fetch it again"
        ) from error


def _base(path: Path, ids: I32) -> F64:
    """(B, 3) metres."""
    with _reading(path):
        with gzip.open(path, "rt") as lines:
            rows = [line.split()[1:4] for line in lines if line.startswith("v ")]
        base = _DM * np.array(rows, np.float64).reshape(len(rows), 3)
        if len(base) <= ids.max():
            raise ValueError(f"{len(base)} vertices, but the head uses number {ids.max()}")
    return base


def _targets(path: Path, ids: I32, n_base: int) -> dict[str, F64]:
    local = np.full(n_base, -1)
    local[ids] = np.arange(len(ids))
    out: dict[str, F64] = {}
    with _reading(path):
        with open_npz(path) as archive:
            names, ptr, idx, delta = (archive[key] for key in ("names", "ptr", "idx", "delta"))
            unit = float(archive["unit"])
        for name, start, end in zip(names, ptr[:-1], ptr[1:], strict=True):
            at = local[idx[start:end]]
            moved = np.zeros((len(ids), 3))
            moved[at[at >= 0]] = unit * delta[start:end][at >= 0]
            out[str(name)] = moved
    return out


def _needed(targets: Iterable[str]) -> set[str]:
    """Targets of race, gender and age, and the right twins of the left ones there are."""
    macros = itertools.product(_RACES, _GENDERS, _AGES)
    twins = {name.replace("/l-", "/r-") for name in targets if "/l-" in name}
    return twins | {f"macrodetails/{race}-{gender}-{age}" for race, gender, age in macros}


def draw_people(makehuman: MakeHuman, n: int, seed: int) -> F64:
    """(n, N, 3) metres: adults of all three of MakeHuman's races and their mixes."""
    rng = np.random.default_rng(seed)
    names = list(makehuman.targets)
    row = {name: i for i, name in enumerate(names)}
    strengths = np.zeros((n, len(names)))
    sliders = _sliders(names)
    for person in strengths:
        _macro(person, row, rng)
        for pair in sliders:
            _slide(person, row, pair, rng)
    stack = np.stack([makehuman.targets[name].ravel() for name in names])
    used = strengths.any(axis=0)
    moved = strengths[:, used] @ stack[used]
    people: F64 = makehuman.vertices + moved.reshape(n, -1, 3)
    return people


def _macro(person: F64, row: dict[str, int], rng: np.random.Generator) -> None:
    """Race, gender, age, muscle and weight, blended as MakeHuman does: products of shares."""
    race = rng.dirichlet((0.45, 0.45, 0.45))
    male = float(np.clip(0.5 + np.sign(rng.random() - 0.5) * rng.beta(4, 1.5) * 0.5, 0, 1))
    old = float(np.clip(rng.beta(1.1, 1.9), 0, 0.9))
    muscle, weight = np.clip(rng.normal(0.5, 0.17, 2), 0, 1)
    for gender, g in zip(_GENDERS, (1 - male, male), strict=True):
        for age, a in zip(_AGES, (1 - old, old), strict=True):
            for name, share in zip(_RACES, race, strict=True):
                person[row[f"macrodetails/{name}-{gender}-{age}"]] += g * a * share
            for m_name, m in _thirds(muscle, "muscle"):
                for w_name, w in _thirds(weight, "weight"):
                    key = f"macrodetails/universal-{gender}-{age}-{m_name}-{w_name}"
                    if key in row:  # average and average moves nothing
                        person[row[key]] += g * a * m * w


def _thirds(value: float, word: str) -> tuple[tuple[str, float], ...]:
    low, high = max(0.0, 1 - 2 * value), max(0.0, 2 * value - 1)
    return (f"min{word}", low), (f"average{word}", 1 - low - high), (f"max{word}", high)


_Slider = tuple[str, str | None, bool]  # upwards, downwards, has a twin on the other side


def _sliders(names: list[str]) -> list[_Slider]:
    """Targets in opposite pairs; of left and right ones the left."""
    known = set(names)
    out: list[_Slider] = []
    for name in names:
        folder, short = name.split("/", 1)
        if folder not in (*_FOLDERS, "asym") or any(word in short for word in _LEFT_OUT):
            continue
        if short.startswith("r-") or any(name.endswith(end) for end in _DOWN):
            continue  # comes with its twin or its opposite
        twin = short.startswith("l-")
        for up, down in zip(_UP, _DOWN, strict=True):
            if name.endswith(up) and f"{name.removesuffix(up)}{down}" in known:
                out.append((name, f"{name.removesuffix(up)}{down}", twin))
                break
        else:
            out.append((name, None, twin))
    return out


def _slide(person: F64, row: dict[str, int], slider: _Slider, rng: np.random.Generator) -> None:
    up, down, twin = slider
    value = rng.normal(0, _ASYMMETRY_STD if up.startswith("asym/") else _SLIDER_STD)
    if down is None:
        value = max(0.0, value) * 0.7
    for side in ("/l-", "/r-") if twin else ("",):
        amount = float(np.clip(value + (rng.normal(0, _SIDE_STD) if twin else 0.0), -0.6, 0.6))
        target = up if amount > 0 else down
        if target is not None:
            person[row[target.replace("/l-", side) if twin else target]] += abs(amount)
