"""The button that chooses what to look at: cameras by name, files, the sample clip."""

from collections.abc import Callable
from pathlib import Path

from app.camera_desk import CameraDesk, camera_named, number_of, uniquely_named
from app.elided_label import name_button
from app.menu_heading import add_heading
from app.qt import QFileDialog, QInputDialog, QMenu, Qt, QToolButton, QWidget
from app.settings import Settings
from app.source_thread import Request
from engine.io.camera import CameraInfo, list_cameras
from engine.io.camera_format import AUTOMATIC, CameraFormat
from engine.io.image import IMAGE_SUFFIXES
from engine.io.stream import is_url
from engine.io.video import VIDEO_SUFFIXES
from engine.source_factory import SAMPLE, SCREEN, SYNTHETIC

__all__ = [
    "SourceButton",
    "first_request",
    "present_spec",
    "remembered_request",
    "request_of",
    "sample_request",
]


def sample_request() -> Request:
    """The bundled clip, again and again."""
    return Request(SAMPLE, "Sample clip", loop=True)


def synthetic_request() -> Request:
    """A rendered head, without end."""
    return Request(SYNTHETIC, "Synthetic head", loop=True)


def screen_request() -> Request:
    """What is on the screen."""
    return Request(SCREEN, "Screen")


def camera_requests() -> list[Request]:
    """Every camera there is now, by name."""
    return _requests_of(list_cameras())


def _requests_of(cameras: list[CameraInfo]) -> list[Request]:
    return [Request(f"webcam:{c.index}", c.name) for c in uniquely_named(cameras)]


def first_request() -> Request:
    """The first camera, or the sample clip where there is none."""
    return next(iter(camera_requests()), None) or sample_request()


def request_of(spec: str) -> Request:
    """The request for a source as `--source` names it."""
    known = (*camera_requests(), sample_request(), synthetic_request(), screen_request())
    named = next((request for request in known if request.spec == spec), None)
    return named or Request(spec, spec if is_url(spec) else Path(spec).name or spec)


def remembered_request(spec: str, title: str) -> Request | None:
    """The source of the last time; None where it is gone. A camera is known by its name."""
    if spec.startswith("webcam:"):
        camera = camera_named(title, list_cameras(), number_of(spec))
        return Request(f"webcam:{camera.index}", camera.name) if camera is not None else None
    if spec in (SAMPLE, SYNTHETIC, SCREEN) or is_url(spec):
        return request_of(spec)
    return request_of(spec) if Path(spec).exists() else None


def present_spec(spec: str, settings: Settings) -> str:
    """The spec as it is now: a camera that was plugged in again may have another number."""
    if not spec.startswith("webcam:") or settings.source != spec:
        return spec
    camera = camera_named(settings.source_title, list_cameras(), number_of(spec))
    return f"webcam:{camera.index}" if camera is not None else spec


_TIP = "Choose a camera or a file (C; O opens a file)"
_TITLE_PX = 170


class SourceButton(QToolButton):
    """Shows the present source; its menu, made anew at each opening, offers the others."""

    def __init__(
        self,
        parent: QWidget,
        choose: Callable[[Request], None],
        cameras: CameraDesk,
        gives: Callable[[], str] = str,
    ) -> None:
        """Args:
        choose: opens a source, also the present one once more.
        cameras: knows them and their formats.
        gives: what the present camera really gives, for people; empty: nobody knows.
        """
        super().__init__(parent)
        self._choose, self._cameras, self._gives = choose, cameras, gives
        self._shown: Request | None = None
        self.setObjectName("source")
        self.setFocusPolicy(Qt.FocusPolicy.NoFocus)
        self.setPopupMode(QToolButton.ToolButtonPopupMode.InstantPopup)
        self.setToolButtonStyle(Qt.ToolButtonStyle.ToolButtonTextOnly)
        self.setToolTip(_TIP)
        self.setText("Source")
        menu = QMenu(self)
        menu.aboutToShow.connect(self.fill)
        self.setMenu(menu)

    def show_request(self, request: Request) -> None:
        """It is what is shown now."""
        self._shown = request
        name_button(self, request.title, _TITLE_PX, _TIP)

    def refresh(self) -> None:
        """Cameras have come or gone: a menu that is open must say so."""
        if self.menu().isVisible():
            self.fill()

    def open_file(self) -> None:
        """Ask for a video or picture."""
        endings = " ".join(f"*{suffix}" for suffix in sorted(VIDEO_SUFFIXES | IMAGE_SUFFIXES))
        name, _ = QFileDialog.getOpenFileName(
            self, "Open a video or a picture", "", f"Videos and pictures ({endings});;All files (*)"
        )
        if name:
            self._choose(request_of(name))

    def open_folder(self) -> None:
        """Ask for a folder of pictures."""
        if name := QFileDialog.getExistingDirectory(self, "Open a folder of pictures"):
            self._choose(request_of(name))

    def open_address(self) -> None:
        """Ask for a network camera or video."""
        label = "Address (rtsp://, rtmp://, http:// or https://):"
        address, given = QInputDialog.getText(self, "Open an address", label)
        if given and address.strip():
            self._choose(request_of(address.strip()))

    def fill(self) -> None:
        """Write the menu anew."""
        menu = self.menu()
        menu.clear()
        cameras = _requests_of(self._cameras.list())
        for request in cameras:
            menu.addAction(request.title, lambda request=request: self._choose(request))
        if not cameras:
            menu.addAction("No camera found").setEnabled(False)
        if (shown := self._shown) is not None and shown.spec.startswith("webcam:"):
            self._add_formats(menu.addMenu(f"Pictures of {shown.title}"), shown)
        menu.addSeparator()
        menu.addAction("Open file…", self.open_file)
        menu.addAction("Open folder…", self.open_folder)
        menu.addAction("Open address…", self.open_address)
        menu.addSeparator()
        for request in (screen_request(), sample_request(), synthetic_request()):
            menu.addAction(request.title, lambda request=request: self._choose(request))

    def _add_formats(self, menu: QMenu, shown: Request) -> None:
        offered, is_known = self._cameras.offered(shown.title)
        chosen = self._cameras.chosen(shown.title)
        add_heading(menu, f"Now: {self._gives()}" if self._gives() else "Nothing is shown yet")
        self._add_format(menu, shown, None, f"Automatic: {AUTOMATIC.title}", chosen)
        told = "It offers" if is_known else "Usual ones: it takes the nearest that it has"
        add_heading(menu, told)
        if chosen is not None and chosen not in offered:
            offered = [chosen, *offered]
        for each in offered:
            self._add_format(menu, shown, each, each.title, chosen)

    def _add_format(
        self,
        menu: QMenu,
        shown: Request,
        wanted: CameraFormat | None,
        title: str,
        chosen: CameraFormat | None,
    ) -> None:
        action = menu.addAction(title, lambda: self._take_format(shown, wanted))
        action.setCheckable(True)
        action.setChecked(wanted == chosen)

    def _take_format(self, shown: Request, wanted: CameraFormat | None) -> None:
        self._cameras.choose(shown.title, wanted)
        self._choose(shown)
