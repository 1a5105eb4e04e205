import os
import re
from pathlib import Path

import numpy as np
import pytest
from PIL import ExifTags, Image

from engine.errors import CaptureError, OutputError
from engine.io.image import ImageSource, list_images, load_image, natural_key, save_png
from tests.bad_files import PICTURES, gradient, make_bad_files
from tests.unprivileged import as_nobody


@pytest.fixture(scope="module")
def files(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    return make_bad_files(tmp_path_factory.mktemp("bad"))


def save_with_exif(
    path: Path,
    image: np.ndarray,
    *,
    orientation: int = 1,
    focal: int = 0,
    shot: tuple[int, int] | None = None,
) -> None:
    """shot: width and height that the camera noted."""
    exif = Image.Exif()
    exif[ExifTags.Base.Orientation] = orientation
    tags = exif.get_ifd(ExifTags.IFD.Exif)
    if focal:
        tags[ExifTags.Base.FocalLengthIn35mmFilm] = focal
    if shot:
        tags[ExifTags.Base.ExifImageWidth], tags[ExifTags.Base.ExifImageHeight] = shot
    Image.fromarray(image).save(path, exif=exif)


@pytest.mark.parametrize(
    ("name", "words"),
    [
        ("missing", "does not exist.*check the path"),
        ("empty", "empty.*again"),
        ("text", "not a picture.*expected JPEG"),
        ("truncated_jpg", "cut short.*again"),
        ("truncated_png", "cut short.*again"),
        ("folder", "folder.*name a file"),
        ("heic", "HEIC.*export it as JPEG"),
        ("bomb", "too large.*megapixels"),
    ],
)
def test_bad_file_is_named_with_cause_and_fix(
    files: dict[str, Path], name: str, words: str
) -> None:
    with pytest.raises(CaptureError, match=re.escape(str(files[name])) + ".*" + words):
        load_image(files[name])


@pytest.mark.parametrize("name", PICTURES)
def test_unusual_picture_is_rgb_and_read_only(files: dict[str, Path], name: str) -> None:
    image = load_image(files[name]).image
    sizes = {"one_pixel": (1, 1, 3), "wide": (900, 12_000, 3)}
    assert image.shape == sizes.get(name, (20, 30, 3))
    assert not image.flags.writeable


# JPEG at quality 95 with halved chroma and CMYK's rounding stay within 12 of 255; the rest is exact
# but for the palette, whose 64 colours share out 256 x 256: each stands for a 32 x 32 square.
@pytest.mark.parametrize(
    ("name", "tolerance"), [("cmyk", 12), ("palette", 32), ("gif", 32), ("webp", 0)]
)
def test_unusual_picture_keeps_its_colours(
    files: dict[str, Path], name: str, tolerance: int
) -> None:
    image = load_image(files[name]).image.astype(int)
    assert np.abs(image - gradient(20, 30)).max() <= tolerance


def test_sixteen_bit_grey_spans_the_whole_range(files: dict[str, Path]) -> None:
    image = load_image(files["grey16"]).image
    expected = np.round(np.linspace(0, 65535, 30).astype(np.uint16) / 257)
    np.testing.assert_array_equal(image[0], expected[:, None].repeat(3, axis=1))


def test_transparency_is_laid_on_white(files: dict[str, Path]) -> None:
    image = load_image(files["rgba"]).image
    assert (image[:, :15] == 255).all()
    np.testing.assert_array_equal(image[:, 15:], gradient(20, 30)[:, 15:])


def test_half_transparent_black_is_mid_grey(tmp_path: Path) -> None:
    path = tmp_path / "half.png"
    Image.fromarray(np.full((2, 2, 4), (0, 0, 0, 128), np.uint8)).save(path)
    assert (load_image(path).image == 127).all()


# The picture as stored for each orientation (EXIF 2.3, tag 274), so that upright has the red
# corner top left and the green corner top right.
@pytest.mark.parametrize(
    ("orientation", "stored"),
    [
        (1, lambda a: a),
        (2, lambda a: a[:, ::-1]),
        (3, lambda a: a[::-1, ::-1]),
        (4, lambda a: a[::-1]),
        (5, lambda a: a.transpose(1, 0, 2)),
        (6, lambda a: np.rot90(a, 1)),  # shown after turning 90 degrees clockwise
        (7, lambda a: np.rot90(a.transpose(1, 0, 2), 2)),
        (8, lambda a: np.rot90(a, -1)),
    ],
)
def test_exif_orientation_is_applied(tmp_path: Path, orientation: int, stored: object) -> None:
    upright = gradient(20, 30)
    path = tmp_path / "turned.png"
    save_with_exif(path, np.ascontiguousarray(stored(upright)), orientation=orientation)
    np.testing.assert_array_equal(load_image(path).image, upright)


def test_exif_focal_length_becomes_pixels(tmp_path: Path) -> None:
    save_with_exif(tmp_path / "a.jpg", gradient(24, 36), orientation=6, focal=50)
    # 36x24 px on 36x24 mm film: one pixel is one millimetre.
    assert load_image(tmp_path / "a.jpg").focal_px == pytest.approx(50.0)


@pytest.mark.parametrize(
    ("shot", "focal_px"),
    [((3600, 2400), 50.0), ((2400, 3600), 50.0), ((3600, 2000), None), ((0, 0), 50.0)],
)
def test_focal_length_of_a_cropped_picture_is_unknown(
    tmp_path: Path, shot: tuple[int, int], focal_px: float | None
) -> None:
    save_with_exif(tmp_path / "a.jpg", gradient(24, 36), focal=50, shot=shot)
    assert load_image(tmp_path / "a.jpg").focal_px == (focal_px and pytest.approx(focal_px))


@pytest.mark.parametrize("focal", [2, 60_000])
def test_absurd_focal_length_is_not_believed(tmp_path: Path, focal: int) -> None:
    save_with_exif(tmp_path / "a.jpg", gradient(24, 36), focal=focal)
    assert load_image(tmp_path / "a.jpg").focal_px is None


def test_no_exif_means_no_focal_length(tmp_path: Path) -> None:
    save_with_exif(tmp_path / "a.jpg", gradient(24, 36))
    assert load_image(tmp_path / "a.jpg").focal_px is None


@pytest.mark.parametrize("channels", [3, 4])
def test_saved_png_comes_back(tmp_path: Path, channels: int) -> None:
    image = np.arange(4 * 5 * channels, dtype=np.uint8).reshape(4, 5, channels)
    save_png(tmp_path / "new" / "a.png", image)
    with Image.open(tmp_path / "new" / "a.png") as picture:
        np.testing.assert_array_equal(np.asarray(picture), image)
    assert [p.name for p in (tmp_path / "new").iterdir()] == ["a.png"]


def test_saving_under_a_file_is_an_output_error(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("in the way")
    with pytest.raises(OutputError, match="another folder"):
        save_png(tmp_path / "file" / "a.png", gradient(2, 2))


@pytest.mark.skipif(os.name != "posix", reason="permission bits")
def test_file_without_read_permission_is_named(tmp_path: Path) -> None:
    path = tmp_path / "inner" / "a.png"
    save_png(path, gradient(2, 2))
    with as_nobody(path.parent, mode=0), pytest.raises(CaptureError, match="and its permissions"):
        load_image(path)


def test_numbers_in_names_sort_by_value() -> None:
    names = ["img10.png", "img2.png", "IMG1.png", "a.png", "3.png"]
    assert sorted(names, key=natural_key) == ["3.png", "a.png", "IMG1.png", "img2.png", "img10.png"]


def test_folder_lists_pictures_only(tmp_path: Path) -> None:
    for name in ("b10.JPG", "b9.png", "b11.HEIC", "notes.txt", "._b1.jpg"):
        (tmp_path / name).write_bytes(b"x")
    (tmp_path / "c.png").mkdir()
    assert [p.name for p in list_images(tmp_path)] == ["b9.png", "b10.JPG", "b11.HEIC"]


def test_folder_without_pictures_is_an_error(tmp_path: Path) -> None:
    with pytest.raises(CaptureError, match="holds no picture"):
        list_images(tmp_path)
    with pytest.raises(CaptureError, match="cannot be listed"):
        list_images(tmp_path / "missing")


def test_source_goes_on_after_a_bad_picture(files: dict[str, Path]) -> None:
    source = ImageSource([files["grey"], files["text"], files["webp"]])
    first = source.read()
    with pytest.raises(CaptureError, match="not a picture"):
        source.read()
    last = source.read()
    assert first is not None
    assert last is not None
    assert (first.index, last.index) == (0, 2)
    assert (first.t_ns, last.t_ns) == (0, 2_000_000_000)
    assert source.read() is None
    assert source.n_frames == 3


def test_source_without_pictures_is_refused() -> None:
    with pytest.raises(CaptureError, match="no pictures"):
        ImageSource([])


def test_closed_source_ends(files: dict[str, Path]) -> None:
    source = ImageSource([files["grey"]])
    source.close()
    source.close()
    assert source.read() is None
