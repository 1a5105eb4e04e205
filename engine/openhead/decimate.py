"""Half-edge-collapse decimation: it keeps vertices of the source, so modes carry over exactly.

Source: Garland and Heckbert 1997, "Surface Simplification Using Quadric Error Metrics"; here the
quadrics of several shapes of one topology are summed, so that a collapse has to suit all of them.
"""

import heapq

import numpy as np

from engine.types import F64, I32, Bool

__all__ = ["decimate"]

_MIN_NORMAL_DOT = 0.5  # a triangle may turn by up to 60 degrees in a collapse
_MIN_QUALITY = 0.04  # 4 sqrt(3) area / (sum of squared edges); 1 is equilateral
_BOUNDARY_WEIGHT = 10.0
_LENGTH_WEIGHT = 3e-4  # keeps flat areas evenly meshed


def decimate(
    shapes: F64, triangles: I32, n_keep: int, importance: F64, locked: Bool, rail: I32
) -> tuple[I32, I32]:
    """Collapse edges until n_keep vertices are left.

    Args:
        shapes: (K, V, 3) metres: the same mesh in K shapes that the result must suit.
        triangles: (T, 3).
        n_keep: vertices to keep; fewer collapses are made if none is left that is safe.
        importance: (V,) weight of the squared distance around each vertex.
        locked: (V,) vertices that stay.
        rail: (V,) 0 for free vertices; a vertex with rail r > 0 only collapses onto neighbours of
            the same rail (a boundary or a symmetry line that must stay where it is).
    Returns: kept vertex indices (n,), rising, and triangles (T', 3) into them.
    """
    mesh = _Collapser(shapes, triangles, importance, locked, rail)
    return mesh.run(n_keep)


class _Collapser:
    def __init__(
        self, shapes: F64, triangles: I32, importance: F64, locked: Bool, rail: I32
    ) -> None:
        self.shapes, self.locked, self.rail = shapes, locked, rail
        self.importance = importance
        self.faces: dict[int, tuple[int, int, int]] = {
            i: (int(a), int(b), int(c)) for i, (a, b, c) in enumerate(triangles)
        }
        self.star: list[set[int]] = [set() for _ in range(shapes.shape[1])]
        for i, corners in self.faces.items():
            for v in corners:
                self.star[v].add(i)
        self.quadrics = self._vertex_quadrics(triangles)
        self.alive = np.array([bool(s) for s in self.star])
        self.version = np.zeros(shapes.shape[1], np.int64)

    def _vertex_quadrics(self, triangles: I32) -> F64:
        """(V, K, 4, 4) area-weighted plane quadrics, with a fence along open boundaries."""
        K, V = self.shapes.shape[:2]
        quadrics = np.zeros((V, K, 4, 4))
        corners = self.shapes[:, triangles]
        normal = np.cross(corners[:, :, 1] - corners[:, :, 0], corners[:, :, 2] - corners[:, :, 0])
        area2 = np.linalg.norm(normal, axis=-1, keepdims=True) + 1e-18
        unit = normal / area2
        plane = np.concatenate([unit, -(unit * corners[:, :, 0]).sum(-1, keepdims=True)], -1)
        weight = area2[..., 0] / 2 * self.importance[triangles].mean(-1)
        per_face = np.einsum("kti,ktj,kt->tkij", plane, plane, weight)
        for corner in range(3):
            np.add.at(quadrics, triangles[:, corner], per_face)
        self._add_fence(quadrics, triangles, unit)
        return quadrics

    def _add_fence(self, quadrics: F64, triangles: I32, unit: F64) -> None:
        edges = np.concatenate([triangles[:, [0, 1]], triangles[:, [1, 2]], triangles[:, [2, 0]]])
        face = np.tile(np.arange(len(triangles)), 3)
        key = np.sort(edges, axis=1)
        _, first, count = np.unique(key, axis=0, return_index=True, return_counts=True)
        open_edges = first[count == 1]
        a, b = edges[open_edges].T
        along = self.shapes[:, b] - self.shapes[:, a]
        wall = np.cross(along, unit[:, face[open_edges]])
        wall /= np.linalg.norm(wall, axis=-1, keepdims=True) + 1e-18
        plane = np.concatenate([wall, -(wall * self.shapes[:, a]).sum(-1, keepdims=True)], -1)
        weight = (
            _BOUNDARY_WEIGHT * (along**2).sum(-1) * (self.importance[a] + self.importance[b]) / 2
        )
        per_edge = np.einsum("kei,kej,ke->ekij", plane, plane, weight)
        np.add.at(quadrics, a, per_edge)
        np.add.at(quadrics, b, per_edge)

    def run(self, n_keep: int) -> tuple[I32, I32]:
        heap: list[tuple[float, int, int, int, int]] = []
        for u in np.flatnonzero(self.alive):
            self._push(int(u), sorted(self._neighbours(int(u))), heap)
        n_alive = int(self.alive.sum())
        while heap and n_alive > n_keep:
            _, u, v, version_u, version_v = heapq.heappop(heap)
            if self.version[u] != version_u or self.version[v] != version_v or not self.alive[u]:
                continue
            if not self.alive[v] or not self._is_safe(u, v):
                continue
            self._collapse(u, v)
            n_alive -= 1
            self.version[v] += 1  # its quadric grew: all offers from and to it are stale
            self._push(v, sorted(self._neighbours(v)), heap)
            for w in sorted(self._neighbours(v)):
                self._push(w, [v], heap)
        kept = np.flatnonzero(self.alive).astype(np.int32)
        renumber = np.full(self.alive.size, -1, np.int32)
        renumber[kept] = np.arange(len(kept))
        faces = np.array([self.faces[i] for i in sorted(self.faces)], np.int32)
        return kept, renumber[faces]

    def _neighbours(self, u: int) -> set[int]:
        return {w for f in self.star[u] for w in self.faces[f]} - {u}

    def _push(
        self, u: int, neighbours: list[int], heap: list[tuple[float, int, int, int, int]]
    ) -> None:
        """Offer the collapses of u onto some of its neighbours."""
        targets = [v for v in neighbours if self.rail[u] in (0, self.rail[v])]
        if self.locked[u] or not targets:
            return
        points = self.shapes[:, targets]
        lifted = np.concatenate([points, np.ones((*points.shape[:2], 1))], -1)
        combined = self.quadrics[u][None] + self.quadrics[targets]
        costs = np.einsum("kni,nkij,knj->n", lifted, combined, lifted)
        squared = ((points - self.shapes[:, [u]]) ** 2).sum(-1).mean(0)
        costs += _LENGTH_WEIGHT * len(self.shapes) * self.importance[u] * squared**2
        for v, cost in zip(targets, costs, strict=True):
            heapq.heappush(heap, (float(cost), u, v, int(self.version[u]), int(self.version[v])))

    def _is_safe(self, u: int, v: int) -> bool:
        shared = self.star[u] & self.star[v]
        # Link condition: the only common neighbours are the far corners of the shared triangles.
        if len(self._neighbours(u) & self._neighbours(v)) != len(shared):
            return False
        if self.rail[u] and len(shared) != 1:
            return False
        moved = [self.faces[f] for f in self.star[u] - shared]
        if not moved:
            return False
        before = np.array(moved)
        after = np.where(before == u, v, before)
        old, _ = self._normals(before)
        new, quality = self._normals(after)
        return bool(((old * new).sum(-1) > _MIN_NORMAL_DOT).all() and quality.min() > _MIN_QUALITY)

    def _normals(self, corners: I32) -> tuple[F64, F64]:
        a, b, c = (self.shapes[:, corners[:, i]] for i in range(3))
        normal = np.cross(b - a, c - a)
        length = np.linalg.norm(normal, axis=-1, keepdims=True) + 1e-18
        edges = ((b - a) ** 2).sum(-1) + ((c - b) ** 2).sum(-1) + ((a - c) ** 2).sum(-1)
        return normal / length, 2 * np.sqrt(3) * length[..., 0] / (edges + 1e-18)

    def _collapse(self, u: int, v: int) -> None:
        for f in list(self.star[u]):
            corners = self.faces[f]
            if v in corners:
                for w in corners:
                    self.star[w].discard(f)
                del self.faces[f]
            else:
                self.faces[f] = tuple(v if w == u else w for w in corners)  # type: ignore[assignment]
                self.star[v].add(f)
        self.star[u].clear()
        self.alive[u] = False
        self.quadrics[v] += self.quadrics[u]
