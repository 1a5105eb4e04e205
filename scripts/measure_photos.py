"""Measure methods of fitting on photos, by the landmarks seen in them, and draw the fits.

python scripts/measure_photos.py PHOTOS [--methods landmarks,n2fnet] [--sheet FILE.jpg]

NME10 is the mean distance of ten points of the fitted head from those that MediaPipe sees, over the
distance of the outer eye corners, %; normals: mean angle to the normals that the network sees.
"""

import argparse
import sys
from pathlib import Path

import cv2
import numpy as np
from PIL import Image

from engine.errors import EngineError
from engine.files import replacing
from engine.flame.model import HeadModel
from engine.head_choice import chosen_head_model
from engine.io.image import list_images, load_image
from engine.landmark_error import nme10
from engine.normal_choice import choose_normals
from engine.pipeline import Reconstructor
from engine.render.overlay import OverlayPainter
from engine.render.prediction import PredictionMode
from engine.render.renderer import RenderMode
from engine.stages.normal_estimator import NormalEstimator
from engine.synth.sheet import SheetRow, contact_sheet
from engine.types import LOW_QUALITY, U8, Frame, Reconstruction

HEADINGS = ("photo", "normals seen", "normals of the fit", "fit")
SHOWN_PX = 224


def fitted(path: Path, fitter: Reconstructor) -> tuple[U8, Reconstruction | None]:
    loaded = load_image(path)
    return loaded.image, fitter.run(Frame(loaded.image, 0, 0, loaded.focal_px))


def row(name: str, image: U8, fit: Reconstruction, painter: OverlayPainter) -> SheetRow:
    """The face's crop under HEADINGS."""
    modes = (PredictionMode.VIEW_NORMALS, RenderMode.VIEW_NORMALS, RenderMode.SHADED)
    drawn = [painter.paint(image, [fit], mode=mode, opacity=0.9) for mode in modes]
    scale = SHOWN_PX / fit.crop.image.shape[0]
    cut = scale * fit.crop.crop_from_frame
    pictures = [cv2.warpAffine(p, cut, (SHOWN_PX, SHOWN_PX)) for p in (image, *drawn)]
    return SheetRow(f"{name}: NME10 {100 * nme10(fit):.1f} %", pictures)


def measure(
    photos: list[Path], name: str, model: HeadModel, normals: NormalEstimator, weights: Path | None
) -> list[tuple[Path, U8, Reconstruction]]:
    """The fits of photos that show a face."""
    fitter = Reconstructor(model, method=name, tracking=False, normals=normals, weights=weights)
    fits = []
    for path in photos:
        image, fit = fitted(path, fitter)
        if fit is not None:
            fits.append((path, image, fit))
    fitter.close()
    return fits


def main() -> int:
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("photos", type=Path, help="folder")
    parser.add_argument("--methods", default="landmarks,n2fnet,n2fnet-refined")
    parser.add_argument("--normals", help="normal network; default: the bundled one")
    parser.add_argument("--n2fnet", type=Path, help="N2FNet; default: the bundled one")
    parser.add_argument("--sheet", type=Path, help="JPEG of the last method's first photos")
    parser.add_argument("--rows", type=int, default=8, help="photos of the sheet; default 8")
    options = parser.parse_args()
    write = sys.stdout.write
    try:
        photos, model = list_images(options.photos), chosen_head_model(None)
        normals = choose_normals(options.normals).load()
        if normals is None:
            raise ValueError("there is no normal network; give --normals FILE")
        write("| method | photos | NME10 % mean | largest | normals ° | low |\n")
        write("|---|---|---|---|---|---|\n")
        for name in options.methods.split(","):
            found = measure(photos, name, model, normals, options.n2fnet)
            nme = [100 * nme10(fit) for *_, fit in found]
            angle = np.nanmean([fit.normal_residual_deg for *_, fit in found])
            low = sum(fit.quality < LOW_QUALITY for *_, fit in found)
            write(
                f"| `{name}` | {len(found)} of {len(photos)} | {np.mean(nme):.2f} "
                f"| {np.max(nme):.2f} | {angle:.1f} | {low} |\n"
            )
        if options.sheet is not None:
            shown = found[:: max(1, len(found) // options.rows)][: options.rows]
            with OverlayPainter(model) as painter:
                rows = [row(path.stem, image, fit, painter) for path, image, fit in shown]
            sheet = contact_sheet(rows, HEADINGS)
            with replacing(options.sheet) as temporary:
                Image.fromarray(sheet).save(temporary, "JPEG", quality=85)
    except (EngineError, ValueError) as error:
        sys.stderr.write(f"{error}\n")
        return 1
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
