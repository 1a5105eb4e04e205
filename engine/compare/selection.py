"""Which frames of a source are compared."""

from collections.abc import Iterator

import numpy as np

from engine.io.source import Source
from engine.types import Frame

__all__ = ["chosen_frames", "n_chosen"]


def chosen_frames(source: Source, every: int | None, at_most: int | None) -> Iterator[Frame]:
    """Some frames of a source, in order; the caller closes it.

    Args:
        every: each so many-th frame, from the first on; None: spread over the whole source where
            its length is known and at_most asks for fewer, else all.
        at_most: so many frames; None: no bound.
    Raises: CaptureError: if the source fails.
    """
    wanted = None
    if every is None and at_most is not None and source.n_frames is not None:
        wanted = _spread(source.n_frames, at_most)
    at = n = 0
    while n != at_most and (frame := source.read()) is not None:
        if at in wanted if wanted is not None else at % (every or 1) == 0:
            yield frame
            n += 1
        at += 1


def n_chosen(source: Source, every: int | None, at_most: int | None) -> int | None:
    """How many frames `chosen_frames` will give, as far as the source knows; None: nobody knows."""
    if source.n_frames is None:
        return at_most
    n = -(-source.n_frames // (every or 1))
    return n if at_most is None else min(n, at_most)


def _spread(n_frames: int, n: int) -> set[int]:
    """n places in 0..n_frames-1, the first and the last among them."""
    return {int(at) for at in np.rint(np.linspace(0, n_frames - 1, min(n, n_frames)))}
