"""Head meshes as OBJ and PLY (millimetres) and GLB (metres, as glTF demands)."""

from pathlib import Path
from typing import Any

import numpy as np

from engine.files import replacing
from engine.types import F32, F64, I32, check_array

__all__ = ["write_glb", "write_obj", "write_ply"]

MM_PER_M = 1000.0
SKIN = (204, 188, 178, 255)
"""Base colour of the GLB's material, sRGB: a light plaster, on which shading shows."""


def write_obj(
    path: Path, vertices_m: F32, faces: I32, uv: F32 | None = None, uv_faces: I32 | None = None
) -> None:
    """Write a Wavefront OBJ: millimetres, model frame, vertices in their order.

    Args:
        path: the file; replaced whole or not at all.
        vertices_m: (V, 3) metres, model frame.
        faces: (F, 3) counter-clockwise seen from outside.
        uv, uv_faces: (T, 2) with v up and (F, 3) rows of uv; both or neither.
    Raises: ValueError: if shapes do not fit. OutputError: if it cannot be written.
    """
    _check_mesh(vertices_m, faces)
    lines = ["# millimetres; +x the subject's left, +y up, +z out of the face"]
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


def write_ply(path: Path, vertices_m: F32, faces: I32) -> None:
    """Write a binary PLY: millimetres, model frame, vertices in their order.

    Args:
        path: the file; replaced whole or not at all.
        vertices_m: (V, 3) metres, model frame.
        faces: (F, 3) counter-clockwise seen from outside.
    Raises: ValueError: if shapes do not fit. OutputError: if it cannot be written.
    """
    _check_mesh(vertices_m, faces)
    header = (
        "ply\nformat binary_little_endian 1.0\ncomment millimetres\n"
        f"element vertex {len(vertices_m)}\n"
        "property float x\nproperty float y\nproperty float z\n"
        f"element face {len(faces)}\nproperty list uchar int vertex_indices\nend_header\n"
    )
    rows = np.zeros(len(faces), np.dtype([("n", "u1"), ("corners", "<i4", (3,))]))
    rows["n"], rows["corners"] = 3, faces
    points = (vertices_m * MM_PER_M).astype("<f4")
    with replacing(path) as temporary:
        temporary.write_bytes(header.encode("ascii") + points.tobytes() + rows.tobytes())


def write_glb(path: Path, vertices_m: F32, faces: I32) -> None:
    """Write a binary glTF with smooth normals: metres, +y up, +z forward, as both frames have it.

    Args:
        path: the file; replaced whole or not at all.
        vertices_m: (V, 3) metres, model frame.
        faces: (F, 3) counter-clockwise seen from outside.
    Raises: ValueError: if shapes do not fit. OutputError: if it cannot be written.
    """
    import trimesh  # 0.2 s to load, and only this export needs it

    _check_mesh(vertices_m, faces)
    material: Any = trimesh.visual.material.PBRMaterial(
        name="head",
        baseColorFactor=SKIN,
        metallicFactor=0.0,
        roughnessFactor=0.8,
        doubleSided=True,  # the inside of the mouth and the rim of the neck are seen from behind
    )
    mesh: Any = trimesh.Trimesh(
        vertices_m,
        faces,
        vertex_normals=vertex_normals(vertices_m, faces),
        visual=trimesh.visual.TextureVisuals(material=material),
        process=False,
    )
    data: bytes = trimesh.Scene({"head": mesh}).export(file_type="glb", include_normals=True)
    with replacing(path) as temporary:
        temporary.write_bytes(data)


def vertex_normals(vertices: F32, faces: I32) -> F64:
    """(V, 3) unit normals, its triangles' weighted by area; (0, 0, 1) without triangles."""
    a, b, c = vertices[faces].astype(np.float64).swapaxes(0, 1)
    by_face = np.cross(b - a, c - a)
    normals = np.zeros((len(vertices), 3))
    for corner in range(3):
        np.add.at(normals, faces[:, corner], by_face)
    lengths = np.linalg.norm(normals, axis=1, keepdims=True)
    unit: F64 = np.where(
        lengths > 0, normals / np.where(lengths > 0, lengths, 1.0), [0.0, 0.0, 1.0]
    )
    return unit


def _check_mesh(vertices_m: F32, faces: I32) -> None:
    check_array("vertices_m", vertices_m, (None, 3), np.float32)
    check_array("faces", faces, (None, 3), np.int32)
    if faces.size and not (faces.min() >= 0 and faces.max() < len(vertices_m)):
        raise ValueError(f"faces point to {faces.max()}, but there are {len(vertices_m)} vertices")
