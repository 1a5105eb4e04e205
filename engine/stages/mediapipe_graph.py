"""MediaPipe's face models, which come inside its wheel. The only module that imports MediaPipe."""

import os
import sys
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager, nullcontext
from typing import Any

import numpy as np

from engine.errors import AssetError
from engine.types import F32, U8

__all__ = ["Graph", "face_detector", "face_mesh", "landmark_places"]

_PACKED = np.dtype(
    [("tag", "u1"), ("n", "u1"), *((k, [("tag", "u1"), ("value", "<f4")]) for k in "xyz")]
)
"""A landmark of nothing but x, y and z, as protocol buffers write it into a list."""
_TAGS = (0x0A, 15, 0x0D, 0x15, 0x1D)


class Graph:
    """One of MediaPipe's graphs, without its chatter.

    Until it has seen its first face it logs start-up remarks straight to file descriptor 2, and
    has no switch for that: so long stderr is shut while it runs, and only then.
    """

    def __init__(self, make: Callable[[], Any]) -> None:
        self._has_seen_a_face = False
        with _stderr_shut():
            self._graph = make()
        self.process(np.zeros((64, 64, 3), np.uint8))  # the first run takes longest

    def process(self, image: U8) -> list[Any]:
        """MediaPipe's records of the faces in an RGB picture."""
        with nullcontext() if self._has_seen_a_face else _stderr_shut():
            result = self._graph.process(image)
        kind = "detections" if hasattr(result, "detections") else "multi_face_landmarks"
        found = list(getattr(result, kind) or [])
        self._has_seen_a_face |= bool(found)
        return found

    def close(self) -> None:
        self._graph.close()


_STDERR = threading.Lock()  # the descriptor is the whole process's: one thread shuts it at a time


@contextmanager
def _stderr_shut() -> Iterator[None]:
    if sys.stderr is None:  # a windowed program has none
        yield
        return
    with _STDERR:
        sys.stderr.flush()
        kept, nowhere = os.dup(2), os.open(os.devnull, os.O_WRONLY)
        os.dup2(nowhere, 2)
        try:
            yield
        finally:
            os.dup2(kept, 2)
            os.close(kept)
            os.close(nowhere)


def _solutions() -> Any:  # noqa: ANN401  (MediaPipe has no types)
    # The part of MediaPipe's log that does have a switch.
    os.environ.setdefault("GLOG_minloglevel", "2")
    os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
    try:
        import mediapipe
    except ImportError as error:
        cause: BaseException | None = error
        while cause is not None:
            if isinstance(cause, KeyboardInterrupt):  # its native parts hide Ctrl-C in an error
                raise KeyboardInterrupt from error
            cause = cause.__cause__ or cause.__context__
        raise AssetError(
            f"MediaPipe cannot be imported ({error}); run `make demo` once to set up, "
            "or `pip install mediapipe==0.10.21`"
        ) from error
    return mediapipe.solutions


def landmark_places(face: Any) -> F32:  # noqa: ANN401  (MediaPipe has no types)
    """(478, 3) of a face's record: x and y as shares of the picture, z in widths of it.

    Read from the record's bytes, which takes a tenth of the time of asking for each number.
    """
    data = face.SerializeToString()
    if len(data) == len(face.landmark) * _PACKED.itemsize:
        packed = np.frombuffer(data, _PACKED)
        tags = (packed["tag"], packed["n"], *(packed[k]["tag"] for k in "xyz"))
        if all((found == tag).all() for found, tag in zip(tags, _TAGS, strict=True)):
            return np.stack([packed[k]["value"] for k in "xyz"], axis=1)
    return np.array([(p.x, p.y, p.z) for p in face.landmark], np.float32)


def face_mesh(n_faces: int, min_score: float, *, tracking: bool) -> Graph:
    """478 landmarks a face; tracking: each picture follows on the one before."""
    return Graph(
        lambda: _solutions().face_mesh.FaceMesh(
            static_image_mode=not tracking,
            max_num_faces=n_faces,
            refine_landmarks=True,
            min_detection_confidence=min_score,
            min_tracking_confidence=min_score,
        )
    )


def face_detector(min_score: float) -> Graph:
    """Boxes of faces, small ones too."""
    return Graph(
        lambda: _solutions().face_detection.FaceDetection(
            model_selection=1, min_detection_confidence=min_score
        )
    )
