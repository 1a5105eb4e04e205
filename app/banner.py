"""A message over the picture: what is wrong and what to do, in one or two lines."""

from collections.abc import Callable

from app.qt import QFrame, QHBoxLayout, QLabel, QPushButton, QSizePolicy, Qt, QWidget

__all__ = ["Banner"]

_MARGIN_PX = 16
_MAX_WIDTH_PX = 760


class Banner(QFrame):
    """Sits at the top of its parent, in the middle; hidden while there is nothing to say."""

    def __init__(self, parent: QWidget) -> None:
        super().__init__(parent)
        self.setObjectName("banner")
        self._label = QLabel()
        self._label.setWordWrap(True)
        self._label.setTextFormat(Qt.TextFormat.PlainText)
        self._label.setSizePolicy(QSizePolicy.Policy.Expanding, QSizePolicy.Policy.Preferred)
        self._label.setTextInteractionFlags(Qt.TextInteractionFlag.TextSelectableByMouse)
        self.button = QPushButton()
        self.button.setFocusPolicy(Qt.FocusPolicy.NoFocus)
        self.button.clicked.connect(lambda: self._act())
        self._act: Callable[[], None] = lambda: None
        layout = QHBoxLayout(self)
        layout.setContentsMargins(16, 10, 16, 10)
        layout.setSpacing(14)
        layout.addWidget(self._label)
        layout.addWidget(self.button)
        self.hide()

    @property
    def text(self) -> str:
        """What it says; empty while hidden."""
        return "" if self.isHidden() else self._label.text()

    def show_notice(self, text: str) -> None:
        """Something to know that needs no action."""
        self._show(text, "notice")

    def show_problem(self, text: str, button: str, act: Callable[[], None]) -> None:
        """Something that failed, with the one thing that most likely helps."""
        self._act = act
        self.button.setText(button)
        self._show(text, "error")

    def _show(self, text: str, kind: str) -> None:
        if (self.text, self.property("kind")) == (text, kind):
            return
        self._label.setText(text)
        self.button.setVisible(kind == "error")
        self.setProperty("kind", kind)
        self.style().polish(self)  # the style sheet looks at "kind"
        self.show()
        self.raise_()
        self.place()

    def place(self) -> None:
        """Take the place that the parent's size gives."""
        layout, parent = self.layout(), self.parentWidget()
        widest = min(_MAX_WIDTH_PX, parent.width() - 2 * _MARGIN_PX)
        button = self.button.sizeHint().width() + layout.spacing()
        text_width = self._label.fontMetrics().horizontalAdvance(self._label.text()) + 48
        extra = button if not self.button.isHidden() else 0
        width = max(1, min(widest, text_width + extra))
        self.setFixedWidth(width)
        wraps = layout.hasHeightForWidth()
        hint = layout.totalSizeHint().height()
        self.setFixedHeight(layout.totalHeightForWidth(width) if wraps else hint)
        self.move((parent.width() - width) // 2, _MARGIN_PX)
