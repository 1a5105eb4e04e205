"""Takes: nothing is lost without being counted, trouble is told and what there is is kept."""

import csv
import io
import json
import subprocess
import sys
import threading
from collections.abc import Callable
from pathlib import Path

import av
import numpy as np
import pytest

from engine.errors import OutputError
from engine.io.recorder import partial_path
from engine.io.results import load_fit_npz
from engine.io.video import VideoSource
from engine.recording.files import free_path, rescue_partials
from engine.recording.pictures import ShotPainter
from engine.recording.shot import Content, Look, Shot, shot_of
from engine.recording.take import Take, TakeState
from engine.recording.writers import FilmWriter, ParameterWriter, Part
from engine.types import Frame
from tests.live_fakes import triangle_head, triangle_model

MODEL = triangle_model()
STEP_NS = 40_000_000
JOIN_S = 30.0


def shot(
    index: int, *, size: tuple[int, int] = (64, 48), source: str = "clip", quality: float = 1.0,
    face: bool = True, t_ns: int | None = None, place: int = 0,
) -> Shot:  # fmt: skip
    width, height = size
    image = np.full((height, width, 3), (3 * index) % 256, np.uint8)
    frame = Frame(image, index, index * STEP_NS if t_ns is None else t_ns)
    return shot_of(source, frame, (triangle_head(frame, quality=quality),) if face else (), place)


def film(path: Path, content: Content = Content.VIDEO) -> Callable[[], FilmWriter]:
    return lambda: FilmWriter(path, ShotPainter(MODEL), content, Look, preset="ultrafast")


def record(path: Path, shots: list[Shot], content: Content = Content.VIDEO) -> TakeState:
    take = Take(film(path, content), path.with_suffix(".json"))
    for one in shots:
        assert take.submit(one, wait=True)
    state = take.stop(JOIN_S)
    assert state.ended
    assert not take.submit(shots[0])
    return state


def times_of(path: Path) -> list[float]:
    with av.open(str(path)) as container:
        return [float(frame.time) for frame in container.decode(video=0)]


class Held:
    """A writer that waits until it is let go."""

    notice = ""
    n_bytes = 0

    def __init__(self) -> None:
        self.go, self.begun, self.written = threading.Event(), threading.Event(), []

    def write(self, one: Shot) -> None:
        self.begun.set()
        assert self.go.wait(JOIN_S)
        self.written.append(one.frame_index)

    def close(self) -> list[Part]:
        return []


def test_a_film_keeps_true_times_and_tells_of_itself(tmp_path: Path):
    state = record(tmp_path / "a.mp4", [shot(i) for i in range(50)])
    assert (state.n_frames, state.n_dropped, state.problem) == (50, 0, "")
    assert state.seconds == pytest.approx(49 * 0.04)
    np.testing.assert_allclose(times_of(tmp_path / "a.mp4"), np.arange(50) * 0.04, atol=1e-5)
    assert state.n_bytes == (tmp_path / "a.mp4").stat().st_size
    told = json.loads((tmp_path / "a.json").read_text())
    assert told["schema"] == "n2fnet.take/1"
    assert told["parts"][0]["file"] == "a.mp4"
    assert told["parts"][0]["duration_s"] == pytest.approx(1.96)


def test_a_slow_writer_costs_frames_that_are_counted_and_never_the_caller_s_time():
    writer = Held()
    take = Take(lambda: writer, most_waiting=4)
    assert take.submit(shot(0))
    assert writer.begun.wait(JOIN_S)
    kept = [take.submit(shot(i)) for i in range(1, 11)]
    assert kept == [True] * 4 + [False] * 6
    assert take.state.n_dropped == 6
    writer.go.set()
    assert take.stop(JOIN_S).n_frames == 5
    assert writer.written == [0, 1, 2, 3, 4]


def test_of_large_pictures_fewer_wait():
    writer = Held()
    take = Take(lambda: writer)
    take.submit(shot(0))
    assert writer.begun.wait(JOIN_S)
    # 38 MB each: three make 115 MB, a fourth would be over 150 MB.
    kept = [take.submit(shot(i, size=(4096, 3072))) for i in range(1, 7)]
    assert kept == [True] * 3 + [False] * 3
    writer.go.set()
    take.stop(JOIN_S)


def test_a_source_that_can_wait_loses_nothing():
    writer = Held()
    take = Take(lambda: writer, most_waiting=2)
    feeder = threading.Thread(target=lambda: [take.submit(shot(i), wait=True) for i in range(20)])
    feeder.start()
    assert writer.begun.wait(JOIN_S)
    writer.go.set()
    feeder.join(JOIN_S)
    assert take.stop(JOIN_S).n_frames == 20
    assert writer.written == list(range(20))


def test_another_size_or_source_is_another_file(tmp_path: Path):
    shots = [shot(i) for i in range(10)]
    shots += [shot(i, size=(96, 64)) for i in range(10, 20)]
    shots += [shot(i, source="webcam:0", t_ns=9_000_000_000_000 + i) for i in range(3)]
    state = record(tmp_path / "a.mp4", shots)
    assert [part.path.name for part in state.parts] == ["a.mp4", "a-part2.mp4", "a-part3.mp4"]
    assert [part.n_frames for part in state.parts] == [10, 10, 3]
    sizes = []
    for part in state.parts:
        with av.open(str(part.path)) as container:
            stream = container.streams.video[0]
            sizes.append((stream.width, stream.height))
    assert sizes == [(64, 48), (96, 64), (64, 48)]
    # Hours between two sources' clocks are no time of the take, only a thirtieth of a second.
    assert state.seconds == pytest.approx(19 * 0.04 + 1 / 30, abs=1e-6)


def test_a_clip_that_starts_again_goes_on_in_the_film(tmp_path: Path):
    record(tmp_path / "a.mp4", [shot(i) for i in (0, 1, 2, 0, 1, 2)])
    times = times_of(tmp_path / "a.mp4")
    np.testing.assert_allclose(np.diff(times), [0.04, 0.04, 1 / 30, 0.04, 0.04], atol=2e-5)


def test_going_forward_in_a_clip_leaves_no_gap_in_the_film(tmp_path: Path):
    shots = [shot(i) for i in range(3)] + [shot(i, place=1) for i in range(90, 93)]
    state = record(tmp_path / "a.mp4", shots)
    times = times_of(tmp_path / "a.mp4")
    np.testing.assert_allclose(np.diff(times), [0.04, 0.04, 1 / 30, 0.04, 0.04], atol=2e-5)
    assert state.seconds == pytest.approx(4 * 0.04 + 1 / 30, abs=1e-6)


def test_a_camera_that_was_lost_leaves_its_true_gap(tmp_path: Path):
    record(tmp_path / "a.mp4", [shot(0), shot(1, t_ns=5_000_000_000)])
    np.testing.assert_allclose(times_of(tmp_path / "a.mp4"), [0.0, 5.0], atol=2e-5)


def test_parameters_of_a_clip_that_starts_again_go_on_in_one_file(tmp_path: Path):
    writer = ParameterWriter(tmp_path / "a.npz", MODEL)
    for i in (0, 1, 2, 0, 1):
        writer.write(shot(i).without_pixels())
    writer.write(shot(0, source="webcam:0").without_pixels())
    first, second = writer.close()
    saved = load_fit_npz(first.path, MODEL).arrays
    assert (np.diff(saved["t_ns"]) == [40e6, 40e6, 33_333_333, 40e6]).all()
    assert saved["frame_index"].tolist() == [0, 1, 2, 0, 1]
    assert (second.path.name, second.n_frames) == ("a-part2.npz", 1)


def test_doubtful_and_empty_stretches_are_listed(tmp_path: Path):
    qualities = [1, 1, 0.2, 0.2, 0.2, 1, 1]
    shots = [shot(i, quality=q) for i, q in enumerate(qualities)]
    shots += [shot(7, face=False), shot(8, face=False), shot(9)]
    record(tmp_path / "a.mp4", shots)
    told = json.loads((tmp_path / "a.json").read_text())
    assert told["low_s"] == [[0.08, 0.16]]
    assert told["no_face_s"] == [[0.28, 0.32]]


def test_a_full_disk_ends_the_take_keeps_what_there_is_and_says_so(tmp_path: Path):
    # The limit holds for a whole process; the message must come out of it.
    code = (
        "import resource, signal, sys\n"
        "from pathlib import Path\n"
        "import numpy as np\n"
        "from engine.recording.pictures import ShotPainter\n"
        "from engine.recording.shot import Content, Look, Shot\n"
        "from engine.recording.take import Take\n"
        "from engine.recording.writers import FilmWriter\n"
        "from tests.live_fakes import triangle_model\n"
        "signal.signal(signal.SIGXFSZ, signal.SIG_IGN)\n"
        "resource.setrlimit(resource.RLIMIT_FSIZE, (60_000, 60_000))\n"
        "path, rng = Path(sys.argv[1]), np.random.default_rng(0)\n"
        "painter = ShotPainter(triangle_model())\n"
        "take = Take(lambda: FilmWriter(path, painter, Content.VIDEO, Look))\n"
        "for i in range(300):\n"
        "    image = rng.integers(0, 255, (48, 64, 3), dtype=np.uint8)\n"
        "    if not take.submit(Shot('clip', i, i * 40_000_000, image, ()), wait=True):\n"
        "        break\n"
        "state = take.stop()\n"
        "print(state.ended, state.n_frames, state.problem)\n"
        "print(state.unwritable)\n"
    )
    path = tmp_path / "a.mp4"
    done = subprocess.run(
        [sys.executable, "-c", code, str(path)], check=True, capture_output=True, text=True
    )
    assert done.stdout.startswith("True ")
    assert "free some space" in done.stdout
    assert f"Kept: a.mp4 in {tmp_path}" in done.stdout
    assert ".partial" not in done.stdout  # it has been renamed
    assert "--out" not in done.stdout  # which the window lacks
    assert done.stdout.splitlines()[1] == "True"
    n_frames = int(done.stdout.split()[1])
    assert n_frames < 300
    source = VideoSource(path)
    n_read = sum(1 for _ in iter(source.read, None))
    source.close()
    assert n_frames - 15 <= n_read <= n_frames


def test_an_error_nobody_foresaw_is_told(tmp_path: Path):
    class Broken(Held):
        def write(self, one: Shot) -> None:
            raise RuntimeError("out of luck")

    take = Take(Broken)
    take.submit(shot(0), wait=True)
    take.stop(JOIN_S)
    assert "out of luck" in take.state.problem
    unwritable = tmp_path / "file"
    unwritable.write_text("in the way")
    take = Take(film(unwritable / "a.mp4"))
    take.submit(shot(0), wait=True)
    take.stop(JOIN_S)
    assert "choose another folder" in take.state.problem


def test_no_thread_stays(tmp_path: Path):
    record(tmp_path / "a.mp4", [shot(0)])
    assert not [t for t in threading.enumerate() if t.name == "n2f-take"]


def test_parameters_are_kept_for_every_frame_with_times_from_zero(tmp_path: Path):
    take = Take(lambda: ParameterWriter(tmp_path / "a.npz", MODEL), tmp_path / "a.json")
    late = 7_000_000_000_000
    for i in range(5):
        one = shot(i, face=i != 2, t_ns=late + i * STEP_NS).without_pixels()
        assert take.submit(one, wait=True)
    state = take.stop(JOIN_S)
    assert state.problem == ""
    saved = load_fit_npz(tmp_path / "a.npz", MODEL)
    assert saved.found.tolist() == [True, True, False, True, True]
    assert saved.arrays["t_ns"].tolist() == [i * STEP_NS for i in range(5)]
    assert len((tmp_path / "a.csv").read_text().splitlines()) == 6


class FullDisk(io.StringIO):
    """A file that nothing more can be written to."""

    def write(self, text: str) -> int:
        raise OSError(28, "No space left on device")


def test_a_table_that_cannot_go_on_is_kept_under_its_name(tmp_path: Path):
    writer = ParameterWriter(tmp_path / "a.npz", MODEL)
    for i in range(44):
        writer.write(shot(i).without_pixels())
    writer._table.close()
    writer._table = FullDisk()
    with pytest.raises(OutputError, match="No space left on device; free some space, or choose an"):
        writer.write(shot(44).without_pixels())
    (part,) = writer.close()
    assert (part.path, part.n_frames) == (tmp_path / "a.csv", 30)
    assert len(part.path.read_text().splitlines()) == 31
    assert [path.name for path in tmp_path.iterdir()] == ["a.csv"]


def test_what_a_film_that_cannot_be_finished_keeps_is_told(tmp_path: Path):
    class Unfinished(Held):
        n_closed = 0

        def write(self, one: Shot) -> None:
            self.written.append(one.frame_index)

        def close(self) -> list[Part]:
            self.n_closed += 1
            if self.n_closed == 1:
                raise OutputError("The film cannot go on: No space left on device")
            return [Part(tmp_path / "a.mp4", 1, 0.0, 0, {})]

    take = Take(Unfinished)
    take.submit(shot(0), wait=True)
    state = take.stop(JOIN_S)
    assert state.problem == (
        f"The film cannot go on: No space left on device. Kept: a.mp4 in {tmp_path}"
    )
    assert state.unwritable


PRIVATE = """
import os, signal, sys
from pathlib import Path
import numpy as np
from engine.recording.writers import ParameterWriter
from tests.live_fakes import triangle_model
from tests.unit.recording.test_take import shot
writer = ParameterWriter(Path(sys.argv[1]), triangle_model())
for i in range(100):
    writer.write(shot(i).without_pixels())
os.kill(os.getpid(), signal.SIGKILL)
"""


def test_a_kill_leaves_the_table_but_for_half_a_second(tmp_path: Path):
    done = subprocess.run([sys.executable, "-c", PRIVATE, str(tmp_path / "a.npz")], check=False)
    assert done.returncode == -9
    (table,) = rescue_partials(tmp_path)  # at once
    assert table.name == "a (recovered).csv"
    with table.open(newline="") as file:
        rows = list(csv.DictReader(file))
    assert [int(row["frame"]) for row in rows] == list(range(90))
    assert {row["schema"] for row in rows} == {"n2fnet.fit/1"}


def test_a_take_of_parameters_refuses_pictures(tmp_path: Path):
    writer = ParameterWriter(tmp_path / "a.npz", MODEL)
    with pytest.raises(ValueError, match="without_pixels"):
        writer.write(shot(0))
    assert writer.close() == []
    assert list(tmp_path.iterdir()) == []


def test_a_film_left_by_a_killed_program_gets_a_name(tmp_path: Path):
    for name in (".a.partial.mp4", ".b.partial.mkv", ".empty.partial.mp4", "c.mp4"):
        (tmp_path / name).write_bytes(b"" if "empty" in name else b"film")
    (tmp_path / "b (recovered).mkv").touch()
    rescued = rescue_partials(tmp_path)
    assert [p.name for p in rescued] == ["a (recovered).mp4", "b (recovered)-2.mkv"]
    assert not partial_path(tmp_path / "a.mp4").exists()


def test_a_film_that_is_still_written_is_left_alone(tmp_path: Path):
    writer = film(tmp_path / "a.mp4")()
    table = ParameterWriter(tmp_path / "b.npz", MODEL)
    for i in range(30):
        writer.write(shot(i))
        table.write(shot(i).without_pixels())
    later = partial_path(tmp_path / "a.mp4").stat().st_mtime + 3600  # as after a long pause
    assert rescue_partials(tmp_path, later) == []
    assert [part.path.name for part in (*writer.close(), *table.close())] == ["a.mp4", "b.npz"]
    assert rescue_partials(tmp_path, later) == []


def test_without_locks_a_film_is_left_alone_while_it_is_new(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
):
    def unknown(path: Path) -> None:
        """As where the file system has no locks."""

    monkeypatch.setattr("engine.recording.files.is_living", unknown)
    partial = tmp_path / ".a.partial.mp4"
    partial.write_bytes(b"film")
    written_s = partial.stat().st_mtime
    assert rescue_partials(tmp_path, written_s + 9) == []
    assert [p.name for p in rescue_partials(tmp_path, written_s + 11)] == ["a (recovered).mp4"]


FILMED = """
import os, signal, sys
from pathlib import Path
from tests.unit.recording.test_take import film, shot
writer = film(Path(sys.argv[1]))()
for i in range(100):
    writer.write(shot(i))
os.kill(os.getpid(), signal.SIGKILL)
"""


def test_the_film_of_a_program_that_was_just_killed_gets_a_name_at_once(tmp_path: Path):
    done = subprocess.run([sys.executable, "-c", FILMED, str(tmp_path / "a.mp4")], check=False)
    assert done.returncode == -9
    (path,) = rescue_partials(tmp_path)
    assert path.name == "a (recovered).mp4"
    assert len(times_of(path)) >= 100 - 8  # a quarter of a second at 25 frames a second


def test_a_name_that_is_taken_gets_a_number(tmp_path: Path):
    assert free_path(tmp_path / "new", "a", ".mp4").name == "a.mp4"
    (tmp_path / "a.mp4").touch()
    assert free_path(tmp_path, "a", ".mp4").name == "a-2.mp4"
    with pytest.raises(OutputError, match="another folder"):
        free_path(tmp_path / "a.mp4", "a", ".mp4")
