"""Head meshes as OBJ and PLY, in millimetres; glTF is written by glb_rig.py."""

from pathlib import Path

import numpy as np

from engine.files import replacing
from engine.types import F32, I32, check_array

__all__ = ["write_obj", "write_ply"]

MM_PER_M = 1000.0


def write_obj(
    path: Path,
    vertices_m: F32,
    faces: I32,
    uv: F32 | None = None,
    uv_faces: I32 | None = None,
    *,
    note: str = "",
) -> None:
    """Write a Wavefront OBJ: millimetres, model frame, vertices in their order.

    Args:
        path: the file; replaced whole or not at all.
        vertices_m: (V, 3) metres, model frame.
        faces: (F, 3) counter-clockwise seen from outside.
        uv, uv_faces: (T, 2) with v up and (F, 3) rows of uv; both or neither.
        note: a line of comment, ASCII.
    Raises: ValueError: if shapes do not fit. OutputError: if it cannot be written.
    """
    _check_mesh(vertices_m, faces)
    lines = ["# millimetres; +x the subject's left, +y up, +z out of the face"]
    lines += [f"# {note}"] if note else []
    lines += ["v {:.4f} {:.4f} {:.4f}".format(*v) for v in (vertices_m * MM_PER_M).tolist()]
    corners = (faces + 1).tolist()
    if uv is None or uv_faces is None:
        lines += ["f {} {} {}".format(*f) for f in corners]
    else:
        check_array("uv_faces", uv_faces, (len(faces), 3), np.int32)
        lines += ["vt {:.6f} {:.6f}".format(*t) for t in uv.tolist()]
        textures = (uv_faces + 1).tolist()
        lines += [
            f"f {a}/{d} {b}/{e} {c}/{g}"
            for (a, b, c), (d, e, g) in zip(corners, textures, strict=True)
        ]
    with replacing(path) as temporary:
        temporary.write_text("\n".join(lines) + "\n", encoding="ascii")


def write_ply(path: Path, vertices_m: F32, faces: I32, *, note: str = "") -> None:
    """Write a binary PLY: millimetres, model frame, vertices in their order.

    Args:
        path: the file; replaced whole or not at all.
        vertices_m: (V, 3) metres, model frame.
        faces: (F, 3) counter-clockwise seen from outside.
        note: a line of comment, ASCII.
    Raises: ValueError: if shapes do not fit. OutputError: if it cannot be written.
    """
    _check_mesh(vertices_m, faces)
    comment = f"comment {note}\n" if note else ""
    header = (
        f"ply\nformat binary_little_endian 1.0\ncomment millimetres\n{comment}"
        f"element vertex {len(vertices_m)}\n"
        "property float x\nproperty float y\nproperty float z\n"
        f"element face {len(faces)}\nproperty list uchar int vertex_indices\nend_header\n"
    )
    rows = np.zeros(len(faces), np.dtype([("n", "u1"), ("corners", "<i4", (3,))]))
    rows["n"], rows["corners"] = 3, faces
    points = (vertices_m * MM_PER_M).astype("<f4")
    with replacing(path) as temporary:
        temporary.write_bytes(header.encode("ascii") + points.tobytes() + rows.tobytes())


def _check_mesh(vertices_m: F32, faces: I32) -> None:
    check_array("vertices_m", vertices_m, (None, 3), np.float32)
    check_array("faces", faces, (None, 3), np.int32)
    if faces.size and not (faces.min() >= 0 and faces.max() < len(vertices_m)):
        raise ValueError(f"faces point to {faces.max()}, but there are {len(vertices_m)} vertices")
