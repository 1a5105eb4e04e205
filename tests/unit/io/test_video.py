from fractions import Fraction
from pathlib import Path

import av
import numpy as np
import pytest
from PIL import Image

from engine.errors import CaptureError
from engine.io.video import VideoSource
from engine.types import Frame
from tests.bad_files import gradient, make_bad_files, make_video

RED, GREEN, BLUE, GREY = (200, 30, 40), (30, 180, 60), (40, 50, 200), (120, 120, 120)


def quarters(height: int = 64, width: int = 96) -> np.ndarray:
    """Red top left, green top right, blue bottom left, grey bottom right."""
    image = np.zeros((height, width, 3), np.uint8)
    h, w = height // 2, width // 2
    image[:h, :w], image[:h, w:], image[h:, :w], image[h:, w:] = RED, GREEN, BLUE, GREY
    return image


def corners(image: np.ndarray) -> list[tuple[int, ...]]:
    """Colours at a quarter of the way in: top left, top right, bottom left, bottom right."""
    h, w = image.shape[0] // 4, image.shape[1] // 4
    return [tuple(image[y, x].tolist()) for y in (h, -h) for x in (w, -w)]


def read_all(source: VideoSource) -> list[Frame]:
    frames = []
    while (frame := source.read()) is not None:
        frames.append(frame)
    return frames


@pytest.fixture(scope="module")
def files(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    return make_bad_files(tmp_path_factory.mktemp("bad"))


@pytest.mark.parametrize(
    ("name", "words"),
    [
        ("missing", "does not exist.*check the path"),
        ("folder", "folder.*name a file"),
        ("empty_mp4", "empty.*again"),
        ("text_mp4", "not a video.*convert"),
        ("headless_mp4", "cut short.*again"),
        ("audio_mp4", "sound but no picture"),
    ],
)
def test_bad_file_is_named_with_cause_and_fix(
    files: dict[str, Path], name: str, words: str
) -> None:
    with pytest.raises(CaptureError, match=f"{files[name]}.*{words}"):
        VideoSource(files[name])


def test_cut_off_video_gives_its_start_and_says_so(files: dict[str, Path]) -> None:
    source = VideoSource(files["truncated_mp4"])
    frames = read_all(source)
    # 60 % of the bytes of 30 frames of equal size; the decoder may lose a few at the cut.
    assert 12 <= len(frames) <= 19
    assert source.n_frames == 30
    assert source.problem is not None
    assert f"cut off: {len(frames)} of 30" in source.problem


def test_whole_video_has_no_problem(tmp_path: Path) -> None:
    make_video(tmp_path / "a.mp4", [quarters()] * 12)
    source = VideoSource(tmp_path / "a.mp4")
    frames = read_all(source)
    assert source.problem is None
    assert [f.index for f in frames] == list(range(12))
    assert source.n_frames == 12
    assert not frames[0].image.flags.writeable


def test_uneven_times_come_back(tmp_path: Path) -> None:
    times_ms = [0.0, 10.0, 50.0, 51.0, 400.0]
    make_video(tmp_path / "a.mp4", [quarters()] * 5, times_ms)
    got = [f.t_ns / 1e6 for f in read_all(VideoSource(tmp_path / "a.mp4"))]
    assert got == pytest.approx(times_ms, abs=1e-5)  # 10 ps: 90 kHz holds these times exactly


def test_first_frame_is_at_zero(tmp_path: Path) -> None:
    make_video(tmp_path / "a.mp4", [quarters()] * 3, [500.0, 540.0, 580.0])
    assert [f.t_ns for f in read_all(VideoSource(tmp_path / "a.mp4"))] == [
        0,
        40_000_000,
        80_000_000,
    ]


def patch_display_matrix(path: Path, a: int, b: int, c: int, d: int) -> None:
    """Write the matrix of a track header: x' = a x + c y, y' = b x + d y, y down (QuickTime)."""
    data = bytearray(path.read_bytes())
    matrix = data.index(b"tkhd") + 4 + 40
    values = np.array([a << 16, b << 16, 0, c << 16, d << 16, 0, 0, 0, 1 << 30], ">i4")
    data[matrix : matrix + 36] = values.tobytes()
    path.write_bytes(data)


# x to the right goes to (a, b): for a quarter turn clockwise that is down, (0, 1).
@pytest.mark.parametrize(
    ("matrix", "expected"),
    [
        ((1, 0, 0, 1), [RED, GREEN, BLUE, GREY]),
        ((0, 1, -1, 0), [BLUE, RED, GREY, GREEN]),  # phone held upright
        ((-1, 0, 0, -1), [GREY, BLUE, GREEN, RED]),
        ((0, -1, 1, 0), [GREEN, GREY, RED, BLUE]),
    ],
)
def test_rotation_flag_turns_the_picture_upright(
    tmp_path: Path, matrix: tuple[int, int, int, int], expected: list[tuple[int, int, int]]
) -> None:
    path = tmp_path / "phone.mp4"
    make_video(path, [quarters()] * 2)
    patch_display_matrix(path, *matrix)
    source = VideoSource(path)
    image = read_all(source)[1].image
    assert (source.width, source.height) == ((96, 64) if matrix[0] else (64, 96))
    assert image.shape == (source.height, source.width, 3)
    # h264 in 4:2:0 at its default quality keeps flat colours within 6 of 255.
    np.testing.assert_allclose(corners(image), expected, atol=6)


def test_animated_gif_plays_with_its_delays(tmp_path: Path) -> None:
    pictures = [Image.fromarray(np.full((20, 30, 3), c, np.uint8)) for c in (RED, GREEN, BLUE)]
    path = tmp_path / "a.gif"
    pictures[0].save(path, save_all=True, append_images=pictures[1:], duration=[100, 250, 100])
    frames = read_all(VideoSource(path))
    assert [f.t_ns for f in frames] == [0, 100_000_000, 350_000_000]
    assert [tuple(f.image[5, 5].tolist()) for f in frames] == [RED, GREEN, BLUE]


def test_non_square_pixels_are_made_square(tmp_path: Path) -> None:
    path = tmp_path / "wide.mkv"
    with av.open(str(path), "w") as container:
        stream = container.add_stream("mpeg4", rate=25)
        stream.width, stream.height = 72, 64
        stream.codec_context.sample_aspect_ratio = Fraction(16, 9)
        frame = av.VideoFrame.from_ndarray(gradient(64, 72), format="rgb24")
        container.mux(stream.encode(frame))
        container.mux(stream.encode(None))
    frame = VideoSource(path).read()
    assert frame is not None
    assert frame.image.shape == (64, 128, 3)


def test_size_stays_that_of_the_first_frame(tmp_path: Path) -> None:
    # Elementary streams can be joined by joining their bytes.
    for name, image in (("a", quarters()), ("b", quarters(128, 192))):
        make_video(tmp_path / f"{name}.h264", [image] * 3)
    joined = tmp_path / "ab.h264"
    joined.write_bytes((tmp_path / "a.h264").read_bytes() + (tmp_path / "b.h264").read_bytes())
    frames = read_all(VideoSource(joined))
    assert [f.image.shape for f in frames] == [(64, 96, 3)] * 6
    np.testing.assert_allclose(corners(frames[-1].image), [RED, GREEN, BLUE, GREY], atol=6)
    assert (np.diff([f.t_ns for f in frames]) > 0).all()


def test_colon_in_a_name_is_not_a_protocol(tmp_path: Path) -> None:
    path = tmp_path / "at 12:30.mp4"
    make_video(path, [quarters()] * 2)
    assert len(read_all(VideoSource(path))) == 2


def test_closed_source_ends(tmp_path: Path) -> None:
    make_video(tmp_path / "a.mp4", [quarters()] * 3)
    source = VideoSource(tmp_path / "a.mp4")
    source.read()
    source.close()
    source.close()
    assert source.read() is None
