"""What is closed at the end of a `with`."""

from types import TracebackType
from typing import Self

__all__ = ["Closing"]


class Closing:
    """Gives a class that has `close` the two methods of a context manager."""

    def close(self) -> None:
        """Free what is held. Safe to call twice."""
        raise NotImplementedError

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.close()
