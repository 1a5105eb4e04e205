"""Between FlameParams and the unknowns that fits solve for."""

import numpy as np

from engine.errors import ModelContractError
from engine.flame.lbs import rodrigues
from engine.flame.model import HeadModel
from engine.stages.landmark_energy import Unknowns
from engine.stages.landmark_model import LandmarkState
from engine.types import F64, FlameParams

__all__ = ["params_of", "unknowns_of"]

_NECK = 1


def params_of(model: HeadModel, unknowns: Unknowns) -> FlameParams:
    """The unknowns as parameters of the model, neck at rest."""
    s = unknowns.state
    eyes = np.zeros((2, 3), np.float32)
    eyes[:, :2] = s.eyes
    has_lids = model.eyelid_dirs is not None
    U, _, Vt = np.linalg.svd(unknowns.R)  # steps leave rounding errors: back to a rotation
    return FlameParams(
        model_id=model.model_id,
        shape=s.shape.astype(np.float32),
        expr=s.expr.astype(np.float32),
        neck=np.zeros(3, np.float32),
        jaw=s.jaw.astype(np.float32),
        eyes=eyes.ravel(),
        eyelids=s.eyelids.astype(np.float32) if has_lids else np.zeros(2, np.float32),
        R=U @ Vt,
        t=unknowns.t.copy(),
    )


def unknowns_of(model: HeadModel, params: FlameParams) -> Unknowns:
    """Parameters as unknowns; a bent neck becomes part of the head's rotation and place.

    That keeps the face where it was. Eyes lose their roll.
    Raises: ModelContractError: if params were made for another head model.
    """
    if params.model_id != model.model_id:
        raise ModelContractError(
            f"parameters belong to head model {params.model_id[:12]}, but {model.name} "
            f"({model.model_id[:12]}) is loaded; fit again with this model"
        )
    state = LandmarkState(
        shape=params.shape.astype(np.float64),
        expr=params.expr.astype(np.float64),
        jaw=params.jaw.astype(np.float64),
        eyes=params.eyes.reshape(2, 3)[:, :2].astype(np.float64),
        eyelids=params.eyelids.astype(np.float64),
    )
    if not params.neck.any():
        return Unknowns(params.R, params.t, state)
    bend = rodrigues(params.neck.astype(np.float64), xp=np)
    joint = _neck_joint(model, state)
    return Unknowns(params.R @ bend, params.t + params.R @ (joint - bend @ joint), state)


def _neck_joint(model: HeadModel, state: LandmarkState) -> F64:
    """(3,) metres, where the neck bends."""
    vertices = model.v_template + model.shapedirs @ state.shape + model.exprdirs @ state.expr
    joint: F64 = model.J_regressor[_NECK].astype(np.float64) @ vertices
    return joint
