"""What ARKit's shapes are in the parameters of a head that does not say, a FLAME file for one.

Jaw and eyes turn alike in all heads. Apart from that openhead's shapes move its skin; laid over the
other head they move that one's, and the expression and lids that come closest to this movement are
the answer. It is as good as the two heads fit each other.
"""

import numpy as np

from engine.errors import ModelContractError
from engine.flame.arkit import linear_motion
from engine.flame.model import ArkitMap, HeadModel
from engine.flame.posed import PosedHead
from engine.flame.transfer import carried_moves
from engine.types import F64, FlameParams

__all__ = ["arkit_map_of"]

_RIDGE = 1e-3
"""Weight of small parameters, as a share of what a typical expression component moves: the price
of a unit is that of moving everything wrongly by 3 % of the component."""


def arkit_map_of(model: HeadModel, reference: HeadModel) -> ArkitMap:
    """The model's own map where it has one, else the reference's carried over (seconds of work).

    Args:
        reference: a head model with a map: openhead.
    Raises: AssetError: if the heads cannot be laid over each other. ModelContractError: if the
        reference has no map either.
    """
    if model.arkit is not None:
        return model.arkit
    arkit = reference.arkit
    if arkit is None:
        raise ModelContractError(f"{reference.name} does not say what ARKit's shapes are either")
    moves = carried_moves(
        reference, _moves(reference, arkit), model.v_template, model.faces, model.J_regressor
    )
    found = _closest_parameters(model, moves)
    E = model.n_expr
    return ArkitMap(
        names=arkit.names,
        expr=found[:, :E].astype(np.float32),
        jaw=arkit.jaw,
        eyes=arkit.eyes,
        eyelids=found[:, E + 9 :].astype(np.float32),
    )


def _moves(model: HeadModel, arkit: ArkitMap) -> F64:
    """(V, 3, 52) metres: each shape at full strength, jaw and eyeballs at rest."""
    head = PosedHead(model)
    neutral = FlameParams.neutral(model.model_id, model.n_shape, model.n_expr)
    rest = head.vertices(neutral).astype(np.float64)
    moved = [
        head.vertices(neutral.with_values(expr=expr, eyelids=eyelids)) - rest
        for expr, eyelids in zip(arkit.expr, arkit.eyelids, strict=True)
    ]
    return np.stack(moved, axis=-1)


def _closest_parameters(model: HeadModel, moves: F64) -> F64:
    """(52, P) parameters whose linear motion comes closest to (V, 3, 52) moves of the face."""
    weights = np.zeros((model.n_vertices, 3))
    for name in ("face", "eyes", "mouth", "nose"):
        weights[model.regions[name]] = 1.0
    E = model.n_expr
    motion = linear_motion(model) * weights.reshape(-1, 1)
    motion[:, E : E + 9] = 0.0  # jaw and eyes are known
    system = motion.T @ motion
    ridge = _RIDGE * float(np.median(np.diag(system)[:E]))
    wanted = motion.T @ moves.reshape(-1, moves.shape[2])
    found: F64 = np.linalg.solve(system + ridge * np.eye(len(system)), wanted).T
    return found
