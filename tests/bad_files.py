"""Files that go wrong in a known way: every "bad input" a user can name, made from nothing."""

import io
import struct
import zlib
from fractions import Fraction
from pathlib import Path

import av
import numpy as np
from PIL import Image

__all__ = ["PICTURES", "gradient", "make_audio_mp4", "make_bad_files", "make_video"]

PICTURES = ("one_pixel", "grey16", "grey", "rgba", "cmyk", "palette", "gif", "webp", "wide")
"""Keys of `make_bad_files` whose files are unusual but good pictures."""


def gradient(height: int, width: int) -> np.ndarray:
    """(H, W, 3) uint8: red rises to the right, green downwards, blue is 64."""
    image = np.full((height, width, 3), 64, np.uint8)
    image[..., 0] = np.linspace(0, 255, width)[None, :]
    image[..., 1] = np.linspace(0, 255, height)[:, None]
    return image


def make_video(
    path: Path,
    images: list[np.ndarray],
    times_ms: list[float] | None = None,
    *,
    rotation_deg: float = 0.0,
    options: dict[str, str] | None = None,
) -> None:
    """Write (H, W, 3) pictures of even size as h264 at the given times (default 40 ms apart)."""
    times = times_ms or [40.0 * i for i in range(len(images))]
    with av.open(str(path), "w", options=options or {}) as container:
        stream = container.add_stream("libx264", rate=25, options={"preset": "ultrafast"})
        stream.height, stream.width = images[0].shape[:2]
        stream.codec_context.time_base = Fraction(1, 90_000)
        if rotation_deg:
            stream.set_display_rotation(rotation_deg)
        for image, ms in zip(images, times, strict=True):
            frame = av.VideoFrame.from_ndarray(image, format="rgb24")
            frame.pts, frame.time_base = round(ms * 90), Fraction(1, 90_000)
            container.mux(stream.encode(frame))
        container.mux(stream.encode(None))


def make_audio_mp4(path: Path) -> None:
    """Half a second of a 440 Hz tone in an MP4 without a picture."""
    with av.open(str(path), "w") as container:
        stream = container.add_stream("aac", rate=16_000)
        wave = np.sin(np.arange(8_000) * 2 * np.pi * 440 / 16_000).astype(np.float32)
        frame = av.AudioFrame.from_ndarray(wave[None], format="fltp", layout="mono")
        frame.sample_rate = 16_000
        container.mux(stream.encode(frame))
        container.mux(stream.encode(None))


def make_bad_files(folder: Path) -> dict[str, Path]:
    """Make every kind of bad or unusual input in `folder`; name -> path.

    Broken: missing, empty, text, truncated_jpg, truncated_png, bomb, folder, heic, truncated_mp4
    (plays in part), headless_mp4 (its index is cut off), audio_mp4, text_mp4, empty_mp4.
    Unusual: those in PICTURES.
    """
    folder.mkdir(parents=True, exist_ok=True)
    paths = {"missing": folder / "missing.jpg", "folder": folder / "folder.jpg"}
    paths["folder"].mkdir(exist_ok=True)
    contents = _broken_pictures() | _unusual_pictures() | _broken_videos(folder)
    for name, (file_name, data) in contents.items():
        paths[name] = folder / file_name
        paths[name].write_bytes(data)
    paths["audio_mp4"] = folder / "audio.mp4"
    make_audio_mp4(paths["audio_mp4"])
    return paths


def _encoded(image: Image.Image, kind: str, **options: object) -> bytes:
    buffer = io.BytesIO()
    image.save(buffer, kind, **options)
    return buffer.getvalue()


def _broken_pictures() -> dict[str, tuple[str, bytes]]:
    photo = Image.fromarray(gradient(200, 300))
    jpeg, png = _encoded(photo, "JPEG"), _encoded(photo, "PNG")
    return {
        "empty": ("empty.jpg", b""),
        "text": ("text.jpg", b"This is a shopping list: bread, milk, eggs.\n" * 20),
        "truncated_jpg": ("truncated.jpg", jpeg[: len(jpeg) // 2]),
        "truncated_png": ("truncated.png", png[: len(png) // 2]),
        "bomb": ("bomb.png", _png_header(40_000, 40_000)),
        "heic": ("phone.heic", b"\0\0\0\x18ftypheic\0\0\0\0mif1heic" + bytes(100)),
    }


def _unusual_pictures() -> dict[str, tuple[str, bytes]]:
    rgb = gradient(20, 30)
    photo = Image.fromarray(rgb)
    grey16 = np.linspace(0, 65535, 30).astype(np.uint16)[None].repeat(20, axis=0)
    rgba = np.dstack([rgb, np.full((20, 30), 255, np.uint8)])
    rgba[:, :15, 3] = 0
    frames = [photo, Image.fromarray(255 - rgb)]
    return {
        "one_pixel": ("one_pixel.png", _encoded(photo.crop((0, 0, 1, 1)), "PNG")),
        "grey16": ("grey16.png", _encoded(Image.fromarray(grey16), "PNG")),
        "grey": ("grey.jpg", _encoded(photo.convert("L"), "JPEG", quality=95)),
        "rgba": ("rgba.png", _encoded(Image.fromarray(rgba), "PNG")),
        "cmyk": ("cmyk.jpg", _encoded(photo.convert("CMYK"), "JPEG", quality=95)),
        "palette": ("palette.png", _encoded(photo.quantize(64), "PNG")),
        "gif": ("two.gif", _encoded(frames[0], "GIF", save_all=True, append_images=frames[1:])),
        "webp": ("small.webp", _encoded(photo, "WEBP", lossless=True)),
        "wide": ("wide.jpg", _encoded(Image.fromarray(gradient(900, 12_000)), "JPEG", quality=50)),
    }


def _broken_videos(folder: Path) -> dict[str, tuple[str, bytes]]:
    scratch = folder / "scratch.mp4"
    # Noise, so that half of the bytes are about half of the frames.
    rng = np.random.default_rng(5)
    images = [rng.integers(0, 255, (48, 64, 3), dtype=np.uint8) for _ in range(30)]
    make_video(scratch, images, options={"movflags": "faststart"})
    index_first = scratch.read_bytes()
    make_video(scratch, images)
    index_last = scratch.read_bytes()
    scratch.unlink()
    return {
        "truncated_mp4": ("truncated.mp4", index_first[: int(len(index_first) * 0.6)]),
        "headless_mp4": ("headless.mp4", index_last[: int(len(index_last) * 0.6)]),
        "text_mp4": ("text.mp4", b"This is not a video.\n" * 50),
        "empty_mp4": ("empty.mp4", b""),
    }


def _png_header(width: int, height: int) -> bytes:
    """A PNG that claims a size and holds next to nothing."""

    def chunk(kind: bytes, data: bytes) -> bytes:
        return (
            struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))
        )

    header = struct.pack(">IIBBBBB", width, height, 8, 2, 0, 0, 0)
    body = chunk(b"IDAT", zlib.compress(bytes(1000))) + chunk(b"IEND", b"")
    return b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", header) + body
