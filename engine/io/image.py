"""Pictures: any common file in, upright RGB out; PNG out; a folder as a source of frames."""

import io
import re
import struct
import warnings
import zlib
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO, Final, TypeGuard

import numpy as np
from PIL import ExifTags, Image, ImageOps, UnidentifiedImageError

from engine.errors import CaptureError
from engine.files import replacing
from engine.frames import focal_px_from_35mm
from engine.io.readable import check_readable
from engine.types import U8, Frame, check_array

__all__ = [
    "IMAGE_SUFFIXES",
    "UNREAD_SUFFIXES",
    "ImageSource",
    "LoadedImage",
    "decode_image",
    "list_images",
    "load_image",
    "save_png",
]

IMAGE_SUFFIXES: Final = frozenset(
    {".avif", ".bmp", ".gif", ".jpeg", ".jpg", ".png", ".tif", ".tiff", ".webp"}
)
UNREAD_SUFFIXES: Final = frozenset(
    {".cr3", ".heic", ".heif", ".hif", ".jxl", ".orf", ".raf", ".rw2"}
)
"""Pictures that cannot be read here: trying to tells what to do about them."""
MAX_PIXELS: Final = 175_000_000
"""Beyond this a file is taken for a decompression bomb; Pillow itself refuses 179 MP."""
CROPPED: Final = 0.02
"""A picture whose sides' ratio is not the one it was shot with was cropped: EXIF's focal length, a
part of the diagonal, then says nothing."""
PICTURE_INTERVAL_NS: Final = 1_000_000_000
"""Pictures of a folder are unrelated: a second apart, no smoothing over time joins them."""

_BROKEN = (
    *(OSError, SyntaxError, ValueError, EOFError, struct.error, zlib.error),
    *(LookupError, TypeError, ArithmeticError, RuntimeError),
)
"""What Pillow's decoders raise on damaged data."""
_HEIF = (b"heic", b"heix", b"hevc", b"mif1", b"msf1")


@dataclass(frozen=True, slots=True, eq=False)
class LoadedImage:
    """A picture as it should be looked at."""

    image: U8  # (H, W, 3) RGB, upright, read-only
    focal_px: float | None  # from EXIF; None where the file does not say, or was cropped

    def __post_init__(self) -> None:
        check_array("LoadedImage.image", self.image, (None, None, 3), np.uint8)


def load_image(path: Path, *, upright: bool = True) -> LoadedImage:
    """Read a picture as upright 8-bit RGB.

    EXIF orientation is applied, transparency is laid on white, 16 bits a channel become 8, and of
    an animation the first picture is taken.

    Args:
        upright: False: leave the rows as they are stored, as annotations of data sets count them.
    Raises: CaptureError: if the file is missing, empty, damaged, not a picture or too large.
    """
    check_readable(path, "picture")
    with path.open("rb") as file:
        return _load(file, path, upright=upright)


def decode_image(data: bytes, name: Path) -> LoadedImage:
    """As `load_image`, for a file's content, e.g. out of an archive; name: for messages."""
    return _load(io.BytesIO(data), name, upright=True)


def _load(file: BinaryIO, path: Path, *, upright: bool) -> LoadedImage:
    with warnings.catch_warnings():
        # Pillow warns about damaged metadata, which costs nothing here, and about pictures over a
        # limit of its own, lower than MAX_PIXELS.
        warnings.simplefilter("ignore")
        try:
            with Image.open(file) as picture:
                return _decode(picture, path, upright)
        except Image.DecompressionBombError as error:
            raise _too_large(path, str(error)) from error
        except UnidentifiedImageError as error:
            file.seek(0)
            raise CaptureError(_why_not_a_picture(file.read(16), path)) from error
        except _BROKEN as error:
            raise CaptureError(
                f"{path} is damaged or cut short ({error}); copy or download it again"
            ) from error


def save_png(path: Path, image: U8) -> None:
    """Write (H, W, 3) RGB or (H, W, 4) RGBA uint8 as PNG, whole or not at all.

    Raises: ValueError: for another shape or type. OutputError: if it cannot be written.
    """
    channels = 4 if image.shape[2:] == (4,) else 3
    check_array("image", image, (None, None, channels), np.uint8)
    with replacing(path) as temporary:
        Image.fromarray(image).save(temporary, format="PNG")


def list_images(folder: Path) -> list[Path]:
    """The pictures in a folder (not below it), in the order a person expects: 2 before 10.

    Those in formats that cannot be read are among them, so that nobody misses them in silence.
    Raises: CaptureError: if the folder is missing, unreadable or holds no picture.
    """
    try:
        entries = [p for p in folder.iterdir() if p.is_file() and not p.name.startswith(".")]
    except OSError as error:
        raise CaptureError(
            f"{folder} cannot be listed: {error.strerror}; give an existing, readable folder"
        ) from error
    pictures = [p for p in entries if p.suffix.lower() in IMAGE_SUFFIXES | UNREAD_SUFFIXES]
    if not pictures:
        endings = " ".join(sorted(IMAGE_SUFFIXES))
        raise CaptureError(f"{folder} holds no picture; files ending in {endings} are looked for")
    return sorted(pictures, key=lambda p: natural_key(p.name))


def natural_key(name: str) -> tuple[list[tuple[bool, int, str]], str]:
    """Sort key that orders numbers by value and ignores case; the name itself breaks ties."""
    parts = re.findall(r"\d+|\D+", name.lower())
    return [(False, int(p), "") if p.isdecimal() else (True, 0, p) for p in parts], name


class ImageSource:
    """Pictures, one after the other, as a `Source`."""

    is_live = False
    n_dropped = 0

    def __init__(self, paths: Sequence[Path], name: str | None = None) -> None:
        """Args:
        paths: picture files, in order.
        name: what a person calls them; default the file's name or "N pictures".
        Raises: CaptureError: if there is none.
        """
        if not paths:
            raise CaptureError("no pictures given; name at least one file or a folder with some")
        self.paths = tuple(paths)
        self.name = name or (paths[0].name if len(paths) == 1 else f"{len(paths)} pictures")
        self.n_frames: int | None = len(paths)
        self._next = 0

    def read(self) -> Frame | None:
        """The next picture, None after the last.

        Raises: CaptureError: if it cannot be read; the next call goes on with the one after it.
        """
        index = self._next
        if index >= len(self.paths):
            return None
        self._next += 1
        loaded = load_image(self.paths[index])
        return Frame(loaded.image, index, index * PICTURE_INTERVAL_NS, loaded.focal_px)

    def close(self) -> None:
        """Nothing more is read; safe to call twice."""
        self._next = len(self.paths)


def _why_not_a_picture(head: bytes, path: Path) -> str:
    if head[4:8] == b"ftyp" and head[8:12] in _HEIF:
        return f"{path} is a HEIC/HEIF picture, which cannot be read; export it as JPEG or PNG"
    if path.suffix.lower() in UNREAD_SUFFIXES:
        kind = path.suffix[1:].upper()
        return f"{path} is a {kind} picture, which cannot be read; export it as JPEG or PNG"
    return (
        f"{path} is not a picture, whatever its name says, or its start is damaged; "
        "expected JPEG, PNG, WebP, GIF, BMP, TIFF or AVIF"
    )


def _too_large(path: Path, found: str) -> CaptureError:
    limit = MAX_PIXELS // 1_000_000
    return CaptureError(f"{path} is too large ({found}); scale it to at most {limit} megapixels")


def _decode(picture: Image.Image, path: Path, upright: bool) -> LoadedImage:
    if picture.width * picture.height > MAX_PIXELS:
        raise _too_large(path, f"{picture.width}x{picture.height} px")
    image = _as_rgb(ImageOps.exif_transpose(picture) if upright else picture, path)
    image.setflags(write=False)
    return LoadedImage(image=image, focal_px=_focal_px(picture))


def _as_rgb(picture: Image.Image, path: Path) -> U8:
    """(H, W, 3) uint8 from any of Pillow's modes."""
    if picture.mode == "F":
        raise CaptureError(
            f"{path} holds floating-point pixels, whose range is unknown; save it with 8 or 16 bits"
        )
    if picture.mode.startswith("I"):  # 16-bit grey, which convert("RGB") would clip at 255
        grey16 = np.clip(np.asarray(picture), 0, 65535).astype(np.uint32)
        grey = ((grey16 + 128) // 257).astype(np.uint8)
        return np.repeat(grey[..., None], 3, axis=2)
    if picture.has_transparency_data:
        rgba = picture.convert("RGBA")
        picture = Image.alpha_composite(Image.new("RGBA", rgba.size, "white"), rgba)
    return np.array(picture.convert("RGB"), np.uint8)


def _focal_px(picture: Image.Image) -> float | None:
    """Focal length from EXIF's 35 mm equivalent; the diagonal is the same before turning."""
    tags = picture.getexif().get_ifd(ExifTags.IFD.Exif)
    focal_35mm = tags.get(ExifTags.Base.FocalLengthIn35mmFilm)
    # 0 means unknown in EXIF; outside 5..2000 mm there are no lenses, only damaged tags.
    if not _is_number(focal_35mm) or not 5 <= focal_35mm <= 2000:
        return None
    noted = (tags.get(ExifTags.Base.ExifImageWidth), tags.get(ExifTags.Base.ExifImageHeight))
    shot = [side for side in noted if _is_number(side) and side > 0]
    if len(shot) == 2:
        shape, shape_now = max(shot) / min(shot), max(picture.size) / min(picture.size)
        if abs(shape / shape_now - 1) > CROPPED:
            return None
    return focal_px_from_35mm(float(focal_35mm), picture.width, picture.height)


def _is_number(value: object) -> TypeGuard[float]:
    return isinstance(value, (int, float))
