"""The windows beside the window: shortcuts, about, details."""

import platform
import sys
from collections.abc import Sequence
from importlib import metadata

from app.qt import (
    QApplication,
    QDialog,
    QDialogButtonBox,
    QGridLayout,
    QLabel,
    QPlainTextEdit,
    QPushButton,
    Qt,
    QVBoxLayout,
    QWidget,
)

__all__ = ["AboutDialog", "DetailsDialog", "Dialog", "ShortcutSheet", "versions"]

_SHOWN_PACKAGES = (
    "PyQt6",
    "moderngl",
    "onnxruntime",
    "onnxruntime-gpu",
    "mediapipe",
    "numpy",
    "av",
)


class Dialog(QDialog):
    """A title, a body from top to bottom, and buttons below it."""

    def __init__(self, parent: QWidget, title: str) -> None:
        super().__init__(parent)
        self.setWindowTitle(title)
        self.body = QVBoxLayout(self)
        self.body.setContentsMargins(20, 18, 20, 14)
        self.body.setSpacing(12)

    def add_close(self, *more: QPushButton) -> None:
        """The buttons, Close last."""
        buttons = QDialogButtonBox(QDialogButtonBox.StandardButton.Close)
        for button in more:
            buttons.addButton(button, QDialogButtonBox.ButtonRole.ActionRole)
        buttons.rejected.connect(self.reject)
        self.body.addWidget(buttons)


class ShortcutSheet(Dialog):
    """Every key and what it does, in two columns."""

    def __init__(self, parent: QWidget, shortcuts: Sequence[tuple[str, str]]) -> None:
        """shortcuts: key and meaning of each."""
        super().__init__(parent, "Keyboard shortcuts")
        grid = QGridLayout()
        grid.setHorizontalSpacing(14)
        half = (len(shortcuts) + 1) // 2
        for i, (key, meaning) in enumerate(shortcuts):
            column, row = divmod(i, half)
            name = QLabel(f"<b>{key.replace('<', '&lt;')}</b>")
            name.setAlignment(Qt.AlignmentFlag.AlignRight | Qt.AlignmentFlag.AlignVCenter)
            grid.addWidget(name, row, 2 * column)
            grid.addWidget(QLabel(meaning), row, 2 * column + 1)
        grid.setColumnMinimumWidth(2, 60)
        self.body.addLayout(grid)
        self.add_close()


def versions() -> list[str]:
    """Of the program and of what it stands on, a line each."""
    lines = [f"n2fnet {metadata.version('n2fnet')}", f"Python {platform.python_version()}"]
    for name in _SHOWN_PACKAGES:
        try:
            lines.append(f"{name} {metadata.version(name)}")
        except metadata.PackageNotFoundError:
            continue
    lines.append(f"{platform.system()} {platform.release()} {platform.machine()}, {sys.byteorder}")
    return lines


class _TextDialog(Dialog):
    """Text that can be copied whole."""

    def __init__(self, parent: QWidget, title: str, heading: str, text: str) -> None:
        super().__init__(parent, title)
        self.resize(620, 360)
        label = QLabel(heading)
        label.setWordWrap(True)
        self.body.addWidget(label)
        self.text = QPlainTextEdit(text)
        self.text.setReadOnly(True)
        self.text.setTabChangesFocus(True)
        self.body.addWidget(self.text)
        copy = QPushButton("Copy")
        copy.clicked.connect(lambda: QApplication.clipboard().setText(self.text.toPlainText()))
        self.add_close(copy)


class AboutDialog(_TextDialog):
    """What the program is, its licence and the versions it runs with."""

    def __init__(self, parent: QWidget, drawn_by: str, runs_on: str) -> None:
        """drawn_by: the OpenGL driver; runs_on: the networks' provider. Empty: not known yet."""
        lines = versions()
        lines += [f"drawn by {drawn_by}"] * bool(drawn_by) + [f"networks on {runs_on}"] * bool(
            runs_on
        )
        heading = (
            "Real-time 3D face capture: camera in, fitted head out. Free software under the GNU "
            "General Public License, version 3 or later. Pictures stay on this machine."
        )
        super().__init__(parent, "About n2fnet", heading, "\n".join(lines))


class DetailsDialog(_TextDialog):
    """A problem with all that a report of it needs."""

    def __init__(self, parent: QWidget, problem: str, more: Sequence[str]) -> None:
        """more: further lines, e.g. the source and the settings in force."""
        cause, _, fix = problem.partition("; ")
        heading = f"{cause}.\n\nWhat to do: {fix}." if fix else problem
        text = "\n".join([problem, "", *more, "", *versions()])
        super().__init__(parent, "What is wrong", heading, text)
