"""The soak of `n2f bench live`, for a minute: what must hold does, and the exit code says so."""

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from app.cli.bench_live import _problems
from app.live_bench import LiveFigures, SoakFigures

ROOT = Path(__file__).resolve().parents[2]
SECONDS = 60.0
NETS_MS = 30.0
TRIES = 3
"""Other programs make frames older, never younger: the best of these is the program's own."""


def soaked() -> tuple[dict[str, Any], subprocess.CompletedProcess[str]]:
    done = subprocess.run(
        [sys.executable, "-m", "app", "bench-live", "--seconds", str(SECONDS),
         "--real-seconds", "0", "--json"],
        cwd=ROOT, capture_output=True, text=True, timeout=300,
    )  # fmt: skip
    return json.loads(done.stdout)["soak"], done


@pytest.mark.gui
@pytest.mark.gl
@pytest.mark.slow
@pytest.mark.assets
def test_a_minute_with_a_fast_camera_shows_young_frames_and_leaves_nothing_behind():
    for _ in range(TRIES):
        soak, done = soaked()
        live = soak["live"]
        assert live["seconds"] == SECONDS
        assert live["stage_ms"] == {"fake nets": NETS_MS}
        assert NETS_MS < live["age_p50_ms"] <= live["age_p95_ms"]
        assert live["dropped"] > SECONDS * 20  # of 60 a second, of which the nets let 33 through
        assert soak["memory_mb"] > 50.0
        assert soak["threads_left"] == []
        if done.returncode == 0:
            break
    assert done.returncode == 0, done.stderr
    assert live["age_p95_ms"] < 80.0
    assert soak["memory_slope_mb_min"] < 1.0


def figures(*, drawn: bool, fps: float, age_ms: float = 50.0) -> LiveFigures:
    return LiveFigures("made", drawn, 60.0, fps, age_ms, age_ms, 0, {}, "cpu", 20.0)


def test_what_does_not_hold_is_told():
    good = SoakFigures(figures(drawn=True, fps=33.0), 0.1, 300.0, ())
    quick = [figures(drawn=True, fps=20.0), figures(drawn=True, fps=8.0)]
    quick += [figures(drawn=False, fps=30.0), figures(drawn=False, fps=40.0)]
    assert _problems(good, quick) == []
    assert _problems(good, []) == []
    bad = SoakFigures(figures(drawn=True, fps=33.0, age_ms=80.0), 1.0, 300.0, ("n2f-worker",))
    slow = [figures(drawn=True, fps=19.9), figures(drawn=False, fps=39.9)]
    assert _problems(bad, slow) == [
        "age p95 is 80 ms, expected < 80 ms",
        "memory grows by 1.00 MB/min, expected < 1",
        "threads are left: n2f-worker",
        "19.9 frames/s with overlay, expected >= 20",
        "39.9 frames/s without drawing, expected >= 40",
    ]
