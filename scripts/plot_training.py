"""Draw the course of a training: python scripts/plot_training.py RUN/log.csv --out FILE.svg"""

import argparse
import sys
from pathlib import Path

from engine.errors import EngineError
from engine.files import replacing
from engine.training.learning_curve import curves_from_log, figure_svg, read_log


def main() -> int:
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("log", type=Path, help="log.csv of a training")
    parser.add_argument("--out", type=Path, required=True, help="the figure, SVG")
    options = parser.parse_args()
    try:
        panels = curves_from_log(read_log(options.log))
        if not panels:
            sys.stderr.write(f"{options.log} holds no row yet; wait for the first\n")
            return 1
        with replacing(options.out) as temporary:
            temporary.write_text(figure_svg(panels), encoding="utf-8")
    except EngineError as error:
        sys.stderr.write(f"{error}\n")
        return 1
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
