"""The wheel, installed where the checkout is not seen: what is in it, and that it works."""

import json
import os
import shutil
import subprocess
import sys
import sysconfig
import venv
import zipfile
from pathlib import Path

import av
import pytest
from PIL import Image

ROOT = Path(__file__).parents[2]
FOLDERS = ("app", "engine", "assets", "shaders")
FILES = ("pyproject.toml", "README.md", "LICENSE", "NOTICE")

pytestmark = [pytest.mark.slow, pytest.mark.assets]


def call(*words: object, cwd: Path) -> str:
    """What a command prints; none of its variables point at the checkout."""
    kept = {k: v for k, v in os.environ.items() if not k.startswith(("N2F_", "PYTHON", "PIP_"))}
    kept |= {"HOME": str(cwd), "XDG_CACHE_HOME": str(cwd / "cache"), "OMP_NUM_THREADS": "1"}
    done = subprocess.run(
        [str(w) for w in words], cwd=cwd, env=kept, capture_output=True, text=True
    )
    assert done.returncode == 0, done.stderr
    return done.stdout


@pytest.fixture(scope="module")
def wheel(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Built from a copy: what lies in build/ of the checkout would get in."""
    folder = tmp_path_factory.mktemp("wheel")
    for name in FOLDERS:
        ignored = shutil.ignore_patterns("__pycache__")
        shutil.copytree(ROOT / name, folder / "source" / name, ignore=ignored)
    for name in FILES:
        shutil.copy(ROOT / name, folder / "source")
    build = ("pip", "wheel", "--quiet", "--no-deps", "--no-index", "--no-build-isolation")
    call(sys.executable, "-m", *build, "--wheel-dir", folder, "./source", cwd=folder)
    (found,) = folder.glob("*.whl")
    return found


@pytest.fixture(scope="module")
def installed(wheel: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The folder of commands of an environment that has the wheel, and the packages of this one."""
    folder = tmp_path_factory.mktemp("env")
    venv.create(folder, symlinks=True, with_pip=False)
    place = sysconfig.get_path("purelib", "venv", {"base": str(folder), "platbase": str(folder)})
    # Read after the environment's own: what the wheel brings is found first.
    (Path(place) / "packages.pth").write_text(sysconfig.get_path("purelib"))
    python = folder / "bin" / "python"
    call(sys.executable, "-m", "pip", "--python", python, "install", "--quiet", "--no-deps",
         "--no-index", wheel, cwd=folder)  # fmt: skip
    return python.parent


def test_every_file_of_the_program_is_in_the_wheel(wheel: Path) -> None:
    with zipfile.ZipFile(wheel) as archive:
        inside = [name.partition(".data/data/share/n2fnet/")[2] or name
                  for name in archive.namelist()]  # fmt: skip
    there = {path.relative_to(ROOT).as_posix() for folder in FOLDERS
             for path in (ROOT / folder).rglob("*") if path.is_file()}  # fmt: skip
    assert {name for name in there if "__pycache__" not in name} <= set(inside)
    assert not [name for name in inside if name.startswith(("tests/", "scripts/"))]


@pytest.mark.gl
def test_it_fits_a_photo_from_another_folder(installed: Path, tmp_path: Path) -> None:
    with av.open(str(ROOT / "assets" / "sample.mp4")) as clip:
        picture = next(clip.decode(video=0)).to_ndarray(format="rgb24")
    Image.fromarray(picture).save(tmp_path / "photo.png")
    call(installed / "n2f", "fit", "photo.png", "--out", "out", "--export", "npz,obj,png",
         cwd=tmp_path)  # fmt: skip
    (summary,) = json.loads((tmp_path / "out" / "summary.json").read_text())
    assert summary["status"] == "ok"
    assert {path.suffix for path in (tmp_path / "out").iterdir()} == {
        ".json", ".npz", ".obj", ".png"
    }  # fmt: skip


def test_it_runs_its_own_code_and_finds_its_own_files(installed: Path, tmp_path: Path) -> None:
    code = (
        "import app, engine; from engine.io.assets import assets_dir; "
        "print(app.__file__, engine.__file__, assets_dir(), sep='\\n')"
    )
    places = call(installed / "python", "-c", code, cwd=tmp_path).split()
    assert len(places) == 3
    assert all(place.startswith(str(installed.parent)) for place in places)
    checks = json.loads(call(installed / "n2f", "doctor", "--json", cwd=tmp_path))["checks"]
    states = {check["name"]: check["status"] for check in checks}
    assert states["Assets"] == states["Packages"] == "ok"
