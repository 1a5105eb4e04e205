"""Headings in menus: the style sheet hides the text of Qt's own sections."""

from app.qt import QMenu

__all__ = ["add_heading"]


def add_heading(menu: QMenu, text: str) -> None:
    """Grey text that cannot be chosen, under a line where there is something above it."""
    if menu.actions():
        menu.addSeparator()
    menu.addAction(text).setEnabled(False)
