"""`n2f bench live` in a short form: what it prints is measured, and its exit code follows it.

Bounds are for machines that are busy with other things; the command's own are tighter.
"""

import json
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
SECONDS = 5.0
NETS_MS = 30.0


@pytest.mark.gui
@pytest.mark.gl
@pytest.mark.slow
@pytest.mark.assets
def test_the_soak_shows_young_frames_and_leaves_nothing_behind():
    done = subprocess.run(
        [sys.executable, "-m", "app", "bench-live", "--seconds", str(SECONDS),
         "--real-seconds", "0", "--json"],
        cwd=ROOT, capture_output=True, text=True, timeout=300,
    )  # fmt: skip
    soak = json.loads(done.stdout)["soak"]
    live = soak["live"]
    assert live["seconds"] == SECONDS
    assert 0.2 < live["frames_per_s"] <= 1e3 / NETS_MS  # no more than the nets let through
    assert NETS_MS < live["age_p50_ms"] <= live["age_p95_ms"] < 10_000.0
    assert live["dropped"] > 30  # of 60 a second
    assert live["stage_ms"] == {"fake nets": NETS_MS}
    assert 0.0 < live["cpu_ms"] < 1000.0
    assert soak["threads_left"] == []
    # One frame in ten that stays would be 100 MB a minute.
    assert soak["memory_slope_mb_min"] < 60.0
    assert soak["memory_mb"] > 50.0
    holds = live["age_p95_ms"] < 80.0 and soak["memory_slope_mb_min"] < 1.0
    assert done.returncode == (0 if holds else 1), done.stderr
    if not holds:
        assert "expected <" in done.stderr
