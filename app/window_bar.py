"""The tool bars of the window: their buttons, and the actions that are behind them."""

from collections.abc import Callable
from dataclasses import dataclass

from app.method_menu import MethodButton
from app.qt import (
    QAction,
    QActionGroup,
    QHBoxLayout,
    QLabel,
    QMainWindow,
    QSize,
    QSizePolicy,
    QSlider,
    Qt,
    QToolBar,
    QToolButton,
    QWidget,
)
from app.source_menu import SourceButton
from app.view_menu import MODES, PREDICTIONS, ViewButton
from app.window_keys import WindowKeys
from engine.render.prediction import PredictionMode
from engine.render.renderer import RenderMode

__all__ = ["BarActs", "EndBar", "WindowBar"]

_OPACITY_STEP = 10  # percent


@dataclass(frozen=True, slots=True)
class BarActs:
    """What the bar's buttons do."""

    set_mode: Callable[[RenderMode | PredictionMode], None]
    set_opacity: Callable[[int], None]  # percent
    set_avatar: Callable[[bool], None]
    set_mirrored: Callable[[bool], None]
    set_paused: Callable[[bool], None]
    set_steady: Callable[[bool], None]
    set_numbers: Callable[[bool], None]


class EndBar(QToolBar):
    """What is always to be seen: where the window is narrow, the bar before it gives way."""

    def __init__(self, window: QMainWindow) -> None:
        super().__init__(window)
        _fix(self)

    def add_button(self, button: QToolButton) -> None:
        """At the end, where keys do not stop at it."""
        button.setFocusPolicy(Qt.FocusPolicy.NoFocus)
        self.addWidget(button)

    def minimumSizeHint(self) -> QSize:
        return self.sizeHint()


def _fix(bar: QToolBar) -> None:
    """Where it is, and with an arrow that can be seen for what has no room."""
    bar.setMovable(False)
    bar.setContextMenuPolicy(Qt.ContextMenuPolicy.PreventContextMenu)
    arrow = bar.findChild(QToolButton, "qt_toolbar_ext_button")
    if arrow is not None:  # Qt's own icon is black, and is squeezed to nothing by our padding
        arrow.setToolButtonStyle(Qt.ToolButtonStyle.ToolButtonTextOnly)
        arrow.setText("»")
        arrow.setToolTip("More buttons")


class WindowBar(QToolBar):
    """Made whole but for the method's button, which comes when methods are known."""

    def __init__(
        self,
        window: QMainWindow,
        keys: WindowKeys,
        opacity: float,
        acts: BarActs,
        source_button: SourceButton,
        no_normals: str,
    ) -> None:
        """Args:
        opacity: 0..1 of the heads at first.
        no_normals: why there is no normal network; empty where there is one.
        """
        super().__init__(window)
        self._window, self._keys = window, keys
        _fix(self)
        self.addWidget(source_button)
        self.addSeparator()
        self.mode_actions: dict[RenderMode | PredictionMode, QAction] = {}
        self._add_modes(acts.set_mode, no_normals)
        self.addSeparator()
        self.opacity_slider = self._add_opacity(opacity, acts.set_opacity)
        self.addSeparator()
        self.avatar_action = keys.toggle("Avatar", "A", acts.set_avatar, "The head alone")
        self.mirror_action = keys.toggle("Mirror", "M", acts.set_mirrored)
        self.pause_action = keys.toggle("Pause", "Space", acts.set_paused)
        self.steady_action = keys.toggle("Steady", "T", acts.set_steady, "Filtered, or raw")
        self.hud_action = keys.toggle("Numbers", "H", acts.set_numbers, "Times, age, drops, memory")
        self.addActions([self.avatar_action, self.mirror_action, self.pause_action])
        self.addActions([self.steady_action, self.hud_action])

    def add_method(self, button: MethodButton) -> None:
        """Before the views."""
        self.insertWidget(self._before_modes, button)
        self.insertSeparator(self._before_modes)

    def check_mode(self, name: str) -> None:
        """Choose a view by its name; the first one where that cannot be."""
        named = {str(mode): action for mode, action in self.mode_actions.items()}
        action = named.get(name)
        if action is None or not action.isEnabled():
            action = self.mode_actions[RenderMode.SHADED]
        action.setChecked(True)

    def _add_modes(
        self, set_mode: Callable[[RenderMode | PredictionMode], None], no_normals: str
    ) -> None:
        group = QActionGroup(self._window)
        for i, (mode, title) in enumerate((*MODES, *PREDICTIONS), start=1):
            action = self._keys.toggle(
                title, str(i % 10), lambda on, mode=mode: on and set_mode(mode)
            )
            group.addAction(action)
            self._window.addAction(action)  # so that its key works from a closed menu too
            self.mode_actions[mode] = action
        self.view_button = ViewButton(self._window, list(self.mode_actions.values()), no_normals)
        self._before_modes = self.addWidget(self.view_button)

    def _add_opacity(self, opacity: float, set_opacity: Callable[[int], None]) -> QSlider:
        both, slider = QWidget(), QSlider(Qt.Orientation.Horizontal)
        row = QHBoxLayout(both)  # which has room, or has not, as a whole
        row.setContentsMargins(4, 0, 4, 0)
        both.setSizePolicy(QSizePolicy.Policy.Fixed, QSizePolicy.Policy.Preferred)
        row.addWidget(QLabel("Opacity"))
        row.addWidget(slider)
        slider.setRange(0, 100)
        slider.setFixedWidth(70)
        slider.setFocusPolicy(Qt.FocusPolicy.NoFocus)
        slider.setAccessibleName("Opacity of the head")
        slider.setToolTip("Opacity of the head ([ less, ] more)")
        slider.setValue(round(100 * opacity))
        slider.valueChanged.connect(set_opacity)
        self.addWidget(both)
        for key, meaning, step in (("[", "Less", -1), ("]", "More", 1)):
            self._keys.add(
                key,
                f"{meaning} opaque",
                lambda step=step: slider.setValue(slider.value() + step * _OPACITY_STEP),
            )
        return slider
