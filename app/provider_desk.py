"""What networks run on: by choice, or by what was measured here; the figures are remembered."""

import logging
import threading
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path

from app.qt import QObject, pyqtSignal
from app.settings import SettingsStore
from engine.errors import EngineError
from engine.provider_speed import (
    ProviderSpeed,
    fastest,
    machine_key,
    measure_providers,
    shipped_networks,
)

__all__ = ["FASTEST", "ProviderDesk"]

logger = logging.getLogger(__name__)

FASTEST = "fastest"
_CLOSING_S = 10.0
"""A network that is being loaded cannot be interrupted."""

Measure = Callable[[Sequence[Path], Callable[[str], None], Callable[[], bool]], list[ProviderSpeed]]


def _measure(
    networks: Sequence[Path], tell: Callable[[str], None], stopped: Callable[[], bool]
) -> list[ProviderSpeed]:
    return measure_providers(networks, tell=tell, stopped=stopped)


class ProviderDesk(QObject):
    """Measures on a thread of its own, beside what is shown: that is how networks will run."""

    told = pyqtSignal(str)
    """Something to read: what is measured, and what came of it."""
    chosen = pyqtSignal()
    """Networks should run on something else from now on."""
    _done = pyqtSignal(object, str)

    def __init__(
        self,
        store: SettingsStore,
        available: Callable[[], Mapping[str, str]] = lambda: {"cpu": "CPU"},
        measure: Measure = _measure,
        networks: Callable[[], Sequence[Path]] = shipped_networks,
        key: Callable[[Sequence[Path]], str] = machine_key,
    ) -> None:
        """Args:
        available: names and titles of what there is here.
        measure: networks, what is told of each provider, and what stops it; on another thread.
        key: of networks: what figures belong to.
        """
        super().__init__()
        self._store, self._available, self._measure = store, available, measure
        self._networks, self._key = networks, key
        self._known_key: str | None = None
        self._problems: dict[str, str] = {}
        self._stopped = threading.Event()
        self._thread: threading.Thread | None = None
        self._done.connect(self._take)

    @property
    def present(self) -> str:
        """What networks are to run on now, for `OnnxSession`."""
        wanted = self._store.present.provider
        if wanted != FASTEST:
            return wanted
        return self._measured() or "auto"

    @property
    def is_measuring(self) -> bool:
        return self._thread is not None and self._thread.is_alive()

    def titles(self) -> dict[str, str]:
        """For a menu: by name, with what was measured."""
        figures = self._figures()
        best = self._measured()
        named = dict(self._available())
        found = "measuring …" if self.is_measuring else "measured when chosen"
        if best:
            found = f"{named.get(best, best)}, {figures[best]:.1f} ms a face"
        titles = {FASTEST: f"Fastest: {found}"}
        for name, title in named.items():
            more = f": {figures[name]:.1f} ms a face" if name in figures else ""
            if name in self._problems:
                more = f": {self._problems[name]}"[:90]
            titles[name] = f"{title}{more}"
        return titles

    def prime(self) -> None:
        """Find out what figures belong to; takes a moment, on any thread, before `present`."""
        try:
            self._known_key = self._key(self._networks())
        except EngineError as error:
            logger.warning("measured providers are not used: %s", error)
            self._known_key = ""

    def apply(self) -> None:
        """The settings may have changed: measure where the fastest is wanted and not known."""
        primed = self._known_key is not None
        if primed and self._store.present.provider == FASTEST and not self._measured():
            self.measure()

    def measure(self) -> None:
        """Begin to measure, unless it is being done; the window goes on meanwhile."""
        if self.is_measuring or self._stopped.is_set():
            return
        self._thread = threading.Thread(target=self._run, name="n2f-measuring", daemon=True)
        self._thread.start()

    def close(self) -> bool:
        """Stop measuring. Returns: False if it still does."""
        self._stopped.set()
        if self._thread is not None:
            self._thread.join(_CLOSING_S)
        return not self.is_measuring

    def _run(self) -> None:
        try:
            networks = self._networks()
            speeds = self._measure(
                networks,
                lambda name: self.told.emit(f"Measuring how fast networks run on {name} …"),
                self._stopped.is_set,
            )
            if not self._stopped.is_set():
                self._done.emit(speeds, self._key(networks))
        except EngineError as error:
            self.told.emit(f"Providers cannot be measured: {error}.")
        except Exception:
            logger.exception("measuring providers broke off")
            self.told.emit("Providers cannot be measured; `n2f doctor` tells what is missing.")

    def _take(self, speeds: list[ProviderSpeed], key: str) -> None:
        before = self.present
        self._known_key = key
        self._problems = {speed.provider: speed.problem for speed in speeds if speed.problem}
        figures = {speed.provider: speed.ms for speed in speeds if speed.ms is not None}
        self._store.change(provider_ms=figures, provider_ms_of=key)
        told = ", ".join(f"{name} {ms:.1f} ms" for name, ms in figures.items())
        refused = "".join(f"; {name}: {why}" for name, why in self._problems.items())
        best = fastest(speeds)
        self.told.emit(f"Networks run quickest on {best}. A face takes: {told}{refused}")
        if self._store.present.provider == FASTEST and self.present != before:
            self.chosen.emit()

    def _figures(self) -> Mapping[str, float]:
        """What was measured, if it is of these versions and networks."""
        stored = self._store.present
        if not stored.provider_ms or stored.provider_ms_of != self._known_key:
            return {}
        there = self._available()
        return {name: ms for name, ms in stored.provider_ms.items() if name in there}

    def _measured(self) -> str:
        """The quickest as far as it is known; empty where it is not."""
        figures = self._figures()
        return min(figures, key=figures.__getitem__) if figures else ""
