"""The button that says what is drawn, and whose menu offers everything that can be."""

from app.menu_heading import add_heading
from app.qt import QAction, QMenu, Qt, QToolButton, QWidget
from engine.render.prediction import PredictionMode
from engine.render.renderer import RenderMode

__all__ = ["MODES", "PREDICTIONS", "ViewButton"]

MODES = (
    (RenderMode.SHADED, "Shaded"),
    (RenderMode.WIREFRAME, "Wireframe"),
    (RenderMode.HEAD_NORMALS, "Mesh normals, head frame"),
    (RenderMode.VIEW_NORMALS, "Mesh normals, view frame"),
    (RenderMode.LANDMARKS, "Landmarks"),
    (RenderMode.TEXTURE, "Texture"),
)
"""Of the fitted head, in the order of their keys, 1 to 6."""

PREDICTIONS = (
    (PredictionMode.HEAD_NORMALS, "Input normals, head frame"),
    (PredictionMode.VIEW_NORMALS, "Input normals, view frame"),
    (PredictionMode.MASK, "Parsing"),
    (PredictionMode.ERROR, "Normal error"),
)
"""Of what the network sees, in the order of their keys, 7 to 9, then 0."""


class ViewButton(QToolButton):
    """Names the view that is shown; the network's are grey where there is no network."""

    def __init__(self, parent: QWidget, actions: list[QAction], missing: str) -> None:
        """Args:
        actions: one for each of MODES, then of PREDICTIONS.
        missing: why there is no network; empty where there is one.
        """
        super().__init__(parent)
        self._actions, self._predictions = actions, actions[len(MODES) :]
        self.setObjectName("view")
        self.setFocusPolicy(Qt.FocusPolicy.NoFocus)
        self.setPopupMode(QToolButton.ToolButtonPopupMode.InstantPopup)
        self.setToolButtonStyle(Qt.ToolButtonStyle.ToolButtonTextOnly)
        menu = QMenu(self)
        menu.setToolTipsVisible(True)
        add_heading(menu, "The fitted head")
        menu.addActions(actions[: len(MODES)])
        add_heading(menu, "What the network sees")
        menu.addActions(self._predictions)
        for action in actions:
            action.toggled.connect(self._show)
        self.setMenu(menu)
        self.set_missing(missing)

    def set_missing(self, missing: str) -> None:
        """Why there is no network; empty where there is one."""
        told = f"No normal network: {missing}" if missing else ""
        self.setToolTip("What is drawn (N; keys 1 to 9 and 0)" + (f"\n{told}" if told else ""))
        for action in self._predictions:
            action.setEnabled(not missing)
            if missing:
                action.setToolTip(told)

    def _show(self) -> None:
        for action in self._actions:
            if action.isChecked():
                self.setText(action.text().removesuffix(" frame"))
