"""Parameters alone: no pixel of what a camera saw comes into any file, by whatever way."""

import io
import sys
import zipfile
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path

import numpy as np

from engine.recording.shot import Shot, shot_of
from engine.recording.take import Take
from engine.recording.writers import ParameterWriter
from engine.types import Frame, NormalMap
from tests.live_fakes import triangle_head, triangle_model

MODEL = triangle_model()
WINDOW = 16  # bytes in a row that count as image
_opened: list[str] | None = None


def _hook(event: str, args: tuple[object, ...]) -> None:
    if event == "open" and _opened is not None and args[0] is not None:
        mode, flags = args[1], args[2]
        if (isinstance(mode, str) and set(mode) & set("wax+")) or (mode is None and flags & 3):
            _opened.append(str(args[0]))


sys.addaudithook(_hook)  # it cannot be taken out again: it sleeps outside these tests


@contextmanager
def files_written() -> Iterator[list[str]]:
    """The paths that Python opens for writing in this time."""
    global _opened
    _opened = []
    try:
        yield _opened
    finally:
        _opened = None


def seen(index: int, rng: np.random.Generator) -> Shot:
    """A shot full of noise: frame, crop and normal maps, as a camera and a network give them."""
    frame = Frame(rng.integers(0, 256, (48, 64, 3), dtype=np.uint8), index, index * 40_000_000)
    fit = triangle_head(frame)
    view = rng.normal(size=(16, 16, 3)).astype(np.float32)
    ones = rng.random((16, 16)).astype(np.float32)
    crop = replace(fit.crop, image=rng.integers(0, 256, (32, 32, 3), dtype=np.uint8))
    maps = NormalMap(None, view, ones, ones, None, np.eye(2, 3))
    return shot_of("clip", frame, (replace(fit, crop=crop, normals=maps),))


def pieces(data: bytes) -> set[bytes]:
    return {data[i : i + WINDOW] for i in range(0, len(data) - WINDOW, WINDOW)}


def contents(path: Path) -> bytes:
    """The file's bytes, and those of what is packed in it."""
    data = path.read_bytes()
    if path.suffix == ".npz":
        with zipfile.ZipFile(io.BytesIO(data)) as archive:
            data += b"".join(archive.read(name) for name in archive.namelist())
    return data


def test_no_image_bytes_are_written(tmp_path: Path):
    rng = np.random.default_rng(0)
    shots = [seen(i, rng) for i in range(30)]
    with files_written() as opened:
        take = Take(lambda: ParameterWriter(tmp_path / "a.npz", MODEL), tmp_path / "a.json")
        for shot in shots:
            assert take.submit(shot.without_pixels(), wait=True)
        assert take.stop().problem == ""
    assert sorted(p.name for p in tmp_path.iterdir()) == ["a.csv", "a.json", "a.npz"]
    assert {Path(name).parent for name in opened} == {tmp_path}
    written = b"".join(contents(path) for path in tmp_path.iterdir())
    for shot in shots:
        face = shot.faces[0]
        for pixels in (shot.image, face.crop.image, face.normals.view, face.normals.mask):
            # Any row of any picture would show: look for its pieces at every offset.
            assert not any(piece in written for piece in pieces(pixels.tobytes()))
    for magic in (b"\x89PNG", b"\xff\xd8\xff", b"ftyp", b"\x1aE\xdf\xa3", b"RIFF"):
        assert magic not in written
    # Parameters of a frame take a fraction of what its 9 kB of noise would, however packed.
    assert sum(p.stat().st_size for p in tmp_path.iterdir()) < 30 * shots[0].image.nbytes / 4


def test_a_shot_without_pixels_holds_none():
    shot = seen(0, np.random.default_rng(1)).without_pixels()
    assert shot.image is None
    assert shot.faces[0].normals is None
    assert shot.faces[0].crop.image.shape == (1, 1, 3)
    assert shot.faces[0].crop.image.max() == 0
