"""What the banner says of views, and what its button does about it."""

from collections.abc import Callable

from app.banner import Banner
from app.source_menu import SourceButton, sample_request
from app.source_thread import Request
from app.telling import BannerJudge
from app.view import State, View

__all__ = ["ViewBanner"]


class ViewBanner:
    """Shows a view's problem or notice in a banner."""

    def __init__(
        self, banner: Banner, source: SourceButton, open_request: Callable[[Request], None]
    ) -> None:
        """source: offers others where one fails; open_request: tries one again."""
        self._banner, self._source, self._open = banner, source, open_request
        self._judge = BannerJudge()
        self._request: Request | None = None

    def reset(self, request: Request) -> None:
        """Another source."""
        self._request = request
        self._judge.reset()

    def show_view(self, view: View) -> None:
        """Say what there is to say."""
        if view.state is State.FAILED:
            self._show_problem(view.problem or "The source failed.")
        elif view.state is State.WAITING:
            text = view.problem or "The source is silent."
            self._banner.show_waiting(text, "Choose another…", self._source.showMenu)
        elif notice := self._judge.notice(view):
            self._banner.show_notice(notice)
        else:
            self._banner.hide()

    def _show_problem(self, problem: str) -> None:
        request = self._request
        if request is not None and request != sample_request():
            self._banner.show_problem(problem, "Try again", lambda: self._open(request))
        else:
            self._banner.show_problem(problem, "Open file…", self._source.open_file)
