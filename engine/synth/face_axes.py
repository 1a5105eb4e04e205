"""FaceAxes: where a posed face is and how it is turned; props are built in its millimetres."""

from dataclasses import dataclass

import numpy as np

from engine.synth.prop_shapes import Floats, Prop, Shape, unit
from engine.types import F32, F64

__all__ = ["FaceAxes", "face_axes"]

_EYE_SPAN = 89.0
"""Millimetres between the outer corners of the eyes of an average face."""


@dataclass(frozen=True, slots=True, eq=False)
class FaceAxes:
    """Local frame: x to the subject's left, y up, z out of the face; 0 between the eyes.

    Lengths in millimetres of an average face: a face with eyes wider apart has longer ones.
    """

    origin: F64  # (3,) metres, model frame
    rotation: F64  # (3, 3) model from local
    scale: float  # metres of the model frame per local millimetre

    def to_local(self, points: Floats) -> F64:
        """(..., 3) metres, model frame -> local."""
        local: F64 = (points - self.origin) @ self.rotation / self.scale
        return local

    def to_model(self, points: Floats) -> F32:
        """(..., 3) local -> metres, model frame."""
        return (self.scale * (points @ self.rotation.T) + self.origin).astype(np.float32)

    def prop(
        self,
        kind: str,
        shape: Shape,
        colour: Floats,
        *,
        opacity: float = 1.0,
        gloss: float = 0.0,
        is_lens: bool = False,
    ) -> Prop:
        """A shape in local millimetres as a prop."""
        vertices = self.to_model(shape.vertices)
        linear = np.asarray(colour, np.float32)
        return Prop(kind, vertices, shape.faces, linear, opacity, gloss, is_lens)


def face_axes(landmarks: F32) -> FaceAxes:
    """The frame of a face, hardly moved by its expression.

    Args:
        landmarks: (68, 3) metres, model frame, iBUG order.
    Raises: ValueError: if the eyes' corners or nose and bridge coincide.
    """
    corners = landmarks[[36, 39, 42, 45]].astype(np.float64)
    across = corners[2:].mean(axis=0) - corners[:2].mean(axis=0)
    rise = landmarks[27].astype(np.float64) - landmarks[[31, 35]].mean(axis=0)
    z = np.cross(across, rise)
    span = np.linalg.norm(corners[3] - corners[0])
    if not np.linalg.norm(z) > 1e-3 * span**2 > 0.0:
        raise ValueError("landmarks: eyes and nose lie on one line, expected a face in metres")
    x, z = unit(across), unit(z)
    rotation = np.stack([x, np.cross(z, x), z], axis=1)
    return FaceAxes(corners.mean(axis=0), rotation, float(span) / _EYE_SPAN)
