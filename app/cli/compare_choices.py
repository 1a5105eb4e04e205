"""Checks of what `n2f compare` is asked for; what is wrong there is wrong usage (exit 2)."""

from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

import typer

from engine.compare.plan import DEFAULT_METHODS, WITHOUT_OFFLINE
from engine.compare.ways import CHECKPOINTED, COMPARED, FRONT_END, OPTIMISED, SideSetup, why_not

if TYPE_CHECKING:
    from engine.fitting.settings import FitSettings
    from engine.flame.model import HeadModel
    from engine.normal_choice import NormalChoice

__all__ = ["chosen_sides", "fitting_of"]


def chosen_sides(
    listed: str | None,
    common: SideSetup,
    checkpoints: list[str],
    model: "HeadModel",
    normals: "NormalChoice",
) -> tuple[SideSetup, SideSetup]:
    """Left and right.

    Args:
        listed: as for --methods; None: the optimiser and the live method, or, where the optimiser
            cannot be used, two live methods, which is told.
        common: what both are to be, but for their methods and checkpoints.
        checkpoints: as for --checkpoint.
    """
    names = DEFAULT_METHODS if listed is None else _two(listed)
    if listed is None and (reason := why_not(replace(common, method=names[0]), model, normals)):
        typer.echo(f"{names[0]} cannot be used: {reason}", err=True)
        names = WITHOUT_OFFLINE
    _check_flags(names, common)
    files = _checkpoints(checkpoints, names)
    left, right = (replace(common, method=n, checkpoint=files.get(n)) for n in names)
    return left, right


def _check_flags(names: tuple[str, str], common: SideSetup) -> None:
    if common.fitting is not None and not set(names) & set(OPTIMISED):
        optimised = " or ".join(OPTIMISED)
        raise typer.BadParameter(f"--optimizer, --init, --iters: {optimised} is not compared")
    if FRONT_END not in names and (common.uv_checkpoint or common.uv_coords):
        raise typer.BadParameter(f"--uv-checkpoint, --uv-coords: {FRONT_END} is not compared")
    if common.trust and "sheap" not in names:
        raise typer.BadParameter("--trust: only sheap's file is not read as data")


def _two(listed: str) -> tuple[str, str]:
    """The methods of a list, if they are two that there are."""
    names = [name.strip() for name in listed.split(",")]
    if unknown := [name for name in names if name not in COMPARED]:
        raise typer.BadParameter(
            f"--methods: {', '.join(unknown) or 'nothing'}; choose two from: {', '.join(COMPARED)}"
        )
    if len(names) != 2 or names[0] == names[1]:
        raise typer.BadParameter("--methods takes two different methods, LEFT,RIGHT")
    return names[0], names[1]


def _checkpoints(given: list[str], names: tuple[str, str]) -> dict[str, Path]:
    """Files by method; the name may be left away where only one of the two needs a file."""
    owners = [name for name in names if name in CHECKPOINTED]
    files: dict[str, Path] = {}
    for entry in given:
        name, mark, file = entry.partition("=")
        if not mark or name not in CHECKPOINTED:  # a file's own name may have a "=", too
            if len(owners) != 1:
                raise typer.BadParameter(f"--checkpoint {entry}: say whose it is, NAME=FILE")
            name, file = owners[0], entry
        if name not in owners:
            raise typer.BadParameter(f"--checkpoint {entry}: {name} is not compared")
        files[name] = Path(file)
    return files


def fitting_of(optimizer: str | None, init: str | None, iters: int | None) -> "FitSettings | None":
    """The optimiser's settings; None where nothing is asked for."""
    given = {"optimizer": optimizer, "init": init, "iters": iters}
    given = {name: value for name, value in given.items() if value is not None}
    if not given:
        return None
    from engine.fitting.settings import FitSettings

    try:
        return FitSettings(**given)
    except ValueError as error:
        raise typer.BadParameter(str(error)) from error
