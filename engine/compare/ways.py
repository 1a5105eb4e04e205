"""Which methods can be compared, what each of them needs, and how its fitter is made."""

import hashlib
from collections.abc import Callable
from dataclasses import dataclass, replace
from importlib.util import find_spec
from pathlib import Path
from typing import TYPE_CHECKING, Final

from engine.batch_plan import program_version
from engine.compare.side_fit import StepLike
from engine.errors import EngineError
from engine.flame.model import HeadModel
from engine.head_choice import chosen_head_model
from engine.methods import METHODS, network_identity, obstacle
from engine.normal_choice import NormalChoice, choose_normals
from engine.stages.normal_estimator import NormalEstimator
from engine.video_fit import Fitter

if TYPE_CHECKING:
    from engine.fitting.settings import FitSettings

__all__ = [
    "COMPARED",
    "OFFLINE",
    "OnStep",
    "SideSetup",
    "identity_of",
    "is_offline",
    "make_live_fitter",
    "make_offline_fitter",
    "why_not",
]

COMPARED: Final = tuple(METHODS)
OFFLINE: Final = tuple(name for name, method in METHODS.items() if method.optimised)
"""Methods that take seconds for a frame, and torch: they run in a process of their own."""
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


def is_offline(method: str) -> bool:
    """Whether a method is far from real time."""
    return method in OFFLINE


def why_not(setup: SideSetup, model: HeadModel, normals: NormalChoice) -> str:
    """What stands in a method's way here; empty where it can be used.

    Raises: ValueError: if there is no such method.
    """
    if setup.method not in COMPARED:
        raise ValueError(f"{setup.method!r}; choose from: {', '.join(COMPARED)}")
    no_normals = "" if normals.path else normals.reason
    if not is_offline(setup.method):
        return obstacle(setup.method, model, setup.n2fnet, no_normals)
    if no_normals:
        return f"no normal network: {no_normals}"
    if find_spec("torch") is None:
        return "torch is not installed; scripts/setup.sh dev installs it"
    if setup.fitting is not None and setup.fitting.init == "n2fnet":
        return obstacle(_START, model, None, no_normals)
    return ""


def identity_of(setup: SideSetup, model: HeadModel, normals: NormalChoice) -> str:
    """Of all that an offline fit depends on besides the frame."""
    from engine.fitting.settings import FitSettings

    settings = setup.fitting or FitSettings()
    network = network_identity(_START, None) if settings.init == "n2fnet" else ""
    parts = (setup.method, settings.digest(), model.model_id, normals.identity, network)
    return "|".join((*parts, program_version(), _source_of_fitting()))


def make_live_fitter(
    setup: SideSetup, model: HeadModel, normals: NormalEstimator | None, *, tracking: bool
) -> Fitter:
    """Args:
        model, normals: as the setup names them, loaded.
        tracking: frames are a video of the same people.
    Raises: EngineError: if a network cannot be used.
    """
    from engine.pipeline import Reconstructor

    return Reconstructor(
        model,
        method=setup.method,
        tracking=tracking,
        normals=normals,
        weights=setup.n2fnet,
    )


def make_offline_fitter(setup: SideSetup, on_step: OnStep) -> Fitter:
    """All of it, from files. For a process of its own: torch is loaded here.

    Raises: EngineError: if something cannot be loaded.
    """
    from engine.fitting.device import best_device
    from engine.fitting.reconstructor import OptimisingReconstructor
    from engine.fitting.settings import FitSettings

    model = chosen_head_model(setup.model)
    normals = choose_normals(setup.normals).load()
    if normals is None:
        raise EngineError(f"{setup.method} needs a normal network; leave --normals none away")
    fitter: Fitter = OptimisingReconstructor(
        model,
        normals=normals,
        settings=replace(setup.fitting or FitSettings(), device=best_device()),
        tracking=False,  # a fit may be kept when it depends on its frame alone
        on_progress=on_step,
    )
    return fitter


def _source_of_fitting() -> str:
    """SHA-256 of the optimiser's code: what an older one made is not passed off as its own."""
    digest = hashlib.sha256()
    spec = find_spec("engine.fitting")
    for folder in (spec.submodule_search_locations or []) if spec is not None else []:
        for path in sorted(Path(folder).glob("*.py")):
            digest.update(path.read_bytes())
    return digest.hexdigest()
