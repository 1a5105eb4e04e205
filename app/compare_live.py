"""Wiring of the comparison's window: plan, worker thread, board, Qt. No torch in this process."""

from collections.abc import Callable, Iterable
from pathlib import Path

from app.compare_board import Board, Phase
from app.compare_window import CompareWindow, Labels
from app.compare_worker import CompareWorker
from app.display import check_display
from app.leaving import leave, let_signals_close
from app.qt import QObject, Qt, pyqtSignal
from app.session import make_application
from engine.compare.difference import MeshDifference
from engine.compare.plan import Plan
from engine.compare.selection import chosen_frames
from engine.compare.sides import Side
from engine.errors import CaptureError, EngineError, OutputError
from engine.flame.model import HeadModel
from engine.io.image import save_png
from engine.io.source import Source
from engine.render.overlay import head_renderer
from engine.types import Frame

__all__ = ["CompareSession", "run_compare_window"]

_FRAMES = 100
"""Where nothing else is asked for: all are kept in memory."""


class CompareSession(QObject):
    """A window, and the worker that fills the board it shows.

    News is told by a queued signal without data, at most one of which is ever waiting.
    """

    _poked = pyqtSignal()

    def __init__(
        self,
        model: HeadModel,
        labels: Labels,
        open_source: Callable[[], Source],
        open_sides: Callable[[Source], tuple[Side, Side]],
        choose: Callable[[Source], Iterable[Frame]],
    ) -> None:
        """Args: as for `CompareWindow` and `CompareWorker`."""
        super().__init__()
        self.board = Board(self._poked.emit)
        self.worker = CompareWorker(
            open_source, open_sides, choose, MeshDifference(model), self.board
        )
        self.window = CompareWindow(
            lambda ctx: head_renderer(ctx, model), self.board, labels, self.worker.want, self.stop
        )
        self.on_news: Callable[[], None] = lambda: None
        self.stopped_clean = True
        self._poked.connect(self._look, Qt.ConnectionType.QueuedConnection)

    def start(self) -> None:
        self.window.show()
        self.worker.start()

    def stop(self) -> None:
        """End worker and processes; the window's GL goes with the window."""
        self.window.hide()
        self.stopped_clean = self.worker.stop()

    def _look(self) -> None:
        self.window.refresh()
        self.on_news()


def run_compare_window(plan: Plan, screenshot: Path | None, after: int) -> int:
    """Open the window and stay until it is closed.

    Args:
        screenshot: PNG to write when `after` frames are compared, before quitting by itself.
    Returns: the exit code.
    Raises: EngineError: if there is no display or, where a screenshot is asked for, it cannot be
        written or the comparison fails.
    """
    check_display()
    application = make_application()
    labels = Labels(Path(plan.spec).name or plan.spec, plan.methods, plan.offline, plan.top_mm)
    at_most = plan.at_most or _FRAMES
    session = CompareSession(
        plan.model,
        labels,
        plan.open_source,
        plan.open_sides,
        lambda source: chosen_frames(source, plan.every, at_most),
    )
    photographer = None
    if screenshot is not None:
        photographer = _Photographer(session, screenshot, after)
        session.on_news = photographer
    timer = let_signals_close(session.window)
    session.start()
    code = application.exec()
    timer.stop()
    if photographer is not None and photographer.problem is not None:
        raise photographer.problem
    return leave(code, clean=session.stopped_clean)


class _Photographer:
    """Saves the window when enough is compared, then closes it."""

    problem: EngineError | None = None
    """Why there is no good picture; raised inside Qt's loop it would end the program."""

    def __init__(self, session: CompareSession, path: Path, after: int) -> None:
        self._session, self._path, self._after = session, path, after

    def __call__(self) -> None:
        board, window = self._session.board, self._session.window
        phase, problem = board.look()
        enough = board.n_compared >= self._after
        if not enough and phase in (Phase.OPENING, Phase.WORKING):
            return
        self._session.on_news = lambda: None
        if phase is Phase.FAILED:
            self.problem = CaptureError(problem)
        elif not enough and not board.n_compared:
            self.problem = CaptureError("no frame shows a face to both methods")
        try:
            save_png(self._path, window.picture())
        except OutputError as error:
            self.problem = error
        window.close()
