"""How sources are read and fits are made, as a person may change it while they are."""

from dataclasses import dataclass

__all__ = ["Options"]


@dataclass(frozen=True, slots=True)
class Options:
    """What the worker goes by."""

    every_frame: bool = True  # of files: none is dropped, the film waits for slow fits
    turns: int = 0  # quarter turns against the clock of every picture
    pipelined: bool = False  # see the next frame while one is fitted: more frames, more lag
    steady: bool = True  # filter what trembles
