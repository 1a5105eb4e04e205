"""Contact sheets: rows of pictures with labels, in one picture for people to look at."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

import cv2
import numpy as np
from PIL import Image, ImageDraw, ImageFont

from engine.synth.sample import PARSING, Sample
from engine.types import U8

__all__ = [
    "PARSING_COLOURS",
    "SAMPLE_HEADINGS",
    "SheetRow",
    "contact_sheet",
    "parsing_picture",
    "sample_row",
]

PARSING_COLOURS: Final[U8] = np.array(
    [
        (24, 24, 24),  # background
        (232, 184, 150),  # skin
        (80, 160, 255),  # eyes
        (190, 40, 60),  # mouth_inside
        (120, 84, 48),  # hair
        (255, 220, 90),  # ears
        (150, 120, 190),  # neck
        (90, 190, 110),  # other
    ],
    np.uint8,
)
"""RGB of each class of PARSING."""

SAMPLE_HEADINGS: Final = ("picture", "head normals", "view normals", "parsing")

_GAP_PX: Final = 4
_TEXT_PX: Final = 15
_PAPER: Final = (250, 250, 250)
_INK: Final = (20, 20, 20)


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
    pictures = (sample.image, sample.head_normals, sample.view_normals)
    return SheetRow(", ".join(filter(None, said)), (*pictures, parsing_picture(sample.parsing)))


def parsing_picture(parsing: U8) -> U8:
    """Classes (H, W) as colours (H, W, 3); a number that is no class is white."""
    colours = np.full((256, 3), 255, np.uint8)
    colours[: len(PARSING)] = PARSING_COLOURS
    return colours[parsing]


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
