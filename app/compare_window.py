"""The window of a comparison: wipe, error map, times and residuals, graph, scrub bar."""

from collections.abc import Callable
from dataclasses import dataclass

import moderngl
import numpy as np

from app.banner import Banner
from app.compare_board import LEFT, RIGHT, Board, Phase, Spot
from app.convergence_graph import ConvergenceGraph
from app.qt import (
    QActionGroup,
    QCloseEvent,
    QHBoxLayout,
    QLabel,
    QMainWindow,
    QResizeEvent,
    Qt,
    QTimer,
    QToolBar,
    QVBoxLayout,
    QWidget,
)
from app.scale_legend import ScaleLegend
from app.scrub_bar import Mark, ScrubBar
from app.side_panel import SidePanel
from app.window_keys import WindowKeys
from app.window_picture import window_picture
from app.wipe_widget import WipeSide, WipeWidget
from engine.compare.side_fit import SideFit, time_text
from engine.compare.zoom import FaceWindow, zoomed
from engine.render.colour_scale import scale_colours
from engine.render.renderer import MeshRenderer, RenderMode
from engine.types import U8, Reconstruction

__all__ = ["CompareWindow", "Labels"]

MODES = (
    (RenderMode.SHADED, "Shaded"),
    (RenderMode.WIREFRAME, "Wireframe"),
    (RenderMode.HEAD_NORMALS, "Normals, head"),
    (RenderMode.LANDMARKS, "Landmarks"),
)
"""In the order of their keys, from 1."""
_PLAY_MS = (30, 500)
"""Shortest and longest time that a frame is shown: what is compared may be seconds apart."""
_SPLIT_STEP = 0.05
_ZOOMED_PX = 900
"""Sides of the picture of a face alone."""


@dataclass(frozen=True, slots=True)
class Labels:
    """What the window says of what it compares."""

    title: str  # of the input
    methods: tuple[str, str]  # left and right
    offline: tuple[bool, bool]
    top_mm: float  # where the error map's colours end


class CompareWindow(QMainWindow):
    """Shows a board; call `refresh` when there is news on it."""

    def __init__(
        self,
        make_renderer: Callable[[moderngl.Context], MeshRenderer],
        board: Board,
        labels: Labels,
        want: Callable[[int], None] = lambda at: None,
        closed: Callable[[], None] = lambda: None,
    ) -> None:
        """Args:
        want: told which frame is looked at.
        closed: called when the window closes.
        """
        super().__init__()
        self._board, self._labels, self._want, self._closed = board, labels, want, closed
        self.position = 0
        self._window = FaceWindow()
        self._drawn: tuple[object, ...] = ()
        self.setWindowTitle(f"n2fnet: {labels.methods[0]} and {labels.methods[1]}")
        self.resize(1120, 900)
        self.setMinimumSize(560, 480)
        self.canvas = WipeWidget(make_renderer)
        self.banner = Banner(self.canvas)
        self.legend = ScaleLegend(labels.top_mm, self.canvas)
        self.legend.hide()
        self.panels = tuple(
            SidePanel(method, offline=offline)
            for method, offline in zip(labels.methods, labels.offline, strict=True)
        )
        self.distance = QLabel()
        self.distance.setAlignment(Qt.AlignmentFlag.AlignCenter)
        self.graph = ConvergenceGraph()
        self.graph.setVisible(any(labels.offline))
        self.scrub = ScrubBar()
        self.scrub.moved.connect(self.go)
        self._timer = QTimer(self)
        self._timer.setSingleShot(True)
        self._timer.timeout.connect(self._play_on)
        self._keys = WindowKeys(self)
        self._lay_out()
        self._add_toolbar()
        self._state = QLabel()
        self.statusBar().setSizeGripEnabled(False)
        self.statusBar().addWidget(self._state, 1)
        self.refresh()

    @property
    def status_text(self) -> str:
        return self._state.text()

    def go(self, position: int) -> None:
        """Look at another frame, 0..n-1; beyond the ends it is the last one there."""
        position = min(max(position, 0), max(self._board.n_frames - 1, 0))
        self.position = position
        self._want(position)
        self.refresh()

    def refresh(self) -> None:
        """Show what is on the board."""
        phase, problem = self._board.look()
        if phase is Phase.FAILED:
            self.banner.show_problem(problem, "Close", self.close)
        spot = self._board.spot(self.position)
        if spot is not None:
            self._show_spot(spot)
        self._show_progress(phase)

    def picture(self) -> U8:
        """(H, W, 3) RGB: the window as it is on the screen."""
        return window_picture(self)

    def resizeEvent(self, event: QResizeEvent) -> None:
        super().resizeEvent(event)
        self._place_legend()

    def closeEvent(self, event: QCloseEvent) -> None:
        self._timer.stop()
        self._closed()
        super().closeEvent(event)

    def _show_spot(self, spot: Spot) -> None:
        self._draw(spot)
        for panel, fit, steps in zip(self.panels, spot.fits, spot.steps, strict=True):
            panel.show_side(fit, steps)
        self.distance.setText(_distance_text(spot))
        self._show_graph(spot)

    def _draw(self, spot: Spot) -> None:
        """Only what is not on the screen yet: drawing takes time from those who compute."""
        shown = (
            spot.frame,
            *spot.fits,
            self.error_action.isChecked(),
            self.zoom_action.isChecked(),
        )
        if shown == self._drawn:
            return
        self._drawn = shown
        colours = None
        if self.error_action.isChecked() and spot.difference is not None:
            colours = scale_colours(spot.difference.aligned_mm, self._labels.top_mm)
        image, heads = self._seen(spot)
        left, right = (WipeSide(faces, colours) for faces in heads)
        self.canvas.show_pair(image, left, right)

    def _seen(self, spot: Spot) -> tuple[U8, list[tuple[Reconstruction, ...]]]:
        """The frame or, on request, the face alone; and the heads of both sides in it."""
        left, right = (_faces(fit) for fit in spot.fits)
        square = self._window.follow([*left, *right])
        if not self.zoom_action.isChecked() or square is None:
            return spot.frame.image, [left, right]
        image, moved = zoomed(spot.frame.image, [*left, *right], square, _ZOOMED_PX)
        return image, [tuple(moved[: len(left)]), tuple(moved[len(left) :])]

    def _show_graph(self, spot: Spot) -> None:
        """Of the first offline side, which with one such side is the one."""
        if not any(self._labels.offline):
            return
        side = self._labels.offline.index(True)
        fit = spot.fits[side]
        steps = spot.steps[side] if fit is None else fit.curve
        remark = "not computed yet" if fit is None else "no curve for this frame"
        self.graph.show_steps(f"{self._labels.methods[side]}, this frame", steps, remark)

    def _show_progress(self, phase: Phase) -> None:
        n = self._board.n_frames
        marks = [self._marks(side, n) for side in (LEFT, RIGHT)]
        self.scrub.show_marks(marks[LEFT], marks[RIGHT], self.position)
        if phase is Phase.OPENING:
            self._state.setText(f"Opening {self._labels.title} …")
            return
        parts = [f"{self._labels.title}  ·  frame {self.position + 1} of {n}"]
        parts += [self._progress(side, n) for side in (LEFT, RIGHT)]
        self._state.setText("  ·  ".join(parts))

    def _progress(self, side: int, n: int) -> str:
        fits = self._board.fits(side)
        text = f"{self._labels.methods[side]} {len(fits)}/{n}"
        computed = [fit.seconds for fit in fits.values() if not fit.from_cache]
        if self._labels.offline[side] and computed and len(fits) < n:
            left_s = float(np.median(computed)) * (n - len(fits))
            text += (
                f" (about {time_text(left_s) if left_s < 90 else f'{left_s / 60:.0f} min'} left)"
            )
        return text

    def _marks(self, side: int, n: int) -> list[Mark]:
        fits, at_work = self._board.fits(side), self._board.at_work(side)
        return [Mark.AT_WORK if at == at_work else _mark(fits.get(at)) for at in range(n)]

    def _lay_out(self) -> None:
        row = QHBoxLayout()
        row.setContentsMargins(0, 0, 0, 0)
        row.setSpacing(0)
        self.panels[RIGHT].align_right()
        row.addWidget(self.panels[LEFT], 3)
        row.addWidget(self.distance, 2)
        row.addWidget(self.panels[RIGHT], 3)
        layout = QVBoxLayout()
        layout.setContentsMargins(0, 0, 0, 0)
        layout.setSpacing(0)
        layout.addWidget(self.canvas, 1)
        layout.addLayout(row)
        layout.addWidget(self.graph)
        layout.addWidget(self.scrub)
        central = QWidget()
        central.setLayout(layout)
        self.setCentralWidget(central)

    def _add_toolbar(self) -> None:
        bar = QToolBar()
        bar.setMovable(False)
        bar.setContextMenuPolicy(Qt.ContextMenuPolicy.PreventContextMenu)
        self.addToolBar(bar)
        group = QActionGroup(self)
        for key, (mode, title) in enumerate(MODES, start=1):
            action = self._keys.toggle(
                title, str(key), lambda on, mode=mode: on and self.canvas.set_mode(mode)
            )
            group.addAction(action)
            bar.addAction(action)
            action.setChecked(mode is self.canvas.mode)
        bar.addSeparator()
        self.error_action = self._keys.toggle("Error map", "E", self._show_errors)
        self.zoom_action = self._keys.toggle("Zoom", "Z", lambda on: self.refresh())
        self.play_action = self._keys.toggle("Play", "Space", self._set_playing)
        bar.addActions([self.error_action, self.zoom_action, self.play_action])
        for keys, step in (("Left", -1), ("Right", 1)):
            self._keys.add(keys, "", lambda step=step: self.go(self.position + step))
        for left, right in (("[", "]"), (",", ".")):
            self._keys.add(left, "", lambda: self.canvas.move_line(-_SPLIT_STEP))
            self._keys.add(right, "", lambda: self.canvas.move_line(_SPLIT_STEP))
        self._keys.add("Home", "", lambda: self.go(0))
        self._keys.add("End", "", lambda: self.go(self._board.n_frames))
        self._keys.add("Q", "", self.close)
        self._keys.add("Esc", "", self.close)

    def _show_errors(self, on: bool) -> None:
        self.legend.setVisible(on)
        self._place_legend()
        self.refresh()

    def _place_legend(self) -> None:
        canvas, legend = self.canvas.size(), self.legend.size()
        self.legend.move(
            canvas.width() - legend.width() - 14, canvas.height() - legend.height() - 14
        )

    def _set_playing(self, on: bool) -> None:
        if on:
            self._play_on()
        else:
            self._timer.stop()

    def _play_on(self) -> None:
        """The next frame, and from the last one the first."""
        n = self._board.n_frames
        if n:
            self.go((self.position + 1) % n)
        here, there = self._board.spot(self.position), self._board.spot(self.position + 1)
        wait_ms = _PLAY_MS[1]
        if here is not None and there is not None:
            wait_ms = round((there.frame.t_ns - here.frame.t_ns) / 1e6)
        self._timer.start(min(max(wait_ms, _PLAY_MS[0]), _PLAY_MS[1]))


def _faces(fit: SideFit | None) -> tuple[Reconstruction, ...]:
    return () if fit is None or fit.fit is None else (fit.fit,)


def _mark(fit: SideFit | None) -> Mark:
    if fit is None:
        return Mark.PENDING
    if fit.fit is None:
        return Mark.NO_FACE
    return Mark.CACHED if fit.from_cache else Mark.DONE


def _distance_text(spot: Spot) -> str:
    if spot.difference is not None:
        aligned, seen = spot.difference.aligned, spot.difference.in_view
        return f"{aligned.mean:.2f} mm apart, aligned\n{seen.mean:.1f} mm as they stand"
    if any(fit is not None and fit.fit is None for fit in spot.fits):
        return "no face on both sides"
    return ""
