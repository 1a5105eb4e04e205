"""Contact sheets: rows of pictures with labels, in one picture for people to look at."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

import cv2
import numpy as np
from PIL import Image, ImageDraw, ImageFont

from engine.render.prediction import coloured_parsing
from engine.synth.sample import U16, Sample
from engine.types import F32, U8

__all__ = [
    "SAMPLE_HEADINGS",
    "SheetRow",
    "contact_sheet",
    "sample_row",
]

SAMPLE_HEADINGS: Final = (
    "picture", "head normals", "view normals", "parsing", "depth", "points",
)  # fmt: skip

_GAP_PX: Final = 4
_TEXT_PX: Final = 15
_PAPER: Final = (250, 250, 250)
_INK: Final = (20, 20, 20)
_FARTHEST: Final = 215.0
"""Of 255 grey levels, how much darker than the nearest point the farthest is."""
_DOT: Final = (90, 255, 120)


@dataclass(frozen=True, slots=True, eq=False)
class SheetRow:
    """Pictures that belong together."""

    label: str
    pictures: Sequence[U8]  # each (H, W, 3) RGB


def sample_row(sample: Sample) -> SheetRow:
    """A sample under SAMPLE_HEADINGS."""
    said = [sample.key, str(sample.meta.get("population", ""))]
    if "found" in sample.meta:
        said.append("MediaPipe's points" if sample.meta["found"] else "modelled points")
    pictures = (
        sample.image,
        sample.head_normals,
        sample.view_normals,
        coloured_parsing(sample.parsing),
        _depth_picture(sample.depth),
        _points_picture(sample.image, sample.points),
    )
    return SheetRow(", ".join(filter(None, said)), pictures)


def _depth_picture(depth: U16) -> U8:
    """(H, W, 3) from white, the nearest point, to dark grey, the farthest; black: nothing there."""
    there = depth > 0
    grey = np.zeros(depth.shape, np.float64)
    if there.any():
        near, far = int(depth[there].min()), int(depth[there].max())
        grey[there] = 255 - (depth[there] - near) * (_FARTHEST / max(far - near, 1))
    return np.repeat(np.rint(grey).astype(np.uint8)[..., None], 3, axis=2)


def _points_picture(image: U8, points: F32) -> U8:
    """(H, W, 3) a dot of one pixel for each point, on the picture at half its light."""
    picture: U8 = (image // 2).astype(np.uint8)
    x, y = np.rint(points[:, :2]).astype(int).T
    inside = (x >= 0) & (y >= 0) & (x < picture.shape[1]) & (y < picture.shape[0])
    picture[y[inside], x[inside]] = _DOT
    return picture


def contact_sheet(
    rows: Sequence[SheetRow],
    headings: Sequence[str] = (),
    *,
    n_across: int = 2,
    cell_px: int | None = None,
) -> U8:
    """Lay rows out, left to right, then down.

    Args:
        rows: at least one, all with the same number of pictures.
        headings: one for each picture of a row, written on top; or none.
        n_across: rows side by side.
        cell_px: side that pictures are drawn at, unsmoothed. None: width of the first.
    Returns: (H, W, 3) RGB.
    Raises: ValueError: if there is no row, or their lengths differ.
    """
    counts = {len(row.pictures) for row in rows} | ({len(headings)} if headings else set())
    if len(counts) != 1 or 0 in counts:
        raise ValueError(f"rows of {sorted(counts)} pictures, expected rows of one length")
    n, n_across = counts.pop(), min(n_across, len(rows))
    cell = cell_px if cell_px is not None else rows[0].pictures[0].shape[1]
    block_width, block_height = n * (cell + _GAP_PX) + _GAP_PX, cell + _TEXT_PX + _GAP_PX
    top = _TEXT_PX + _GAP_PX if headings else _GAP_PX
    height = top + -(-len(rows) // n_across) * block_height
    sheet = Image.new("RGB", (n_across * block_width, height), _PAPER)
    writer = _Writer(sheet)
    for i, row in enumerate(rows):
        x = (i % n_across) * block_width + _GAP_PX
        y = top + (i // n_across) * block_height
        if i < n_across:
            for k, heading in enumerate(headings):
                writer.write(x + k * (cell + _GAP_PX), 2, heading, cell)
        for k, picture in enumerate(row.pictures):
            sheet.paste(_fitted(picture, cell), (x + k * (cell + _GAP_PX), y))
        writer.write(x, y + cell, row.label, block_width - 2 * _GAP_PX)
    return np.asarray(sheet).copy()


class _Writer:
    def __init__(self, sheet: Image.Image) -> None:
        self._draw = ImageDraw.Draw(sheet)
        self._font = ImageFont.load_default(_TEXT_PX - 4)

    def write(self, x: int, y: int, text: str, width: int) -> None:
        """Cut to width."""
        while text and self._draw.textlength(text, font=self._font) > width:
            text = text[:-1]
        self._draw.text((x, y), text, fill=_INK, font=self._font)


def _fitted(picture: U8, cell: int) -> Image.Image:
    """Square cells; a picture of another shape keeps its own, on black."""
    height, width = picture.shape[:2]
    scale = cell / max(height, width)
    size = (max(1, round(width * scale)), max(1, round(height * scale)))
    canvas = np.zeros((cell, cell, 3), np.uint8)
    canvas[: size[1], : size[0]] = cv2.resize(picture, size, interpolation=cv2.INTER_NEAREST)
    return Image.fromarray(canvas)
