"""The keys of the window that have no button which says them, and what the mouse does."""

from typing import Protocol

from app.film_bar import FilmBar
from app.overlay_widget import OverlayWidget
from app.settings import SettingsStore
from app.source_menu import SourceButton
from app.stage import Stage
from app.view_menu import ViewButton
from app.window_keys import WindowKeys
from app.window_menu import MenuButton

__all__ = ["add_keys"]

_SCRUB_KEY_SHARE = 0.05
_TURN_KEY_PX = 24
_LINE_KEY_SHARE = 0.05


_GESTURES = (
    ("Drag", "Walk around the avatar; move the line"),
    ("Wheel", "Nearer to the avatar, or farther"),
    ("Double click", "The avatar as at first"),
    ("Drop a file", "Open it"),
)


class _Window(Protocol):
    """What keys act on."""

    canvas: OverlayWidget
    stage: Stage
    scrub: FilmBar
    source_button: SourceButton
    view_button: ViewButton
    menu_button: MenuButton

    @property
    def store(self) -> SettingsStore: ...
    def change_settings(self, **changes: object) -> None: ...
    def show_shortcuts(self) -> None: ...
    def close(self) -> bool: ...


def add_keys(keys: WindowKeys, window: _Window) -> None:
    """Add them in the order of the sheet."""

    def turn() -> None:
        window.change_settings(turns=(window.store.present.turns + 1) % 4)

    def arrow(across: int, down: int) -> None:
        """Arrow keys walk around the avatar, or through the film."""
        if window.canvas.in_avatar:
            window.canvas.turn_avatar(_TURN_KEY_PX * across, _TURN_KEY_PX * down)
        else:
            window.scrub.go(_SCRUB_KEY_SHARE * across)

    def line(way: int) -> None:
        """The same as dragging the line between two methods."""
        if window.stage.in_comparison:
            window.stage.wipe.move_line(_LINE_KEY_SHARE * way)

    for key, meaning, act in (
        ("C", "Choose a source", window.source_button.showMenu),
        ("O", "Open a file", window.source_button.open_file),
        ("N", "What is drawn", window.view_button.showMenu),
        ("V", "Turn the picture by a quarter", turn),
        ("F10", "Menu", window.menu_button.showMenu),
        ("Left", "Back in the film; turn the avatar", lambda: arrow(-1, 0)),
        ("Right", "On in the film; turn the avatar", lambda: arrow(1, 0)),
        ("Up", "Look at the avatar from below", lambda: arrow(0, -1)),
        ("Down", "Look at the avatar from above", lambda: arrow(0, 1)),
        ("+", "Nearer to the avatar", lambda: window.canvas.zoom_avatar(1)),
        ("-", "Farther from the avatar", lambda: window.canvas.zoom_avatar(-1)),
        ("Home", "The avatar as at first", window.canvas.reset_avatar),
        (",", "Line between two methods to the left", lambda: line(-1)),
        (".", "Line between two methods to the right", lambda: line(1)),
        ("?", "This sheet", window.show_shortcuts),
        ("Q", "Quit; Esc too", window.close),
        ("Esc", "", window.close),
    ):
        keys.add(key, meaning, act)
    for gesture, meaning in _GESTURES:
        keys.tell(gesture, meaning)
