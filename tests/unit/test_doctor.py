import json
import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from types import SimpleNamespace

import pytest
from packaging.requirements import Requirement

from engine import doctor
from engine.doctor import Check, as_json, as_text, has_failed, run_checks
from engine.doctor_checks import (
    XCB_PACKAGES,
    check_assets,
    check_cameras,
    check_disk,
    check_display,
    check_encoder,
    check_gl,
    check_normals,
    check_onnx,
    check_opencv,
    check_packages,
    check_python,
    check_qt_libraries,
    check_sending,
)
from engine.doctor_parts import (
    check_heads,
    check_licences,
    check_mediapipe,
    check_processor,
    check_qt_plugins,
    check_recording,
)
from engine.errors import AssetError, OutputError, ProviderError
from engine.io.assets import Asset, sha256_of
from engine.io.camera import CameraInfo
from engine.io.recording_check import try_recording
from tests.onnx_files import save_normal_net


def having(**versions: str) -> Callable[[str], str | None]:
    """Stands for what is installed; _ in a name means -."""
    there = {name.replace("_", "-"): version for name, version in versions.items()}
    return there.get


def refusing(message: str) -> Callable[[], dict[str, str]]:
    def refuse() -> dict[str, str]:
        raise ProviderError(message)

    return refuse


@pytest.mark.parametrize(
    ("version", "status"),
    [((3, 10, 9), "fail"), ((3, 11, 0), "ok"), ((3, 12, 4), "ok"), ((3, 13, 0), "fail")],
)
def test_python_is_3_11_or_3_12(version: tuple[int, int, int], status: str) -> None:
    assert check_python(version).status == status


def test_missing_and_wrong_packages_are_named() -> None:
    wanted = [Requirement(r) for r in ("numpy==1.26.4", "scipy==1.17.1", "rich>=15,<16")]
    found = check_packages(wanted, having(numpy="2.4.0", rich="15.2"))
    assert found.status == "fail"
    assert found.found == "numpy 2.4.0 instead of ==1.26.4; scipy is missing"
    assert "pip install" in found.fix


def test_program_that_is_not_installed_fails() -> None:
    assert check_packages([], having()).status == "fail"


def test_two_opencv_wheels_fail_with_the_commands_to_run() -> None:
    found = check_opencv(having(opencv_python="5.0.0", opencv_contrib_python="4.11.0"))
    assert found.status == "fail"
    assert "pip uninstall -y opencv-python opencv-contrib-python" in found.fix
    assert check_opencv(having()).status == "fail"
    assert check_opencv(having(opencv_contrib_python="4.11.0")).status == "ok"


CPU, CUDA = ["CPUExecutionProvider"], ["CUDAExecutionProvider", "CPUExecutionProvider"]


@pytest.mark.parametrize(
    ("versions", "providers", "has_nvidia", "status", "words"),
    [
        ({"onnxruntime": "1", "onnxruntime_gpu": "1"}, CPU, False, "fail", "overwrite"),
        ({}, [], False, "warn", "not installed"),
        ({"onnxruntime": "1"}, CPU, False, "ok", "1, CPU"),
        ({"onnxruntime": "1"}, CPU, True, "warn", "NVIDIA card is not used"),
        ({"onnxruntime_gpu": "1"}, CUDA, True, "ok", "1, CUDA, CPU"),
        ({"onnxruntime_gpu": "1"}, CPU, True, "warn", "1, CPU"),
    ],
)
def test_onnx_runtime(
    versions: dict[str, str], providers: list[str], has_nvidia: bool, status: str, words: str
) -> None:
    found = check_onnx(having(**versions), lambda: providers, has_nvidia)
    assert found.status == status
    assert words in found.found
    assert bool(found.fix) == (status != "ok")


def test_missing_qt_library_names_its_package() -> None:
    def load(name: str) -> None:
        if name == "libxcb-cursor.so.0":
            raise OSError(name)

    found = check_qt_libraries(load, "Linux")
    assert found.status == "fail"
    assert found.found == "missing: libxcb-cursor.so.0"
    assert "apt-get install -y libxcb-cursor0` " in found.fix
    assert check_qt_libraries(load, "Windows").status == "ok"


def test_every_qt_library_is_tried() -> None:
    tried: list[str] = []
    assert check_qt_libraries(tried.append, "Linux").status == "ok"
    assert tried == list(XCB_PACKAGES)


def test_no_display_points_to_headless_use() -> None:
    found = check_display({"DISPLAY": ""}, "Linux")
    assert found.status == "warn"
    assert "--headless" in found.fix
    assert check_display({"DISPLAY": ":0"}, "Linux") == Check("Display", "ok", "DISPLAY=:0")
    assert check_display({}, "Darwin").status == "ok"


def test_gl_that_fails_is_told_with_its_reason() -> None:
    found = check_gl(refusing("no EGL"))
    assert (found.status, found.found) == ("fail", "no EGL")
    assert "libegl1" in found.fix


@pytest.mark.parametrize(
    ("renderer", "status"), [("llvmpipe (LLVM 15)", "warn"), ("NVIDIA H200", "ok")]
)
def test_software_renderer_is_noted(renderer: str, status: str) -> None:
    found = check_gl(lambda: {"vendor": "v", "renderer": renderer, "version": "4.5"})
    assert found.status == status
    assert found.found == f"{renderer}, 4.5"


def test_cameras() -> None:
    cameras = [CameraInfo(0, "Integrated", "/dev/video0"), CameraInfo(2, "USB", "/dev/video2")]
    assert check_cameras([], lambda _: True).status == "warn"
    assert check_cameras(cameras, lambda _: True).found == "webcam:0 Integrated, webcam:2 USB"
    barred = check_cameras(cameras, lambda path: path == "/dev/video0")
    assert barred.status == "warn"
    assert barred.found.endswith("no permission for /dev/video2")
    assert "usermod -aG video" in barred.fix


def test_changed_and_missing_assets_fail_with_the_command(tmp_path: Path) -> None:
    digest = "9f86d081884c7d659a2feaa0c55ad015a3bf4f1b2b0b822cd15d6c15b0f00a08"  # of b"test"
    (tmp_path / "a").write_bytes(b"test")
    (tmp_path / "b").write_bytes(b"tent")
    assets = [Asset(n, digest, 4, "CC0", "us", f"make {n}", folder=tmp_path) for n in "abc"]
    found = check_assets(lambda: assets)
    assert (found.status, found.found) == ("fail", "b is changed, c is missing")
    assert "`make b`; `make c`" in found.fix
    good = check_assets(lambda: assets[:1])
    assert (good.status, good.found) == ("ok", "a 9f86d081")


def test_unreadable_manifest_fails() -> None:
    def load() -> list[Asset]:
        raise AssetError("manifest.toml is damaged")

    assert check_assets(load).status == "fail"


@pytest.mark.parametrize(
    ("free", "status"), [(5e9, "ok"), (1.9e9, "warn"), (0.2e9, "warn"), (0.19e9, "fail")]
)
def test_disk(free: float, status: str) -> None:
    assert check_disk(int(free)).status == status


def test_sending_says_what_is_ready_and_how_to_get_the_rest() -> None:
    assert check_sending("1.10", "").found == "Live Link Face, VMC, virtual camera"
    assert check_sending("1.10", "").fix == ""
    without = check_sending(None, "no virtual camera here: load v4l2loopback")
    assert (without.status, without.found) == ("ok", "Live Link Face")
    assert "n2fnet[stream]" in without.fix
    assert "v4l2loopback" in without.fix


def test_encoder() -> None:
    assert check_encoder(True, "18.1").found == "libx264 in PyAV 18.1"
    assert check_encoder(False, "18.1").status == "fail"


def test_text_fits_a_page_and_leads_with_the_status() -> None:
    checks = [
        Check("Python", "ok", "3.11.7"),
        Check("Assets", "fail", "word " * 60, "fix " * 60),
        Check("Cameras", "warn", "none found", "plug one in"),
    ]
    lines = as_text(checks).splitlines()
    assert lines[2] == "ok    Python   3.11.7"
    assert "warn  Cameras  none found" in lines
    assert "               -> plug one in" in lines
    assert lines[-1] == "1 failed, 1 to note"
    assert max(map(len, lines)) <= 100


def test_all_good_says_so() -> None:
    assert as_text([Check("Python", "ok", "3.11.7")]).endswith("everything works")


def test_json_holds_every_check() -> None:
    checks = [Check("Cameras", "warn", "none", "plug one in")]
    report = json.loads(as_json(checks))
    assert report["ok"] is True
    assert report["checks"] == [
        {"name": "Cameras", "status": "warn", "found": "none", "fix": "plug one in"}
    ]
    assert has_failed([*checks, Check("Disk", "fail", "full")])


def test_normal_network_is_measured_or_not_there() -> None:
    speed = {"file": "normals.onnx", "provider": "cpu", "fallback": "", "ms": 4.26}
    found = check_normals(lambda: speed)
    assert (found.status, found.found) == ("ok", "normals.onnx as recorded, 4.3 ms per face on cpu")
    both = check_normals(lambda: speed | {"n2fnet_ms": 1.04})
    assert both.found.endswith("4.3 ms per face on cpu; N2FNet 1.0 ms")
    slow = check_normals(lambda: speed | {"fallback": "CPU instead of cuda: no driver"})
    assert slow.status == "warn"
    assert "CPU instead of cuda" in slow.found
    assert check_normals(lambda: speed | {"file": ""}).status == "ok"
    assert check_normals(refusing("exit code 1")).status == "fail"


def test_memory_that_grows_with_each_run_is_noted() -> None:
    speed = {"file": "n", "provider": "cuda", "fallback": "", "ms": 1.0, "grown_mb": 2100.0}
    found = check_normals(lambda: speed)
    assert found.status == "warn"
    assert "2100 MB by now" in found.found
    assert check_normals(lambda: speed | {"grown_mb": 3.0}).status == "ok"


def test_one_core_is_too_few_for_live_view() -> None:
    assert check_processor(1, 8).status == "warn"
    assert check_processor(1, 8).found == "1 of 8 cores may be used; live view will lag"
    assert check_processor(4, 4) == Check("Processor", "ok", "4 cores")


def test_mediapipe_without_its_face_models_is_told() -> None:
    names = ("detection/face_detection_short_range", "detection/face_detection_full_range_sparse",
             "landmark/face_landmark_with_attention")  # fmt: skip
    files = [f"mediapipe/modules/face_{name}.tflite" for name in names]
    assert check_mediapipe("0.10.21", files).status == "ok"
    found = check_mediapipe("1.2.2", files[:2])
    assert (found.status, found.found) == (
        "fail", "1.2.2 without face_landmark_with_attention.tflite"
    )  # fmt: skip
    assert "mediapipe==0.10.21" in found.fix
    assert check_mediapipe(None, []).status == "fail"


def test_the_mediapipe_that_is_installed_has_them() -> None:
    version = doctor.installed_version("mediapipe")
    assert check_mediapipe(version, doctor._files("mediapipe")).status == "ok"
    assert doctor._files("no-such-package") == []


def test_plugins_of_another_package_are_noted_with_the_command() -> None:
    found = check_qt_plugins({"QT_QPA_PLATFORM_PLUGIN_PATH": "/x/cv2/qt/plugins"})
    assert found.status == "warn"
    assert "/x/cv2/qt/plugins" in found.found
    assert "`unset QT_QPA_PLATFORM_PLUGIN_PATH`" in found.fix
    assert check_qt_plugins({"QT_PLUGIN_PATH": ""}).status == "ok"


def test_recordings_that_lose_time_are_noted() -> None:
    good = check_recording(lambda: {"time_error_ms": 0.01, "lost_ms": 433.0})
    assert (good.status, good.found) == (
        "ok", "times kept to 0.01 ms; a killed recording loses 0.4 s"
    )  # fmt: skip
    assert check_recording(lambda: {"time_error_ms": 20.0, "lost_ms": 0.0}).status == "warn"
    assert check_recording(lambda: {"time_error_ms": 0.0, "lost_ms": 1433.0}).status == "warn"

    def full() -> dict[str, float]:
        raise OutputError("no space left")

    assert check_recording(full) == Check(
        "Recording", "fail", "no space left", check_recording(full).fix
    )


def test_a_recording_made_here_keeps_its_times() -> None:
    found = try_recording()
    assert found["time_error_ms"] < 0.01  # MP4's clock of 90 kHz
    assert found["lost_ms"] < 1000


def test_imported_heads_are_named_with_their_licence() -> None:
    release = SimpleNamespace(name="FLAME 2023 Open", licence="CC-BY-4.0")
    found = check_heads([SimpleNamespace(release=release)])
    assert found.found == "openhead, FLAME 2023 Open (CC-BY-4.0)"
    assert "n2f assets import" in check_heads([]).found


def test_licences_are_those_of_the_files_and_of_what_is_installed(tmp_path: Path) -> None:
    assets = [Asset(n, "0", 1, n, "us", "make", folder=tmp_path) for n in ("CC0", "CC-BY", "CC0")]
    found = check_licences(lambda: assets, having()).found
    assert "GPL-3.0-or-later" in found
    assert "files with it CC-BY, CC0;" in found
    assert "pyvirtualcam GPL-2.0" in check_licences(lambda: assets, having(pyvirtualcam="1")).found


def test_drawing_that_fails_is_told() -> None:
    drawn = {
        "renderer": "NVIDIA",
        "version": "4.6",
        "trouble": "the second of two contexts does not",
    }
    found = check_gl(lambda: drawn)
    assert found.status == "fail"
    assert found.found == "NVIDIA, 4.6; the second of two contexts does not"


@pytest.mark.gl
def test_two_contexts_here_draw_and_read_back() -> None:
    found = doctor._gl_description()
    assert found["trouble"] == ""
    assert found["renderer"]


@pytest.mark.assets
def test_the_shipped_normal_network_is_looked_for_where_assets_are(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    net = save_normal_net(tmp_path / "normals.onnx")
    (tmp_path / "manifest.toml").write_text(
        f'[[asset]]\nfile = "normals.onnx"\nsha256 = "{sha256_of(net)}"\n'
        f'size = {net.stat().st_size}\nlicence = "CC0-1.0"\nsource = "test"\ncommand = "make"\n'
    )
    monkeypatch.setenv("N2F_ASSETS", str(tmp_path))
    measured = doctor._normals_measured()
    assert measured["file"] == "normals.onnx"
    assert 0 < measured["ms"] < 1000
    net.unlink()
    with pytest.raises(ProviderError, match="is missing"):
        doctor._normals_measured()


def test_unknown_status_is_refused() -> None:
    with pytest.raises(ValueError, match="'good', expected one of"):
        Check("Python", "good", "3.11")


def test_check_that_breaks_is_a_failure_of_its_own(monkeypatch: pytest.MonkeyPatch) -> None:
    def explode() -> Check:
        raise RuntimeError("boom")

    monkeypatch.setattr(doctor, "_look_for_cameras", explode)
    monkeypatch.setattr(doctor, "_gl_description", refusing("not asked in this test"))
    monkeypatch.setattr(doctor, "_onnx_providers", lambda: CPU)
    monkeypatch.setattr(doctor, "_normals_measured", refusing("not asked in this test"))
    checks = {check.name: check for check in run_checks()}
    assert len(checks) == 19
    assert checks["Cameras"].status == "fail"
    assert "boom" in checks["Cameras"].found
    assert checks["Python"].status == "ok"
    assert checks["Video encoder"].status == "ok"


def test_probe_reports_crash_and_hang() -> None:
    with pytest.raises(ProviderError, match=r"exit code 1: ValueError: no driver"):
        doctor._probe("raise ValueError('no driver')")
    with pytest.raises(ProviderError, match=r"exit code -6"):
        doctor._probe("import os; os.abort()")
    with pytest.raises(ProviderError, match=r"no answer within 0.1 s"):
        doctor._probe("import threading; threading.Event().wait()", timeout_s=0.1)


def test_broken_packages_and_qt_are_not_imported() -> None:
    code = (
        "import sys; sys.modules['cv2'] = sys.modules['av'] = sys.modules['PyQt6'] = None\n"
        "from engine import doctor\n"
        "doctor._gl_description = lambda: {'renderer': 'r', 'version': 'v'}\n"
        "doctor._onnx_providers = list\n"
        "doctor._normals_measured = lambda: {'file': ''}\n"
        "print(*(f'{c.name}={c.status}' for c in doctor.run_checks()), sep='\\n')\n"
        "print('torch' in sys.modules, 'mediapipe' in sys.modules)"
    )
    done = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, check=True, env=os.environ
    )
    lines = done.stdout.splitlines()
    assert {"Cameras=fail", "Video encoder=fail", "Recording=fail"} <= set(lines)
    assert {"Python=ok", "OpenGL=ok", "MediaPipe=ok"} <= set(lines)
    assert lines[-1] == "False False"
