"""How `n2f fit` fits: by a method of ours, or by a peer with a checkpoint of the user's."""

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import typer

from engine.peers.registry import FRONT_END, FRONT_END_NEEDS

if TYPE_CHECKING:
    from engine.fitting.curve import OnProgress
    from engine.fitting.settings import FitSettings
    from engine.flame.model import HeadModel
    from engine.normal_choice import NormalChoice
    from engine.video_fit import Fitter

__all__ = [
    "FRONT_END",
    "FitMethod",
    "by_front_end",
    "by_method",
    "by_optimising",
    "by_peer",
    "check_optimiser_flags",
    "check_peer_flags",
    "check_uv_flags",
]


@dataclass(frozen=True, slots=True)
class FitMethod:
    """What fits, and what it is called in records."""

    name: str
    normals: str  # which normal network; empty without one
    network: str  # which network of the method; empty without one
    make_fitter: "Callable[[bool], Fitter]"  # as Batch wants it


def by_method(
    asked: str | None, head: "HeadModel", faces: int, normals: "NormalChoice", n2fnet: Path | None
) -> FitMethod:
    """A method of ours, or the best that can be used.

    Raises: EngineError: if one that was asked for cannot be used.
    """
    from app.cli.choices import chosen_method
    from engine.methods import network_identity
    from engine.pipeline import Reconstructor

    name = chosen_method(asked, head, normals, n2fnet)
    estimator = normals.load(beside=2)  # in videos, frames are found and fitted meanwhile

    def make_fitter(tracking: bool) -> Reconstructor:
        return Reconstructor(
            head, method=name, n_faces=faces, tracking=tracking, normals=estimator, weights=n2fnet
        )

    return FitMethod(name, normals.identity, network_identity(name, n2fnet), make_fitter)


def by_optimising(
    name: str,
    head: "HeadModel",
    faces: int,
    normals: "NormalChoice",
    settings: "FitSettings",
    *,
    on_progress: "OnProgress",
    on_joint: "OnProgress",
) -> FitMethod:
    """The optimiser.

    Args:
        on_progress: told of each face that is optimised.
        on_joint: told of the frames of a video that are optimised together.
    Raises: EngineError: if it cannot be used.
    """
    from engine.fitting.reconstructor import OptimisingReconstructor

    estimator = normals.load()
    if estimator is None:
        raise typer.BadParameter(f"--method {name} needs a normal network: {normals.reason}")

    def make_fitter(tracking: bool) -> OptimisingReconstructor:
        return OptimisingReconstructor(
            head,
            normals=estimator,
            settings=settings,
            n_faces=faces,
            tracking=tracking,
            on_progress=on_progress,
            on_joint=on_joint,
        )

    return FitMethod(name, normals.identity, settings.digest()[:12], make_fitter)


def by_peer(
    name: str, head: "HeadModel", faces: int, checkpoint: Path | None, *, trust: bool
) -> FitMethod:
    """A peer. Raises: EngineError: if its checkpoint is not there or cannot be used."""
    from engine.errors import AssetError, ProviderError
    from engine.io.assets import sha256_of
    from engine.peers.registry import PEERS, needs_checkpoint

    if checkpoint is None:  # known without torch
        raise AssetError(f"{name} {needs_checkpoint(PEERS[name])}; pass it with --checkpoint")
    try:
        from engine.peers.checkpoint import checkpoint_file
        from engine.peers.reconstructor import PeerReconstructor, open_peer
    except ModuleNotFoundError as error:
        raise ProviderError(f"{error.name} is missing; install n2fnet[train]") from error
    checkpoint = checkpoint_file(checkpoint)
    network = open_peer(head, name, checkpoint, trust=trust)

    def make_fitter(tracking: bool) -> PeerReconstructor:
        return PeerReconstructor(head, name, network, n_faces=faces, tracking=tracking)

    identity = f"{checkpoint.name} {sha256_of(checkpoint)[:12]}"
    return FitMethod(name, "", identity, make_fitter)


def by_front_end(
    head: "HeadModel",
    faces: int,
    checkpoint: Path | None,
    settings: "FitSettings",
    uv: Path | None = None,
    uv_coords: Path | None = None,
    *,
    on_progress: "OnProgress",
    on_joint: "OnProgress",
) -> FitMethod:
    """The optimiser, on what Pixel3DMM's official networks see.

    Args:
        uv: the network of places in FLAME's texture; None: normals alone.
        uv_coords: the texture's coordinates by vertex; None: those beside `uv`.
    Raises: EngineError: if its checkpoint is not there or cannot be used.
    """
    from engine.errors import AssetError, ProviderError
    from engine.io.assets import sha256_of

    if checkpoint is None:
        raise AssetError(f"{FRONT_END} {FRONT_END_NEEDS}; pass it with --checkpoint")
    try:
        from engine.fitting.reconstructor import OptimisingReconstructor
        from engine.fitting.uv_matches import coords_beside, read_vertex_uv
        from engine.peers.pixel3dmm_estimator import Pixel3dmmEstimator
    except ModuleNotFoundError as error:
        raise ProviderError(f"{error.name} is missing; install n2fnet[train]") from error
    vertex_uv = None
    if uv is not None:
        vertex_uv = read_vertex_uv(uv_coords or coords_beside(uv), head.n_vertices)
    estimator = Pixel3dmmEstimator(checkpoint, uv)

    def make_fitter(tracking: bool) -> OptimisingReconstructor:
        return OptimisingReconstructor(
            head,
            normals=estimator,
            settings=settings,
            n_faces=faces,
            tracking=tracking,
            vertex_uv=vertex_uv,
            on_progress=on_progress,
            on_joint=on_joint,
        )

    networks = [checkpoint] if uv is None else [checkpoint, uv]
    identity = ", ".join(f"{path.name} {sha256_of(path)[:12]}" for path in networks)
    return FitMethod(FRONT_END, identity, settings.digest()[:12], make_fitter)


def check_optimiser_flags(
    method: str | None,
    optimizer: str | None,
    init: str | None,
    iters: int | None,
    joint: bool | None,
) -> None:
    """Raises: typer.BadParameter: for flags that only the optimiser has."""
    given = {"--optimizer": optimizer, "--init": init, "--iters": iters, "--joint": joint}
    flags = [name for name, value in given.items() if value is not None]
    if flags and method not in ("pixel3dmm", FRONT_END):
        raise typer.BadParameter(f"{', '.join(flags)}: only with --method pixel3dmm or {FRONT_END}")


def check_uv_flags(method: str | None, uv: Path | None, uv_coords: Path | None) -> None:
    """Raises: typer.BadParameter: for flags that do not go together."""
    if method != FRONT_END and (uv is not None or uv_coords is not None):
        raise typer.BadParameter(f"--uv-checkpoint and --uv-coords go with --method {FRONT_END}")
    if uv is None and uv_coords is not None:
        raise typer.BadParameter("--uv-coords goes with --uv-checkpoint")


def check_peer_flags(
    method: str | None, checkpoint: Path | None, exports: tuple[str, ...], *, trust: bool
) -> None:
    """Raises: typer.BadParameter: for flags that do not go together."""
    from engine.peers.registry import PEERS

    if method not in (*PEERS, FRONT_END) and (checkpoint is not None or trust):
        names = ", ".join((*PEERS, FRONT_END))
        raise typer.BadParameter(f"--checkpoint and --trust go with --method {names}")
    if method in PEERS and "normals" in exports:
        raise typer.BadParameter(f"--export normals: {method} sees none")
    if trust and method != "sheap":
        raise typer.BadParameter(f"--trust: {method} needs none, its file is read as data")
