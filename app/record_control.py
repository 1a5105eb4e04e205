"""Connects the recording desk with what the window shows."""

from collections.abc import Callable
from typing import Protocol

from app.overlay_widget import OverlayWidget
from app.qt import QMainWindow
from app.record_button import RecordButton
from app.recording import RecordingDesk
from app.settings import SettingsStore
from app.stage import Stage
from app.told import Told
from app.view import State, View
from engine.recording.shot import Content

__all__ = ["recording_button"]


class _Showing(Protocol):
    """The window, as far as it matters here."""

    @property
    def store(self) -> SettingsStore: ...
    @property
    def view(self) -> View: ...

    stage: Stage


def recording_button(
    window: QMainWindow, desk: RecordingDesk, canvas: OverlayWidget, tell: Callable[[Told], None]
) -> RecordButton:
    """The button by which the desk records as the canvas shows heads.

    Args:
        window: also says what is shown, and has the settings.
        tell: shows a message.
    """
    showing: _Showing = window
    desk.set_stored_folder(showing.store.present.record_folder)
    desk.look = lambda: canvas.look

    def take_picture() -> None:
        """What is seen: two methods, the avatar as it stands, or the frame with its heads."""
        frame = showing.view.frame
        if showing.stage.in_comparison:
            picture = showing.stage.comparison_picture()
        elif canvas.in_avatar and frame is not None:
            picture = canvas.avatar_picture(frame.image.shape[1::-1])
        else:
            desk.screenshot(Content.OVERLAY)
            return
        if picture is not None:
            desk.save_picture(picture)

    return RecordButton(
        window, desk, showing.store, tell, take_picture, lambda: _obstacle(showing.view)
    )


def _obstacle(view: View) -> str:
    """Why no frame will come to be recorded, and what to do; empty where one may."""
    if view.state is State.FAILED:
        return "Nothing is recorded, as the source has failed: try it again, or choose another one."
    if view.state is not State.ENDED:
        return ""
    if view.position is None:
        return (
            f"Nothing is recorded, as no other picture will come of {view.source}: "
            "press S to keep this one, or open a camera or a film."
        )
    return (
        f"Nothing is recorded, as {view.source} has ended: go back in it (Left) and record again, "
        "or press S to keep this picture."
    )
