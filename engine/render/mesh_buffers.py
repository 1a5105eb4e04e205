"""A mesh on the GPU: constant surface attributes, positions and normals rewritten every frame."""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any

import moderngl
import numpy as np

from engine.flame.normals import VertexNormals
from engine.render.colour import linear_from_srgb
from engine.render.program import Program
from engine.types import F32, I32, check_array

__all__ = ["CLAY", "MeshBuffers", "Surface"]

CLAY = (0.80, 0.765, 0.735)
"""sRGB-encoded: a warm light grey."""


@dataclass(frozen=True, slots=True, eq=False)
class Surface:
    """What a mesh is made of, at each vertex; None: clay, opaque, matt."""

    albedo: F32 | None = None  # (V, 3) sRGB-encoded, 0..1
    opacity_v: F32 | None = None  # (V,) 0 invisible .. 1
    gloss: F32 | None = None  # (V,) 0 matt .. 1 wet

    def packed(self, n_vertices: int) -> F32:
        """(n_vertices, 5): albedo in linear light, opacity, gloss; further vertices are left out.

        Raises: ValueError: if an array has fewer than n_vertices rows.
        """
        packed = np.empty((n_vertices, 5), np.float32)
        packed[:] = [*CLAY, 1.0, 0.0]
        parts = (("albedo", slice(0, 3)), ("opacity_v", 3), ("gloss", 4))
        for name, columns in parts:
            if (array := getattr(self, name)) is not None:
                used = array[:n_vertices]
                shape = (n_vertices, 3) if name == "albedo" else (n_vertices,)
                check_array(name, used, shape, np.float32)
                packed[:, columns] = used
        packed[:, :3] = linear_from_srgb(packed[:, :3])
        return packed


@dataclass(frozen=True, slots=True, eq=False)
class _Draw:
    """Vertex arrays for one way of drawing: by index, or with three corners a triangle."""

    frame: moderngl.Buffer  # position, normal
    surface: moderngl.Buffer  # albedo, opacity, gloss
    source: moderngl.Buffer  # position, normal when the photo was taken
    index: moderngl.Buffer | None


class MeshBuffers:
    """Buffers of one mesh and the vertex arrays that feed them to programs."""

    def __init__(self, ctx: moderngl.Context, faces: I32, surface: Surface) -> None:
        """faces: (F, 3) counter-clockwise seen from outside.

        Raises: ValueError: if faces are empty or negative, or surface has too few vertices.
        """
        check_array("faces", faces, (None, 3), np.int32)
        if not len(faces) or faces.min() < 0:
            raise ValueError("faces: expected at least one triangle and no negative index")
        self._ctx = ctx
        self._n_vertices = int(faces.max()) + 1
        self._corners = np.ascontiguousarray(faces).reshape(-1)
        self._packed_surface = packed_surface = surface.packed(self._n_vertices)
        self._normals = VertexNormals(faces, self._n_vertices)
        self._frame = np.zeros((self._n_vertices, 6), np.float32)
        self._arrays: dict[tuple[str, bool], moderngl.VertexArray] = {}
        self._indexed = self._buffers(packed_surface, ctx.buffer(self._corners.tobytes()))
        self._by_corner: _Draw | None = None
        self._coloured: _Draw | None = None

    def _buffers(self, surface: F32, index: moderngl.Buffer | None) -> _Draw:
        n_bytes = 24 * len(surface)
        frame, source = (self._ctx.buffer(reserve=n_bytes, dynamic=True) for _ in range(2))
        return _Draw(frame, self._ctx.buffer(surface.tobytes()), source, index)

    def write(self, vertices: F32, *, corners: bool = False) -> None:
        """Take this frame's vertices, (V, 3) metres, model frame; normals are made here.

        Args:
            corners: True when the next draw needs three corners a triangle.
        """
        self._fill(vertices)
        if not corners:
            _rewrite(self._indexed.frame, self._frame)
            return
        if self._by_corner is None:
            self._by_corner = self._buffers(self._packed_surface[self._corners], None)
        _rewrite(self._by_corner.frame, self._frame[self._corners])

    def write_source(self, vertices: F32) -> None:
        """Take the vertices at the time of the photo, (V, 3) metres, model frame."""
        self._fill(vertices)
        _rewrite(self._indexed.source, self._frame)

    def _fill(self, vertices: F32) -> None:
        used = vertices[: self._n_vertices]
        check_array("vertices", used, (self._n_vertices, 3), np.float32)
        self._frame[:, :3] = used
        self._frame[:, 3:] = self._normals(used)

    def render(self, program: Program, *, corners: bool = False) -> None:
        """Draw what was last written."""
        draw = self._by_corner if corners else self._indexed
        if draw is None:
            raise ValueError("write(vertices, corners=True) comes before render(corners=True)")
        key = (program.name, corners)
        if key not in self._arrays:
            self._arrays[key] = self._vertex_array(program, draw)
        self._arrays[key].render(moderngl.TRIANGLES)

    def _vertex_array(self, program: Program, draw: _Draw) -> moderngl.VertexArray:
        content = [
            _used(program, draw.frame, {"in_position": 3, "in_normal": 3}),
            _used(program, draw.surface, {"in_albedo": 3, "in_opacity": 1, "in_gloss": 1}),
            _used(program, draw.source, {"in_source_position": 3, "in_source_normal": 3}),
        ]
        fed = [part for part in content if len(part) > 2]
        return self._ctx.vertex_array(program.gl, fed, draw.index)

    def render_coloured(self, program: Program, colours: F32) -> None:
        """Draw what was last written in colours of its own, which change with every frame.

        Args:
            colours: (V, 3) sRGB-encoded, 0..1, in place of the surface's albedo.
        """
        used = colours[: self._n_vertices]
        check_array("colours", used, (self._n_vertices, 3), np.float32)
        if self._coloured is None:
            surface = self._ctx.buffer(reserve=self._packed_surface.nbytes, dynamic=True)
            self._coloured = replace(self._indexed, surface=surface)
        packed = self._packed_surface.copy()
        packed[:, :3] = linear_from_srgb(used)
        _rewrite(self._coloured.surface, packed)
        key = ("coloured", False)
        if key not in self._arrays:
            self._arrays[key] = self._vertex_array(program, self._coloured)
        self._arrays[key].render(moderngl.TRIANGLES)

    def render_source_depth(self, program: Program) -> None:
        """Draw the vertices of `write_source` with a program that takes in_position only."""
        key = ("source depth", False)
        if key not in self._arrays:
            swapped = replace(self._indexed, frame=self._indexed.source)
            self._arrays[key] = self._vertex_array(program, swapped)
        self._arrays[key].render(moderngl.TRIANGLES)

    def release(self) -> None:
        for array in self._arrays.values():
            array.release()
        self._arrays.clear()
        if self._coloured is not None:
            self._coloured.surface.release()
        for draw in (self._indexed, self._by_corner):
            if draw is not None:
                for buffer in (draw.frame, draw.surface, draw.source, draw.index):
                    if buffer is not None:
                        buffer.release()


def _rewrite(buffer: moderngl.Buffer, array: F32) -> None:
    buffer.orphan()
    buffer.write(array)


def _used(
    program: Program, buffer: moderngl.Buffer, attributes: Mapping[str, int]
) -> tuple[Any, ...]:
    """What of an interleaved buffer a program takes: attributes by number of floats."""
    names = [name for name in attributes if name in program.gl]
    layout = [f"{n}f" if name in names else f"{4 * n}x" for name, n in attributes.items()]
    return (buffer, " ".join(layout), *names)
