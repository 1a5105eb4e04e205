"""HeadState: the unknowns of one head as tensors, and their way from and to FlameParams.

The neck rests: the head's rotation takes its part, as everywhere in this program.
"""

from dataclasses import dataclass, fields

import numpy as np
import torch
from scipy.spatial.transform import Rotation
from torch import Tensor

from engine.errors import ModelContractError
from engine.fitting.rotation6d import matrix_from_6d, six_from_matrix
from engine.flame.lbs import rodrigues
from engine.flame.model import HeadModel
from engine.stages.head_unknowns import unknowns_of
from engine.types import F64, FlameParams

__all__ = ["HeadState", "params_from", "state_from"]


@dataclass(frozen=True, slots=True, eq=False)
class HeadState:
    """One head. Rotations are the first two rows of their matrices."""

    shape: Tensor  # (n_shape,) standard units
    expr: Tensor  # (n_expr,) standard units
    jaw: Tensor  # (6,)
    eyes: Tensor  # (2, 6) left, right
    eyelids: Tensor  # (2,) 0 open .. 1 closed: left, right
    R: Tensor  # (6,) view from model
    t: Tensor  # (3,) metres, view from model

    @property
    def rotation(self) -> Tensor:
        """(3, 3) view from model."""
        return matrix_from_6d(self.R)

    def joint_rotations(self) -> Tensor:
        """(5, 3, 3) root and neck at rest, jaw, left eye, right eye."""
        rest = torch.eye(3, dtype=self.t.dtype, device=self.t.device).expand(2, 3, 3)
        return torch.cat([rest, matrix_from_6d(self.jaw)[None], matrix_from_6d(self.eyes)])

    def tensors(self) -> dict[str, Tensor]:
        """All of them by name."""
        return {f.name: getattr(self, f.name) for f in fields(self)}

    def detached(self) -> "HeadState":
        """The same values without history, as copies."""
        return HeadState(**{name: x.detach().clone() for name, x in self.tensors().items()})

    def moved(self, delta: Tensor) -> "HeadState":
        """A step along the columns of `engine.fitting.linear_head`, within what lids can do.

        Args:
            delta: (P,) rotation (3, left-multiplied, radians), translation (3, metres), expression,
                jaw (3), eyes (4), eyelids (2), shape.
        """
        n_expr, n_shape = len(self.expr), len(self.shape)
        turn, shift, expr, jaw, eyes, lids, shape = delta.split([3, 3, n_expr, 3, 4, 2, n_shape])
        flat = torch.zeros(2, 3, dtype=delta.dtype, device=delta.device)
        flat[:, :2] = eyes.view(2, 2)
        return HeadState(
            shape=self.shape + shape,
            expr=self.expr + expr,
            jaw=_turned(self.jaw, jaw),
            eyes=_turned(self.eyes, flat),
            eyelids=(self.eyelids + lids).clamp(0.0, 1.0),
            R=_turned(self.R, turn),
            t=self.t + shift,
        )


def _turned(six: Tensor, turn: Tensor) -> Tensor:
    """Rotations (..., 6) with a turn (..., 3), radians, multiplied from the left."""
    return six_from_matrix(rodrigues(turn, xp=torch) @ matrix_from_6d(six))


def state_from(
    model: HeadModel, params: FlameParams, device: str, dtype: torch.dtype = torch.float32
) -> HeadState:
    """The state that parameters stand for; a bent neck becomes part of R and t.

    Raises: ModelContractError: if params belong to another head model.
    """
    found = unknowns_of(model, params)
    s = found.state
    eyes = np.zeros((2, 3))
    eyes[:, :2] = s.eyes

    def tensor(values: F64) -> Tensor:
        return torch.tensor(values, dtype=dtype, device=device)

    def six(turns: F64) -> Tensor:
        return six_from_matrix(rodrigues(tensor(turns), xp=torch))

    return HeadState(
        shape=tensor(s.shape),
        expr=tensor(s.expr),
        jaw=six(s.jaw),
        eyes=six(eyes),
        eyelids=tensor(s.eyelids),
        R=six_from_matrix(tensor(found.R)),
        t=tensor(found.t),
    )


def params_from(model: HeadModel, state: HeadState) -> FlameParams:
    """The state as parameters of the model.

    Raises: ModelContractError: if a value is not finite.
    """
    values = {name: x.detach().double().cpu() for name, x in state.tensors().items()}
    if bad := [name for name, x in values.items() if not torch.isfinite(x).all()]:
        raise ModelContractError(f"the fit has values that are not finite: {', '.join(bad)}")
    found = {name: x.numpy() for name, x in values.items()}

    def vector(six: Tensor) -> F64:
        turns: F64 = Rotation.from_matrix(matrix_from_6d(six).numpy()).as_rotvec()
        return turns

    return FlameParams(
        model_id=model.model_id,
        shape=found["shape"].astype(np.float32),
        expr=found["expr"].astype(np.float32),
        neck=np.zeros(3, np.float32),
        jaw=vector(values["jaw"]).astype(np.float32),
        eyes=vector(values["eyes"]).astype(np.float32).ravel(),
        eyelids=found["eyelids"].astype(np.float32),
        R=matrix_from_6d(values["R"]).numpy(),
        t=found["t"],
    )
