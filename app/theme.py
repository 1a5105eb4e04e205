"""The looks, said outright: asking Qt for a dark scheme does nothing on a bare X11 desktop."""

from collections.abc import Mapping
from string import Template

from app.qt import QApplication, QColor, QPalette

__all__ = ["CANVAS_RGB", "THEMES", "apply_theme"]

CANVAS_RGB = (0.055, 0.059, 0.067)
"""Behind the picture, linear to the screen, in every look: pictures are judged against dark."""

_DARK = {
    "Window": "#1b1d21",
    "WindowText": "#e8e8e8",
    "Base": "#0e0f11",
    "AlternateBase": "#22252a",
    "Text": "#e8e8e8",
    "Button": "#2a2d33",
    "ButtonText": "#e8e8e8",
    "ToolTipBase": "#2a2d33",
    "ToolTipText": "#e8e8e8",
    "PlaceholderText": "#8b9098",
    "Highlight": "#2f7fd0",
    "HighlightedText": "#ffffff",
    "Link": "#62aef0",
    "disabled": "#70757d",
    "line": "#34383f",
    "hover": "#34383f",
    "pressed": "#25639f",
    "quiet": "#b6bac1",
}
_LIGHT = {
    "Window": "#f3f4f6",
    "WindowText": "#1b1d21",
    "Base": "#ffffff",
    "AlternateBase": "#eceef1",
    "Text": "#1b1d21",
    "Button": "#e3e6ea",
    "ButtonText": "#1b1d21",
    "ToolTipBase": "#ffffff",
    "ToolTipText": "#1b1d21",
    "PlaceholderText": "#6b7078",
    "Highlight": "#1f6fbf",
    "HighlightedText": "#ffffff",
    "Link": "#1f6fbf",
    "disabled": "#9aa0a8",
    "line": "#c9ced5",
    "hover": "#d8dce2",
    "pressed": "#185a9c",
    "quiet": "#4a4f57",
}
THEMES: Mapping[str, Mapping[str, str]] = {"dark": _DARK, "light": _LIGHT}
"""Colours by name of the look: roles of QPalette, and those that only the style sheet has."""

# The banner and the display lie on the picture, which is dark in both looks.
_STYLE = Template("""
QToolBar { border: 0; padding: 6px; spacing: 4px; background: $Window; }
QToolBar::separator { width: 1px; margin: 4px 6px; background: $line; }
QToolButton { padding: 5px 9px; border-radius: 4px; color: $ButtonText; }
QToolButton:hover { background: $hover; }
QToolButton:focus { border: 1px solid $Highlight; }
QToolButton:checked { background: $Highlight; color: $HighlightedText; }
QToolButton:pressed { background: $pressed; color: $HighlightedText; }
QToolButton:disabled { color: $disabled; }
QToolButton::menu-indicator { subcontrol-position: right center; right: 6px; }
QToolButton#source { background: $Button; padding-right: 22px; text-align: left; }
QToolButton#source:hover { background: $hover; }
QToolButton#view, QToolButton#method, QToolButton#menu { padding-right: 22px; }
QToolButton#record { padding-right: 22px; }
QToolButton#record[recording="true"] { background: #b3261e; color: white; }
QToolButton#qt_toolbar_ext_button { background: $hover; padding: 0; font-weight: bold; }
QMenu { background: $AlternateBase; border: 1px solid $line; padding: 4px; }
QMenu::item { padding: 6px 24px; border-radius: 3px; color: $Text; }
QMenu::item:selected { background: $Highlight; color: $HighlightedText; }
QMenu::item:disabled { color: $disabled; }
QMenu::separator { height: 1px; margin: 4px 8px; background: $line; }
QStatusBar { border-top: 1px solid $line; background: $Window; }
QStatusBar::item { border: 0; }
QStatusBar QLabel { padding: 3px 8px; color: $quiet; }
QStatusBar QLabel#fallback { background: #8a5a00; color: #ffffff; border-radius: 4px; }
QProgressBar { border: 0; background: $Button; max-height: 3px; }
QProgressBar::chunk { background: $Highlight; }
QFrame#side QLabel#dim { color: $PlaceholderText; }
QFrame#banner { background: rgba(24, 26, 30, 225); border-radius: 8px; }
QFrame#banner[kind="error"] { background: rgba(92, 28, 28, 235); }
QFrame#banner[kind="waiting"] { background: rgba(92, 66, 18, 235); }
QFrame#banner QLabel { color: #f2f2f2; }
QFrame#banner QPushButton { padding: 5px 14px; border-radius: 4px; border: 0;
    background: rgba(255, 255, 255, 40); color: white; }
QFrame#banner QPushButton:hover { background: rgba(255, 255, 255, 70); }
QFrame#banner QPushButton:focus { border: 1px solid white; }
QLabel#hud { background: rgba(14, 15, 17, 200); color: #e8e8e8; border-radius: 6px;
    padding: 8px 12px; font-family: monospace; font-size: 12px; }
""")


def apply_theme(application: QApplication, name: str = "dark") -> None:
    """Fusion in greys with a blue accent, the same on every desktop.

    Args:
        name: of THEMES.
    """
    colours = THEMES[name]
    application.setStyle("Fusion")
    palette = QPalette()
    for role, colour in colours.items():
        if role[0].isupper():
            palette.setColor(QPalette.ColorRole[role], QColor(colour))
    for role in ("WindowText", "Text", "ButtonText"):
        group = QPalette.ColorGroup.Disabled
        palette.setColor(group, QPalette.ColorRole[role], QColor(colours["disabled"]))
    application.setPalette(palette)
    application.setStyleSheet(_STYLE.substitute(colours))
