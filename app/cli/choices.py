"""Checks of flag values that need the engine's lists; a wrong one is wrong usage (exit 2)."""

from typing import TYPE_CHECKING

import typer

if TYPE_CHECKING:
    from pathlib import Path

    from engine.fitting.settings import FitSettings
    from engine.flame.model import HeadModel
    from engine.normal_choice import NormalChoice
    from engine.streaming.targets import SendTarget

__all__ = [
    "checked_exports",
    "checked_method",
    "checked_targets",
    "chosen_method",
    "fit_settings",
]


def chosen_method(
    asked: str | None, model: "HeadModel", normals: "NormalChoice", weights: "Path | None"
) -> str:
    """The method asked for, or the best that can be used here.

    Raises: EngineError: if a method or weights that were asked for cannot be used.
    """
    from engine.followers import check_method, default_method
    from engine.methods import DEFAULT, method_named

    if asked is None and weights is None:
        return default_method(model, normals)
    if asked is not None and method_named(asked).needs_normals and normals.path is None:
        raise typer.BadParameter(f"--method {asked} needs a normal network: {normals.reason}")
    check_method(asked or DEFAULT, model, weights, normals)
    return asked or DEFAULT


def checked_method(method: str | None, *, live: bool = False, peers: bool = False) -> str | None:
    """The method, if there is one of that name.

    Args:
        live: one that keeps up with a camera.
        peers: a peer's name will do too.
    """
    from app.cli.fit_method import FRONT_END
    from engine.methods import METHODS
    from engine.peers.registry import PEERS

    names = [name for name, known in METHODS.items() if not (live and known.optimised)]
    names += [*PEERS, FRONT_END] if peers else []
    if method is not None and method not in names:
        offline = "takes seconds for each frame; use n2f fit. Else " if method in METHODS else ""
        raise typer.BadParameter(f"{method!r}; {offline}choose from: {', '.join(names)}")
    return method


def fit_settings(
    optimizer: str | None, init: str | None, iters: int | None, joint: bool | None = None
) -> "FitSettings":
    """How `pixel3dmm` optimises, on the graphics card where torch has one.

    Raises: ProviderError: if torch is not installed.
    """
    from engine.errors import ProviderError

    try:
        from engine.fitting.device import best_device
    except ModuleNotFoundError as error:
        raise ProviderError("--method pixel3dmm needs torch; install n2fnet[train]") from error
    from engine.fitting.settings import FitSettings

    given = {"optimizer": optimizer, "init": init, "iters": iters, "joint": joint}
    given = {name: value for name, value in given.items() if value is not None}
    try:
        return FitSettings(device=best_device(), **given)
    except ValueError as error:
        raise typer.BadParameter(str(error)) from error


def checked_exports(listed: str) -> tuple[str, ...]:
    """The kinds of file in a comma-separated list, npz always first among them."""
    from engine.fit_writer import EXPORTS

    kinds = tuple(dict.fromkeys(k.strip() for k in listed.split(",") if k.strip()))
    if unknown := [k for k in kinds if k not in EXPORTS]:
        raise typer.BadParameter(f"{', '.join(unknown)}; choose from: {', '.join(EXPORTS)}")
    return ("npz", *(k for k in kinds if k != "npz"))


def checked_targets(texts: list[str]) -> "tuple[SendTarget, ...]":
    """Receivers, each once."""
    from engine.streaming.targets import parse_target

    try:
        return tuple(dict.fromkeys(parse_target(text) for text in texts))
    except ValueError as error:
        raise typer.BadParameter(f"--send {error}") from error
