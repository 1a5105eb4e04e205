"""Which methods can be compared, what each of them needs, and what a kept fit belongs to."""

import hashlib
from collections.abc import Callable
from dataclasses import dataclass, replace
from importlib.util import find_spec
from pathlib import Path
from typing import TYPE_CHECKING, Final

from engine.batch_plan import program_version
from engine.compare.side_fit import StepLike
from engine.flame.model import HeadModel
from engine.followers import obstacle
from engine.io.assets import sha256_of
from engine.methods import METHODS, network_identity
from engine.normal_choice import NormalChoice
from engine.peers.registry import FRONT_END, FRONT_END_NEEDS, PEERS, needs_checkpoint

if TYPE_CHECKING:
    from engine.fitting.settings import FitSettings

__all__ = [
    "CHECKPOINTED",
    "COMPARED",
    "FRONT_END",
    "OFFLINE",
    "OPTIMISED",
    "OnStep",
    "SideSetup",
    "identity_of",
    "is_offline",
    "why_not",
]

CHECKPOINTED: Final = (*PEERS, FRONT_END)
"""Methods that need a file of the user's."""
COMPARED: Final = (*METHODS, *CHECKPOINTED)
OPTIMISED: Final = (*(name for name, method in METHODS.items() if method.optimised), FRONT_END)
OFFLINE: Final = tuple(dict.fromkeys((*OPTIMISED, *CHECKPOINTED)))
"""Methods that need torch, and most of them seconds for a frame: each runs in its own process."""
_START: Final = "n2fnet"
"""What an optimiser begins with that does not begin with the mean head; the shipped network."""
OnStep = Callable[[StepLike, int], bool]
"""Told an optimiser's steps and how many there will be; False ends the fit."""


@dataclass(frozen=True, slots=True)
class SideSetup:
    """All that a process must know to fit by a method."""

    method: str  # of COMPARED
    model: Path | None = None  # as for --model
    normals: str | None = None  # as for --normals
    n2fnet: Path | None = None  # as for --n2fnet
    fitting: "FitSettings | None" = None  # of an optimiser; None: its own
    checkpoint: Path | None = None  # of a method in CHECKPOINTED
    trust: bool = False  # run the code that a peer's checkpoint brings
    uv_checkpoint: Path | None = None  # of FRONT_END: its network of places in FLAME's texture
    uv_coords: Path | None = None  # the texture's coordinates by vertex; None: those beside it


def is_offline(method: str) -> bool:
    """Whether a method runs in a process of its own, and is never shown as live."""
    return method in OFFLINE


def why_not(setup: SideSetup, model: HeadModel, normals: NormalChoice) -> str:
    """What stands in a method's way here, as far as that is known before it is loaded.

    Returns: empty where it can be used.
    Raises: ValueError: if there is no such method.
    """
    if setup.method not in COMPARED:
        raise ValueError(f"{setup.method!r}; choose from: {', '.join(COMPARED)}")
    if not is_offline(setup.method):
        return obstacle(setup.method, model, setup.n2fnet, normals)
    if find_spec("torch") is None:
        return "torch is not installed; scripts/setup.sh dev installs it"
    if setup.method in CHECKPOINTED and (missing := _no_checkpoint(setup)):
        return missing
    if setup.method not in CHECKPOINTED and normals.path is None:
        return f"no normal network: {normals.reason}"
    if setup.method in OPTIMISED and setup.fitting is not None and setup.fitting.init == "n2fnet":
        return obstacle(_START, model, None, normals)
    return ""


def _no_checkpoint(setup: SideSetup) -> str:
    if setup.checkpoint is None:
        peer = PEERS.get(setup.method)
        needs = FRONT_END_NEEDS if peer is None else needs_checkpoint(peer)
        return f"it {needs}; pass it with --checkpoint {setup.method}=FILE"
    if not setup.checkpoint.exists():
        return f"checkpoint {setup.checkpoint} does not exist; check --checkpoint"
    if setup.method == FRONT_END and (uv := setup.uv_checkpoint) is not None and not uv.exists():
        return f"checkpoint {uv} does not exist; check --uv-checkpoint"
    return ""


def identity_of(setup: SideSetup, model: HeadModel, normals: NormalChoice) -> str:
    """Of all that an offline fit depends on besides the frame."""
    checkpoint = _checkpoint_identity(setup) if setup.method in CHECKPOINTED else ""
    fitting = _fitting_identity(setup) if setup.method in OPTIMISED else ""
    own = (setup.method, checkpoint, fitting, model.model_id)
    return "|".join((*own, normals.identity, program_version()))


def _checkpoint_identity(setup: SideSetup) -> str:
    path = setup.checkpoint
    if path is None:
        return ""
    if setup.method == FRONT_END and setup.uv_checkpoint is not None:
        from engine.fitting.uv_matches import coords_beside

        uv = replace(setup, checkpoint=setup.uv_checkpoint, uv_checkpoint=None)
        coords = setup.uv_coords or coords_beside(setup.uv_checkpoint)
        own = _checkpoint_identity(replace(setup, uv_checkpoint=None))
        placed = sha256_of(coords) if coords.exists() else ""
        return f"{own} {_checkpoint_identity(uv)} {placed}"
    # Of a folder, which holds gigabytes, one file is chosen: names and sizes tell which.
    files = sorted(path.rglob("*.ckpt")) if path.is_dir() else []
    listed = ",".join(f"{file.name} {file.stat().st_size}" for file in files)
    return f"{listed or sha256_of(path)} {_source_of('engine.peers')}"


def _fitting_identity(setup: SideSetup) -> str:
    from engine.fitting.settings import FitSettings

    settings = setup.fitting or FitSettings()
    network = network_identity(_START, None) if settings.init == "n2fnet" else ""
    return f"{settings.digest()} {network} {_source_of('engine.fitting')}"


def _source_of(package: str) -> str:
    """SHA-256 of a package's code: what an older one made is not passed off as its own."""
    digest = hashlib.sha256()
    spec = find_spec(package)
    for folder in (spec.submodule_search_locations or []) if spec is not None else []:
        for path in sorted(Path(folder).glob("*.py")):
            digest.update(path.read_bytes())
    return digest.hexdigest()
