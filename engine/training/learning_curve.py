"""The course of a training as a figure: errors on held-out samples, and the loss, by step. SVG."""

import csv
import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final
from xml.sax.saxutils import escape

from engine.errors import AssetError

__all__ = ["Curve", "curves_beside", "curves_from_log", "figure_svg", "joined", "read_log"]

_WIDTH, _HEIGHT = 360, 250
_LEFT, _RIGHT, _TOP, _BOTTOM = 52, 22, 30, 40
_COLOURS: Final = ("#1f6fb4", "#d1662b", "#3a8f4f", "#8a4fb0", "#b08a1f", "#6b7280", "#c2185b")
_MOST_DOTS: Final = 40
_INK, _GRID = "#333333", "#dddddd"


@dataclass(frozen=True, slots=True)
class Curve:
    """A line of a panel."""

    name: str
    points: Sequence[tuple[float, float]]  # step, value


@dataclass(frozen=True, slots=True)
class _Panel:
    title: str
    columns: dict[str, str]  # of log.csv -> name of the line


_PANELS: Final = (
    _Panel(
        "held-out samples: error of normals, median °",
        {"head_median_deg": "head", "view_median_deg": "view"},
    ),
    _Panel(
        "held-out samples: error of rotation, median °",
        {"rotation_median_deg": "rotation"},
    ),
    _Panel("held-out samples: IoU of the face mask", {"mask_iou": "mask"}),
    _Panel("held-out samples: chamfer distance, mm", {"cd_mm": "face"}),
    _Panel("training: loss", {"loss": "sum", "head": "head", "view": "view"}),
)

_BESIDE: Final = (
    ("held-out samples: error of normals, median °", "head_median_deg"),
    ("held-out samples: chamfer distance, mm", "cd_mm"),
    ("held-out samples: error of rotation, median °", "rotation_median_deg"),
)
"""Panels, and the column of log.csv that they show."""


def read_log(path: Path) -> list[dict[str, float]]:
    """The rows of a training's log.csv; of steps done twice, after a break, the later ones.

    Raises: AssetError: if it is missing or no such log.
    """
    try:
        with path.open(newline="", encoding="utf-8") as file:
            rows = [
                {name: float(value) for name, value in row.items() if value}
                for row in csv.DictReader(file)
            ]
        return list({row["step"]: row for row in sorted(rows, key=lambda r: r["step"])}.values())
    except OSError as error:
        raise AssetError(f"{path} cannot be read: {error.strerror or error}") from error
    except (KeyError, TypeError, ValueError) as error:
        raise AssetError(f"{path} is no log of a training ({error!r}); take its log.csv") from error


def joined(logs: Sequence[Sequence[dict[str, float]]]) -> list[dict[str, float]]:
    """Rows of trainings that went on from each other, their steps counted through."""
    rows: list[dict[str, float]] = []
    for log in logs:
        before = rows[-1]["step"] if rows else 0.0
        rows += [row | {"step": before + row["step"]} for row in log]
    return rows


def curves_beside(
    logs: Mapping[str, Sequence[dict[str, float]]],
) -> list[tuple[str, list[Curve]]]:
    """Title and lines of panels of held-out errors, a line for each training."""
    panels = []
    for title, column in _BESIDE:
        curves = [
            Curve(name, [(row["step"], row[column]) for row in rows if column in row])
            for name, rows in logs.items()
        ]
        curves = [curve for curve in curves if curve.points]
        if curves:
            panels.append((title, curves))
    return panels


def curves_from_log(rows: Sequence[dict[str, float]]) -> list[tuple[str, list[Curve]]]:
    """Title and lines of each panel that the log has values for."""
    panels = []
    for panel in _PANELS:
        curves = [
            Curve(name, [(row["step"], row[column]) for row in rows if column in row])
            for column, name in panel.columns.items()
        ]
        curves = [curve for curve in curves if curve.points]
        if curves:
            panels.append((panel.title, curves))
    return panels


def figure_svg(panels: Sequence[tuple[str, Sequence[Curve]]]) -> str:
    """Panels two abreast, on white.

    Raises: ValueError: if there is none.
    """
    if not panels:
        raise ValueError("no panel; the log holds no values yet")
    width = _WIDTH * min(2, len(panels))
    height = _HEIGHT * -(-len(panels) // 2)
    parts = [
        f'<svg xmlns="http://www.w3.org/2000/svg" width="{width}" height="{height}" '
        f'viewBox="0 0 {width} {height}" font-family="sans-serif" font-size="11" fill="{_INK}">',
        f'<rect width="{width}" height="{height}" fill="white"/>',
    ]
    for k, (title, curves) in enumerate(panels):
        x, y = _WIDTH * (k % 2), _HEIGHT * (k // 2)
        parts += [f'<g transform="translate({x} {y})">', *_panel(title, curves), "</g>"]
    return "\n".join([*parts, "</svg>"]) + "\n"


def _panel(title: str, curves: Sequence[Curve]) -> list[str]:
    steps = [step for curve in curves for step, _ in curve.points]
    values = [value for curve in curves for _, value in curve.points]
    across, up = _ticks(0, max(steps)), _ticks(*_range(values))

    def at(step: float, value: float) -> tuple[float, float]:
        x = _LEFT + (_WIDTH - _LEFT - _RIGHT) * step / across[-1]
        share = (value - up[0]) / (up[-1] - up[0])
        return x, _HEIGHT - _BOTTOM - (_HEIGHT - _TOP - _BOTTOM) * share

    parts = [f'<text x="{_LEFT}" y="16" font-weight="bold">{escape(title)}</text>']
    for value in up:
        x, y = at(0, value)
        parts.append(_line(x, y, _WIDTH - _RIGHT, y))
        parts.append(_text(x - 6, y + 4, f"{value:g}", "end"))
    for step in across:
        x, y = at(step, up[0])
        parts.append(_line(x, y, x, y + 4))
        parts.append(_text(x, y + 16, f"{step:g}", "middle"))
    parts.append(_text((_LEFT + _WIDTH - _RIGHT) / 2, _HEIGHT - 6, "step", "middle"))
    rises = curves[0].points[-1][1] > curves[0].points[0][1]
    first = _HEIGHT - _BOTTOM - 15 * len(curves) + 5 if rises else _TOP + 14  # where lines are not
    for k, curve in enumerate(curves):
        colour = _COLOURS[k % len(_COLOURS)]
        parts += _drawn([at(*p) for p in curve.points], colour)
        parts += _label(f"{curve.name} {curve.points[-1][1]:.3g}", first + 15 * k, colour)
    return parts


def _drawn(places: Sequence[tuple[float, float]], colour: str) -> list[str]:
    """A line, with dots where they are few."""
    corners = " ".join(f"{x:.1f},{y:.1f}" for x, y in places)
    line = f'<polyline points="{corners}" fill="none" stroke="{colour}" stroke-width="1.6"/>'
    dots = [f'<circle cx="{x:.1f}" cy="{y:.1f}" r="2.2" fill="{colour}"/>' for x, y in places]
    return [line, *(dots if len(dots) <= _MOST_DOTS else ())]


def _label(text: str, y: float, colour: str) -> list[str]:
    """A line's name and last value at the right, on a white rim."""
    start = f'<text x="{_WIDTH - _RIGHT - 4}" y="{y}" text-anchor="end"'
    rim = f'{start} stroke="white" stroke-width="3" stroke-linejoin="round">{escape(text)}</text>'
    return [rim, f'{start} fill="{colour}">{escape(text)}</text>']


def _line(x0: float, y0: float, x1: float, y1: float) -> str:
    return f'<line x1="{x0:.1f}" y1="{y0:.1f}" x2="{x1:.1f}" y2="{y1:.1f}" stroke="{_GRID}"/>'


def _text(x: float, y: float, text: str, anchor: str) -> str:
    return f'<text x="{x:.1f}" y="{y:.1f}" text-anchor="{anchor}">{escape(text)}</text>'


def _range(values: Sequence[float]) -> tuple[float, float]:
    """From 0 where that is near; a little room where all are equal."""
    low, high = min(values), max(values)
    if 0 < low < 0.6 * high:
        low = 0.0
    return (low, high) if high > low else (low - 0.5, high + 0.5)


def _ticks(low: float, high: float, n_most: int = 6) -> list[float]:
    """Round numbers from at most low to at least high."""
    high = max(high, low + 1e-9)
    rough = (high - low) / (n_most - 1)
    unit = 10.0 ** math.floor(math.log10(rough))
    step = next(unit * m for m in (1, 2, 2.5, 5, 10) if unit * m >= rough * (1 - 1e-9))
    first, last = math.floor(low / step + 1e-9), math.ceil(high / step - 1e-9)
    return [round(k * step, 10) for k in range(first, max(last, first + 1) + 1)]
