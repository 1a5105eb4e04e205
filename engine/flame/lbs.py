"""FLAME's maths, once, over an array namespace `xp` (numpy or torch); leading axes are batch axes.

Everything is in metres and in the model frame. Joint order: root, neck, jaw, left eye, right eye.
Source: Li et al. 2017 (FLAME), "Model formulation"; Loper et al. 2015 (SMPL) for the correctives.
"""

from typing import Any

__all__ = [
    "blend",
    "joint_transforms",
    "pose_feature",
    "posed_vertices",
    "rest_joints",
    "rodrigues",
    "skin",
]

Array = Any  # numpy.ndarray or torch.Tensor, one kind per call


def blend(v_template: Array, dirs: Array, coefficients: Array, *, xp: Any) -> Array:  # noqa: ANN401
    """Add a linear basis to a template.

    Args:
        v_template: (..., V, 3) metres.
        dirs: (V, 3, K) metres per unit.
        coefficients: (..., K).
    Returns: (..., V, 3) metres.
    """
    return v_template + xp.einsum("vck,...k->...vc", dirs, coefficients)


def rodrigues(axis_angle: Array, *, xp: Any) -> Array:  # noqa: ANN401
    """(..., 3) axis-angle, radians -> (..., 3, 3) rotation matrices; smooth through zero."""
    squared = (axis_angle**2).sum(-1)[..., None, None]
    # The epsilon keeps torch's gradient of the root finite at zero; it is far below float32.
    angle = xp.sqrt(squared + 1e-20)
    x, y, z = axis_angle[..., 0], axis_angle[..., 1], axis_angle[..., 2]
    zero = xp.zeros_like(x)
    K = xp.stack([zero, -z, y, z, zero, -x, -y, x, zero], -1).reshape((*x.shape, 3, 3))
    sine_term = xp.sinc(angle / xp.pi)
    cosine_term = 0.5 * xp.sinc(angle / (2.0 * xp.pi)) ** 2
    return _identity_like(x, xp=xp) + sine_term * K + cosine_term * (K @ K)


def _identity_like(x: Array, *, xp: Any) -> Array:  # noqa: ANN401
    """(...) -> (..., 3, 3) identities of the same kind, on the same device."""
    zero, one = xp.zeros_like(x), xp.ones_like(x)
    entries = [one, zero, zero, zero, one, zero, zero, zero, one]
    return xp.stack(entries, -1).reshape((*x.shape, 3, 3))


def rest_joints(J_regressor: Array, v_shaped: Array, *, xp: Any) -> Array:  # noqa: ANN401
    """(J, V) and (..., V, 3) -> (..., J, 3) metres."""
    return xp.einsum("jv,...vc->...jc", J_regressor, v_shaped)


def pose_feature(rotations: Array, *, xp: Any) -> Array:  # noqa: ANN401
    """(..., J, 3, 3) -> (..., 9 (J - 1)): entries of R - I, row-major, for all but the root."""
    moving = rotations[..., 1:, :, :]
    difference = moving - _identity_like(moving[..., 0, 0], xp=xp)
    return difference.reshape((*rotations.shape[:-3], -1))


def joint_transforms(
    rotations: Array,
    joints: Array,
    parents: tuple[int, ...],
    *,
    xp: Any,  # noqa: ANN401
) -> Array:
    """What each joint does to a point given in the rest pose.

    Args:
        rotations: (..., J, 3, 3), each relative to its parent.
        joints: (..., J, 3) metres, rest pose.
        parents: J indices, -1 for the root, every parent before its children.
    Returns: (..., J, 3, 4) rotation and translation: posed = A[:, :3] @ rest + A[:, 3].
    """
    R_world, t_world = [rotations[..., 0, :, :]], [joints[..., 0, :]]
    for j, parent in enumerate(parents[1:], start=1):
        R_parent = R_world[parent]
        offset = joints[..., j, :] - joints[..., parent, :]
        R_world.append(R_parent @ rotations[..., j, :, :])
        t_world.append((R_parent @ offset[..., None])[..., 0] + t_world[parent])
    R = xp.stack(R_world, -3)
    t = xp.stack(t_world, -2) - (R @ joints[..., None])[..., 0]
    return xp.concatenate([R, t[..., None]], -1)


def skin(v_posed: Array, transforms: Array, lbs_weights: Array, *, xp: Any) -> Array:  # noqa: ANN401
    """Linear blend skinning.

    Args:
        v_posed: (..., V, 3) metres, rest pose with correctives.
        transforms: (..., J, 3, 4) of `joint_transforms`.
        lbs_weights: (V, J), rows sum to 1.
    Returns: (..., V, 3) metres.
    """
    shape = transforms.shape
    blended = (lbs_weights @ transforms.reshape((*shape[:-2], 12))).reshape(
        (*shape[:-3], lbs_weights.shape[0], 3, 4)
    )
    return xp.einsum("...vij,...vj->...vi", blended[..., :3], v_posed) + blended[..., 3]


def posed_vertices(
    model: Any,  # noqa: ANN401
    *,
    shape: Array,
    expr: Array,
    neck: Array,
    jaw: Array,
    eyes: Array,
    eyelids: Array | None = None,
    xp: Any,  # noqa: ANN401
) -> Array:
    """The whole head in one call; `engine.flame.posed.PosedHead` is the fast path for one person.

    Args:
        model: HeadModel, or anything with its fields as arrays of `xp`.
        shape: (..., n_shape); expr: (..., n_expr), standard units.
        neck, jaw: (..., 3); eyes: (..., 6) left then right; axis-angle, radians.
        eyelids: (..., 2) 0..1 left, right; ignored where the model has none.
    Returns: (..., V, 3) metres, model frame. Lids close before skinning, so they follow the neck.
    """
    v_shaped = blend(model.v_template, model.shapedirs, shape, xp=xp)
    v_shaped = blend(v_shaped, model.exprdirs, expr, xp=xp)
    joints = rest_joints(model.J_regressor, v_shaped, xp=xp)
    pose = xp.stack([xp.zeros_like(neck), neck, jaw, eyes[..., :3], eyes[..., 3:]], -2)
    rotations = rodrigues(pose, xp=xp)
    v_posed = blend(v_shaped, model.posedirs, pose_feature(rotations, xp=xp), xp=xp)
    if eyelids is not None and model.eyelid_dirs is not None:
        v_posed = blend(v_posed, model.eyelid_dirs, eyelids, xp=xp)
    parents = tuple(int(p) for p in model.parents)
    return skin(
        v_posed, joint_transforms(rotations, joints, parents, xp=xp), model.lbs_weights, xp=xp
    )
