"""Draw the course of a training: python scripts/plot_training.py RUN/log.csv --out FILE.svg

Of several logs each goes on from the one before. Trainings written as NAME=RUN/log.csv are drawn
beside each other, by their errors on held-out samples; a name given again goes on.
"""

import argparse
import sys
from pathlib import Path

from engine.errors import EngineError
from engine.files import replacing
from engine.training.learning_curve import (
    Curve,
    curves_beside,
    curves_from_log,
    figure_svg,
    joined,
    read_log,
)


def main() -> int:
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("log", nargs="+", metavar="[NAME=]LOG", help="log.csv of a training")
    parser.add_argument("--out", type=Path, required=True, help="the figure, SVG")
    options = parser.parse_args()
    try:
        panels = _panels(options.log)
        if not panels:
            sys.stderr.write(f"{', '.join(options.log)}: no row yet; wait for the first\n")
            return 1
        with replacing(options.out) as temporary:
            temporary.write_text(figure_svg(panels), encoding="utf-8")
    except EngineError as error:
        sys.stderr.write(f"{error}\n")
        return 1
    return 0


def _panels(logs: list[str]) -> list[tuple[str, list[Curve]]]:
    named = [log.partition("=") for log in logs]
    if not all(sign for _, sign, _ in named):
        return curves_from_log(joined([read_log(Path(log)) for log in logs]))
    parts: dict[str, list[list[dict[str, float]]]] = {}
    for name, _, path in named:
        parts.setdefault(name, []).append(read_log(Path(path)))
    return curves_beside({name: joined(rows) for name, rows in parts.items()})


if __name__ == "__main__":
    raise SystemExit(main())
