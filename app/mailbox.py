"""A mailbox for one item: the newest wins, or it waits for its reader where nothing may be lost."""

import threading
from typing import Generic, TypeVar

__all__ = ["Mailbox"]

T = TypeVar("T")


class Mailbox(Generic[T]):
    """Hands the newest item from one thread to another; never a queue, so never a lag."""

    def __init__(self) -> None:
        self._changed = threading.Condition()
        self._item: T | None = None
        self._dropped = 0
        self._closed = False

    @property
    def dropped(self) -> int:
        """How many items were replaced before anyone took them."""
        with self._changed:
            return self._dropped

    @property
    def closed(self) -> bool:
        with self._changed:
            return self._closed

    def put(self, item: T) -> bool:
        """Leave an item in place of any there. After close() it is ignored.

        Returns: True if the box was empty, so that its reader needs telling.
        """
        with self._changed:
            if self._closed:
                return False
            was_empty = self._item is None
            self._dropped += not was_empty
            self._item = item
            self._changed.notify_all()
            return was_empty

    def hand_over(self, item: T, timeout_s: float | None = None) -> bool:
        """Leave an item once the box is empty: nothing is dropped, the sender waits.

        Returns: False if the box was closed, or still full after timeout_s seconds.
        """
        with self._changed:
            free = self._changed.wait_for(lambda: self._closed or self._item is None, timeout_s)
            if self._closed or not free:
                return False
            self._item = item
            self._changed.notify_all()
            return True

    def take(self, timeout_s: float | None = 0.0) -> T | None:
        """Take the item out, waiting for one up to timeout_s seconds (None: for ever).

        Returns: None when the time is over, or at once when the box is closed and empty.
        """
        with self._changed:
            self._changed.wait_for(lambda: self._closed or self._item is not None, timeout_s)
            item, self._item = self._item, None
            self._changed.notify_all()  # whoever waits to hand one over
            return item

    def close(self) -> None:
        """No more items: wakes whoever waits. Safe to call twice."""
        with self._changed:
            self._closed = True
            self._changed.notify_all()
