"""What a person should read of recordings."""

from dataclasses import dataclass
from typing import TYPE_CHECKING

from engine.errors import EngineError, OutputError

if TYPE_CHECKING:
    from engine.recording.take import TakeState

__all__ = ["Told", "error_told", "take_told"]


@dataclass(frozen=True, slots=True)
class Told:
    """Something that a person should read."""

    text: str
    is_problem: bool = False
    of_folder: bool = False  # another folder would help


def error_told(error: EngineError) -> Told:
    """An error that the engine raised on purpose."""
    return Told(f"{error}.", is_problem=True, of_folder=isinstance(error, OutputError))


def take_told(state: "TakeState") -> Told:
    """How a take that was stopped came out."""
    if state.problem:
        return Told(state.problem, is_problem=True, of_folder=state.unwritable)
    if not state.ended:
        return Told("The recording does not end; it is left behind", is_problem=True)
    if not state.parts:
        return Told("Nothing was recorded: no frame came", is_problem=True)
    dropped = f", {state.n_dropped} frames dropped" if state.n_dropped else ""
    more = f" and {len(state.parts) - 1} more parts" if len(state.parts) > 1 else ""
    notice = f" ({state.notice})" if state.notice else ""
    return Told(f"Saved {state.parts[0].path}{more}: {state.seconds:.1f} s{dropped}{notice}")
