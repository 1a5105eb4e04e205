"""What there is to say of one side under the picture: its name, its time, how well it fits."""

from app.qt import QFrame, QLabel, Qt, QVBoxLayout, QWidget
from engine.compare.side_fit import SideFit, Step, normal_text, timing_label

__all__ = ["SidePanel", "side_texts"]


def side_texts(fit: SideFit | None, steps: tuple[Step, ...], *, offline: bool) -> tuple[str, str]:
    """Time, and quality or what it is waiting for.

    Args:
        fit: of the frame on the screen; None: not yet.
        steps: so far, where it is at work on this frame.
    """
    kind = "offline" if offline else "live"
    if fit is None:
        if steps:
            last = steps[-1]
            return f"{kind}, computing", f"{last.place}, {last.seconds:.1f} s so far"
        return f"{kind}, not computed yet", "waiting"
    facts = fit.problem or "no face found"
    if fit.fit is not None:
        facts = f"{normal_text(fit.fit)}  ·  landmarks {100 * fit.fit.landmark_rms:.1f} %"
    return timing_label(fit, offline=offline), facts


class SidePanel(QFrame):
    """Two lines of text."""

    def __init__(self, title: str, *, offline: bool, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self._title, self._offline = title, offline
        self.setObjectName("side")
        self._first, self._second = QLabel(), QLabel()
        self._second.setObjectName("dim")
        layout = QVBoxLayout(self)
        layout.setContentsMargins(10, 6, 10, 6)
        layout.setSpacing(2)
        layout.addWidget(self._first)
        layout.addWidget(self._second)
        self.show_side(None, ())

    def align_right(self) -> None:
        """For the side on the right."""
        for label in (self._first, self._second):
            label.setAlignment(Qt.AlignmentFlag.AlignRight)

    @property
    def text(self) -> str:
        """Both lines."""
        return f"{self._first.text()}\n{self._second.text()}"

    def show_side(self, fit: SideFit | None, steps: tuple[Step, ...]) -> None:
        """Args: as for `side_texts`."""
        timing, facts = side_texts(fit, steps, offline=self._offline)
        self._first.setText(f"{self._title}  ·  {timing}")
        self._second.setText(facts)
