"""What the banner says of views and of what went wrong beside them, and what its buttons do."""

from collections.abc import Callable, Sequence

from app.banner import Banner
from app.source_menu import SourceButton, sample_request
from app.source_thread import Request
from app.telling import BannerJudge
from app.told import Told
from app.view import State, View

__all__ = ["ViewBanner"]


class ViewBanner:
    """Shows problems of recording until they were read, else a view's problem; then what stands in
    for files that are not as they should be, until that was read, else a view's notice."""

    def __init__(
        self,
        banner: Banner,
        source: SourceButton,
        open_request: Callable[[Request], None],
        choose_folder: Callable[[], bool],
    ) -> None:
        """Args:
        source: offers others where one fails.
        open_request: tries one again.
        choose_folder: another one for takes; returns whether one was chosen.
        """
        self._banner, self._source, self._open = banner, source, open_request
        self._choose_folder = choose_folder
        self._judge = BannerJudge()
        self._request: Request | None = None
        self._view: View | None = None
        self._notice: str | None = None
        self._unread: list[Told] = []
        self._warnings: list[str] = []

    def warn(self, texts: Sequence[str]) -> None:
        """Say each, one after the other, until a person closes it; cause and fix."""
        self._warnings += texts
        self._show()

    def reset(self, request: Request) -> None:
        """Another source."""
        self._request = request
        self._judge.reset()

    def show_view(self, view: View) -> None:
        """Say what there is to say."""
        self._view, self._notice = view, self._judge.notice(view)
        self._show()

    def tell(self, problem: Told) -> None:
        """Say what went wrong, until a person closes it."""
        if problem not in self._unread:
            self._unread.append(problem)
        self._show()

    def _show(self) -> None:
        view = self._view
        if self._unread:
            self._show_told(self._unread[0])
        elif view is not None and view.state is State.FAILED:
            self._show_problem(view.problem or "The source failed.")
        elif view is not None and view.state is State.WAITING:
            text = view.problem or "The source is silent."
            self._banner.show_waiting(text, "Choose another…", self._source.showMenu)
        elif self._warnings:
            self._banner.show_warning(self._warnings[0], "Close", self._put_away)
        elif self._notice:
            self._banner.show_notice(self._notice)
        else:
            self._banner.hide()

    def _show_told(self, problem: Told) -> None:
        def choose() -> None:
            if self._choose_folder():
                self._has_read(problem)

        def read() -> None:
            self._has_read(problem)

        if problem.of_folder:
            self._banner.show_problem(problem.text, "Another folder…", choose, read)
        else:
            self._banner.show_problem(problem.text, "Close", read)

    def _has_read(self, problem: Told) -> None:
        self._unread = [told for told in self._unread if told != problem]
        self._show()

    def _put_away(self) -> None:
        self._warnings.pop(0)
        self._show()

    def _show_problem(self, problem: str) -> None:
        request = self._request
        if request is not None and request != sample_request():
            self._banner.show_problem(problem, "Try again", lambda: self._open(request))
        else:
            self._banner.show_problem(problem, "Open file…", self._source.open_file)
