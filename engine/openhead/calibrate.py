"""Find where MediaPipe's points lie on openhead, from photos of many people.

python -m engine.openhead.calibrate --source DATA

Fits the head model to every portrait; what a point misses on average over all people is where its
place on the head is wrong. The offsets are made symmetric, the model is built again, and so on.
Noise of single people averages out, and what their shape and expression explain is in the fit.
"""

import argparse
import sys
from pathlib import Path

import numpy as np
from PIL import Image

from engine.flame.model import HeadModel
from engine.flame.posed import surface_points
from engine.frames import default_camera, project
from engine.openhead.build import build_openhead
from engine.openhead.calibration_file import OFFSETS_FILE, load_offsets, save_offsets
from engine.openhead.points import bent_canonical, mediapipe_mirror
from engine.stages.face_cropper import CropConfig, FaceCropper
from engine.stages.landmark_fitter import LandmarkFitter
from engine.stages.landmark_model import LandmarkModel
from engine.stages.mediapipe_points import NME10
from engine.stages.surface_directions import point_normals
from engine.types import F32, F64, I32, Camera, Frame

__all__ = ["calibrate", "main"]

_STEP = 0.6  # of the mean miss: less than all, as points pull on each other
_STEEPEST = 0.2  # sine of the slope below which skin counts as seen edge-on: it moves no further


def calibrate(model: HeadModel, faces: list[tuple[F32, Camera]], mirror: I32) -> tuple[F64, float]:
    """One round.

    Args:
        faces: landmarks (478, 2) px and camera of each picture, one person each.
        mirror: (468,) MediaPipe's mirror pairs.
    Returns: better places (468, 3) of the points on the neutral head, metres, and the RMS miss of
        the fitted points over the eye corners' distance.
    """
    fitter, everywhere = LandmarkFitter(model), LandmarkModel(model, model.mediapipe)
    miss, rms = np.zeros((468, 3)), []
    for landmarks, camera in faces:
        fitter.reset()
        fit = fitter.fit(landmarks, camera)
        rms.append(fit.rms)
        R, t = fit.params.R, fit.params.t
        view = everywhere.positions(fit.state).T[:468] @ R.T + t
        across = (project(view, camera.K) - landmarks[:468]) * [1, -1] / camera.K[0, 0]
        # Depth is not seen: the miss is taken to lie across the line of sight.
        miss += np.c_[across * -view[:, 2:], np.zeros(468)] @ R
    mean = miss / len(faces)
    mean = (mean + mean[mirror] * [-1, 1, 1]) / 2
    mean[list(NME10)] = 0.0  # the same place in both conventions by definition
    here = surface_points(model.v_template, model.faces, model.mediapipe)[:468]
    return here + _along_surface(model, -_STEP * mean), float(np.sqrt(np.mean(np.square(rms))))


def _along_surface(model: HeadModel, move: F64) -> F64:
    """Turn moves across the view into moves along the skin that look the same from the front.

    Where the skin falls away to the side, a sideways move is a longer one to the back.
    """
    normal = point_normals(model, model.mediapipe)[:468]
    tangent = move - (move * normal).sum(1, keepdims=True) * normal
    back = np.array([0.0, 0.0, 1.0]) - normal[:, 2:] * normal
    back /= np.linalg.norm(back, axis=1, keepdims=True) + 1e-9
    left_over = (move - tangent)[:, :2]
    amount = (left_over * back[:, :2]).sum(1) / ((back[:, :2] ** 2).sum(1) + _STEEPEST**2)
    along: F64 = tangent + amount[:, None] * back
    return along


def _portraits(folder: Path) -> list[tuple[F32, Camera]]:
    cropper = FaceCropper(CropConfig(tracking=False))
    faces = []
    for path in sorted(folder.glob("*.jpg")):
        image = np.asarray(Image.open(path).convert("RGB"))
        crop = cropper.run(Frame(image=image, index=0, t_ns=0))
        if crop is not None:
            faces.append((crop.landmarks, default_camera(image.shape[1], image.shape[0])))
    cropper.close()
    return faces


def main(arguments: list[str] | None = None) -> int:
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--source", type=Path, required=True, help="folder of the data pack")
    parser.add_argument("--rounds", type=int, default=6)
    parser.add_argument("--out", type=Path, default=Path(__file__).parent / OFFSETS_FILE)
    options = parser.parse_args(arguments)
    canonical = options.source / "mediapipe_canonical" / "canonical_face_model.obj"
    mirror = mediapipe_mirror(canonical)
    faces = _portraits(options.source / "portraits")
    offsets, best = load_offsets(), np.inf
    for i in range(options.rounds):
        model = build_openhead(options.source, offsets)
        places, rms = calibrate(model, faces, mirror)
        sys.stdout.write(f"round {i + 1}: {len(faces)} faces, RMS {100 * rms:.3f} %\n")
        sys.stdout.flush()
        if rms < best:
            best = rms
            save_offsets(offsets, options.out)
        static = surface_points(model.v_template, model.faces, model.landmarks68)
        offsets = places - bent_canonical(canonical, static.astype(np.float64))
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
