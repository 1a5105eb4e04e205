"""Meshes of a synthetic scene on the GPU: what never changes once, the rest for every sample."""

import moderngl
import numpy as np

from engine.render.program import Program
from engine.synth.sample import PARSING
from engine.types import F32, I32

__all__ = ["SceneMesh", "kind_of"]

_STATIC = {"in_uv": 2, "in_kind": 1}
_MOVING = {"in_position": 3, "in_normal": 3, "in_occlusion": 3, "in_shadow": 3}


def kind_of(part: int, name: str) -> float:
    """shaders/synth.vert's in_kind."""
    return 16.0 * part + PARSING.index(name)


class SceneMesh:
    """A mesh whose vertices are split wherever texture coordinates or kinds differ."""

    def __init__(
        self, ctx: moderngl.Context, faces: I32, uv: F32, uv_faces: I32, kind: F32
    ) -> None:
        """Split and upload.

        Args:
            faces: (F, 3) rows of the vertices of `draw`; uv: (T, 2); uv_faces: (F, 3) rows of it.
            kind: (F,) of `kind_of`.
        """
        # One number for each corner: sorting rows of three takes ten times as long.
        code = (faces.astype(np.int64) << 32) + (uv_faces.astype(np.int64) << 8)
        code += kind.astype(np.int64)[:, None]
        unique, index = np.unique(code.reshape(-1), return_inverse=True)
        self._vertex = unique >> 32
        self._ctx = ctx
        uv_row, kinds = (unique >> 8) & 0xFFFFFF, unique & 0xFF
        static = np.column_stack([uv[uv_row], kinds]).astype(np.float32)
        self._static = ctx.buffer(np.ascontiguousarray(static).tobytes())
        self._index = ctx.buffer(index.astype(np.int32).reshape(-1).tobytes())
        self._moving = ctx.buffer(reserve=len(unique) * 48, dynamic=True)
        self._arrays: dict[str, moderngl.VertexArray] = {}

    def draw(
        self, program: Program, vertices: F32, normals: F32, occlusion: F32, shadow: F32
    ) -> None:
        """Draw with this sample's vertices; all (V, 3)."""
        rows = np.concatenate([vertices, normals, occlusion, shadow], axis=1)[self._vertex]
        self._moving.orphan()
        self._moving.write(np.ascontiguousarray(rows, np.float32))
        if program.name not in self._arrays:
            content = [
                _fed(program, self._static, _STATIC),
                _fed(program, self._moving, _MOVING),
            ]
            self._arrays[program.name] = self._ctx.vertex_array(program.gl, content, self._index)
        self._arrays[program.name].render(moderngl.TRIANGLES)

    def release(self) -> None:
        for array in self._arrays.values():
            array.release()
        for buffer in (self._static, self._index, self._moving):
            buffer.release()


def _fed(
    program: Program, buffer: moderngl.Buffer, attributes: dict[str, int]
) -> tuple[moderngl.Buffer | str, ...]:
    names = [name for name in attributes if name in program.gl]
    layout = [f"{n}f" if name in names else f"{4 * n}x" for name, n in attributes.items()]
    return (buffer, " ".join(layout), *names)
