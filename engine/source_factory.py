"""Opens a source by what a person calls it."""

from pathlib import Path

from PIL import Image

from engine.errors import CaptureError
from engine.flame.model import HeadModel
from engine.io.assets import asset_path
from engine.io.camera import CameraSource, list_cameras
from engine.io.camera_format import AUTOMATIC, CameraFormat
from engine.io.image import IMAGE_SUFFIXES, UNREAD_SUFFIXES, ImageSource, list_images
from engine.io.readable import probing
from engine.io.screen import ScreenSource
from engine.io.source import Source
from engine.io.stream import StreamSource, is_url
from engine.io.video import VIDEO_SUFFIXES, VideoSource
from engine.sources import SyntheticSource

__all__ = [
    "SAMPLE",
    "SCREEN",
    "SYNTHETIC",
    "first_source_spec",
    "is_live_spec",
    "is_video_file",
    "open_source",
]

SAMPLE = "sample"
"""The bundled clip."""
SYNTHETIC = "synthetic"
"""A rendered head that moves."""
SCREEN = "screen"
"""What is on the screen."""
_CAMERA = "webcam:"


def first_source_spec() -> str:
    """The first camera there is, else the bundled clip."""
    cameras = list_cameras()
    return f"webcam:{cameras[0].index}" if cameras else SAMPLE


def is_live_spec(spec: str) -> bool:
    """Whether spec names a camera, the screen or an address, and no file."""
    return spec == SCREEN or spec.startswith(_CAMERA) or is_url(spec)


def open_source(spec: str, model: HeadModel, camera_format: CameraFormat = AUTOMATIC) -> Source:
    """Open a source.

    Args:
        spec: webcam:N, screen, synthetic, sample, an rtsp:// or http:// address, a video, a
            picture, or a folder of pictures.
        model: the head that "synthetic" shows.
        camera_format: what a camera is asked for.
    Raises: CaptureError: if spec names nothing that can be opened. AssetError: if the bundled clip
        is missing or damaged.
    """
    if spec == SYNTHETIC:
        return SyntheticSource(model, n_frames=None, live=True)
    if spec == SAMPLE:
        return VideoSource(asset_path("sample.mp4"))
    if spec == SCREEN:
        return ScreenSource()
    if spec.startswith(_CAMERA):
        return CameraSource(_camera_index(spec), wanted=camera_format)
    if is_url(spec):
        return StreamSource(spec)
    with probing(Path(spec), "check the path"):
        path = Path(spec).expanduser()
        is_folder, missing = path.is_dir(), not path.exists()
    if is_folder:
        return ImageSource(list_images(path), path.name or spec)
    if missing:
        raise CaptureError(
            f"{spec} does not exist; give webcam:N, screen, synthetic, sample, an rtsp:// or "
            "http:// address, or an existing video, picture or folder"
        )
    return VideoSource(path) if is_video_file(path) else ImageSource([path])


def is_video_file(path: Path) -> bool:
    """Whether a file is to be read as a video: by its suffix, else by what is in it."""
    suffix = path.suffix.lower()
    if suffix in VIDEO_SUFFIXES:
        return True
    if suffix in IMAGE_SUFFIXES | UNREAD_SUFFIXES:
        return False
    try:
        with Image.open(path):
            return False
    except (OSError, ValueError, Image.DecompressionBombError):
        return True


def _camera_index(spec: str) -> int:
    number = spec.removeprefix(_CAMERA)
    if not number.isdecimal():
        raise CaptureError(f"{spec!r} names no camera; expected webcam:0, webcam:1, ...")
    return int(number)
