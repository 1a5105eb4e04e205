"""Changes settings, and has done what follows from a change."""

from collections.abc import Callable
from dataclasses import dataclass

from app.options import Options
from app.persons import Persons
from app.qt import QApplication, QObject, QTimer
from app.settings import Settings, SettingsStore
from app.theme import apply_theme
from app.view import View

__all__ = ["Follows", "WindowSettings"]

_SAVE_EVERY_MS = 2000
_OF_FITTERS = ("provider", "n_faces", "by_turns", "pipelined")
"""Settings that a fitter is made by."""


@dataclass(frozen=True, slots=True)
class Follows:
    """What is called after a change."""

    apply: Callable[[Settings], None]  # shows and passes on what is in force
    apply_rest: Callable[[Settings], None]  # the same of what one change never concerns
    renew_fitter: Callable[[], None]
    renew_person: Callable[[], None]


class WindowSettings(QObject):
    """Of one window; stores them every two seconds where they changed."""

    def __init__(
        self, parent: QObject, store: SettingsStore, persons: Persons, follows: Follows
    ) -> None:
        super().__init__(parent)
        self.store, self.persons, self._follows = store, persons, follows
        self._saving = QTimer(self)
        self._saving.timeout.connect(store.save)
        self._saving.start(_SAVE_EVERY_MS)

    @property
    def options(self) -> Options:
        """How sources are read and fits are made, as the settings say."""
        s = self.store.present
        return Options(s.every_frame, s.turns, s.pipelined, s.steady)

    def change(self, **changes: object) -> None:
        """Change settings, and all that follows from them."""
        self._follow(lambda: self.store.change(**changes))

    def reset(self) -> None:
        """Everything as on a fresh machine; the source stays."""
        self._follow(self.store.reset, whole=True)

    def use_profile(self, name: str) -> None:
        """Take a profile's settings; the source stays."""
        self._follow(lambda: self.store.use_profile(name), whole=True)

    def _follow(self, alter: Callable[[], object], *, whole: bool = False) -> None:
        before = self.store.present
        alter()
        if whole:
            self._follows.apply_rest(self.store.present)
        self.apply()
        now = self.store.present
        if any(getattr(now, name) != getattr(before, name) for name in _OF_FITTERS):
            self._follows.renew_fitter()
        if now.person != before.person:
            self._follows.renew_person()

    def keep_person(self, name: str, view: View) -> None:
        """Keep the shape of the first face of a view under a name.

        Raises: OutputError: if it cannot be written. ValueError: if there is no face, or the name
            is no file name.
        """
        if not view.faces:
            raise ValueError("no face is in view; look at the camera and try again")
        self.persons.keep(name, view.faces[0].params)
        self.change(person=name)

    def forget_person(self, name: str) -> None:
        """Delete the shape that was kept. Raises: OutputError: if that cannot be."""
        self.persons.forget(name)
        if self.store.present.person == name:
            self.change(person="")

    def apply(self) -> None:
        """Do what the settings in force say."""
        s = self.store.present
        application = QApplication.instance()
        if isinstance(application, QApplication) and application.property("theme") != s.theme:
            application.setProperty("theme", s.theme)
            apply_theme(application, s.theme)
        self._follows.apply(s)

    def close(self) -> None:
        """Store what has changed, for the last time."""
        self._saving.stop()
        self.store.save()
