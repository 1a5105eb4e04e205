"""The window that lists files: those that come with the program, and heads that were imported."""

import queue
import threading
from collections.abc import Sequence

from app.dialogs import Dialog
from app.qt import (
    QAbstractItemView,
    QHeaderView,
    QLabel,
    QTableWidget,
    QTableWidgetItem,
    QTimer,
    QWidget,
)
from engine.errors import AssetError
from engine.io.assets import Asset, AssetState, load_manifest

__all__ = ["ModelsDialog"]

_STATE_COLUMN = 2
_CHECKING = "being checked …"
_LOOK_EVERY_MS = 30
_STATES = {"ok": "as recorded", "missing": "missing", "changed": "changed: take a fresh copy"}


_Row = tuple[str, str, str, str, str]


class _Look:
    """Compares files with their records, then reads imported heads, on a thread: both take so long
    that they would hold the window up."""

    def __init__(self, assets: Sequence[Asset]) -> None:
        self._assets = assets
        self._found: queue.SimpleQueue[AssetState | _Row] = queue.SimpleQueue()
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._run, name="n2f-assets", daemon=True)
        self._thread.start()

    @property
    def goes_on(self) -> bool:
        """Whether more may be found."""
        return self._thread.is_alive()

    def news(self) -> list[AssetState | _Row]:
        """What was found since the last call: a state for each file, then rows of heads."""
        return [self._found.get_nowait() for _ in range(self._found.qsize())]

    def stop(self) -> None:
        """Leave out what was not looked at yet; does not wait for what is being looked at."""
        self._stop.set()

    def _run(self) -> None:
        for asset in self._assets:
            if self._stop.is_set():
                return
            self._found.put(asset.check())
        if self._stop.is_set():
            return
        from engine.flame.cache import imported_heads

        for head in imported_heads():
            name = head.release.name
            size = f"{head.path.stat().st_size / 1e6:.1f} MB"
            source = str(head.model.meta["source_file"])
            self._found.put((name, size, "imported", head.release.licence, source))


class ModelsDialog(Dialog):
    """The files that come with the program, with state, size, licence and what they were made from,
    and the heads that the user imported."""

    def __init__(self, parent: QWidget) -> None:
        super().__init__(parent, "Models and data")
        self.resize(900, 380)
        self.table = QTableWidget(0, 5)
        self.table.setHorizontalHeaderLabels(["File", "Size", "State", "Licence", "Made from"])
        self.table.setEditTriggers(QAbstractItemView.EditTrigger.NoEditTriggers)
        self.table.setSelectionBehavior(QAbstractItemView.SelectionBehavior.SelectRows)
        self.table.verticalHeader().hide()
        self.table.setTabKeyNavigation(False)  # Tab leaves the table, as people with keys need
        self._n_checked = 0
        self._look = _Look(self._list())
        self._looking = QTimer(self)
        self._looking.timeout.connect(self._show_found)
        self._looking.start(_LOOK_EVERY_MS)
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

    @property
    def is_complete(self) -> bool:
        """Whether everything was looked at."""
        return not self._looking.isActive()

    def done(self, result: int) -> None:
        self._looking.stop()
        self._look.stop()
        super().done(result)

    def _list(self) -> list[Asset]:
        """Write what the manifest says, and return it."""
        try:
            assets = load_manifest()
        except AssetError as error:
            self.body.addWidget(QLabel(str(error)))
            return []
        for asset in assets:
            size = f"{asset.size / 1e6:.1f} MB"
            row = (asset.file, size, _CHECKING, asset.licence, asset.source)
            self._add_row(row, asset.notice)
        return assets

    def _add_row(self, row: _Row, notice: str = "") -> None:
        at = self.table.rowCount()
        self.table.setRowCount(at + 1)
        for column, text in enumerate(row):
            item = QTableWidgetItem(text)
            item.setToolTip(notice or text)
            self.table.setItem(at, column, item)

    def _show_found(self) -> None:
        """Fill in what the thread has found by now."""
        goes_on = self._look.goes_on  # asked first: what it finds last is then among the news
        for found in self._look.news():
            if isinstance(found, tuple):
                self._add_row(found)
                continue
            item = self.table.item(self._n_checked, _STATE_COLUMN)
            if item is not None:
                item.setText(_STATES[found])
            self._n_checked += 1
        if not goes_on:
            self._looking.stop()
