"""The button that chooses what to look at: cameras by name, files, the sample clip."""

from collections.abc import Callable
from pathlib import Path

from app.qt import QFileDialog, QMenu, Qt, QToolButton, QWidget
from app.worker import Request
from engine.io.camera import list_cameras
from engine.io.image import IMAGE_SUFFIXES
from engine.io.stream import is_url
from engine.io.video import VIDEO_SUFFIXES
from engine.source_factory import SAMPLE, SYNTHETIC

__all__ = ["SourceButton", "first_request", "request_of", "sample_request"]


def sample_request() -> Request:
    """The bundled clip, again and again."""
    return Request(SAMPLE, "Sample clip", loop=True)


def synthetic_request() -> Request:
    """A rendered head, without end."""
    return Request(SYNTHETIC, "Synthetic head", loop=True)


def camera_requests() -> list[Request]:
    """Every camera there is now, by name."""
    return [Request(f"webcam:{camera.index}", camera.name) for camera in list_cameras()]


def first_request() -> Request:
    """The first camera, or the sample clip where there is none."""
    return next(iter(camera_requests()), None) or sample_request()


def request_of(spec: str) -> Request:
    """The request for a source as `--source` names it."""
    known = (*camera_requests(), sample_request(), synthetic_request())
    named = next((request for request in known if request.spec == spec), None)
    return named or Request(spec, spec if is_url(spec) else Path(spec).name or spec)


class SourceButton(QToolButton):
    """Shows the present source; its menu, made anew at each opening, offers the others."""

    def __init__(self, parent: QWidget, choose: Callable[[Request], None]) -> None:
        super().__init__(parent)
        self._choose = choose
        self.setObjectName("source")
        self.setFocusPolicy(Qt.FocusPolicy.NoFocus)
        self.setPopupMode(QToolButton.ToolButtonPopupMode.InstantPopup)
        self.setToolButtonStyle(Qt.ToolButtonStyle.ToolButtonTextOnly)
        self.setToolTip("Choose a camera or a file (O opens a file)")
        self.setText("Source")
        menu = QMenu(self)
        menu.aboutToShow.connect(self._fill)
        self.setMenu(menu)

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

    def _fill(self) -> None:
        menu = self.menu()
        menu.clear()
        cameras = camera_requests()
        for request in cameras:
            menu.addAction(request.title, lambda request=request: self._choose(request))
        if not cameras:
            menu.addAction("No camera found").setEnabled(False)
        menu.addSeparator()
        menu.addAction("Open file…", self.open_file)
        menu.addAction("Open folder…", self.open_folder)
        menu.addSeparator()
        for request in (sample_request(), synthetic_request()):
            menu.addAction(request.title, lambda request=request: self._choose(request))
