"""Works ahead on a thread of its own: items are made while those before are still in use."""

import queue
import threading
from collections.abc import Generator
from typing import TypeVar

__all__ = ["ahead"]

T = TypeVar("T")

_PATIENCE_S = 0.1
"""How often a thread that waits looks whether it is still wanted; and a reader for Ctrl-C."""


def ahead(items: Generator[T, None, None], depth: int = 2) -> Generator[T, None, None]:
    """The same items in the same order, up to `depth` of them made before they are asked for.

    An error comes where it would have come. Closing the iterator, or leaving it by an error, ends
    the thread after the item that it is at, and closes `items` there.
    """
    ready: queue.Queue[tuple[T] | Exception | None] = queue.Queue(depth)
    wanted = threading.Event()
    wanted.set()

    def hand_over(entry: tuple[T] | Exception | None) -> bool:
        while wanted.is_set():
            try:
                ready.put(entry, timeout=_PATIENCE_S)
            except queue.Full:
                continue
            return True
        return False

    def work() -> None:
        end: Exception | None = None
        try:
            for item in items:
                if not hand_over((item,)):
                    break
        except Exception as error:  # noqa: BLE001  (it is raised where the items are read)
            end = error
        finally:
            items.close()
        hand_over(end)

    thread = threading.Thread(target=work, name="n2f-ahead", daemon=True)
    thread.start()
    try:
        while True:
            try:
                entry = ready.get(timeout=_PATIENCE_S)
            except queue.Empty:
                continue
            if entry is None:
                return
            if isinstance(entry, Exception):
                raise entry
            yield entry[0]
    finally:
        wanted.clear()
        thread.join()
