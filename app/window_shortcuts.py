"""The keys of the window that have no button which says them."""

from typing import Protocol

from app.film_bar import FilmBar
from app.overlay_widget import OverlayWidget
from app.settings import SettingsStore
from app.source_menu import SourceButton
from app.view_menu import ViewButton
from app.window_keys import WindowKeys
from app.window_menu import MenuButton

__all__ = ["add_keys"]

_SCRUB_KEY_SHARE = 0.05
_TURN_KEY_PX = 24


class _Window(Protocol):
    """What keys act on."""

    canvas: OverlayWidget
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
        ("?", "This sheet", window.show_shortcuts),
        ("Q", "Quit; Esc too", window.close),
        ("Esc", "", window.close),
    ):
        keys.add(key, meaning, act)
