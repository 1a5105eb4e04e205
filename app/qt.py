"""The only import of a Qt binding. Another binding would be a change to this file."""

import os

from PyQt6.QtCore import QObject, QPointF, QRect, QRectF, QSize, Qt, QTimer, pyqtSignal
from PyQt6.QtGui import (
    QAction,
    QActionGroup,
    QCloseEvent,
    QColor,
    QDragEnterEvent,
    QDropEvent,
    QImage,
    QKeySequence,
    QMouseEvent,
    QOpenGLContext,
    QPainter,
    QPaintEvent,
    QPalette,
    QPen,
    QPolygonF,
    QResizeEvent,
    QSurfaceFormat,
)
from PyQt6.QtOpenGLWidgets import QOpenGLWidget
from PyQt6.QtWidgets import (
    QApplication,
    QComboBox,
    QFileDialog,
    QFrame,
    QHBoxLayout,
    QLabel,
    QMainWindow,
    QMenu,
    QPushButton,
    QSizePolicy,
    QSlider,
    QStatusBar,
    QToolBar,
    QToolButton,
    QVBoxLayout,
    QWidget,
)

__all__ = [
    "QAction",
    "QActionGroup",
    "QApplication",
    "QCloseEvent",
    "QColor",
    "QComboBox",
    "QDragEnterEvent",
    "QDropEvent",
    "QFileDialog",
    "QFrame",
    "QHBoxLayout",
    "QImage",
    "QKeySequence",
    "QLabel",
    "QMainWindow",
    "QMenu",
    "QMouseEvent",
    "QObject",
    "QOpenGLContext",
    "QOpenGLWidget",
    "QPaintEvent",
    "QPainter",
    "QPalette",
    "QPen",
    "QPointF",
    "QPolygonF",
    "QPushButton",
    "QRect",
    "QRectF",
    "QResizeEvent",
    "QSize",
    "QSizePolicy",
    "QSlider",
    "QStatusBar",
    "QSurfaceFormat",
    "QTimer",
    "QToolBar",
    "QToolButton",
    "QVBoxLayout",
    "QWidget",
    "Qt",
    "forget_cv2_plugins",
    "pyqtSignal",
]


def forget_cv2_plugins() -> None:
    """Undo what importing cv2 does to Qt: its wheel points Qt at plugins of its own, older Qt."""
    for variable in ("QT_QPA_PLATFORM_PLUGIN_PATH", "QT_QPA_FONTDIR"):
        if f"{os.sep}cv2{os.sep}" in os.environ.get(variable, ""):
            del os.environ[variable]
