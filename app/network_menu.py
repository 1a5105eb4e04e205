"""The button whose menu shows what the normal network sees; grey where there is no network."""

from app.qt import QAction, QMenu, Qt, QToolButton, QWidget
from engine.render.prediction import PredictionMode

__all__ = ["PREDICTIONS", "NetworkButton"]

PREDICTIONS = (
    (PredictionMode.HEAD_NORMALS, "Predicted head normals"),
    (PredictionMode.VIEW_NORMALS, "Predicted view normals"),
    (PredictionMode.MASK, "Parsing"),
    (PredictionMode.ERROR, "Normal error"),
)
"""In the order of their keys, 7 to 9, then 0."""


class NetworkButton(QToolButton):
    """Opens a menu of the network's maps; marked while one of them is shown."""

    def __init__(self, parent: QWidget, actions: list[QAction], missing: str) -> None:
        """Args:
        actions: one for each of PREDICTIONS.
        missing: why there is no network; empty where there is one.
        """
        super().__init__(parent)
        self._actions = actions
        self.setObjectName("network")
        self.setFocusPolicy(Qt.FocusPolicy.NoFocus)
        self.setPopupMode(QToolButton.ToolButtonPopupMode.InstantPopup)
        self.setToolButtonStyle(Qt.ToolButtonStyle.ToolButtonTextOnly)
        self.setText("Network")
        self.setCheckable(True)
        menu = QMenu(self)
        menu.setToolTipsVisible(True)
        for action in actions:
            action.toggled.connect(self._mark)
            menu.addAction(action)
        # Opening the menu would turn the mark over.
        menu.aboutToShow.connect(self._mark)
        menu.aboutToHide.connect(self._mark)
        self.setMenu(menu)
        self.set_missing(missing)

    def set_missing(self, missing: str) -> None:
        """Why there is no network; empty where there is one."""
        self.setToolTip(f"No normal network: {missing}" if missing else "What the network sees (N)")
        for action in self._actions:
            action.setEnabled(not missing)
            if missing:
                action.setToolTip(f"No normal network: {missing}")

    def _mark(self) -> None:
        self.setChecked(any(action.isChecked() for action in self._actions))
