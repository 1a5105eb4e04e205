"""What the window asks for."""

from collections.abc import Callable
from dataclasses import dataclass

from app.options import Options
from app.source_thread import Request

__all__ = ["Commands"]


@dataclass(frozen=True, slots=True)
class Commands:
    """What the window asks for; it knows nothing of threads or sources."""

    open: Callable[[Request], None]
    set_paused: Callable[[bool], None]
    closed: Callable[[], None]
    use_method: Callable[[str], None] = lambda name: None
    compare_with: Callable[[str], None] = lambda name: None
    seek: Callable[[float], None] = lambda share: None
    set_options: Callable[[Options], None] = lambda options: None
    renew_fitter: Callable[[], None] = lambda: None
    renew_person: Callable[[], None] = lambda: None
