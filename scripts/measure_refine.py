"""Measure the refinement on drawn heads whose truth is known; no data is needed.

python scripts/measure_refine.py [--n 20] [--noise-deg 6]

Heads of openhead with random shape, expression and pose are drawn as maps of normals, which smooth
random turns disturb; landmarks are 1 px off. Prints a table: the fit of landmarks that the
refinement starts from, then the refinement after 1, 2 and 4 steps. Errors are mean distances of the
face's vertices after rigid alignment, and angles of the head's rotation.
"""

import argparse
import sys
import time
from pathlib import Path

import numpy as np
from threadpoolctl import threadpool_limits

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))

from engine.flame.model import HeadModel, load_head_model
from engine.io.assets import asset_path
from engine.render.context import headless_context
from engine.render.renderer import MeshRenderer
from engine.stages.landmark_fitter import LandmarkFitter
from engine.stages.normal_surface import NormalSurface
from engine.stages.refiner import RefineConfig, Refiner, RefineStart
from engine.types import F32, FlameParams, NormalMap
from tests.rendered_faces import (
    Face,
    random_params,
    rendered_face,
    turn_between_deg,
    vertex_error_mm,
    with_noise,
)

STEPS = (1, 2, 4)
Case = tuple[Face, F32, NormalMap, FlameParams]  # truth, landmarks, normals, start


def drawn(model: HeadModel, n: int, noise_deg: float) -> list[Case]:
    """Faces with what a detector and a network would say of them."""
    ctx = headless_context()
    renderer, cases = MeshRenderer(ctx, model.faces), []
    for seed in range(n):
        rng = np.random.default_rng(seed)
        face = rendered_face(model, renderer, random_params(model, rng))
        landmarks = (face.landmarks + rng.normal(0, 1, face.landmarks.shape)).astype(np.float32)
        start = LandmarkFitter(model).fit(landmarks, face.camera).params
        cases.append((face, landmarks, with_noise(face.normals, noise_deg, rng), start))
    renderer.release()
    ctx.release()
    return cases


def row(model: HeadModel, name: str, fits: list[FlameParams], cases: list[Case]) -> str:
    truths = [case[0].params for case in cases]
    mm = [vertex_error_mm(model, a, b) for a, b in zip(fits, truths, strict=True)]
    deg = [turn_between_deg(a, b) for a, b in zip(fits, truths, strict=True)]
    return (
        f"| {name} | {np.mean(mm):.2f} | {np.median(mm):.2f} | {np.max(mm):.2f} "
        f"| {np.median(deg):.2f} | {np.max(deg):.2f} |"
    )


def main() -> int:
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--n", type=int, default=20, help="heads; default 20")
    parser.add_argument("--noise-deg", type=float, default=6.0, help="degrees; default 6")
    options = parser.parse_args()
    threadpool_limits(1, user_api="blas")
    model = load_head_model(asset_path("openhead.npz"))
    surface = NormalSurface(model)
    cases = drawn(model, options.n, options.noise_deg)
    write = sys.stdout.write
    write(f"{options.n} heads, normals {options.noise_deg:g} degrees off, landmarks 1 px\n\n")
    write("| fit | mm mean | median | max | rotation deg median | max | ms p10 | p50 |\n")
    write("|---|---|---|---|---|---|---|---|\n")
    write(row(model, "landmarks", [case[3] for case in cases], cases) + " | |\n")
    for n_steps in STEPS:
        refiner = Refiner(model, RefineConfig(n_steps=n_steps), surface=surface)
        fits, ms = [], []
        for face, landmarks, normals, start in cases:
            for _ in range(3):
                began = time.perf_counter()
                known = RefineStart.of_landmarks(start)
                fit = refiner.refine(known, normals, landmarks, face.camera)
                ms.append(1e3 * (time.perf_counter() - began))
            fits.append(fit.params)
        p10, p50 = np.percentile(ms, [10, 50])
        write(row(model, f"{n_steps} steps", fits, cases) + f" {p10:.1f} | {p50:.1f} |\n")
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
