"""The bar under a film: where it is, and where to go."""

from collections.abc import Callable

from app.qt import QSlider, Qt
from app.view import View

__all__ = ["FilmBar"]

_STEPS = 1000


class FilmBar(QSlider):
    """Hidden where there is nothing to go through."""

    def __init__(self, seek: Callable[[float], None]) -> None:
        """seek: called with the place that a person wants, 0..1."""
        super().__init__(Qt.Orientation.Horizontal)
        self._seek = seek
        self._position: float | None = None
        self.setRange(0, _STEPS)
        self.setFocusPolicy(Qt.FocusPolicy.NoFocus)
        self.setToolTip("Place in the film (Left and Right go by a twentieth)")
        self.setAccessibleName("Place in the film")
        self.valueChanged.connect(lambda at: seek(at / _STEPS))
        self.hide()

    def show_view(self, view: View) -> None:
        """Follow a view."""
        self._position = view.position
        self.setVisible(view.position is not None)
        if view.position is not None and not self.isSliderDown():
            self.blockSignals(True)  # it follows the film here, and does not lead it
            self.setValue(round(view.position * _STEPS))
            self.blockSignals(False)

    def go(self, by_share: float) -> None:
        """From here, -1..1 of the film."""
        if self._position is not None:
            self._seek(min(1.0, max(0.0, self._position + by_share)))
