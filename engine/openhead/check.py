"""Measure openhead against its source, and draw a sheet of random heads.

python -m engine.openhead.check --source DATA --model assets/openhead.npz --sheet docs/openhead.png

Writes the figures into assets/manifest.toml beside the model.
"""

import argparse
import sys
from collections.abc import Iterator
from pathlib import Path

import numpy as np

from engine.flame.lbs import posed_vertices
from engine.flame.model import HeadModel, load_head_model
from engine.flame.normals import vertex_normals
from engine.io.manifest_write import record_asset
from engine.openhead.build import mesh_of
from engine.openhead.expressions import strength_root
from engine.openhead.ict import RANGES, IctModel, load_ict
from engine.openhead.points import closest_on_mesh
from engine.openhead.sheet import draw_sheet
from engine.types import F32, F64, I32, FlameParams

__all__ = ["figures", "main", "random_heads"]


def random_heads(model: HeadModel, n: int, seed: int) -> list[FlameParams]:
    """Heads drawn at one standard deviation, with expressions, open jaws, turned eyes, blinks."""
    rng = np.random.default_rng(seed)
    heads = []
    for _ in range(n):
        turn = rng.normal(0.0, [0.12, 0.2])
        heads.append(
            FlameParams.neutral(model.model_id, model.n_shape, model.n_expr).with_values(
                shape=rng.standard_normal(model.n_shape).astype(np.float32),
                expr=rng.standard_normal(model.n_expr).astype(np.float32),
                jaw=np.array([rng.choice([0.0, 1.0]) * rng.exponential(0.12), 0, 0], np.float32),
                eyes=np.tile(np.append(turn, 0.0), 2).astype(np.float32),
                eyelids=np.full(2, rng.choice([0.0, 0.0, 1.0]) * rng.random(), np.float32),
            )
        )
    return heads


def posed(model: HeadModel, p: FlameParams) -> F32:
    """(V, 3) metres, model frame."""
    vertices: F32 = posed_vertices(
        model, shape=p.shape, expr=p.expr, neck=p.neck, jaw=p.jaw, eyes=p.eyes,
        eyelids=p.eyelids, xp=np,
    )  # fmt: skip
    return vertices


def figures(model: HeadModel, ict: IctModel) -> dict[str, float]:
    """The figures of the manifest: distances in mm, counts a head."""
    distance, pupils = _distances(model, ict, 50)
    flipped, folded = _flipped(model, ict, 500)
    mirrored = model.v_template[model.mirror] * np.array([-1, 1, 1], np.float32)
    return {
        "face_distance_mean_mm": round(float(distance.mean()), 4),
        "face_distance_p95_mm": round(float(np.quantile(distance, 0.95)), 4),
        "mirror_error_mm": float(np.abs(mirrored - model.v_template).max() * 1e3),
        "pupil_distance_mean_mm": round(float(pupils.mean()), 2),
        "flipped_triangles_a_head": round(flipped, 3),
        "flipped_triangles_a_head_of_the_source": round(folded, 3),
        "torn_triangles_a_head": round(_torn(model, 500), 3),
    }


def _random_sources(ict: IctModel, n: int, seed: int) -> Iterator[tuple[F64, F64, F64]]:
    """Random heads of the source at one standard deviation: shape (100,), strengths, (S, 3)."""
    rng = np.random.default_rng(seed)
    names = _used(ict)
    root = strength_root(names)
    stack = np.stack([ict.expressions[n] for n in names])
    for _ in range(n):
        shape = rng.standard_normal(len(ict.identity))
        strengths = root @ rng.standard_normal(len(names))
        moved = np.tensordot(shape, ict.identity, 1) + np.tensordot(strengths, stack, 1)
        yield shape, strengths, ict.vertices + moved


def _used(ict: IctModel) -> tuple[str, ...]:
    """Source shapes in which openhead and its source are the same; the jaw's are not, as away from
    full strength the source moves it along straight lines and openhead turns it."""
    return tuple(n for n in ict.expressions if not n.startswith(("jaw", "Pupil", "eyeBlink")))


def _distances(model: HeadModel, ict: IctModel, n: int) -> tuple[F64, F64]:
    """Source face vertices to openhead's surface, and between pupils, of random heads; mm."""
    face = np.arange(*RANGES["narrow_face"])
    skin = _skin_triangles(model)
    pupils = [int(model.faces[f, b.argmax()]) for f, b in _pupils(model)]
    coefficients = _coefficients(model, ict, _used(ict))
    distances, apart = [], []
    for shape, strengths, source in _random_sources(ict, n, seed=1):
        moved = model.shapedirs @ shape + model.exprdirs @ (strengths @ coefficients)
        v = model.v_template.astype(np.float64) + moved
        found = closest_on_mesh(source[face], v, skin, n_near=16)
        nearest = np.einsum("nk,nkc->nc", found.bary, v[skin[found.faces_idx]])
        distances.append(np.linalg.norm(nearest - source[face], axis=1) * 1e3)
        apart.append(float(np.linalg.norm(v[pupils[0]] - v[pupils[1]]) * 1e3))
    return np.concatenate(distances), np.array(apart)


def _coefficients(model: HeadModel, ict: IctModel, names: tuple[str, ...]) -> F64:
    """(M, n_expr) of source expressions: ARKit's are in the file, the rest by least squares."""
    mesh = mesh_of(ict)
    shapes = np.stack([(mesh.carry @ ict.expressions[n]).ravel() for n in names], axis=1)
    basis = model.exprdirs.reshape(-1, model.n_expr).astype(np.float64)
    solution: F64 = np.linalg.lstsq(basis, shapes, rcond=None)[0].T
    return solution


def _pupils(model: HeadModel) -> list[tuple[int, F32]]:
    rows = [int(np.flatnonzero(model.mediapipe_idx == i)[0]) for i in (468, 473)]
    return [(int(model.mediapipe.faces_idx[r]), model.mediapipe.bary[r]) for r in rows]


def _skin_triangles(model: HeadModel) -> I32:
    inner = np.concatenate([model.regions[r] for r in ("eyeballs", "teeth", "mouth_inside")])
    skin: I32 = model.faces[~np.isin(model.faces, inner).any(axis=1)]
    return skin


def _flipped(model: HeadModel, ict: IctModel, n: int) -> tuple[float, float]:
    """Triangles a head that face against their own corners' normals and do not in the neutral
    head: of openhead, and of the source, which folds too where lids and lips crease."""
    triangles, carry = ict.triangles, mesh_of(ict).carry
    ours = _agreement(carry @ ict.vertices, model.faces) > 0
    theirs = _agreement(ict.vertices, triangles) > 0
    flipped = folded = 0
    for _, _, source in _random_sources(ict, n, seed=2):
        flipped += int((ours & (_agreement(carry @ source, model.faces) <= 0)).sum())
        folded += int((theirs & (_agreement(source, triangles) <= 0)).sum())
    return flipped / n, folded / n


def _torn(model: HeadModel, n: int) -> float:
    """Triangles a head with an edge over 8 mm and six times its length in the neutral head."""
    rest = _edge_lengths(model.v_template, model.faces)
    torn = 0
    for p in random_heads(model, n, seed=2):
        edges = _edge_lengths(posed(model, p), model.faces)
        torn += int(((edges > 6 * rest) & (edges > 0.008)).any(axis=1).sum())
    return torn / n


def _agreement(v: F32 | F64, faces: I32) -> F32:
    """(F,) triangle normal times the mean normal of its corners."""
    v = v.astype(np.float32)
    corners = v[faces]
    normal = np.cross(corners[:, 1] - corners[:, 0], corners[:, 2] - corners[:, 0])
    agreement: F32 = (normal * vertex_normals(v, faces)[faces].mean(axis=1)).sum(axis=1)
    return agreement


def _edge_lengths(v: F32, faces: I32) -> F32:
    corners = v[faces]
    lengths: F32 = np.linalg.norm(corners - np.roll(corners, 1, axis=1), axis=2)
    return lengths


def main(arguments: list[str] | None = None) -> int:
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--source", type=Path, required=True, help="folder of the data pack")
    parser.add_argument("--model", type=Path, default=Path("assets/openhead.npz"))
    parser.add_argument("--sheet", type=Path, help="PNG of 24 random heads")
    options = parser.parse_args(arguments)
    model = load_head_model(options.model)
    found = figures(model, load_ict(options.source / "ict_facekit"))
    for name, value in found.items():
        sys.stdout.write(f"{name}: {value:g}\n")
    record_asset(
        options.model,
        licence="CC-BY-4.0",
        source=str(model.meta["source"]),
        command="python -m engine.openhead.build --source DATA --out assets/openhead.npz",
        notice=str(model.meta["notice"]),
        figures=found,
    )
    if options.sheet:
        draw_sheet(model, random_heads(model, 24, seed=3), options.sheet)
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
