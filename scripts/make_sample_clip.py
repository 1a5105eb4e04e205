"""Make assets/sample.mp4, the clip that `n2f demo` shows where there is no camera.

python scripts/make_sample_clip.py --astronaut astronaut.png

Six seconds of a virtual camera that moves over scikit-image's astronaut.png (NASA, public domain),
then six of a speaking head that n2fnet renders itself.
"""

import argparse
import sys
from collections.abc import Iterator
from pathlib import Path

import cv2
import numpy as np

from engine.flame.model import load_head_model
from engine.io.assets import asset_path
from engine.io.image import load_image
from engine.io.manifest_write import record_asset
from engine.io.recorder import VideoRecorder
from engine.sources import SyntheticSource
from engine.types import U8

_WIDTH, _HEIGHT, _FPS, _SECONDS = 640, 480, 30, 6
_FACE_PX = (224.0, 115.0)  # middle of her face in astronaut.png


def moving_photo(photo: U8) -> Iterator[U8]:
    """A camera that comes nearer, sways and tilts; always looking at the face."""
    for k in range(_FPS * _SECONDS):
        s = k / (_FPS * _SECONDS)
        zoom = 1.55 + 0.75 * np.sin(np.pi * s) ** 2
        tilt = 7.0 * np.sin(4 * np.pi * s)
        sway = (45.0 * np.sin(2 * np.pi * s), 14.0 * np.sin(6 * np.pi * s))
        matrix = cv2.getRotationMatrix2D(_FACE_PX, tilt, zoom)
        matrix[:, 2] += np.array([_WIDTH / 2 + sway[0], 0.42 * _HEIGHT + sway[1]]) - _FACE_PX
        yield cv2.warpAffine(
            photo, matrix, (_WIDTH, _HEIGHT), flags=cv2.INTER_CUBIC, borderMode=cv2.BORDER_REFLECT
        )


def speaking_head() -> Iterator[U8]:
    """Our own rendered head."""
    model = load_head_model(asset_path("openhead.npz"))
    source = SyntheticSource(model, seed=4, n_frames=_FPS * _SECONDS)
    while (frame := source.read()) is not None:
        yield frame.image
    source.close()


def main() -> int:
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument(
        "--astronaut", type=Path, required=True, help="scikit-image's astronaut.png"
    )
    parser.add_argument("--out", type=Path, default=Path("assets/sample.mp4"))
    options = parser.parse_args()
    photo = load_image(options.astronaut).image
    with VideoRecorder(options.out, _WIDTH, _HEIGHT, preset="slow", crf=20) as recorder:
        frame = 0
        for part in (moving_photo(photo), speaking_head()):
            for image in part:
                recorder.write(image, frame * 1_000_000_000 // _FPS)
                frame += 1
    record_asset(
        options.out,
        licence="CC0-1.0",
        source="scikit-image's astronaut.png (NASA, public domain) and a head rendered by n2fnet",
        command="python scripts/make_sample_clip.py --astronaut astronaut.png",
        figures={"frames": frame},
    )
    sys.stdout.write(f"{options.out}: {frame} frames, {options.out.stat().st_size / 1e6:.2f} MB\n")
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
