"""The only import of a Qt binding. Another binding would be a change to this file."""

import os

from PyQt6.QtCore import (
    QEvent,
    QObject,
    QPoint,
    QPointF,
    QRect,
    QRectF,
    QSize,
    Qt,
    QTimer,
    QUrl,
    pyqtSignal,
)
from PyQt6.QtGui import (
    QAction,
    QActionGroup,
    QCloseEvent,
    QColor,
    QDesktopServices,
    QDragEnterEvent,
    QDropEvent,
    QImage,
    QKeySequence,
    QMouseEvent,
    QOffscreenSurface,
    QOpenGLContext,
    QPainter,
    QPaintEvent,
    QPalette,
    QPen,
    QPolygonF,
    QRegion,
    QResizeEvent,
    QSurfaceFormat,
    QWheelEvent,
)
from PyQt6.QtOpenGLWidgets import QOpenGLWidget
from PyQt6.QtWidgets import (
    QAbstractItemView,
    QApplication,
    QColorDialog,
    QComboBox,
    QDialog,
    QDialogButtonBox,
    QFileDialog,
    QFrame,
    QGridLayout,
    QHBoxLayout,
    QHeaderView,
    QInputDialog,
    QLabel,
    QLineEdit,
    QMainWindow,
    QMenu,
    QMessageBox,
    QPlainTextEdit,
    QProgressBar,
    QPushButton,
    QSizePolicy,
    QSlider,
    QStatusBar,
    QTableWidget,
    QTableWidgetItem,
    QToolBar,
    QToolButton,
    QVBoxLayout,
    QWidget,
)

__all__ = [
    "QAbstractItemView",
    "QAction",
    "QActionGroup",
    "QApplication",
    "QCloseEvent",
    "QColor",
    "QColorDialog",
    "QComboBox",
    "QDesktopServices",
    "QDialog",
    "QDialogButtonBox",
    "QDragEnterEvent",
    "QDropEvent",
    "QEvent",
    "QFileDialog",
    "QFrame",
    "QGridLayout",
    "QHBoxLayout",
    "QHeaderView",
    "QImage",
    "QInputDialog",
    "QKeySequence",
    "QLabel",
    "QLineEdit",
    "QMainWindow",
    "QMenu",
    "QMessageBox",
    "QMouseEvent",
    "QObject",
    "QOffscreenSurface",
    "QOpenGLContext",
    "QOpenGLWidget",
    "QPaintEvent",
    "QPainter",
    "QPalette",
    "QPen",
    "QPlainTextEdit",
    "QPoint",
    "QPointF",
    "QPolygonF",
    "QProgressBar",
    "QPushButton",
    "QRect",
    "QRectF",
    "QRegion",
    "QResizeEvent",
    "QSize",
    "QSizePolicy",
    "QSlider",
    "QStatusBar",
    "QSurfaceFormat",
    "QTableWidget",
    "QTableWidgetItem",
    "QTimer",
    "QToolBar",
    "QToolButton",
    "QUrl",
    "QVBoxLayout",
    "QWheelEvent",
    "QWidget",
    "Qt",
    "forget_cv2_plugins",
    "media_devices",
    "pixel_format_code",
    "pyqtSignal",
]


def forget_cv2_plugins() -> None:
    """Undo what importing cv2 does to Qt: its wheel points Qt at plugins of its own, older Qt."""
    for variable in ("QT_QPA_PLATFORM_PLUGIN_PATH", "QT_QPA_FONTDIR"):
        if f"{os.sep}cv2{os.sep}" in os.environ.get(variable, ""):
            del os.environ[variable]


def media_devices() -> QObject | None:
    """Qt's list of cameras, which tells of changes; None where a library of it is missing."""
    try:  # on Linux it needs libpulse, which a machine without sound may lack
        from PyQt6.QtMultimedia import QMediaDevices
    except ImportError:
        return None
    return QMediaDevices()


_CODES = {
    "Format_Jpeg": "MJPG",
    "Format_YUYV": "YUYV",
    "Format_UYVY": "UYVY",
    "Format_NV12": "NV12",
}


def pixel_format_code(pixel_format: object) -> str:
    """Of a QVideoFrameFormat.PixelFormat, as cv2 and V4L2 call it; empty for rare ones."""
    return _CODES.get(getattr(pixel_format, "name", ""), "")
