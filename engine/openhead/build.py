"""Build openhead: python -m engine.openhead.build --source DATA --out assets/openhead.npz

The same source gives the same file, byte for byte.
"""

import argparse
import sys
from pathlib import Path

import numpy as np
from threadpoolctl import threadpool_limits

from engine.flame.model import HeadModel, save_head_model
from engine.openhead.calibration_file import load_offsets
from engine.openhead.expressions import arkit_map, expression_basis
from engine.openhead.ict import IctModel, load_ict
from engine.openhead.mesh import PARTS, Mesh, build_mesh
from engine.openhead.points import contour68, landmarks68, mediapipe_points
from engine.openhead.regions import importance, loops, regions
from engine.openhead.rig import build_rig, jaw_turn, without_jaw
from engine.openhead.skin_uv import skin_uv
from engine.types import F64, I32

__all__ = [
    "BLINK_STRENGTH",
    "build_openhead",
    "eyelid_dirs",
    "identity_dirs",
    "main",
    "mesh_of",
    "source_shapes",
    "without_jaw_turns",
]

BLINK_STRENGTH = 1.10
"""The source's blink leaves half a millimetre open; the lid directions carry it on until shut."""

_META = {
    "release": "openhead 1",
    "source": "USC ICT Face Model Light (MIT), UVs of MakeHuman (CC0), MediaPipe's canonical mesh "
    "(Apache-2.0), places of its points from public-domain portraits",
    "notice": "Derived from ICT Face Model Light, Copyright (c) 2020 USC Institute for Creative "
    "Technologies.",
}


def build_openhead(source: Path, mediapipe_offsets: F64 | None = None) -> HeadModel:
    """The head model from the data pack's folders; model_id is empty until it is saved.

    Args:
        mediapipe_offsets: (468, 3) metres; by default those that calibration has found.
    """
    offsets = load_offsets() if mediapipe_offsets is None else mediapipe_offsets
    ict = load_ict(source / "ict_facekit")
    lid_rims, _ = loops(ict)
    mesh = mesh_of(ict)
    v = mesh.carry @ ict.vertices
    shapes = source_shapes(ict, mesh)
    rig = build_rig(ict, mesh, v, shapes["jawOpen"])
    shapes, jaw = without_jaw_turns(ict, v, shapes, rig.lbs_weights[:, 2])
    basis = expression_basis(shapes)
    marks = landmarks68(ict, mesh)
    uv, uv_faces = skin_uv(source / "registration", v, mesh.triangles)
    static = np.einsum("nk,nkc->nc", marks.bary, v[mesh.triangles[marks.faces_idx]])
    mediapipe, mediapipe_idx = mediapipe_points(
        source / "mediapipe_canonical" / "canonical_face_model.obj",
        v, mesh, marks, _kept(mesh, lid_rims), rig.lbs_weights[:, 2], offsets,
    )  # fmt: skip
    return HeadModel(
        name="openhead 1",
        licence="CC BY 4.0",
        model_id="",
        v_template=v.astype(np.float32),
        shapedirs=identity_dirs(ict, mesh).astype(np.float32),
        exprdirs=basis.dirs.astype(np.float32),
        posedirs=rig.posedirs.astype(np.float32),
        J_regressor=rig.J_regressor.astype(np.float32),
        parents=np.array([-1, 0, 1, 1, 1], np.int32),
        lbs_weights=rig.lbs_weights.astype(np.float32),
        faces=mesh.triangles,
        regions=regions(ict, mesh, v),
        landmarks68=marks,
        mediapipe=mediapipe,
        mediapipe_idx=mediapipe_idx,
        contour=contour68(v, mesh, static),
        eyelid_dirs=eyelid_dirs(shapes).astype(np.float32),
        uv=uv.astype(np.float32),
        uv_faces=uv_faces,
        mirror=mesh.mirror,
        arkit=arkit_map(basis, jaw, BLINK_STRENGTH),
        meta=_META,
    )


def mesh_of(ict: IctModel, *, full_skin: bool = False) -> Mesh:
    """openhead's mesh as mixtures of the source's vertices; full_skin: as fine as the source's."""
    locked = np.concatenate([ict.landmarks, *loops(ict)])
    return build_mesh(ict, importance(ict), locked, full_skin=full_skin)


def source_shapes(ict: IctModel, mesh: Mesh) -> dict[str, F64]:
    """name -> (V, 3) metres at full strength: the source's expressions, and a tongueOut."""
    shapes = {name: mesh.carry @ delta for name, delta in ict.expressions.items()}
    shapes["tongueOut"] = _tongue_out(mesh, mesh.carry @ ict.vertices)
    return shapes


def without_jaw_turns(
    ict: IctModel, v: F64, shapes: dict[str, F64], jaw_weight: F64
) -> tuple[dict[str, F64], dict[str, F64]]:
    """Leave to the jaw joint what it does: (the shapes less its turns, its turn in each of them).

    Args:
        v: (V, 3) metres, neutral; shapes: of `source_shapes`; jaw_weight: (V,).
    """
    jaw = {"jawOpen": jaw_turn(ict, "jawOpen") * [1, 0, 0]}
    shapes = dict(shapes)
    for name in ("jawLeft", "jawRight"):
        jaw[name] = jaw_turn(ict, name)
        shapes[name] = without_jaw(v, shapes[name], jaw_weight, jaw[name])
    return shapes, jaw


def identity_dirs(ict: IctModel, mesh: Mesh) -> F64:
    """(V, 3, 100) metres per standard unit."""
    return np.stack([mesh.carry @ mode for mode in ict.identity], axis=-1)


def eyelid_dirs(shapes: dict[str, F64]) -> F64:
    """(V, 3, 2) metres: the blinks of the left and right eye, until shut."""
    return BLINK_STRENGTH * np.stack([shapes["eyeBlink_L"], shapes["eyeBlink_R"]], axis=-1)


def _kept(mesh: Mesh, source_vertices: I32) -> I32:
    return np.flatnonzero(np.isin(mesh.source_vertex, source_vertices)).astype(np.int32)


def _tongue_out(mesh: Mesh, v: F64) -> F64:
    """ARKit's tongueOut, which the source lacks: the tongue slides forward and bends down."""
    x, y, z = v.T
    along = np.clip((z - 0.050) / 0.040, 0, 1)
    across = np.clip(1.6 - np.abs(x) / 0.0125, 0, 1)
    above = np.clip((y + 0.048) / 0.004, 0, 1)
    tongue = (mesh.part == PARTS.index("gums_tongue")) & (z < 0.0985)
    w = tongue * along**2 * (3 - 2 * along) * across * above
    shape: F64 = w[:, None] * np.array([0.0, -0.004, 0.028])
    shape[:, 1] -= 0.004 * w**2
    return shape


def main(arguments: list[str] | None = None) -> int:
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--source", type=Path, required=True, help="folder of the data pack")
    parser.add_argument("--out", type=Path, default=Path("assets/openhead.npz"))
    options = parser.parse_args(arguments)
    with threadpool_limits(1):  # sums in one order, whatever the machine
        model_id = save_head_model(build_openhead(options.source), options.out)
    sys.stdout.write(f"{options.out}: {model_id}\n")
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
