"""openhead's joints, skinning weights and pose correctives.

The jaw is taken from the source's jawOpen: its lower teeth turn rigidly, which gives the joint and
the angle; how far each vertex follows gives the weights; what skinning leaves over becomes the
corrective.
"""

from dataclasses import dataclass

import numpy as np
from scipy.optimize import nnls
from scipy.sparse import coo_array, diags_array

from engine.flame.lbs import rodrigues
from engine.openhead.ict import RANGES, IctModel
from engine.openhead.mesh import EYE_CENTRE, PARTS, Mesh
from engine.types import F64

__all__ = ["JAW_JOINT", "Rig", "build_rig", "jaw_correctives", "jaw_turn", "without_jaw"]

_ROOT = np.array([0.0, -0.107, -0.030])
_NECK = np.array([0.0, -0.052, -0.0115])  # near the second neck vertebra, where a nod turns
JAW_JOINT = np.array([0.0, -0.00547, 0.01819])  # pivot of the lower teeth in the source's jawOpen
_JAW_FEATURE = 9  # first pose feature of the jaw: 9 entries a joint, neck first


@dataclass(frozen=True, slots=True, eq=False)
class Rig:
    J_regressor: F64  # (5, V)
    lbs_weights: F64  # (V, 5)
    posedirs: F64  # (V, 3, 36) metres
    jaw_open: F64  # (3,) axis-angle of the source's jawOpen at full strength


def jaw_turn(ict: IctModel, name: str) -> F64:
    """(3,) axis-angle about JAW_JOINT that best moves the lower teeth as a source shape does."""
    teeth = slice(*RANGES["lower_teeth"])
    rest = ict.vertices[teeth] - JAW_JOINT
    moved = rest + ict.expressions[name][teeth]
    U, _, Vt = np.linalg.svd(rest.T @ moved)
    R = Vt.T @ np.diag([1, 1, np.sign(np.linalg.det(Vt.T @ U.T))]) @ U.T
    axis = np.array([R[2, 1] - R[1, 2], R[0, 2] - R[2, 0], R[1, 0] - R[0, 1]]) / 2
    sine = np.linalg.norm(axis)
    turn: F64 = axis / sine * np.arctan2(sine, (np.trace(R) - 1) / 2)
    return turn


def build_rig(ict: IctModel, mesh: Mesh, v: F64, jaw_open_shape: F64) -> Rig:
    """Joints, weights and correctives for the neutral mesh v (V, 3), metres.

    Args:
        jaw_open_shape: (V, 3) the source's jawOpen on this mesh, metres.
    """
    jaw_open = jaw_turn(ict, "jawOpen") * [1, 0, 0]
    weights = _weights(mesh, v, jaw_open_shape, jaw_open)
    posedirs = jaw_correctives(v, jaw_open_shape, weights[:, 2], jaw_open)
    return Rig(_joint_regressor(mesh, v), weights, posedirs, jaw_open)


def jaw_correctives(v: F64, jaw_open_shape: F64, jaw_weight: F64, jaw_open: F64) -> F64:
    """(V, 3, 36) metres: what skinning leaves over of the source's jawOpen."""
    posedirs = np.zeros((len(v), 3, 36))
    residual = without_jaw(v, jaw_open_shape, jaw_weight, jaw_open)
    # sin of the angle stands in R[2, 1] and, negative, in R[1, 2]: the corrective grows with it.
    half = residual / (2 * np.sin(jaw_open[0]))
    posedirs[:, :, _JAW_FEATURE + 7] = half
    posedirs[:, :, _JAW_FEATURE + 5] = -half
    return posedirs


def without_jaw(v: F64, shape: F64, jaw_weight: F64, turn: F64) -> F64:
    """(V, 3) rest-pose offsets that, skinned with the jaw turned, give v + shape exactly."""
    R = rodrigues(turn, xp=np)
    blended = np.eye(3) + jaw_weight[:, None, None] * (R - np.eye(3))
    skinned = (blended @ (v - JAW_JOINT)[..., None])[..., 0] + JAW_JOINT
    offsets: F64 = np.linalg.solve(blended, (v + shape - skinned)[..., None])[..., 0]
    return offsets


def _weights(mesh: Mesh, v: F64, jaw_open_shape: F64, turn: F64) -> F64:
    along = _NECK - _ROOT
    height = (v - _ROOT) @ along / (along @ along)
    s = np.clip((height + 0.1) / 1.3, 0, 1)
    head = s * s * (3 - 2 * s)
    path = (v - JAW_JOINT) @ (rodrigues(turn, xp=np) - np.eye(3)).T
    # The second term damps what lies near the axis, where hardly anything moves.
    follow = (jaw_open_shape * path).sum(1) / ((path**2).sum(1) + 0.002**2)
    jaw = _smoothed(mesh, np.clip(follow, 0, 1), v)
    weights = np.zeros((len(v), 5))
    rigid = {"upper_teeth": 1, "lower_teeth": 2, "eye_left": 3, "eye_right": 4}
    weights[:, 2] = np.minimum(jaw, head)
    weights[:, 1] = head - weights[:, 2]
    weights[:, 0] = 1 - head
    for name, joint in rigid.items():
        weights[mesh.part == PARTS.index(name)] = np.eye(5)[joint]
    mirrored = weights[mesh.mirror][:, [0, 1, 2, 4, 3]]
    return (weights + mirrored) / 2


def _smoothed(mesh: Mesh, values: F64, v: F64, rounds: int = 4) -> F64:
    """Average over neighbours; lips keep their own side because the mesh is open between them."""
    tri = mesh.triangles
    a, b = np.concatenate([tri, tri[:, [1, 2, 0]]]).T[:2]
    pairs = coo_array((np.ones(len(a)), (a, b)), shape=(len(v),) * 2).tocsr()
    pairs = (pairs + pairs.T).sign()
    mean = diags_array(1 / pairs.sum(axis=1)) @ pairs
    for _ in range(rounds):
        values = 0.5 * values + 0.5 * (mean @ values)
    return values


def _joint_regressor(mesh: Mesh, v: F64) -> F64:
    regressor = np.zeros((5, len(v)))
    skin = np.flatnonzero(mesh.part == 0)
    for row, joint in enumerate((_ROOT, _NECK, JAW_JOINT)):
        near = skin[np.argsort(np.linalg.norm(v[skin] - joint, axis=1))[:600]]
        stacked = np.concatenate([v[near].T, np.full((1, len(near)), 1.0)])
        weights, _ = nnls(stacked, np.append(joint, 1.0))
        regressor[row, near] = weights
    regressor[:3] = (regressor[:3] + regressor[:3][:, mesh.mirror]) / 2
    for row, name, sign in ((3, "eye_left", 1), (4, "eye_right", -1)):
        ball = np.flatnonzero(mesh.part == PARTS.index(name))
        equator = ball[np.abs(v[ball, 2] - (EYE_CENTRE * [sign, 1, 1])[2]) < 1e-6]
        regressor[row, equator] = 1 / len(equator)
    return regressor
