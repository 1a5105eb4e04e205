"""What a person should read of recordings."""

from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from engine.recording.take import TakeState

__all__ = ["Told", "take_told"]


@dataclass(frozen=True, slots=True)
class Told:
    """Something that a person should read."""

    text: str
    is_problem: bool = False


def take_told(state: "TakeState") -> Told:
    """How a take that was stopped came out."""
    if state.problem:
        return Told(state.problem, is_problem=True)
    if not state.ended:
        return Told("The recording does not end; it is left behind", is_problem=True)
    if not state.parts:
        return Told("Nothing was recorded: no frame came", is_problem=True)
    dropped = f", {state.n_dropped} frames dropped" if state.n_dropped else ""
    more = f" and {len(state.parts) - 1} more parts" if len(state.parts) > 1 else ""
    notice = f" ({state.notice})" if state.notice else ""
    return Told(f"Saved {state.parts[0].path}{more}: {state.seconds:.1f} s{dropped}{notice}")
