"""Sheets of predictions beside their truth, with a map of their errors, for people to look at."""

from typing import Final

import cv2
import numpy as np
from PIL import Image, ImageDraw, ImageFont

from engine.render.prediction import coloured_parsing
from engine.stages.normal_network import Prediction
from engine.synth.sample import FACE_CLASSES, Sample, code_normals, decode_normals
from engine.synth.sheet import SheetRow, contact_sheet
from engine.training.evaluate_normals import SampleResult, result_of
from engine.training.normal_metrics import angular_error_deg
from engine.types import F32, U8, Bool

__all__ = ["HEADINGS", "error_picture", "error_row", "error_sheet"]

HEADINGS: Final = ("picture", "head, predicted", "head, true", "view, predicted", "view, true",
                   "error, head", "error, view", "parsing, predicted", "parsing, true")  # fmt: skip

_MOST_DEG: Final = 30.0
_LEGEND_PX: Final = (420, 34)
_PAPER, _INK = (250, 250, 250), (20, 20, 20)


def error_sheet(rows: list[SheetRow], cell_px: int = 128) -> U8:
    """(H, W, 3) rows of `error_row` under HEADINGS, and the scale of the errors below.

    Raises: ValueError: if there is no row.
    """
    sheet = contact_sheet(rows, HEADINGS, n_across=1, cell_px=cell_px)
    legend = _legend(sheet.shape[1])
    return np.concatenate([sheet, legend])


def error_row(sample: Sample, found: Prediction, note: str = "") -> SheetRow:
    """A sample and what a network made of it; predicted normals are shown where it sees the face.

    Raises: AssetError: if the network gives no head or view normals, or no parsing.
    """
    result = result_of(sample, found)  # refuses what lacks a map
    true_head, true_view = decode_normals(sample.head_normals), decode_normals(sample.view_normals)
    skin = np.isin(sample.parsing, FACE_CLASSES) & true_head.any(axis=-1)
    face = found.mask > 0.5
    pictures = (
        sample.image,
        _where(found.head, face),
        sample.head_normals,
        _where(found.crop_view, face),
        sample.view_normals,
        error_picture(_zeros_if_none(found.head, true_head), true_head, skin),
        error_picture(_zeros_if_none(found.crop_view, true_view), true_view, skin),
        coloured_parsing(np.zeros_like(sample.parsing) if found.parsing is None else found.parsing),
        coloured_parsing(sample.parsing),
    )
    return SheetRow(_label(result, note), pictures)


def error_picture(normals: F32, truth: F32, where: Bool) -> U8:
    """(S, S, 3) angles from dark to bright, 0 to 30 degrees and above; grey elsewhere."""
    share = np.clip(angular_error_deg(normals, truth) / _MOST_DEG, 0, 1)
    colours: U8 = cv2.applyColorMap((255 * share).astype(np.uint8), cv2.COLORMAP_INFERNO)
    picture = np.ascontiguousarray(colours[..., ::-1])
    picture[~where] = 96
    return picture


def _zeros_if_none(normals: F32 | None, like: F32) -> F32:
    return np.zeros_like(like) if normals is None else normals


def _where(normals: F32 | None, face: Bool) -> U8:
    if normals is None:
        return np.zeros((*face.shape, 3), np.uint8)
    return code_normals(normals * face[..., None])


def _label(r: SampleResult, note: str) -> str:
    said = [note, r.key, r.population, "" if r.found else "points modelled"]
    if len(r.confidence):
        head, view = np.median(r.scores.head_deg), np.median(r.scores.view_deg)
        said.append(f"median head {head:.1f}°, view {view:.1f}°")
    said += [f"IoU {r.scores.iou:.2f}", f"rotation {r.scores.rotation_deg:.1f}°",
             f"yaw {r.yaw_deg:.0f}°", f"covered {100 * r.covered:.0f} %"]  # fmt: skip
    return ", ".join(filter(None, said))


def _legend(width: int) -> U8:
    """The scale of `error_picture`, as wide as the sheet."""
    paper = Image.new("RGB", (width, _LEGEND_PX[1]), _PAPER)
    bar_width = min(_LEGEND_PX[0], width - 120)
    ramp = np.tile(np.linspace(0, 255, bar_width).astype(np.uint8), (10, 1))
    colours = cv2.applyColorMap(ramp, cv2.COLORMAP_INFERNO)[..., ::-1]
    left = 96
    paper.paste(Image.fromarray(np.ascontiguousarray(colours)), (left, 4))
    draw, font = ImageDraw.Draw(paper), ImageFont.load_default(11)
    draw.text((4, 3), "angular error", fill=_INK, font=font)
    for degrees in (0, 10, 20, 30):
        x = left + bar_width * degrees / _MOST_DEG
        more = "° and more" if degrees == _MOST_DEG else "°"
        draw.text((x - 4, 17), f"{degrees}{more}", fill=_INK, font=font)
    return np.asarray(paper).copy()
