"""`n2f doctor`: what works on this machine and what to do about what does not."""

from typing import Annotated

import typer

__all__ = ["doctor"]


def doctor(
    as_json: Annotated[bool, typer.Option("--json", help="Print JSON. Default: text.")] = False,
) -> None:
    """Tell what works on this machine, and what to do about what does not.

    Exit code 1 if something needs mending before the program can be used.
    """
    from engine.doctor import as_json as to_json
    from engine.doctor import as_text, has_failed, run_checks

    checks = run_checks()
    typer.echo(to_json(checks) if as_json else as_text(checks))
    if has_failed(checks):
        raise typer.Exit(1)
