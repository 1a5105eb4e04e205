"""The words of the window: what the status line and the banner say of a view."""

from app.view import State, View
from engine.types import Reconstruction

__all__ = ["BannerJudge", "fallback_text", "gives_text", "state_text", "stats_text"]

_NO_FACE_FRAMES = 10
"""So many frames without a face before it is said: shorter gaps would only flicker."""
_NO_FACE = "No face found. The whole head should be in view, with light on the face."
_DOUBTED = 0.35
_DOUBTED_FRAMES = 20
_DOUBTFUL = (
    "This fit is not to be trusted, so the head fades. Turn towards the camera, take hands away "
    "from the face, or put more light on it."
)


class BannerJudge:
    """Remembers over frames what is worth saying about faces."""

    def __init__(self) -> None:
        self.reset()

    def reset(self) -> None:
        """Another source."""
        self._without_face = self._doubted = 0

    def notice(self, view: View) -> str | None:
        """What to tell of a view whose source is well; None for nothing."""
        if view.state is State.PLAYING:
            self._without_face = 0 if view.faces else self._without_face + 1
            self._doubted = self._doubted + 1 if _is_doubtful(view.faces) else 0
        if view.notice is not None and view.state is State.PLAYING:
            return view.notice
        # The last picture of an ended source is judged at once: no other will follow.
        ended_without = view.state is State.ENDED and view.frame is not None and not view.faces
        if self._without_face >= _NO_FACE_FRAMES or ended_without:
            return _NO_FACE
        return _DOUBTFUL if self._doubted >= _DOUBTED_FRAMES else None


def _is_doubtful(faces: tuple[Reconstruction, ...]) -> bool:
    return bool(faces) and faces[0].quality < _DOUBTED


_SLOW_SHARE = 0.7
"""Of the promised rate, below which a camera is said to be slow."""


def gives_text(view: View) -> str:
    """What the view's live source really gives; empty where that is not known."""
    stats = view.stats
    if view.frame is None or stats.source_fps is None or stats.age_ms is None:
        return ""
    height, width = view.frame.image.shape[:2]
    taken = stats.source_format
    coded = f" {taken.code}" if taken is not None and taken.code else ""
    text = f"{width} x {height}{coded}, {stats.source_fps:.1f}/s measured"
    if taken is not None and stats.source_fps < _SLOW_SHARE * taken.fps:
        text += f" of {taken.fps:g}: more light, or another USB socket"
    return text


def state_text(view: View) -> str:
    """The left half of the status line: what is shown."""
    if view.state is State.LOADING:
        return view.source or "Starting …"
    if view.state is State.OPENING:
        return f"Opening {view.source} …" if view.source else "Starting …"
    if view.state is State.FAILED:
        return f"{view.source}: failed" if view.source else "Failed"
    size = ""
    if view.frame is not None:
        height, width = view.frame.image.shape[:2]
        size = f"  ·  {gives_text(view) or f'{width} x {height}'}"
    after = {State.ENDED: "  ·  ended", State.WAITING: "  ·  waiting"}.get(view.state, "")
    return f"{view.source}{size}{after}"


def stats_text(view: View) -> str:
    """The right half: how fast it goes, and how far the fit can be trusted."""
    if view.state is not State.PLAYING:
        return ""
    stats = view.stats
    parts = [f"{stats.fps:.0f} FPS"]
    parts += [f"{stage} {ms:.1f} ms" for stage, ms in stats.stage_ms.items()]
    if stats.age_ms is not None:
        parts.append(f"behind {stats.age_ms:.0f} ms")
        parts.append(f"dropped {stats.dropped}")
    if view.faces:
        parts.append(f"trust {100 * view.faces[0].quality:.0f} %")
    return "  ·  ".join(parts)


def fallback_text(view: View) -> tuple[str, str]:
    """Where networks run on something else than was asked for: a word, and the reason; else empty.

    Of `Stats.provider`, which puts the reason in brackets.
    """
    _, bracket, reason = view.stats.provider.partition(" (")
    short = reason.partition(":")[0] if bracket else ""
    return short, reason.removesuffix(")")
