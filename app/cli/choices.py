"""Checks of flag values that need the engine's lists; a wrong one is wrong usage (exit 2)."""

import typer

__all__ = ["checked_exports", "checked_method"]


def checked_method(method: str) -> str:
    """The method, if there is one of that name."""
    from engine.pipeline import METHODS

    if method not in METHODS:
        raise typer.BadParameter(f"{method!r}; choose from: {', '.join(METHODS)}")
    return method


def checked_exports(listed: str) -> tuple[str, ...]:
    """The kinds of file in a comma-separated list, npz always first among them."""
    from engine.fit_writer import EXPORTS

    kinds = tuple(dict.fromkeys(k.strip() for k in listed.split(",") if k.strip()))
    if unknown := [k for k in kinds if k not in EXPORTS]:
        raise typer.BadParameter(f"{', '.join(unknown)}; choose from: {', '.join(EXPORTS)}")
    return ("npz", *(k for k in kinds if k != "npz"))
