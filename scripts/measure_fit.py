"""Measure a method of fitting on a folder of photos, or on a video.

python scripts/measure_fit.py PHOTOS_OR_VIDEO [--method landmarks]

Photos are fitted one by one; a video as a video. Prints how many faces were found, how far the
fitted head is from the detected landmarks, and the time of each stage after the first frame.
"""

import argparse
import sys
import time
from pathlib import Path

import numpy as np

from engine.flame.model import load_head_model
from engine.io.assets import asset_path
from engine.io.image import ImageSource, list_images
from engine.io.video import VideoSource
from engine.landmark_error import nme10
from engine.methods import DEFAULT, METHODS
from engine.normal_choice import choose_normals
from engine.pipeline import Reconstructor


def main() -> int:
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("input", type=Path)
    parser.add_argument("--method", default=DEFAULT, choices=list(METHODS))
    parser.add_argument("--n2fnet", type=Path, help="N2FNet; default: the bundled one")
    options = parser.parse_args()
    is_folder = options.input.is_dir()
    source = ImageSource(list_images(options.input)) if is_folder else VideoSource(options.input)
    model = load_head_model(asset_path("openhead.npz"))
    normals = choose_normals(None).load() if METHODS[options.method].needs_normals else None
    reconstructor = Reconstructor(
        model,
        method=options.method,
        tracking=not is_folder,
        normals=normals,
        weights=options.n2fnet,
    )
    fits, n_frames, began = [], 0, time.perf_counter()
    while (frame := source.read()) is not None:
        n_frames += 1
        if (fit := reconstructor.run(frame)) is not None:
            fits.append(fit)
    seconds = time.perf_counter() - began
    source.close()
    reconstructor.close()
    if not fits:
        sys.stderr.write(f"no face in {n_frames} frames of {options.input}\n")
        return 1
    sys.stdout.write(f"faces: {len(fits)} of {n_frames}, {n_frames / seconds:.1f} frames/s\n")
    rows = {
        "NME10, %": 100 * np.array([nme10(fit) for fit in fits]),
        "RMS of the fitted points, %": 100 * np.array([fit.landmark_rms for fit in fits]),
        **{f"{s}, ms": np.array([f.stage_ms[s] for f in fits[1:]]) for s in fits[0].stage_ms},
    }
    for name, values in rows.items():
        if len(values):
            p50, p95 = np.percentile(values, [50, 95])
            sys.stdout.write(
                f"{name}: median {p50:.2f}, 95 % under {p95:.2f}, largest {values.max():.2f}\n"
            )
    nme, rms = (rows[name] for name in ("NME10, %", "RMS of the fitted points, %"))
    good = int(((nme <= 4.0) & (rms <= 3.0)).sum())
    sys.stdout.write(f"NME10 <= 4 % and RMS <= 3 %: {good} of {len(fits)}\n")
    if len(fits) > 1:
        crop = np.median(rows["crop, ms"])
        for stage in ("normals", "n2fnet", "fit", "refine"):
            if f"{stage}, ms" in rows:
                ratio = np.median(rows[f"{stage}, ms"]) / crop
                sys.stdout.write(f"{stage}: {ratio:.2f} of the time of finding the face\n")
        shapes = np.array([fit.params.shape for fit in fits])
        if len(shapes) > 61:
            change = np.abs(np.diff(shapes[60:], axis=0)).max()
            sys.stdout.write(
                f"largest step of the shape after 60 frames, at cuts too: {change:.4f}\n"
            )
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
