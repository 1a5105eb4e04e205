import errno
import os
import platform
import subprocess
import sys
from pathlib import Path

import pytest

from engine.errors import CaptureError
from engine.io import camera
from engine.io.camera import CameraInfo, CameraSource, list_cameras, negotiated
from engine.io.camera_format import AUTOMATIC, USUAL, CameraFormat

linux_only = pytest.mark.skipif(platform.system() != "Linux", reason="Linux device files")


def add_node(sys_video: Path, number: int, name: str, index: int) -> None:
    node = sys_video / f"video{number}"
    node.mkdir(parents=True)
    (node / "name").write_text(f"{name}\n")
    (node / "index").write_text(f"{index}\n")


@linux_only
def test_cameras_are_listed_by_name_without_their_metadata_nodes(tmp_path: Path) -> None:
    add_node(tmp_path, 10, "USB Camera: Logi", 0)
    add_node(tmp_path, 0, "Integrated", 0)
    add_node(tmp_path, 1, "Integrated", 1)
    (tmp_path / "radio0").mkdir()
    assert list_cameras(tmp_path) == [
        CameraInfo(0, "Integrated", "/dev/video0"),
        CameraInfo(10, "USB Camera: Logi", "/dev/video10"),
    ]


@linux_only
def test_no_camera_system_means_no_cameras(tmp_path: Path) -> None:
    assert list_cameras(tmp_path / "missing") == []


@linux_only
def test_missing_camera_names_those_there_are(tmp_path: Path) -> None:
    add_node(tmp_path, 2, "Integrated", 0)
    found = camera._linux_problem(7, dev=tmp_path, sys_video=tmp_path)
    assert found is not None
    assert "webcam:7 does not exist" in found
    assert "there is webcam:2 (Integrated)" in found


@linux_only
@pytest.mark.parametrize(
    ("number", "words"),
    [
        (errno.EACCES, "usermod -aG video"),
        (errno.EBUSY, "in use by another program; close it"),
        (errno.EIO, "plug it in again"),
    ],
)
def test_refused_camera_names_cause_and_fix(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, number: int, words: str
) -> None:
    def refuse(*_: object) -> int:
        raise OSError(number, os.strerror(number))

    monkeypatch.setattr(camera.os, "open", refuse)
    found = camera._linux_problem(0, dev=tmp_path, sys_video=tmp_path)
    assert found is not None
    assert words in found


@linux_only
def test_camera_that_opens_has_no_problem(tmp_path: Path) -> None:
    (tmp_path / "video0").write_bytes(b"")
    assert camera._linux_problem(0, dev=tmp_path, sys_video=tmp_path) is None


@linux_only
def test_opening_a_camera_that_is_not_there_fails_at_once() -> None:
    with pytest.raises(CaptureError, match="webcam:97 does not exist"):
        CameraSource(97)


class FakeCapture:
    """cv2.VideoCapture that loses pictures."""

    def __init__(self, results: list[tuple[bool, object]]) -> None:
        self.results = results
        self.settings: list[tuple[int, float]] = []

    def set(self, key: int, value: float) -> bool:
        self.settings.append((key, value))
        return False

    def get(self, key: int) -> float:
        return 0.0

    def read(self) -> tuple[bool, object]:
        return self.results.pop(0)

    def release(self) -> None:
        self.results = []


@pytest.fixture
def plugged_in(monkeypatch: pytest.MonkeyPatch) -> FakeCapture:
    capture = FakeCapture([])
    monkeypatch.setattr(camera, "_linux_problem", lambda _: None)
    monkeypatch.setattr(camera, "_open_capture", lambda _: capture)
    return capture


def test_pictures_become_rgb_and_lost_ones_are_skipped(plugged_in: FakeCapture) -> None:
    bgr = camera.np.zeros((2, 3, 3), camera.np.uint8)
    bgr[..., 0] = 255  # blue
    plugged_in.results = [(False, None), (False, None), (True, bgr)]
    device = camera._CvCamera(0, CameraFormat(640, 480, 30.0))
    assert device.read()[0, 0].tolist() == [0, 0, 255]


def test_compressed_format_is_asked_for_before_the_size(plugged_in: FakeCapture) -> None:
    camera._CvCamera(0, CameraFormat(640, 480, 30.0))
    asked = [key for key, _ in plugged_in.settings]
    assert asked.index(camera.cv2.CAP_PROP_FOURCC) < asked.index(camera.cv2.CAP_PROP_FRAME_WIDTH)
    assert (camera.cv2.CAP_PROP_FRAME_HEIGHT, 480) in plugged_in.settings


def test_many_lost_pictures_mean_unplugged(plugged_in: FakeCapture) -> None:
    plugged_in.results = [(False, None)] * 9
    device = camera._CvCamera(0, CameraFormat(640, 480, 30.0))
    with pytest.raises(CaptureError, match="check its cable"):
        device.read()


def test_camera_that_no_backend_opens_is_in_use(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(camera, "_linux_problem", lambda _: None)
    monkeypatch.setattr(camera, "_open_capture", lambda _: None)
    with pytest.raises(CaptureError, match="another program probably uses it"):
        CameraSource(0)


def test_import_leaves_the_qt_variables_as_they_were() -> None:
    code = (
        "import os; os.environ['QT_QPA_FONTDIR'] = 'mine'; import engine.io.camera; "
        "print(os.environ.get('QT_QPA_PLATFORM_PLUGIN_PATH'), os.environ['QT_QPA_FONTDIR'])"
    )
    clean = {k: v for k, v in os.environ.items() if not k.startswith("QT_QPA_PLATFORM_")}
    done = subprocess.run(
        [sys.executable, "-c", code], env=clean, capture_output=True, text=True, check=True
    )
    assert done.stdout.split() == ["None", "mine"]


class Driver:
    """cv2.VideoCapture of a camera that has these sizes by coding, nearest width wins."""

    def __init__(self, sizes: dict[str, list[tuple[int, int, float]]]) -> None:
        self._sizes = sizes
        self._code = next(iter(sizes))
        self._width = 640

    @property
    def _mode(self) -> tuple[int, int, float]:
        return min(self._sizes[self._code], key=lambda mode: abs(mode[0] - self._width))

    def set(self, key: int, value: float) -> bool:
        if key == camera.cv2.CAP_PROP_FOURCC:
            code = int(value).to_bytes(4, "little").decode()
            if code in self._sizes:
                self._code = code
            return code in self._sizes
        if key == camera.cv2.CAP_PROP_FRAME_WIDTH:
            self._width = int(value)
        return True

    def get(self, key: int) -> float:
        width, height, fps = self._mode
        return {
            camera.cv2.CAP_PROP_FOURCC: camera.cv2.VideoWriter.fourcc(*self._code),
            camera.cv2.CAP_PROP_FRAME_WIDTH: width,
            camera.cv2.CAP_PROP_FRAME_HEIGHT: height,
            camera.cv2.CAP_PROP_FPS: fps,
        }[key]


RAW_FIRST = {
    "YUYV": [(640, 480, 30.0), (1280, 720, 10.0)],
    "MJPG": [(640, 480, 30.0), (1280, 720, 30.0), (1920, 1080, 30.0)],
}


def test_mjpg_comes_before_the_raw_pictures_that_a_driver_lists_first() -> None:
    assert negotiated(Driver(RAW_FIRST), AUTOMATIC) == CameraFormat(1280, 720, 30.0, "MJPG")


def test_what_a_camera_lacks_is_not_said_to_be_taken() -> None:
    raw_only = Driver({"YUYV": RAW_FIRST["YUYV"]})
    assert negotiated(raw_only, AUTOMATIC) == CameraFormat(1280, 720, 10.0, "YUYV")
    asked = CameraFormat(3840, 2160, 60.0, "H264")
    assert negotiated(Driver(RAW_FIRST), asked) == CameraFormat(1920, 1080, 30.0, "MJPG")


def test_a_driver_that_says_nothing_is_believed_to_do_as_it_was_asked(
    plugged_in: FakeCapture,
) -> None:
    assert negotiated(plugged_in, AUTOMATIC) == CameraFormat(1280, 720, 30.0, "")


def test_formats_are_read_back_as_they_are_written() -> None:
    for wanted in (*USUAL, CameraFormat(640, 480, 29.97)):
        assert CameraFormat.parse(str(wanted)) == wanted
    for text in ("", "1280x720", "1280x720 30 MJPEG", "x 30", "1280x720 -3 MJPG"):
        assert CameraFormat.parse(text) is None


def test_the_format_that_a_camera_took_is_told(plugged_in: FakeCapture) -> None:
    picture = camera.np.zeros((2, 3, 3), camera.np.uint8)
    plugged_in.results = [(True, picture)] * 10_000
    source = CameraSource(0, wanted=CameraFormat(640, 480, 15.0, "MJPG"))
    assert source.taken_format == CameraFormat(640, 480, 15.0, "")
    source.close()
