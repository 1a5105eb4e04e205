"""`n2f` and `python -m app`. Exit codes: 0 good, 1 failed, 2 wrong usage, 130 interrupted."""

import sys

import typer

from app.cli.tree import cli
from engine.errors import EngineError

__all__ = ["main"]


def main() -> None:
    """Run the command line; a failure is one message of cause and fix on stderr, no traceback."""
    try:
        cli(prog_name="n2f")
    except EngineError as error:
        typer.secho(f"Error: {error}", err=True, fg="red")
        sys.exit(1)


if __name__ == "__main__":
    main()
