"""What must not be imported where; `lint-imports` checks the rest."""

import ast
import subprocess
import sys
import time
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
HEAVY = ("PIL", "PyQt6", "av", "cv2", "mediapipe", "moderngl", "numpy", "scipy", "torch", "trimesh")


def loaded_after(statement: str) -> set[str]:
    """Top-level modules in a fresh interpreter after a statement."""
    code = f"import sys; {statement}; print(*{{name.partition('.')[0] for name in sys.modules}})"
    done = subprocess.run(
        [sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True, check=True
    )
    return set(done.stdout.split())


@pytest.mark.parametrize("path", ["app.loading", "app.compare_live"])
def test_torch_is_not_loaded_on_the_live_path(path: str):
    loaded = loaded_after(f"import {path}")
    assert "torch" not in loaded
    assert {"PyQt6", "cv2", "moderngl"} <= loaded  # it really is the live path


def test_the_window_opens_before_what_fits_heads_is_imported():
    loaded = loaded_after("import app.live")
    assert {"PyQt6", "moderngl"} <= loaded
    assert not loaded.intersection({"mediapipe", "pygltflib", "scipy", "torch", "trimesh"})


def test_the_command_tree_loads_nothing_heavy():
    assert not loaded_after("import app.__main__").intersection(HEAVY)


def test_help_answers_in_under_half_a_second():
    times_s = []
    for _ in range(5):  # the fastest: the others measure what else the machine does
        start = time.perf_counter()
        subprocess.run(
            [sys.executable, "-m", "app", "--help"], cwd=ROOT, check=True, stdout=subprocess.DEVNULL
        )
        times_s.append(time.perf_counter() - start)
    assert min(times_s) < 0.5


def used_names(path: Path) -> set[str]:
    """Dotted names in a file, as far as they are plain attributes."""
    tree = ast.parse(path.read_text())
    return {ast.unparse(node) for node in ast.walk(tree) if isinstance(node, ast.Attribute)}


FILES = sorted([*ROOT.glob("app/**/*.py"), *ROOT.glob("engine/**/*.py")])


@pytest.mark.parametrize(
    ("name", "homes"),
    [
        ("cv2.VideoCapture", {"engine/io/camera.py"}),
        ("cv2.imshow", set()),
        ("cv2.waitKey", set()),
        ("moderngl.create_context", {"engine/render/context.py"}),
    ],
)
def test_a_name_is_used_only_where_it_belongs(name: str, homes: set[str]):
    found = {str(path.relative_to(ROOT)) for path in FILES if name in used_names(path)}
    assert found == homes
