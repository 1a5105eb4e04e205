"""Curves of cumulative errors, as a picture."""

from collections.abc import Mapping
from pathlib import Path
from typing import Final

import numpy as np

from engine.benchmark.metrics import cumulative_share
from engine.files import replacing
from engine.types import F64

__all__ = ["draw_curves"]

_SIZE_INCHES: Final = (7.2, 4.2)
_N_POINTS: Final = 200
_STYLES: Final = ("-", "--", "-.", ":")


def draw_curves(
    path: Path, errors: Mapping[str, F64], *, limit: float, axis: str, share: str, mark: float
) -> None:
    """Write a PNG with one curve for each method.

    Args:
        errors: by method, of which there is at least one.
        limit: of the horizontal axis.
        axis, share: what the axes are called.
        mark: where a thin line stands.
    Raises: OutputError.
    """
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.figure import Figure

    figure = Figure(figsize=_SIZE_INCHES, layout="constrained")
    canvas = FigureCanvasAgg(figure)
    axes = figure.add_subplot()
    x = np.linspace(0.0, limit, _N_POINTS)
    for number, (name, values) in enumerate(errors.items()):
        y = 100 * cumulative_share(values, x)
        axes.plot(x, y, _STYLES[number // 10 % len(_STYLES)], label=name, linewidth=1.6)
    axes.axvline(mark, color="0.6", linewidth=0.8)
    axes.set_xlim(0, limit)
    axes.set_ylim(0, 100)
    axes.set_xlabel(axis)
    axes.set_ylabel(share)
    axes.grid(color="0.9")
    axes.legend(loc="lower right", fontsize="small", frameon=False)
    with replacing(path) as temporary:
        canvas.print_figure(temporary, dpi=130)
