"""The head-up display: where the time goes, in numbers over the picture."""

import time
from collections.abc import Sequence

from app.meter import Meter, Recent, memory_mb
from app.qt import QLabel, Qt, QWidget
from app.view import State, View

__all__ = ["Hud", "ShownMeter", "hud_lines"]

_EVERY_S = 0.25
"""Numbers that change faster cannot be read."""
_MARGIN_PX = 12
_WHOLE = 200_000
"""Frames of an hour at 55 a second."""


class ShownMeter:
    """Counts frames as they reach the screen, and how old they are then."""

    def __init__(self) -> None:
        self._meter, self._ages = Meter(), Recent()
        self._last_ns: int | None = None
        self.n_shown = 0
        """Frames that reached the screen."""

    def shown(self, captured_ns: int) -> None:
        """A frame is on the screen; the same again does not count."""
        if captured_ns == self._last_ns:
            return
        self._last_ns = captured_ns
        self.n_shown += 1
        self._meter.add({})
        self._ages.add((time.perf_counter_ns() - captured_ns) / 1e6)

    def restart(self, *, whole: bool = False) -> None:
        """Count from here. whole: for ever; else the last frames only."""
        n = _WHOLE if whole else None
        self._meter = Meter(n) if n else Meter()
        self._ages = Recent(n) if n else Recent()
        self.n_shown = 0

    @property
    def fps(self) -> float:
        """Frames a second that reach the screen."""
        return self._meter.fps

    @property
    def age_ms(self) -> tuple[float, float] | None:
        """p50 and p95 of capture to screen."""
        return self._ages.percentiles()


def hud_lines(view: View, shown: ShownMeter, memory: float) -> Sequence[str]:
    """The display's lines for a view."""
    stats = view.stats
    source = f"{stats.source_fps:.1f}" if stats.source_fps is not None else "-"
    lines = [f"shown {shown.fps:.1f}/s   fitted {stats.fps:.1f}/s   source {source}/s"]
    if stats.source_format is not None:
        lines.append(f"camera promises {stats.source_format.title}")
    if (age := shown.age_ms) is not None:
        lines.append(f"{'age':<9}{age[0]:7.1f}{age[1]:8.1f}  ms p50, p95")
    for stage, p50 in stats.stage_ms.items():
        lines.append(f"{stage:<9}{p50:7.1f}{stats.stage_p95_ms.get(stage, p50):8.1f}")
    lines.append(f"dropped {stats.dropped}   memory {memory:.0f} MB")
    if stats.provider:
        lines.append(f"runs on {stats.provider}")
    if (steady := stats.steadiness) is not None:
        lag = f"{steady.lag_ms:.0f} ms" if steady.lag_ms is not None else "- (nothing moves)"
        lines.append(f"jitter {steady.raw_jitter_px:.2f} px raw, {steady.jitter_px:.2f} filtered")
        lines.append(f"lag of the filter {lag}")
    if view.faces:
        trust = ", ".join(f"#{f.crop.face_id} {100 * f.quality:.0f} %" for f in view.faces)
        lines.append(f"trust {trust}")
    return lines


class Hud(QLabel):
    """Sits in its parent's lower left corner; looks at a view a few times a second."""

    def __init__(self, parent: QWidget, shown: ShownMeter) -> None:
        super().__init__(parent)
        self._shown = shown
        self._last_s = 0.0
        self.setObjectName("hud")
        self.setTextFormat(Qt.TextFormat.PlainText)
        self.setAttribute(Qt.WidgetAttribute.WA_TransparentForMouseEvents)
        self.hide()

    def show_view(self, view: View) -> None:
        """Take in a newer view."""
        now_s = time.monotonic()
        if self.isHidden() or now_s - self._last_s < _EVERY_S or view.state is State.LOADING:
            return
        self._last_s = now_s
        self.setText("\n".join(hud_lines(view, self._shown, memory_mb())))
        self.place()

    def place(self) -> None:
        """Take the place that the parent's size gives."""
        self.adjustSize()
        self.move(_MARGIN_PX, self.parentWidget().height() - self.height() - _MARGIN_PX)
        self.raise_()
