"""Measure a normal network on photos, without any truth but MediaPipe's own mesh.

python scripts/measure_normals.py PHOTOS... [--normals FILE] [--sheet FILE.png] [--report FILE.md]

Of videos one frame a second counts. Each picture's largest face is cut out as the program does it
live. Prints for all of them: the median angle between the network's view normals and those of
MediaPipe's mesh (within the face, without eyes and mouth), the angle between the head's rotation as
the two maps have it and as the landmark fit has it, the mean confidence, the share of the face's
outline that the mask covers, the angle to the fitted head, and the time of the network. The report
has a row for each input, and for each photo of inputs with few.
"""

import argparse
import sys
from pathlib import Path

import cv2
import numpy as np

from engine.errors import EngineError
from engine.files import replacing
from engine.flame.lbs import rodrigues
from engine.head_choice import chosen_head_model
from engine.io.image import IMAGE_SUFFIXES, natural_key, save_png
from engine.normal_choice import choose_normals
from engine.pipeline import Reconstructor
from engine.render.prediction import coloured_normals, coloured_parsing
from engine.stages.mediapipe_mesh import mesh_triangles
from engine.stages.mediapipe_normals import (
    angles_deg,
    crop_view_normals,
    head_rotation,
    mesh_normals,
    relief,
    skin_inside,
)
from engine.stages.normal_estimator import points_in_map
from engine.training.face_pictures import frames_of
from engine.types import F32, U8, Reconstruction

TILE_PX = 192
FEW = 12
MESH, TURN, SHARE = "to MediaPipe's mesh, deg", "head rotation to the fit, deg", "mask share"
REPORT_HEAD = """# The normal network on photos

Written by `scripts/measure_normals.py`, network `{network}`, on the CPU. There is no truth here:
MediaPipe's mesh is itself about 15 degrees off on drawn heads of known normals, so these figures
find gross errors and no more.

- *To the mesh*: angle between the network's view normals and those of the mesh of MediaPipe's
  points, within the face without eyes and mouth; of one picture the median over its pixels.
- *Rotation*: between the head's rotation by the two maps and that of the fitted head.
- *Mask*: share of the outline of MediaPipe's points that the face mask covers.

| pictures | faces found | to the mesh °, median | largest | rotation °, median | mask, median |
| --- | --- | --- | --- | --- | --- |
"""
COLUMNS = "photo, head normals, view normals, MediaPipe's normals, parsing or mask, relief"


def main() -> int:
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument(
        "inputs", type=Path, nargs="+", help="photos and videos, and folders of photos"
    )
    parser.add_argument("--normals", help="the network; default: the bundled one")
    parser.add_argument("--sheet", type=Path, help=f"PNG to write, a row per photo: {COLUMNS}")
    parser.add_argument("--rows", type=int, default=24, help="most rows of the sheet")
    parser.add_argument("--report", type=Path, help="Markdown to write")
    options = parser.parse_args()
    try:
        return measure(options)
    except EngineError as error:
        sys.stderr.write(f"{error}\n")
        return 1


def measure(options: argparse.Namespace) -> int:
    choice = choose_normals(options.normals)
    estimator = choice.load()
    if estimator is None:
        sys.stderr.write(f"no normal network: {choice.reason}\n")
        return 1
    reconstructor = Reconstructor(chosen_head_model(None), tracking=False, normals=estimator)
    table: list[dict[str, float]] = []
    tiles: list[U8] = []
    lines: list[str] = []
    for given in options.inputs:
        rows, n_pictures = {}, 0
        for photo in photos_of([given]):
            for frame in frames_of(photo):
                n_pictures += 1
                name = photo.name if frame.index == 0 else f"{photo.name}, frame {frame.index}"
                fit = reconstructor.run(frame)
                if fit is None or fit.normals is None:
                    sys.stderr.write(f"{name}: no face\n")
                    continue
                reference = reference_of(fit)
                rows[name] = figures(fit, reference)
                cells = "  ".join(f"{key} {value:.3g}" for key, value in rows[name].items())
                sys.stdout.write(f"{name}: {cells}\n")
                if options.sheet is not None and len(tiles) < options.rows:
                    tiles.append(row_of(fit, reference))
        table += rows.values()
        lines += report_lines(given.name, rows, n_pictures)
    reconstructor.close()
    sys.stdout.write(f"faces: {len(table)}; {choice.identity}\n")
    for key in table[0] if table else ():
        values = np.array([row[key] for row in table])
        values = values[np.isfinite(values)]
        if len(values):
            p50, p95 = np.percentile(values, [50, 95])
            sys.stdout.write(f"{key}: median {p50:.2f}, 95 % under {p95:.2f}\n")
    if options.sheet is not None and tiles:
        save_png(options.sheet, np.concatenate(tiles))
    if options.report is not None and table:
        with replacing(options.report) as temporary:
            head = REPORT_HEAD.format(network=choice.identity)
            temporary.write_text(head + "\n".join(lines) + "\n", encoding="utf-8")
    return 0 if table else 1


def report_lines(name: str, rows: dict[str, dict[str, float]], n_pictures: int) -> list[str]:
    """Rows of the report: all pictures of an input, and each of them where they are few."""

    def line(title: str, found: str, some: list[dict[str, float]]) -> str:
        mesh, turn, share = (np.array([row[key] for row in some]) for key in (MESH, TURN, SHARE))
        numbers = (np.nanmedian(mesh), np.nanmax(mesh), np.nanmedian(turn))
        cells = [f"{value:.1f}" for value in numbers] + [f"{np.nanmedian(share):.2f}"]
        return f"| {title} | {found} | {' | '.join(cells)} |"

    if not rows:
        return [f"| **{name}** | 0 of {n_pictures} | | | | |"]
    lines = [line(f"**{name}**", f"{len(rows)} of {n_pictures}", list(rows.values()))]
    if 1 < len(rows) <= FEW:
        lines += [line(title, "", [row]) for title, row in rows.items()]
    return lines


def photos_of(inputs: list[Path]) -> list[Path]:
    """The photos that are meant; folders stand for those in them, sorted."""
    photos: list[Path] = []
    for given in inputs:
        inside = [p for p in given.iterdir() if p.suffix.lower() in IMAGE_SUFFIXES] if (
            given.is_dir()
        ) else [given]  # fmt: skip
        photos += sorted(inside, key=lambda p: natural_key(p.name))
    return photos


def reference_of(fit: Reconstruction) -> F32:
    """(S, S, 3) normals of MediaPipe's mesh, crop-view frame."""
    size = len(fit.normals.mask)
    points = points_in_map(fit.crop, fit.normals.crop_from_frame)
    return mesh_normals(points, mesh_triangles(), size)


def figures(fit: Reconstruction, reference: F32) -> dict[str, float]:
    """Name with unit -> value of one face; NaN where the network does not give what it takes."""
    seen, nan = fit.normals, float("nan")
    oval = reference.any(axis=2)
    points = points_in_map(fit.crop, seen.crop_from_frame)
    counted = oval & skin_inside(points, len(seen.mask)) & (seen.mask > 0.5)
    facing = crop_view_normals(seen, fit.camera)
    to_mesh = nan
    if facing is not None and counted.any():
        to_mesh = float(np.median(angles_deg(facing, reference, counted)))
    turn, of_maps = nan, head_rotation(seen)
    if of_maps is not None:
        of_fit = fit.params.R @ rodrigues(fit.params.neck[None].astype(np.float64), xp=np)[0]
        cosine = (np.trace(of_maps.T @ of_fit) - 1) / 2
        turn = float(np.degrees(np.arccos(np.clip(cosine, -1, 1))))
    return {
        MESH: to_mesh,
        TURN: turn,
        "to the fitted head, deg": fit.normal_residual_deg,
        "confidence": float(seen.confidence[oval].mean()) if oval.any() else nan,
        SHARE: float((seen.mask[oval] > 0.5).mean()) if oval.any() else nan,
        "normals, ms": fit.stage_ms["normals"],
    }


def row_of(fit: Reconstruction, reference: F32) -> U8:
    """(TILE, 6 TILE, 3): the columns of the sheet."""
    seen = fit.normals
    empty = np.zeros((*seen.mask.shape, 3), np.uint8)
    mask = np.clip(seen.mask, 0, 1)[..., None]
    grey = np.repeat((255 * mask).astype(np.uint8), 3, axis=2)
    facing = crop_view_normals(seen, fit.camera)

    def masked(normals: F32 | None) -> U8:
        return empty if normals is None else (coloured_normals(normals) * mask).astype(np.uint8)

    oval = reference.any(axis=2, keepdims=True)
    pictures = [
        fit.crop.image,
        masked(seen.head),
        masked(seen.view),
        coloured_normals(reference) * oval,
        grey if seen.parsing is None else coloured_parsing(seen.parsing),
        empty if facing is None else relief(facing, seen.mask),
    ]
    size = (TILE_PX, TILE_PX)
    tiles = [cv2.resize(p, size, interpolation=cv2.INTER_LINEAR) for p in pictures]
    return np.concatenate(tiles, axis=1)


if __name__ == "__main__":
    raise SystemExit(main())
