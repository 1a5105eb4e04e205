"""A message over the picture: what is wrong and what to do, in one or two lines."""

from collections.abc import Callable

from app.qt import (
    QEvent,
    QFrame,
    QHBoxLayout,
    QLabel,
    QObject,
    QPushButton,
    QSizePolicy,
    Qt,
    QWidget,
)

__all__ = ["Banner"]

_MARGIN_PX = 16
_MAX_WIDTH_PX = 820


class Banner(QFrame):
    """Sits at the top of its parent, in the middle; hidden while there is nothing to say."""

    def __init__(self, parent: QWidget, show_details: Callable[[str], None] | None = None) -> None:
        """show_details: shows a problem with all that a report of it needs; None: no button."""
        super().__init__(parent)
        self.setObjectName("banner")
        self._label = QLabel()
        self._label.setWordWrap(True)
        self._label.setTextFormat(Qt.TextFormat.PlainText)
        self._label.setSizePolicy(QSizePolicy.Policy.Expanding, QSizePolicy.Policy.Preferred)
        self._label.setTextInteractionFlags(Qt.TextInteractionFlag.TextSelectableByMouse)
        self.button = self._add_button(lambda: self._act())
        self.details = self._add_button(lambda: show_details and show_details(self.text))
        self.details.setText("Details")
        self._has_details = show_details is not None
        self.close_button = self._add_button(lambda: self._read())
        self.close_button.setText("Close")
        self._act: Callable[[], None] = lambda: None
        self._read: Callable[[], None] = lambda: None
        layout = QHBoxLayout(self)
        layout.setContentsMargins(16, 10, 16, 10)
        layout.setSpacing(14)
        for part in (self._label, self.button, self.details, self.close_button):
            layout.addWidget(part)
        self.hide()
        parent.installEventFilter(self)

    @property
    def text(self) -> str:
        """What it says; empty while hidden."""
        return "" if self.isHidden() else self._label.text()

    def show_notice(self, text: str) -> None:
        """Something to know that needs no action."""
        self._show(text, "notice")

    def show_waiting(self, text: str, button: str, act: Callable[[], None]) -> None:
        """Something that the program is mending by itself, and what else would help."""
        self._act = act
        self.button.setText(button)
        self._show(text, "waiting")

    def show_warning(self, text: str, button: str, act: Callable[[], None]) -> None:
        """Something that is not as it should be, and goes on all the same."""
        self._act = act
        self.button.setText(button)
        self._show(text, "waiting")

    def show_problem(
        self,
        text: str,
        button: str,
        act: Callable[[], None],
        read: Callable[[], None] | None = None,
    ) -> None:
        """Something that failed, with the one thing that most likely helps.

        Args:
            read: what a button to close it does; None: it stays for as long as it holds.
        """
        self._act = act
        self.button.setText(button)
        self._show(text, "error", read)

    def _add_button(self, act: Callable[[], object]) -> QPushButton:
        button = QPushButton()
        button.setFocusPolicy(Qt.FocusPolicy.TabFocus)
        button.setAutoDefault(True)  # Enter presses it, once Tab has reached it
        button.clicked.connect(lambda: act())
        return button

    def _show(self, text: str, kind: str, read: Callable[[], None] | None = None) -> None:
        can_close, self._read = read is not None, read or (lambda: None)
        shown = (self.text, self.property("kind"), not self.close_button.isHidden())
        if shown == (text, kind, can_close):
            return
        self.close_button.setVisible(can_close)
        self._label.setText(text)
        self.button.setVisible(kind != "notice")
        self.details.setVisible(kind != "notice" and self._has_details)
        self.setProperty("kind", kind)
        self.style().polish(self)  # the style sheet looks at "kind"
        self.show()
        self.raise_()
        self.place()

    def eventFilter(self, watched: QObject | None, event: QEvent | None) -> bool:
        """The parent has another size."""
        if event is not None and event.type() is QEvent.Type.Resize:
            self.place()
        return False

    def place(self) -> None:
        """Take the place that the parent's size gives."""
        layout, parent = self.layout(), self.parentWidget()
        widest = min(_MAX_WIDTH_PX, parent.width() - 2 * _MARGIN_PX)
        shown = [
            button
            for button in (self.button, self.details, self.close_button)
            if not button.isHidden()
        ]
        extra = sum(button.sizeHint().width() + layout.spacing() for button in shown)
        text_width = self._label.fontMetrics().horizontalAdvance(self._label.text()) + 48
        width = max(1, min(widest, text_width + extra))
        self.setFixedWidth(width)
        wraps = layout.hasHeightForWidth()
        hint = layout.totalSizeHint().height()
        self.setFixedHeight(layout.totalHeightForWidth(width) if wraps else hint)
        self.move((parent.width() - width) // 2, _MARGIN_PX)
