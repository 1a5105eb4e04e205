"""Values known at some vertices of a mesh, spread smoothly to the others."""

import numpy as np
from scipy.sparse import coo_array, csr_array, diags_array
from scipy.sparse.linalg import splu

from engine.types import I32

__all__ = ["harmonic_spread"]


def harmonic_spread(triangles: I32, n_vertices: int, known: I32) -> csr_array:
    """(V, known) weights: each vertex that is not known is the mean of its neighbours.

    Every connected part of the mesh has to hold a known vertex.
    """
    a = np.concatenate([triangles[:, 0], triangles[:, 1], triangles[:, 2]])
    b = np.concatenate([triangles[:, 1], triangles[:, 2], triangles[:, 0]])
    near = coo_array((np.ones(len(a)), (a, b)), shape=(n_vertices, n_vertices)).tocsr()
    near = (near + near.T).sign().tocsr()
    free = np.setdiff1d(np.arange(n_vertices), known)
    rows = (diags_array(near.sum(axis=1)) - near).tocsr()[free]
    inside = splu(rows[:, free].tocsc()).solve(-rows[:, known].toarray())
    inside[np.abs(inside) < 1e-9] = 0.0
    between, own = coo_array(inside), np.arange(len(known))
    data = np.concatenate([np.ones(len(known)), between.data])
    row = np.concatenate([known, free[between.row]])
    column = np.concatenate([own, between.col])
    return csr_array(coo_array((data, (row, column)), shape=(n_vertices, len(known))))
