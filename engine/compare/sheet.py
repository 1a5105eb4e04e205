"""One picture of a comparison: left method, right method, error map, and what there is to say."""

import cv2
import numpy as np
from PIL import Image, ImageDraw, ImageFont

from engine.compare.difference import Difference
from engine.compare.side_fit import SideFit, normal_text, timing_label
from engine.compare.zoom import FaceWindow, zoomed
from engine.render.colour_scale import scale_bar, scale_colours
from engine.render.overlay import OverlayPainter
from engine.types import U8, Frame, Reconstruction

__all__ = ["SheetPainter", "fitted_into"]

_DISTANCE = "Distance"
_PANEL_PX = (420, 720)
"""Least and greatest width: panels of other frames are scaled, so that text can be read."""
_FACE_PX = 540
"""Sides of a panel that shows the face alone."""
_BACKGROUND_RGB = (27, 29, 33)
_TITLE_RGB, _TEXT_RGB, _DIM_RGB = (240, 240, 240), (196, 200, 206), (139, 144, 152)
_GAP_PX = 4
_FONT_SHARE = 1 / 34
"""Of a panel's width."""


class SheetPainter:
    """Draws sheets without a window. Made, used and closed by one thread."""

    def __init__(
        self,
        painter: OverlayPainter,
        methods: tuple[str, str],
        *,
        offline: tuple[bool, bool],
        top_mm: float,
        whole: bool = False,
    ) -> None:
        """Args:
        painter: of the head model; the caller's.
        methods, offline: of the left and the right side.
        top_mm: where the colours of the error map end.
        whole: show frames as they are, not only the face.
        """
        self._painter, self._methods, self._offline = painter, methods, offline
        self._top_mm, self._whole = top_mm, whole
        self._window = FaceWindow()

    def paint(
        self, frame: Frame, left: SideFit, right: SideFit, difference: Difference | None
    ) -> U8:
        """(H, W, 3) RGB; the error map lies on the right side's head."""
        image, fits = self._seen(frame, (left.fit, right.fit))
        panels = [self._painter.paint(image, () if fit is None else (fit,)) for fit in fits]
        panels.append(self._error_map(image, fits[1], difference))
        height, width = image.shape[:2]
        across = min(max(width, _PANEL_PX[0]), _PANEL_PX[1])
        size = (across, max(1, round(height * across / width)))
        sheet = _Sheet(size, len(panels))
        for at, panel in enumerate(panels):
            sheet.put(at, _resized(panel, size))
        for at, side in enumerate((left, right)):
            label = timing_label(side, offline=self._offline[at])
            sheet.write(at, self._methods[at], label, _facts(side))
        if difference is None:
            sheet.write(2, _DISTANCE, "", "nothing to compare")
        else:
            sheet.write_scale(2, _DISTANCE, difference, self._top_mm)
        return sheet.picture()

    def _seen(
        self, frame: Frame, fits: tuple[Reconstruction | None, Reconstruction | None]
    ) -> tuple[U8, list[Reconstruction | None]]:
        """The picture that panels show, and the heads in it."""
        if self._whole:
            return frame.image, list(fits)
        present = [fit for fit in fits if fit is not None]
        square = self._window.follow(present)
        if square is None:
            return fitted_into(frame.image, (_FACE_PX, _FACE_PX)), [None, None]
        image, moved = zoomed(frame.image, present, square, _FACE_PX)
        shown = iter(moved)
        return image, [None if fit is None else next(shown) for fit in fits]

    def _error_map(
        self, image: U8, fit: Reconstruction | None, difference: Difference | None
    ) -> U8:
        if fit is None or difference is None:
            return self._painter.paint(image, ())
        colours = scale_colours(difference.aligned_mm, self._top_mm)
        return self._painter.paint(image, (fit,), opacity=1.0, colours=colours)


def fitted_into(picture: U8, size: tuple[int, int]) -> U8:
    """A picture within another size, as large as it may be, in the middle.

    Args:
        size: width, height px.
    """
    height, width = picture.shape[:2]
    if (width, height) == size:
        return picture
    scale = min(size[0] / width, size[1] / height)
    inner = (max(1, round(width * scale)), max(1, round(height * scale)))
    framed: U8 = np.full((size[1], size[0], 3), _BACKGROUND_RGB, np.uint8)
    x, y = (size[0] - inner[0]) // 2, (size[1] - inner[1]) // 2
    framed[y : y + inner[1], x : x + inner[0]] = _resized(picture, inner)
    return framed


def _resized(image: U8, size: tuple[int, int]) -> U8:
    how = cv2.INTER_AREA if size[0] < image.shape[1] else cv2.INTER_LINEAR
    resized: U8 = cv2.resize(image, size, interpolation=how).astype(np.uint8, copy=False)
    return resized


def _facts(side: SideFit) -> str:
    if side.fit is None:
        return side.problem or "no face found"
    return f"{normal_text(side.fit)} · landmarks {100 * side.fit.landmark_rms:.1f} %"


class _Sheet:
    """Panels in a row, each with lines of text under it."""

    def __init__(self, panel: tuple[int, int], n: int) -> None:
        self._width, self._height = panel
        self._em = max(9, round(self._width * _FONT_SHARE))
        self._font = ImageFont.load_default(self._em)
        self._small = ImageFont.load_default(max(8, round(0.85 * self._em)))
        size = (n * (self._width + _GAP_PX) - _GAP_PX, self._height + round(4.4 * self._em))
        self._image = Image.new("RGB", size, _BACKGROUND_RGB)
        self._draw = ImageDraw.Draw(self._image)

    def put(self, at: int, panel: U8) -> None:
        self._image.paste(Image.fromarray(panel), (at * (self._width + _GAP_PX), 0))

    def write(self, at: int, title: str, beside: str, below: str) -> None:
        x, y = self._corner(at)
        self._draw.text((x, y), title, _TITLE_RGB, self._font)
        x_beside = x + self._draw.textlength(title, self._font) + self._em
        self._draw.text((x_beside, y), self._cut(beside, at, x_beside), _TEXT_RGB, self._font)
        self._line(at, 1, below)

    def write_scale(self, at: int, title: str, difference: Difference, top_mm: float) -> None:
        """The error map's numbers, and what its colours mean."""
        aligned, seen = difference.aligned, difference.in_view
        self.write(
            at, title, f"{aligned.mean:.2f} mm, 95 % below {aligned.p95:.1f}",
            f"face, heads aligned; {seen.mean:.1f} mm as they stand",
        )  # fmt: skip
        x, y = self._corner(at)
        y += round(2.75 * self._em)
        zero, top = "0", f"{top_mm:g} mm and more"
        left = x + self._draw.textlength(zero, self._small) + self._em // 2
        right = x + self._room - self._draw.textlength(top, self._small) - self._em // 2
        self._draw.text((x, y), zero, _DIM_RGB, self._small)
        self._draw.text((right + self._em // 2, y), top, _DIM_RGB, self._small)
        width = round(right - left)
        if width > 0:
            bar = scale_bar(width, max(4, round(0.7 * self._em)))
            self._image.paste(Image.fromarray(bar), (round(left), y + round(0.15 * self._em)))

    def picture(self) -> U8:
        drawn: U8 = np.asarray(self._image, np.uint8)
        return drawn

    @property
    def _room(self) -> int:
        """px a line may take."""
        return self._width - 2 * (self._em // 2)

    def _corner(self, at: int) -> tuple[int, int]:
        """Of a panel's text."""
        return at * (self._width + _GAP_PX) + self._em // 2, self._height + self._em // 3

    def _line(self, at: int, line: int, text: str) -> None:
        x, y = self._corner(at)
        y += round(1.4 * line * self._em)
        self._draw.text((x, y), self._cut(text, at, x), _DIM_RGB, self._small)

    def _cut(self, text: str, at: int, x: float) -> str:
        """As much of a text as fits between x and the end of its panel."""
        room = self._corner(at)[0] + self._room - x
        if self._draw.textlength(text, self._small) <= room:
            return text
        while text and self._draw.textlength(f"{text}…", self._small) > room:
            text = text[:-1]
        return f"{text}…"
