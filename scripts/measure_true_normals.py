"""Measure how near the optimiser of pixel3dmm comes to the truth when its normals are true.

python scripts/measure_true_normals.py DATA [--n 8] [--stored]

DATA has val-*.tar of `n2f synth --split val`; samples of the head model count. Normals of head and
view are drawn anew of the true head, where the sample's face is seen; with --stored they are the
sample's own, which are of 8 bits, and smoothed where they were brought to the crop. Landmarks are
the truth's, settings `FOR_EXACT`. Prints for each sample the chamfer distance of the oracle's fit
and of the optimiser's over the face, mm, aligned with scale, the angle between its head and the
true one, and the steps; then the means.
"""

import argparse
import sys
from dataclasses import replace
from itertools import islice
from pathlib import Path

import numpy as np
import torch
from scipy.spatial.transform import Rotation

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))

from evaluate_fits import crop_of, samples, true_maps

from engine.fitting.optimiser import Optimiser
from engine.fitting.oracle import OracleFitter
from engine.fitting.settings import FOR_EXACT
from engine.fitting.state import params_from, state_from
from engine.flame.face_distance import FaceDistance
from engine.flame.posed import PosedHead, surface_points
from engine.frames import project
from engine.head_choice import chosen_head_model
from engine.render.context import headless_context
from engine.render.renderer import MeshRenderer
from engine.synth.sample import Sample
from engine.types import F32, FlameParams, NormalMap


def drawn(renderer: MeshRenderer, vertices: F32, true: FlameParams, sample: Sample) -> NormalMap:
    """The true normals at the centres of the pixels."""
    stored = true_maps(sample)
    maps = renderer.render_maps(sample.camera, vertices, true.R, true.t)
    return replace(
        stored,
        head=maps.head_normals,
        view=maps.view_normals,
        mask=stored.mask * maps.mask.astype(np.float32),
    )


def main() -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("data", type=Path)
    parser.add_argument("--n", type=int, default=8)
    parser.add_argument("--stored", action="store_true", help="the sample's own normals")
    options = parser.parse_args()
    torch.set_num_threads(1)
    model = chosen_head_model(None)
    optimiser, oracle = Optimiser(model, FOR_EXACT), OracleFitter(model)
    distance, head = FaceDistance(model, scaled=True), PosedHead(model)
    ctx = headless_context()
    renderer = MeshRenderer(ctx, model.faces, samples=0)
    rows = []
    sys.stdout.write("| sample | oracle mm | optimiser mm | rotation ° | steps |\n")
    sys.stdout.write("|---|---|---|---|---|\n")
    for number, sample in enumerate(islice(samples(options.data, model), options.n)):
        # The neck's turn as part of the head's.
        true = params_from(model, state_from(model, sample.params, "cpu", torch.float64))
        vertices = head.vertices(true).copy()
        points = surface_points(vertices, model.faces, model.mediapipe) @ true.R.T + true.t
        landmarks: F32 = sample.points[:, :2].copy()
        landmarks[model.mediapipe_idx] = project(points, sample.camera.K)
        crop = replace(crop_of(sample), landmarks=landmarks)
        seen = true_maps(sample) if options.stored else drawn(renderer, vertices, true, sample)
        best = oracle.fit_vertices(vertices.astype(np.float64))
        floor = distance(head.vertices(best).copy(), vertices)[0]
        fit = optimiser.fit(crop, sample.camera, seen)
        found = distance(head.vertices(fit.params).copy(), vertices)[0]
        turn = np.degrees(Rotation.from_matrix(fit.params.R @ true.R.T).magnitude())
        rows.append((floor, found, turn, len(fit.curve)))
        values = f"{floor:.3f} | {found:.3f} | {turn:.2f} | {len(fit.curve)}"
        sys.stdout.write(f"| {number} | {values} |\n")
        sys.stdout.flush()
    optimiser.close()
    renderer.release()
    ctx.release()
    table = np.array(rows)
    floor, found = table[:, 0].mean(), table[:, 1].mean()
    sys.stdout.write(
        f"\nmean: oracle {floor:.3f} mm, optimiser {found:.3f} mm, {found - floor:.3f} mm above; "
        f"{int((table[:, 1] - table[:, 0] < 0.25).sum())} of {len(rows)} within 0.25 mm\n"
    )


if __name__ == "__main__":
    main()
