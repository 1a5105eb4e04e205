"""Makes what fits, for either side of a comparison."""

from dataclasses import replace

from engine.compare.ways import FRONT_END, OnStep, SideSetup
from engine.errors import EngineError
from engine.flame.model import HeadModel
from engine.head_choice import chosen_head_model
from engine.normal_choice import choose_normals
from engine.peers.registry import PEERS
from engine.stages.normal_estimator import SeesNormals
from engine.types import F32
from engine.video_fit import Fitter

__all__ = ["make_live_fitter", "make_offline_fitter"]


def make_live_fitter(
    setup: SideSetup, model: HeadModel, normals: SeesNormals | None, *, tracking: bool
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

    Frames are pictures to it, each by itself: a fit may be kept when it depends on its frame alone.
    Raises: EngineError: if something cannot be loaded.
    """
    model = chosen_head_model(setup.model)
    if setup.method in PEERS:
        from engine.peers.reconstructor import PeerReconstructor

        return PeerReconstructor(
            model, setup.method, setup.checkpoint, tracking=False, trust=setup.trust
        )
    return _optimiser(setup, model, on_step)


def _optimiser(setup: SideSetup, model: HeadModel, on_step: OnStep) -> Fitter:
    from engine.fitting.device import best_device
    from engine.fitting.reconstructor import OptimisingReconstructor
    from engine.fitting.settings import FitSettings

    return OptimisingReconstructor(
        model,
        normals=_seen_by(setup),
        vertex_uv=_vertex_uv(setup, model),
        settings=replace(setup.fitting or FitSettings(), device=best_device()),
        tracking=False,
        on_progress=on_step,
    )


def _seen_by(setup: SideSetup) -> SeesNormals:
    """Whose normals an optimiser takes."""
    if setup.method == FRONT_END and setup.checkpoint is not None:
        from engine.peers.pixel3dmm_estimator import Pixel3dmmEstimator

        return Pixel3dmmEstimator(setup.checkpoint, setup.uv_checkpoint)
    normals = choose_normals(setup.normals).load()
    if normals is None:
        raise EngineError(f"{setup.method} needs a normal network; leave --normals none away")
    return normals


def _vertex_uv(setup: SideSetup, model: HeadModel) -> F32 | None:
    """The head model's places in FLAME's texture, where a network tells of such."""
    if setup.method != FRONT_END or setup.uv_checkpoint is None:
        return None
    from engine.fitting.uv_matches import coords_beside, read_vertex_uv

    return read_vertex_uv(setup.uv_coords or coords_beside(setup.uv_checkpoint), model.n_vertices)
