"""Measure the optimiser of pixel3dmm on photos: both ways down the same energy, and odd starts.

python scripts/measure_optimisers.py PHOTOS [--iters 800] [--starts 20]

Prints for each photo the energy of its start, of Adam and of Gauss-Newton, their seconds, and the
largest energy from starts at random: heads turned by up to 40 degrees of yaw, 15 of pitch and roll,
moved by up to 3 cm, from which Gauss-Newton goes. Then, over all photos, the ratios.
"""

import argparse
import sys
import time
from dataclasses import replace
from pathlib import Path

import numpy as np
import torch
from scipy.spatial.transform import Rotation

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))

from engine.fitting.curve import OptimisedFit
from engine.fitting.observed import observe
from engine.fitting.optimiser import Optimiser
from engine.fitting.placing import neutral_start
from engine.fitting.settings import FitSettings
from engine.head_choice import chosen_head_model
from engine.io.image import load_image
from engine.normal_choice import choose_normals
from engine.pipeline import camera_of
from engine.stages.face_cropper import CropConfig, FaceCropper
from engine.types import FlameParams, Frame

PICTURES = (".jpg", ".jpeg", ".png")


def odd_start(neutral: FlameParams, rng: np.random.Generator) -> FlameParams:
    angles = [rng.uniform(-40, 40), rng.uniform(-15, 15), rng.uniform(-15, 15)]
    turn = Rotation.from_euler("yxz", angles, degrees=True).as_matrix()
    return neutral.with_values(R=turn, t=neutral.t + rng.uniform(-0.03, 0.03, 3))


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("photos", type=Path)
    parser.add_argument("--iters", type=int, default=800)
    parser.add_argument("--starts", type=int, default=20)
    options = parser.parse_args()
    torch.set_num_threads(1)
    model = chosen_head_model(None)
    estimator = choose_normals(None).load()
    if estimator is None:
        parser.error("no normal network is shipped")
    adam = Optimiser(model, FitSettings(iters=options.iters))
    gn = Optimiser(model, FitSettings(optimizer="gn"))
    free = Optimiser(model, replace(FitSettings(optimizer="gn"), w_shape=0.0))
    cropper = FaceCropper(CropConfig(n_faces=1, tracking=False))
    rows = []
    sys.stdout.write("| photo | start | Adam | GN | Adam s | GN s | largest of odd starts |\n")
    sys.stdout.write("|---|---|---|---|---|---|---|\n")
    for path in sorted(p for p in options.photos.iterdir() if p.suffix.lower() in PICTURES):
        loaded = load_image(path)
        frame = Frame(loaded.image, 0, 0, focal_px=loaded.focal_px)
        crops = cropper.run_all(frame)
        if not crops:
            continue
        camera = camera_of(frame)
        normals = estimator.run(crops[0], camera)

        def timed(optimiser: Optimiser, **how: FlameParams) -> tuple[OptimisedFit, float]:
            start = time.process_time()
            fit = optimiser.fit(crops[0], camera, normals, **how)  # noqa: B023
            return fit, time.process_time() - start

        timed(gn)  # warm
        slow, slow_s = timed(adam)
        fast, fast_s = timed(gn)
        rng = np.random.default_rng(0)
        neutral = neutral_start(model, observe(crops[0], camera, normals, "cpu"))
        odd = [timed(free, start=odd_start(neutral, rng))[0].energy for _ in range(options.starts)]
        rows.append((slow.energy, fast.energy, slow_s, fast_s, max(odd, default=np.nan)))
        values = " | ".join(f"{v:.2f}" for v in (slow.start_energy, *rows[-1]))
        sys.stdout.write(f"| {path.stem} | {values} |\n")
        sys.stdout.flush()
    table = np.array(rows)
    energy, seconds = table[:, 1] / table[:, 0], table[:, 2] / table[:, 3]
    sys.stdout.write(
        f"\nGN's energy over Adam's: mean {energy.mean():.3f}, largest {energy.max():.3f}; "
        f"Adam's processor time over GN's: {seconds.mean():.1f}\n"
        f"largest energy from an odd start over GN's: {(table[:, 4] / table[:, 1]).max():.3f}\n"
    )


if __name__ == "__main__":
    main()
