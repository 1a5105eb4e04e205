"""Which way the face looks at points fixed to its surface."""

import numpy as np
from scipy.spatial import cKDTree

from engine.flame.model import HeadModel, Landmarks
from engine.flame.normals import vertex_normals
from engine.flame.posed import surface_points
from engine.types import F64

__all__ = ["outward_directions", "point_normals"]


def outward_directions(model: HeadModel, points: Landmarks) -> F64:
    """(N, 3) which way the face looks around each point: normals averaged over 15 mm.

    The skin's own normal would not do: on the rims of lids and lips it points into the gap.
    """
    face = model.regions["face"]
    normals = vertex_normals(model.v_template, model.faces)[face]
    places = surface_points(model.v_template, model.faces, points)
    near = cKDTree(model.v_template[face]).query_ball_point(places, 0.015)
    own = point_normals(model, points)
    mean = np.array([normals[n].sum(0) if n else own[i] for i, n in enumerate(near)], np.float64)
    unit: F64 = mean / np.linalg.norm(mean, axis=1, keepdims=True)
    return unit


def point_normals(model: HeadModel, points: Landmarks) -> F64:
    """(N, 3) unit normals of surface points on the template head, model frame."""
    corners = vertex_normals(model.v_template, model.faces)[model.faces[points.faces_idx]]
    normals = np.einsum("nk,nkc->nc", points.bary.astype(np.float64), corners)
    unit: F64 = normals / np.linalg.norm(normals, axis=1, keepdims=True)
    return unit
