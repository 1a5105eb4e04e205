"""Sixty frames a second into nets of 30 ms: the newest wins, and nothing piles up."""

import threading

from app.live_bench import fake_parts, without_window
from app.options import Options
from tests.live_fakes import triangle_model


def test_a_camera_twice_as_fast_as_the_nets_is_never_80_ms_behind():
    figures = without_window("fakes", fake_parts(triangle_model()), Options(), 2.0, warm_up_s=0.5)
    # A frame waits for up to one of 60 a second, then for the nets: 17 + 30 ms.
    assert 30.0 <= figures.age_p50_ms < 60.0
    assert figures.age_p95_ms < 80.0
    assert figures.dropped > 20
    assert not [t for t in threading.enumerate() if t.name.startswith("n2f")]
