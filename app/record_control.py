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
from app.view import View
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

    return RecordButton(window, desk, showing.store, tell, take_picture)
