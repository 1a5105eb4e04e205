"""Carries landmarks and regions from our head model to a head of another topology.

Official FLAME files have neither, and the published embeddings are not ours to ship: the reference
head is laid over the foreign one, and each point goes where the skin meets it.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
from scipy.spatial import cKDTree

from engine.errors import AssetError
from engine.flame.closest import Surface, smooth_normals, unit_rows
from engine.flame.mesh_parts import (
    Eyeball,
    find_eyeballs,
    mirror_map,
    rim_edges,
    skin_triangles,
)
from engine.flame.model import JOINTS, REGIONS, Contour, HeadModel, Landmarks
from engine.flame.registration import align, bend
from engine.types import F32, F64, I32, Bool

__all__ = ["IRIS_LEFT", "IRIS_RIGHT", "Transferred", "carried_moves", "transfer"]

IRIS_RIGHT, IRIS_LEFT = 468, 473
"""MediaPipe's iris centres; the four points that follow each lie on the iris' rim."""

_INNER = ("eyeballs", "iris", "pupil", "teeth")  # regions of the reference that are no skin
_HIDDEN = ("mouth_inside", "eye_sockets")  # skin that another head may not have
_FACE_TRUST, _OTHER_TRUST = 1.0, 0.2
_CARRY_SCALE_M = 0.006  # what a normal difference of 1 is worth when points are carried over
_LABEL_SCALE_M = 0.003
_MAX_RESIDUAL_MM = 4.0
_MAX_MOVED_MM = 12.0  # two people differ by 2 to 6


@dataclass(frozen=True, slots=True, eq=False)
class Transferred:
    """What `transfer` finds for a foreign head; its vertices and faces stay as they are."""

    regions: Mapping[str, I32]
    landmarks68: Landmarks
    mediapipe: Landmarks
    mediapipe_idx: I32
    contour: Contour | None
    mirror: I32 | None
    residual_mm: float  # mean distance of the bent reference's face to the foreign surface


def transfer(reference: HeadModel, v_template: F32, faces: I32, J_regressor: F32) -> Transferred:
    """Landmarks, contour and regions of the reference on a foreign head.

    Args:
        reference: a head model with all of them.
        v_template: (V, 3) metres, FLAME's axes.
        faces: (F, 3) counter-clockwise seen from outside.
        J_regressor: (5, V) joints in FLAME's order; finds the eyes.
    Raises: AssetError: if the heads cannot be laid over each other.
    """
    vertices = np.asarray(v_template, np.float64)
    eyes = _eye_joints(J_regressor, vertices)
    balls = find_eyeballs(vertices, faces, eyes)
    skin = skin_triangles(faces, len(vertices), balls)
    surface = Surface(vertices, faces, use=skin)
    laid = _lay_over(reference, surface, eyes, rim_edges(faces, skin))
    _check(laid)
    regions = _regions(reference, laid, vertices, faces, skin)
    if balls is not None:
        both = np.concatenate([ball.vertices for ball in balls])
        regions["eyeballs"] = np.sort(both).astype(np.int32)
    points = _mediapipe(reference, laid, surface, vertices, faces, balls)
    return Transferred(
        regions=regions,
        landmarks68=_carry(reference.landmarks68, reference.faces, laid, surface),
        mediapipe=points[0],
        mediapipe_idx=points[1],
        contour=_contour(reference, laid, surface),
        mirror=mirror_map(vertices),
        residual_mm=laid.residual_mm,
    )


def carried_moves(
    reference: HeadModel, moves: F64, v_template: F32, faces: I32, J_regressor: F32
) -> F64:
    """How the skin of a foreign head moves where the reference's moves so; its inside rests.

    Args:
        moves: (V, 3, K) metres, of the reference's vertices.
        v_template, faces, J_regressor: the foreign head, as for `transfer`.
    Returns: (V', 3, K) metres, to the foreign head's scale.
    Raises: AssetError: if the heads cannot be laid over each other.
    """
    vertices = np.asarray(v_template, np.float64)
    eyes = _eye_joints(J_regressor, vertices)
    balls = find_eyeballs(vertices, faces, eyes)
    skin = skin_triangles(faces, len(vertices), balls)
    laid = _lay_over(reference, Surface(vertices, faces, use=skin), eyes, rim_edges(faces, skin))
    _check(laid)
    own = laid.skin[reference.faces].all(axis=1)
    found = Surface(laid.vertices, reference.faces, use=own).closest(
        vertices, smooth_normals(vertices, faces), _CARRY_SCALE_M
    )
    corners = moves[reference.faces[found.faces_idx]]
    carried: F64 = np.einsum("nk,nkcs->ncs", found.bary, corners)
    on_skin = np.zeros(len(vertices), np.bool_)
    on_skin[faces[skin]] = True
    carried[~on_skin] = 0.0
    own_eyes = _eye_joints(reference.J_regressor, np.asarray(reference.v_template, np.float64))
    return carried * (np.linalg.norm(eyes[0] - eyes[1]) / np.linalg.norm(own_eyes[0] - own_eyes[1]))


@dataclass(frozen=True, slots=True, eq=False)
class _Laid:
    """The reference after it was laid over the foreign head."""

    vertices: F64  # (V, 3) metres; those that are no skin stay where the similarity put them
    normals: F64  # (V, 3)
    skin: Bool  # (V,)
    residual_mm: float  # mean distance of the face to the foreign surface
    moved_mm: float  # mean way of the face from its placement to where it was bent to


def _lay_over(reference: HeadModel, surface: Surface, eyes: F64, rim: Bool) -> _Laid:
    vertices = np.asarray(reference.v_template, np.float64)
    skin = np.ones(len(vertices), np.bool_)
    for name in _INNER:
        skin[reference.regions.get(name, [])] = False
    skin_faces = reference.faces[skin[reference.faces].all(axis=1)]
    face = np.zeros(len(vertices), np.bool_)
    face[reference.regions["face"]] = True
    face &= skin
    own_eyes = _eye_joints(reference.J_regressor, vertices)
    normals = smooth_normals(vertices, skin_faces)
    placed = align(vertices[face], normals[face], own_eyes, surface, eyes)
    start = placed.apply(vertices)
    trust = np.full(len(vertices), _OTHER_TRUST)
    trust[face], trust[~skin] = _FACE_TRUST, 0.0
    for name in _HIDDEN:
        trust[reference.regions.get(name, [])] = 0.0
    bent = np.where(skin[:, None], bend(start, skin_faces, surface, trust, rim), start)
    normals = smooth_normals(bent, skin_faces)
    match = surface.closest(bent[face], normals[face], _CARRY_SCALE_M)
    residual = float(np.linalg.norm(match.points - bent[face], axis=1).mean())
    moved = float(np.linalg.norm(bent[face] - start[face], axis=1).mean())
    return _Laid(bent, normals, skin, 1000.0 * residual, 1000.0 * moved)


def _check(laid: _Laid) -> None:
    fits = laid.residual_mm <= _MAX_RESIDUAL_MM and laid.moved_mm <= _MAX_MOVED_MM
    if not fits:
        raise AssetError(
            f"our head does not fit over this one: the face had to move by {laid.moved_mm:.1f} mm "
            f"(at most {_MAX_MOVED_MM:.0f}) and is {laid.residual_mm:.1f} mm off (at most "
            f"{_MAX_RESIDUAL_MM:.0f}). Is it a head in FLAME's axes, in metres, facing +z?"
        )


def _carry(points: Landmarks, faces: I32, laid: _Laid, surface: Surface) -> Landmarks:
    """Points of the reference at the closest fitting places of the foreign skin."""
    corners = faces[points.faces_idx]
    places = np.einsum("nk,nkd->nd", points.bary, laid.vertices[corners])
    normals = unit_rows(np.einsum("nk,nkd->nd", points.bary, laid.normals[corners]))
    found = surface.closest(places, normals, _CARRY_SCALE_M)
    return Landmarks(found.faces_idx, found.bary.astype(np.float32))


def _contour(reference: HeadModel, laid: _Laid, surface: Surface) -> Contour | None:
    if (own := reference.contour) is None:
        return None
    n_yaw, n_points = own.faces_idx.shape
    flat = Landmarks(own.faces_idx.reshape(-1), own.bary.reshape(-1, 3))
    carried = _carry(flat, reference.faces, laid, surface)
    return Contour(
        yaw_deg=own.yaw_deg,
        faces_idx=carried.faces_idx.reshape(n_yaw, n_points),
        bary=carried.bary.reshape(n_yaw, n_points, 3),
    )


def _mediapipe(
    reference: HeadModel,
    laid: _Laid,
    surface: Surface,
    vertices: F64,
    faces: I32,
    balls: tuple[Eyeball, Eyeball] | None,
) -> tuple[Landmarks, I32]:
    """MediaPipe's points: those of the skin carried over, those of the irises put on eyeballs."""
    idx = reference.mediapipe_idx
    on_skin = idx < IRIS_RIGHT
    own = Landmarks(reference.mediapipe.faces_idx[on_skin], reference.mediapipe.bary[on_skin])
    carried = _carry(own, reference.faces, laid, surface)
    if balls is None:
        return carried, np.ascontiguousarray(idx[on_skin])
    parts, indices = [carried], [idx[on_skin]]
    for ball, centre in ((balls[1], IRIS_RIGHT), (balls[0], IRIS_LEFT)):
        points, numbers = _iris(reference, centre, ball, vertices, faces)
        parts.append(points)
        indices.append(numbers)
    faces_idx = np.concatenate([part.faces_idx for part in parts])
    bary = np.concatenate([part.bary for part in parts])
    return Landmarks(faces_idx, bary), np.concatenate(indices).astype(np.int32)


def _iris(
    reference: HeadModel, first: int, ball: Eyeball, vertices: F64, faces: I32
) -> tuple[Landmarks, I32]:
    """The iris centre at the ball's front, and rim points where the reference has them.

    A rim point lies in the same direction from the centre of the ball as in the reference.
    """
    own_vertices = np.asarray(reference.v_template, np.float64)
    joint = JOINTS.index("eye_left" if first == IRIS_LEFT else "eye_right")
    own_centre = np.asarray(reference.J_regressor[joint], np.float64) @ own_vertices
    idx = reference.mediapipe_idx
    rim = np.flatnonzero((idx > first) & (idx < first + 5))
    corners = own_vertices[reference.faces[reference.mediapipe.faces_idx[rim]]]
    places = np.einsum("nk,nkd->nd", reference.mediapipe.bary[rim], corners)
    directions = np.vstack([[0.0, 0.0, 1.0], unit_rows(places - own_centre)])
    in_ball = np.zeros(len(vertices), np.bool_)
    in_ball[ball.vertices] = True
    surface = Surface(vertices, faces, use=in_ball[faces].all(axis=1))
    found = surface.closest(ball.centre + ball.radius * directions, directions, _CARRY_SCALE_M)
    points = Landmarks(found.faces_idx, found.bary.astype(np.float32))
    return points, np.concatenate([[first], idx[rim]]).astype(np.int32)


def _regions(
    reference: HeadModel, laid: _Laid, vertices: F64, faces: I32, skin: Bool
) -> dict[str, I32]:
    """Each vertex of the skin takes the regions of the nearest reference vertex facing its way."""
    normals = smooth_normals(vertices, faces)
    own = np.flatnonzero(laid.skin)
    tree: Any = cKDTree(np.hstack([laid.vertices, _LABEL_SCALE_M * laid.normals])[own])
    _, found = tree.query(np.hstack([vertices, _LABEL_SCALE_M * normals]))
    nearest = own[found]
    on_skin = np.zeros(len(vertices), np.bool_)
    on_skin[faces[skin]] = True
    regions: dict[str, I32] = {}
    for name, members in reference.regions.items():
        if name in _INNER:
            continue
        member = np.zeros(reference.n_vertices, np.bool_)
        member[members] = True
        index = np.flatnonzero(member[nearest] & on_skin).astype(np.int32)
        if index.size:
            regions[name] = index
        elif name in REGIONS:
            raise AssetError(f"the head has no vertex in the region {name}; its mesh is too coarse")
    return regions


def _eye_joints(J_regressor: F32, vertices: F64) -> F64:
    rows = [JOINTS.index("eye_left"), JOINTS.index("eye_right")]
    joints: F64 = np.asarray(J_regressor, np.float64)[rows] @ vertices
    return joints
