"""The windows beside the window: shortcuts, models with their licences, about, details."""

import platform
import queue
import sys
import threading
from collections.abc import Sequence
from importlib import metadata

from app.qt import (
    QAbstractItemView,
    QApplication,
    QDialog,
    QDialogButtonBox,
    QGridLayout,
    QHeaderView,
    QLabel,
    QPlainTextEdit,
    QPushButton,
    Qt,
    QTableWidget,
    QTableWidgetItem,
    QTimer,
    QVBoxLayout,
    QWidget,
)
from engine.errors import AssetError
from engine.io.assets import Asset, AssetState, load_manifest

__all__ = ["AboutDialog", "DetailsDialog", "ModelsDialog", "ShortcutSheet", "versions"]

_SHOWN_PACKAGES = (
    "PyQt6",
    "moderngl",
    "onnxruntime",
    "onnxruntime-gpu",
    "mediapipe",
    "numpy",
    "av",
)
_STATE_COLUMN = 2
_CHECKING = "being checked …"
_LOOK_EVERY_MS = 30
_STATES = {"ok": "as recorded", "missing": "missing", "changed": "changed: take a fresh copy"}


class _Dialog(QDialog):
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


class ShortcutSheet(_Dialog):
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


class _Checks:
    """Compares files with their records on a thread: hashing them all would hold the window up."""

    def __init__(self, assets: Sequence[Asset]) -> None:
        self._assets = assets
        self._states: queue.SimpleQueue[AssetState] = queue.SimpleQueue()
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._run, name="n2f-assets", daemon=True)
        self._thread.start()

    def news(self) -> list[AssetState]:
        """What was found since the last call, in the order of the files."""
        return [self._states.get_nowait() for _ in range(self._states.qsize())]

    def close(self) -> None:
        """Leave out what is not checked yet."""
        self._stop.set()
        self._thread.join()

    def _run(self) -> None:
        for asset in self._assets:
            if self._stop.is_set():
                return
            self._states.put(asset.check())


class ModelsDialog(_Dialog):
    """The files that come with the program: state, size, licence, what they were made from."""

    def __init__(self, parent: QWidget) -> None:
        super().__init__(parent, "Models and data")
        self.resize(900, 380)
        self.table = QTableWidget(0, 5)
        self.table.setHorizontalHeaderLabels(["File", "Size", "State", "Licence", "Made from"])
        self.table.setEditTriggers(QAbstractItemView.EditTrigger.NoEditTriggers)
        self.table.setSelectionBehavior(QAbstractItemView.SelectionBehavior.SelectRows)
        self.table.verticalHeader().hide()
        self.table.setTabKeyNavigation(False)  # Tab leaves the table, as people with keys need
        self._checks: _Checks | None = None
        self._n_checked = 0
        self._looking = QTimer(self)
        self._looking.timeout.connect(self._show_states)
        self._fill()
        header = self.table.horizontalHeader()
        header.setSectionResizeMode(QHeaderView.ResizeMode.ResizeToContents)
        header.setSectionResizeMode(4, QHeaderView.ResizeMode.Stretch)
        self.body.addWidget(self.table)
        note = QLabel(
            "Another head model: n2f live --model FILE. Another normal network: --normals FILE. "
            "`n2f assets import` takes an official FLAME file in. Nothing is ever downloaded."
        )
        note.setWordWrap(True)
        self.body.addWidget(note)
        self.add_close()

    def done(self, result: int) -> None:
        self._looking.stop()
        if self._checks is not None:
            self._checks.close()
        super().done(result)

    def _fill(self) -> None:
        try:
            assets = load_manifest()
        except AssetError as error:
            self.body.addWidget(QLabel(str(error)))
            return
        self.table.setRowCount(len(assets))
        for row, asset in enumerate(assets):
            size = f"{asset.size / 1e6:.1f} MB"
            told = (asset.file, size, _CHECKING, asset.licence, asset.source)
            for column, text in enumerate(told):
                item = QTableWidgetItem(text)
                item.setToolTip(asset.notice or text)
                self.table.setItem(row, column, item)
        self._checks = _Checks(assets)
        self._looking.start(_LOOK_EVERY_MS)

    def _show_states(self) -> None:
        """Fill in what the thread has found by now."""
        for state in self._checks.news() if self._checks is not None else ():
            item = self.table.item(self._n_checked, _STATE_COLUMN)
            if item is not None:
                item.setText(_STATES[state])
            self._n_checked += 1
        if self._n_checked == self.table.rowCount():
            self._looking.stop()


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


class _TextDialog(_Dialog):
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
