"""Poses people: the head stays upright in its own frame, the body bends under it."""

from dataclasses import dataclass

import numpy as np

from engine.flame.lbs import rodrigues
from engine.flame.normals import VertexNormals
from engine.flame.posed import PosedHead, surface_points
from engine.synth.pack import SynthHead
from engine.synth.person import Person
from engine.types import F32, F64

__all__ = ["PersonPoser", "PosedPerson"]


@dataclass(frozen=True, slots=True, eq=False)
class PosedPerson:
    """A posed head in the head frame: global rotation and neck removed."""

    vertices: F32  # (V, 3) metres
    normals: F32  # (V, 3) unit
    landmarks: F32  # (68, 3) metres
    eye_centres: F64  # (2, 3) metres, left then right
    eye_turns: F64  # (2, 3, 3) head from eye


class PersonPoser:
    """For one population; made once."""

    def __init__(self, head: SynthHead) -> None:
        model = head.model
        self._model = model
        self._posed = PosedHead(model)
        self._normals = VertexNormals(model.faces, model.n_vertices)
        regressor = model.J_regressor.astype(np.float64)
        self._J_template = regressor @ model.v_template
        self._J_shape = np.einsum("jv,vck->jck", regressor, model.shapedirs)
        self._J_expr = np.einsum("jv,vck->jck", regressor, model.exprdirs)

    def pose(self, person: Person) -> PosedPerson:
        """Pose, and take the neck's turn out again, so that it moves the body and not the face."""
        turned = self._posed.vertices(person.params(self._model))
        joints = self._J_template + self._J_shape @ person.shape + self._J_expr @ person.expr
        R_neck = rodrigues(person.neck.astype(np.float64), xp=np)
        vertices = ((turned - joints[1]) @ R_neck + joints[1]).astype(np.float32)
        landmarks = surface_points(vertices, self._model.faces, self._model.landmarks68)
        return PosedPerson(
            vertices=vertices,
            normals=self._normals(vertices),
            landmarks=landmarks,
            eye_centres=joints[3:5],
            eye_turns=rodrigues(person.eyes.reshape(2, 3).astype(np.float64), xp=np),
        )
