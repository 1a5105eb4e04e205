"""Writes what was fitted to one input: STEM.npz and whatever else was asked for."""

from pathlib import Path

from engine.flame.model import HeadModel
from engine.head_exports import HeadExporter
from engine.io.image import save_png
from engine.io.results import FitSequence, save_fit_npz, save_sequence_npz, write_csv
from engine.render.overlay import OverlayPainter
from engine.render.prediction import coloured_normals, coloured_parsing
from engine.render.trust_mark import marked
from engine.types import Frame, Reconstruction
from engine.video_fit import FittedVideo

__all__ = ["EXPORTS", "FACE_MARK", "FitWriter", "face_stem"]

EXPORTS = ("npz", "csv", "obj", "ply", "glb", "arkit", "mp4", "png", "normals")
"""What can be written for an input; mp4 for videos only, normals where a network sees them."""
FACE_MARK = ".face"
"""STEM.face2.npz holds the second face of STEM; no STEM may look like that itself."""


class FitWriter:
    """Writes into one folder. Pictures are drawn without a window, on one thread."""

    def __init__(self, model: HeadModel, out: Path, exports: tuple[str, ...]) -> None:
        """exports: some of EXPORTS."""
        self._model = model
        self._out = out
        self._exports = exports
        self._painter: OverlayPainter | None = None
        self._heads = HeadExporter(model)

    @property
    def painter(self) -> OverlayPainter:
        """Made when first asked for: it needs OpenGL. Raises: ProviderError."""
        if self._painter is None:
            self._painter = OverlayPainter(self._model)
        return self._painter

    def film_path(self, stem: str) -> Path | None:
        """Where the overlay of a video goes, None if it is not wanted."""
        return self._out / f"{stem}.mp4" if "mp4" in self._exports else None

    def write_picture(self, stem: str, frame: Frame, fits: list[Reconstruction]) -> tuple[str, ...]:
        """Everything of a picture with at least one face.

        Returns: file names. Raises: OutputError.
        """
        names = _Names(self._out, self._exports)
        for number, fit in enumerate(fits, start=1):
            own = face_stem(stem, number)
            sequence = FitSequence(self._model)
            sequence.add(frame.index, frame.t_ns, fit)
            if path := names.add(own, "npz"):
                save_fit_npz(path, fit, self._model)
            self._write_head(own, sequence, fit, names)
            self._write_maps(own, fit, names)
        self._write_overlay(stem, frame, fits, names)
        return tuple(names.added)

    def write_video(self, stem: str, fitted: FittedVideo) -> tuple[str, ...]:
        """Everything of a video but its film: parameters and best mesh of each face, best frame.

        Returns: file names. Raises: OutputError.
        """
        names = _Names(self._out, self._exports)
        for number, (face, sequence) in enumerate(fitted.sequences.items(), start=1):
            own = face_stem(stem, number)
            if path := names.add(own, "npz"):
                save_sequence_npz(path, sequence)
            self._write_head(own, sequence, fitted.best_fits[face], names)
            self._write_maps(own, fitted.best_fits[face], names)
        if fitted.best is not None:
            frame, fits = fitted.best
            self._write_overlay(stem, frame, fits, names)
        return tuple(names.added)

    def _write_head(
        self, stem: str, sequence: FitSequence, best: Reconstruction, names: "_Names"
    ) -> None:
        """What follows from one face's parameters and best mesh alone."""
        if path := names.add(stem, "csv"):
            write_csv(path, sequence)
        if path := names.add(stem, "obj"):
            self._heads.write_obj(path, best)
        if path := names.add(stem, "ply"):
            self._heads.write_ply(path, best)
        if path := names.add(stem, "glb"):
            self._heads.write_glb(path, sequence, best)
        if "arkit" in self._exports:
            for path in self._heads.write_arkit(self._out / f"{stem}.arkit.csv", sequence):
                names.note(path.name)

    def _write_maps(self, stem: str, fit: Reconstruction, names: "_Names") -> None:
        """STEM.head.png, STEM.view.png and STEM.parsing.png, as far as the network gives them."""
        seen = fit.normals
        if "normals" not in self._exports or seen is None:
            return
        for kind, normals in (("head", seen.head), ("view", seen.view)):
            if normals is not None:
                save_png(names.note(f"{stem}.{kind}.png"), coloured_normals(normals))
        if seen.parsing is not None:
            save_png(names.note(f"{stem}.parsing.png"), coloured_parsing(seen.parsing))

    def _write_overlay(
        self, stem: str, frame: Frame, fits: list[Reconstruction], names: "_Names"
    ) -> None:
        if path := names.add(stem, "png"):
            save_png(path, marked(self.painter.paint(frame.image, fits), fits))

    def close(self) -> None:
        """Free the GPU."""
        if self._painter is not None:
            self._painter.close()
        self._painter = None


def face_stem(stem: str, number: int) -> str:
    """The stem for face 1, 2, ... of an input."""
    return stem if number == 1 else f"{stem}{FACE_MARK}{number}"


class _Names:
    """Notes the files of an input as they are written."""

    def __init__(self, out: Path, exports: tuple[str, ...]) -> None:
        self._out, self._exports = out, exports
        self.added: list[str] = []

    def add(self, stem: str, kind: str) -> Path | None:
        """The path to write to, None if this kind is not wanted."""
        if kind not in self._exports:
            return None
        return self.note(f"{stem}.{kind}")

    def note(self, name: str) -> Path:
        """The path of a file that is wanted."""
        self.added.append(name)
        return self._out / name
