"""Which faces of a frame are fitted: the first always, the others by turns, as time allows."""

from collections.abc import Sequence
from typing import Final

__all__ = ["FaceTurns"]

_SHARE: Final = 0.5
"""Of the time that the first face takes, what the others may take on top of it."""
_FORGET: Final = 0.2
"""Of a mean time, by which each new one moves it."""


class FaceTurns:
    """Saves time up frame by frame, and spends it on the face that has waited longest."""

    def __init__(self, share: float = _SHARE) -> None:
        """share: 0.. of the first face's time that goes to all others together."""
        self._share = share
        self._mean_ms: dict[bool, float] = {}  # True: of first faces
        self._saved_ms = 0.0
        self._waiting: list[int] = []  # ids of the others, who waited longest first

    def choose(self, ids: Sequence[int]) -> frozenset[int]:
        """Whose turn it is in a frame that shows these faces, the first one first.

        A face that was not there before is fitted at once: till then nothing of it can be shown.
        """
        if not ids:
            return frozenset()
        first, others = ids[0], list(ids[1:])
        known = [i for i in self._waiting if i in others]
        new = [i for i in others if i not in self._waiting]
        chosen, cost = [*new], self._cost_ms
        self._saved_ms += self._share * self._mean_ms.get(True, 0.0)
        self._saved_ms = min(self._saved_ms, cost * len(others)) - cost * len(new)
        while known and self._saved_ms >= cost > 0.0:
            chosen.append(known.pop(0))
            self._saved_ms -= cost
        self._waiting = [*known, *chosen]
        return frozenset((first, *chosen))

    def note(self, ms: float, *, first: bool) -> None:
        """A face was fitted in so many milliseconds."""
        mean = self._mean_ms.get(first, ms)
        self._mean_ms[first] = mean + _FORGET * (ms - mean)

    def forget(self) -> None:
        """All faces are new from now on."""
        self._waiting, self._saved_ms = [], 0.0

    @property
    def _cost_ms(self) -> float:
        """Of one of the others; as of the first, until one was fitted."""
        return self._mean_ms.get(False, self._mean_ms.get(True, 0.0))
