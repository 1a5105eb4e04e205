"""The dark look, said outright: asking Qt for a dark scheme does nothing on a bare X11 desktop."""

from app.qt import QApplication, QColor, QPalette

__all__ = ["CANVAS_RGB", "apply_theme"]

CANVAS_RGB = (0.055, 0.059, 0.067)
"""Behind the picture, linear to the screen: the same grey as QPalette.Base below."""

_COLOURS = {
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
}
_DISABLED_TEXT = "#70757d"

_STYLE = """
QToolBar { border: 0; padding: 6px; spacing: 4px; background: #1b1d21; }
QToolBar::separator { width: 1px; margin: 4px 6px; background: #34383f; }
QToolButton { padding: 5px 10px; border-radius: 4px; color: #e8e8e8; }
QToolButton:hover { background: #2f333a; }
QToolButton:checked { background: #2f7fd0; color: white; }
QToolButton:pressed { background: #25639f; }
QToolButton::menu-indicator { subcontrol-position: right center; right: 6px; }
QToolButton#source { background: #2a2d33; padding-right: 22px; text-align: left; }
QToolButton#source:hover { background: #34383f; }
QToolButton#network, QToolButton#method { padding-right: 22px; }
QToolButton#qt_toolbar_ext_button { background: #3a4048; }
QMenu { background: #22252a; border: 1px solid #3a3f47; padding: 4px; }
QMenu::item { padding: 6px 24px; border-radius: 3px; }
QMenu::item:selected { background: #2f7fd0; }
QMenu::separator { height: 1px; margin: 4px 8px; background: #3a3f47; }
QStatusBar { border-top: 1px solid #2a2d33; }
QStatusBar::item { border: 0; }
QStatusBar QLabel { padding: 3px 8px; color: #b6bac1; }
QFrame#side QLabel#dim { color: #8b9098; }
QFrame#banner { background: rgba(24, 26, 30, 225); border-radius: 8px; }
QFrame#banner[kind="error"] { background: rgba(92, 28, 28, 235); }
QFrame#banner QLabel { color: #f2f2f2; }
QFrame#banner QPushButton { padding: 5px 14px; border-radius: 4px; border: 0;
    background: rgba(255, 255, 255, 40); color: white; }
QFrame#banner QPushButton:hover { background: rgba(255, 255, 255, 70); }
"""


def apply_theme(application: QApplication) -> None:
    """Fusion in dark grey with a blue accent, the same on every desktop."""
    application.setStyle("Fusion")
    palette = QPalette()
    for role, colour in _COLOURS.items():
        palette.setColor(QPalette.ColorRole[role], QColor(colour))
    for role in ("WindowText", "Text", "ButtonText"):
        group = QPalette.ColorGroup.Disabled
        palette.setColor(group, QPalette.ColorRole[role], QColor(_DISABLED_TEXT))
    application.setPalette(palette)
    application.setStyleSheet(_STYLE)
