import os
import random
import subprocess
import sys
from pathlib import Path

import av
import numpy as np
import pytest

from engine.errors import OutputError
from engine.io.recorder import ENCODERS, Encoder, VideoRecorder, partial_path
from engine.io.video import VideoSource
from engine.types import Frame
from tests.bad_files import gradient
from tests.unprivileged import as_nobody


def read_all(path: Path) -> list[Frame]:
    source = VideoSource(path)
    frames = []
    while (frame := source.read()) is not None:
        frames.append(frame)
    source.close()
    return frames


def noise(n: int, height: int = 48, width: int = 64) -> list[np.ndarray]:
    rng = np.random.default_rng(3)
    return [rng.integers(0, 255, (height, width, 3), dtype=np.uint8) for _ in range(n)]


def test_jittered_times_come_back_within_a_tick(tmp_path: Path) -> None:
    rng = np.random.default_rng(1)
    # A 22 fps camera with jitter, on a clock that started long ago.
    times = 7_000_000_000_000 + np.cumsum(rng.integers(5_000_000, 90_000_000, 80))
    with VideoRecorder(tmp_path / "a.mp4", 64, 48) as recorder:
        for image, t_ns in zip(noise(80), times.tolist(), strict=True):
            recorder.write(image, t_ns)
    got = np.array([f.t_ns for f in read_all(tmp_path / "a.mp4")])
    # Half a tick of 1/90000 s, and the nanosecond it is rounded to.
    np.testing.assert_allclose(got, times - times[0], atol=5_557)


def test_finished_file_is_an_ordinary_mp4_alone_in_its_folder(tmp_path: Path) -> None:
    with VideoRecorder(tmp_path / "a.mp4", 64, 48) as recorder:
        for i, image in enumerate(noise(50)):
            recorder.write(image, i * 40_000_000)
    assert [p.name for p in tmp_path.iterdir()] == ["a.mp4"]
    with av.open(str(tmp_path / "a.mp4")) as container:
        assert container.streams.video[0].frames == 50
        # The last of 50 frames starts at 1.96 s and is shown for a thirtieth of a second.
        assert container.duration / av.time_base == pytest.approx(1.96 + 1 / 30, abs=0.001)
    data = (tmp_path / "a.mp4").read_bytes()
    assert data.index(b"moov") < data.index(b"mdat")


@pytest.mark.parametrize("colour", [(200, 30, 40), (30, 180, 60), (255, 255, 255), (0, 0, 0)])
def test_colours_survive_and_are_tagged(tmp_path: Path, colour: tuple[int, int, int]) -> None:
    with VideoRecorder(tmp_path / "a.mp4", 64, 48) as recorder:
        recorder.write(np.full((48, 64, 3), colour, np.uint8), 0)
    (frame,) = read_all(tmp_path / "a.mp4")
    # Limited range has 219 steps for 256 values, and the encoder adds one more rounding.
    np.testing.assert_allclose(frame.image[24, 32], colour, atol=3)
    with av.open(str(tmp_path / "a.mp4")) as container:
        decoded = next(container.decode(video=0))
        assert (decoded.colorspace, decoded.color_range) == (1, 1)  # BT.709, limited


@pytest.mark.parametrize(("width", "height"), [(65, 49), (1, 1), (3, 200)])
def test_odd_size_is_filled_up(tmp_path: Path, width: int, height: int) -> None:
    image = gradient(height, width)[..., 1:2].repeat(3, axis=2)
    with VideoRecorder(tmp_path / "a.mp4", width, height, crf=1) as recorder:
        recorder.write(image, 0)
    (frame,) = read_all(tmp_path / "a.mp4")
    assert frame.image.shape == (height + height % 2, width + width % 2, 3)
    # Grey is luma alone, kept for each pixel in 219 steps.
    np.testing.assert_allclose(frame.image[:height, :width], image, atol=3)


def test_frames_closer_than_a_tick_stay_apart(tmp_path: Path) -> None:
    with VideoRecorder(tmp_path / "a.mp4", 64, 48) as recorder:
        for t_ns, image in enumerate(noise(4)):
            recorder.write(image, t_ns)
    assert np.diff([f.t_ns for f in read_all(tmp_path / "a.mp4")]) == pytest.approx(
        11_111, abs=1
    )  # one tick, rounded to a nanosecond


def test_size_change_is_refused_and_recording_goes_on(tmp_path: Path) -> None:
    recorder = VideoRecorder(tmp_path / "a.mp4", 64, 48)
    recorder.write(gradient(48, 64), 0)
    with pytest.raises(ValueError, match="shape"):
        recorder.write(gradient(64, 48), 40_000_000)
    recorder.write(gradient(48, 64), 80_000_000)
    recorder.close()
    recorder.close()
    assert len(read_all(tmp_path / "a.mp4")) == 2
    with pytest.raises(ValueError, match="closed"):
        recorder.write(gradient(48, 64), 120_000_000)


def test_time_that_does_not_rise_is_refused(tmp_path: Path) -> None:
    with VideoRecorder(tmp_path / "a.mp4", 64, 48) as recorder:
        recorder.write(gradient(48, 64), 5)
        with pytest.raises(ValueError, match="must rise"):
            recorder.write(gradient(48, 64), 5)


def test_no_frame_leaves_no_file(tmp_path: Path) -> None:
    with VideoRecorder(tmp_path / "a.mp4", 64, 48):
        pass
    assert list(tmp_path.iterdir()) == []


def test_error_in_the_body_keeps_the_old_file_and_a_playable_part(tmp_path: Path) -> None:
    path = tmp_path / "a.mp4"
    path.write_bytes(b"older")

    def record_until_interrupted() -> None:
        with VideoRecorder(path, 64, 48) as recorder:
            for i, image in enumerate(noise(40)):
                recorder.write(image, i * 40_000_000)
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        record_until_interrupted()
    assert path.read_bytes() == b"older"
    assert len(read_all(partial_path(path))) == 40


def test_folder_that_cannot_be_made_is_an_output_error(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("in the way")
    with pytest.raises(OutputError, match="another folder"):
        VideoRecorder(tmp_path / "file" / "a.mp4", 64, 48)


@pytest.mark.skipif(os.name != "posix", reason="permission bits")
def test_folder_without_write_permission_is_told_before_the_first_frame(tmp_path: Path) -> None:
    with as_nobody(tmp_path), pytest.raises(OutputError, match=r"Permission denied.*--out"):
        VideoRecorder(tmp_path / "a.mp4", 64, 48)


KILLED = """
import os, signal, sys
import numpy as np
from pathlib import Path
from engine.io.recorder import VideoRecorder
rng = np.random.default_rng(0)
recorder = VideoRecorder(Path(sys.argv[1]), 128, 96)
for i in range(150):
    image = rng.integers(0, 255, (96, 128, 3), dtype=np.uint8)
    recorder.write(image if sys.argv[2] == "busy" else image // 255, i * 33_333_333)
os.kill(os.getpid(), signal.SIGKILL)
"""


@pytest.mark.parametrize("content", ["flat", "busy"])
def test_killed_process_leaves_nearly_all_frames(tmp_path: Path, content: str) -> None:
    path = tmp_path / "a.mp4"
    done = subprocess.run([sys.executable, "-c", KILLED, str(path), content], check=False)
    assert done.returncode == -9
    # A fragment is a quarter of a second, 8 frames at 30 fps; the one being filled is lost.
    frames = read_all(partial_path(path))
    assert 150 - 8 <= len(frames) <= 150
    np.testing.assert_allclose(
        [f.t_ns for f in frames], np.arange(len(frames)) * 33_333_333, atol=5_557
    )
    assert not path.exists()


FULL_DISK = """
import resource, signal, sys
import numpy as np
from pathlib import Path
from engine.errors import OutputError
from engine.io.recorder import VideoRecorder
signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
resource.setrlimit(resource.RLIMIT_FSIZE, (100_000, 100_000))
rng = np.random.default_rng(0)
try:
    with VideoRecorder(Path(sys.argv[1]), 128, 96) as recorder:
        for i in range(300):
            recorder.write(rng.integers(0, 255, (96, 128, 3), dtype=np.uint8), i * 33_333_333)
except OutputError as error:
    print(error)
"""


def test_full_disk_is_an_output_error_that_says_where_the_start_is(tmp_path: Path) -> None:
    path = tmp_path / "a.mp4"
    code = [sys.executable, "-c", FULL_DISK, str(path)]
    message = subprocess.run(code, check=True, capture_output=True, text=True).stdout
    assert "free some space" in message
    assert str(partial_path(path)) in message
    assert len(read_all(partial_path(path))) > 0


def test_five_jittery_minutes_last_as_long_as_they_did(tmp_path: Path) -> None:
    rng = np.random.default_rng(4)
    # 12 frames a second on average, between 20 and 150 ms apart, as a camera in the dark.
    steps = rng.integers(20_000_000, 150_000_000, 3_530)
    times = 5_000_000_000 + np.cumsum(steps)
    times = times[times <= times[0] + 300_000_000_000]
    images = noise(2, 16, 16)
    with VideoRecorder(tmp_path / "a.mp4", 16, 16, preset="ultrafast") as recorder:
        for i, t_ns in enumerate(times.tolist()):
            recorder.write(images[i % 2], t_ns)
    with av.open(str(tmp_path / "a.mp4")) as container:
        stream = container.streams.video[0]
        pts = [float(packet.pts * stream.time_base) for packet in container.demux(stream)
               if packet.pts is not None]  # fmt: skip
    span_s = (times[-1] - times[0]) / 1e9
    assert span_s > 299
    assert len(pts) == len(times)
    assert max(pts) - min(pts) == pytest.approx(span_s, abs=0.001)
    np.testing.assert_allclose(sorted(pts), (times - times[0]) / 1e9, atol=1e-5)
    assert recorder.duration_s == pytest.approx(span_s, abs=1e-9)


def test_matroska_keeps_times_to_a_millisecond(tmp_path: Path) -> None:
    times = np.cumsum(np.random.default_rng(1).integers(5_000_000, 90_000_000, 50))
    with VideoRecorder(tmp_path / "a.mkv", 64, 48) as recorder:
        for image, t_ns in zip(noise(50), times.tolist(), strict=True):
            recorder.write(image, t_ns)
    assert [p.name for p in tmp_path.iterdir()] == ["a.mkv"]
    got = np.array([f.t_ns for f in read_all(tmp_path / "a.mkv")])
    np.testing.assert_allclose(got, times - times[0], atol=1_000_000)


def test_a_slow_camera_still_gets_a_key_frame_every_second(tmp_path: Path) -> None:
    with VideoRecorder(tmp_path / "a.mp4", 64, 48) as recorder:
        for i in range(20):  # nothing changes: no scene cut brings a key frame of its own
            recorder.write(gradient(48, 64), i * 250_000_000)
    with av.open(str(tmp_path / "a.mp4")) as container:
        stream = container.streams.video[0]
        keys = [float(p.pts * p.time_base) for p in container.demux(stream) if p.is_keyframe]
    np.testing.assert_allclose(keys, [0, 1, 2, 3, 4], atol=1e-6)


def test_a_missing_encoder_is_replaced_and_told(tmp_path: Path) -> None:
    encoders = (Encoder("none_such", by_quality=True), ENCODERS[-1])
    with VideoRecorder(tmp_path / "a.mp4", 64, 48, encoders=encoders) as recorder:
        for i, image in enumerate(noise(30)):
            recorder.write(image, i * 41_000_000)
    assert "recorded with mpeg4, as this PyAV lacks none_such" in recorder.notice
    frames = read_all(tmp_path / "a.mp4")
    # Half a tick of 1/30000 s.
    np.testing.assert_allclose([f.t_ns for f in frames], np.arange(30) * 41_000_000, atol=17_000)
    assert np.corrcoef(frames[0].image.ravel(), noise(1)[0].ravel())[0, 1] > 0.5


def test_without_any_encoder_there_is_an_error_with_a_way_out(tmp_path: Path) -> None:
    with pytest.raises(OutputError, match=r"none of the encoders none_such.*parameters alone"):
        VideoRecorder(tmp_path / "a.mp4", 64, 48, encoders=(Encoder("none_such"),))
    with pytest.raises(ValueError, match=r"expected \.mp4 or \.mkv"):
        VideoRecorder(tmp_path / "a.avi", 64, 48)


def test_no_room_to_rewrite_leaves_the_fragments_under_the_name(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def full(fragmented: Path, path: Path) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr("engine.io.recorder._rewrite_with_index", full)
    with VideoRecorder(tmp_path / "a.mp4", 64, 48) as recorder:
        for i, image in enumerate(noise(30)):
            recorder.write(image, i * 40_000_000)
    assert "No space left" in recorder.notice
    assert [p.name for p in tmp_path.iterdir()] == ["a.mp4"]
    assert len(read_all(tmp_path / "a.mp4")) == 30


ENDLESS = """
import sys
import numpy as np
from pathlib import Path
from engine.io.recorder import VideoRecorder
rng = np.random.default_rng(0)
recorder = VideoRecorder(Path(sys.argv[1]), 64, 48, preset="ultrafast")
for i in range(100_000):
    recorder.write(rng.integers(0, 255, (48, 64, 3), dtype=np.uint8), i * 33_333_333)
    print(i + 1, flush=True)
"""


@pytest.mark.parametrize("suffix", [".mp4", ".mkv"])
@pytest.mark.parametrize("seed", [1, 2])
def test_a_kill_at_any_moment_costs_less_than_a_second(
    tmp_path: Path, suffix: str, seed: int
) -> None:
    path = tmp_path / f"a{suffix}"
    after = random.Random(seed).randint(40, 200)
    with subprocess.Popen(
        [sys.executable, "-c", ENDLESS, str(path)], stdout=subprocess.PIPE, text=True
    ) as process:
        written = 0
        while written < after:
            written = int(process.stdout.readline())
        process.kill()
        rest = process.stdout.read().split()
    written = int(rest[-1]) if rest else written
    assert process.returncode == -9
    frames = read_all(partial_path(path))
    assert len(frames) >= written - 30
    np.testing.assert_allclose(
        [f.t_ns for f in frames], np.arange(len(frames)) * 33_333_333, atol=1_000_000
    )
