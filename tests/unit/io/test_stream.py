import http.server
import socket
import threading
from collections.abc import Iterator
from functools import partial
from pathlib import Path

import pytest

from engine.errors import CaptureError
from engine.io.stream import StreamSource, is_url
from tests.bad_files import gradient, make_video


class QuietHandler(http.server.SimpleHTTPRequestHandler):
    def log_message(self, *_: object) -> None:
        """The test's output stays clean."""


@pytest.fixture
def served(tmp_path: Path) -> Iterator[tuple[Path, str]]:
    """A folder and the address under which it is served."""
    handler = partial(QuietHandler, directory=str(tmp_path))
    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), handler) as server:
        thread = threading.Thread(target=server.serve_forever)
        thread.start()
        yield tmp_path, f"http://127.0.0.1:{server.server_address[1]}"
        server.shutdown()
        thread.join()


@pytest.mark.parametrize(
    ("text", "expected"),
    [("rtsp://host/a", True), ("http://h", True), ("C://x", False), ("a/b.mp4", False)],
)
def test_addresses_are_told_from_paths(text: str, expected: bool) -> None:
    assert is_url(text) is expected


def test_video_over_http_plays_at_its_own_speed(served: tuple[Path, str]) -> None:
    folder, address = served
    make_video(folder / "a.mp4", [gradient(48, 64)] * 6, [0, 20, 40, 60, 80, 200])
    source = StreamSource(f"{address}/a.mp4")
    times = []
    while (frame := source.read()) is not None:
        times.append(frame.t_ns)
    source.close()
    # Waiting is never shorter than asked for; how much longer is up to the machine.
    assert times[-1] - times[0] >= 190_000_000
    assert len(times) + source.n_dropped == 6


def test_silent_address_names_cause_and_hides_the_password() -> None:
    with pytest.raises(CaptureError, match="check the address") as caught:
        StreamSource("rtsp://me:secret@127.0.0.1:9/cam", timeout_s=2)
    assert "secret" not in str(caught.value)
    assert "rtsp://127.0.0.1:9/cam" in str(caught.value)


def test_address_that_never_answers_times_out() -> None:
    with socket.create_server(("127.0.0.1", 0)) as silent:
        port = silent.getsockname()[1]
        with pytest.raises(CaptureError, match=r"within 0.5 s"):
            StreamSource(f"http://127.0.0.1:{port}/a.mp4", timeout_s=0.5)
