"""Fitted heads as other programs read them: meshes, a moving glTF head, ARKit's strengths."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from engine.flame.arkit import ArkitSolver
from engine.flame.arkit_transfer import arkit_map_of
from engine.flame.model import HeadModel
from engine.flame.morph_rig import MorphRig
from engine.head_choice import chosen_head_model
from engine.io.arkit_csv import arkit_track, write_arkit_csv
from engine.io.glb_rig import RigFrame, write_rig_glb
from engine.io.mesh_export import write_obj, write_ply
from engine.io.results import FitSequence, params_of
from engine.render.appearance import head_surface
from engine.render.colour import linear_from_srgb
from engine.types import F32, LOW_QUALITY, Reconstruction

__all__ = ["HeadExporter", "arkit_solver"]

Arrays = Mapping[str, npt.NDArray[Any]]


def arkit_solver(model: HeadModel) -> ArkitSolver:
    """For any head model; one of others has openhead's shapes carried over, which takes seconds.

    Raises: AssetError: if openhead cannot be laid over the head.
    """
    if model.arkit is not None:
        return ArkitSolver(model)
    return ArkitSolver(model, arkit_map_of(model, chosen_head_model(None)))


class HeadExporter:
    """Writes heads of one model; what it needs for that is set up when first asked for."""

    def __init__(self, model: HeadModel) -> None:
        self._model = model
        self._solver: ArkitSolver | None = None

    def write_obj(self, path: Path, fit: Reconstruction) -> None:
        """The posed mesh, millimetres, model frame. Raises: OutputError."""
        model = self._model
        write_obj(path, fit.vertices, model.faces, model.uv, model.uv_faces, note=_trust(fit))

    def write_ply(self, path: Path, fit: Reconstruction) -> None:
        """The posed mesh, millimetres, model frame. Raises: OutputError."""
        write_ply(path, fit.vertices, self._model.faces, note=_trust(fit))

    def write_glb(self, path: Path, sequence: FitSequence, best: Reconstruction) -> None:
        """The head of the best frame with its targets and joints, moving through all frames.

        Raises: OutputError.
        """
        rig = MorphRig(self._model, best.params.shape)
        frames, shown = _rig_frames(rig, sequence, best)
        surface = head_surface(self._model)
        colours: F32 | None = None
        if surface.albedo is not None:
            colours = linear_from_srgb(surface.albedo).astype(np.float32)
        model = self._model
        write_rig_glb(
            path, rig, model.lbs_weights, model.faces, frames, best.camera,
            colours=colours, shown=shown,
        )  # fmt: skip

    def write_arkit(self, path: Path, sequence: FitSequence) -> tuple[Path, ...]:
        """ARKit's strengths as CSV, and beside it what says how far each row can be trusted.

        Returns: both. Raises: OutputError. AssetError: as `arkit_solver`.
        """
        if self._solver is None:
            self._solver = arkit_solver(self._model)
        track = arkit_track(sequence.arrays(), self._model.model_id, self._solver)
        return write_arkit_csv(path, track)


def _rig_frames(
    rig: MorphRig, sequence: FitSequence, best: Reconstruction
) -> tuple[list[RigFrame], int]:
    """The frames with a face, times rising, and which of them is the best one."""
    arrays, shown = sequence.arrays(), 0
    frames: list[RigFrame] = []
    for frame in np.flatnonzero(arrays["found"]):
        t_ns = int(arrays["t_ns"][frame])
        if frames and t_ns <= frames[-1].t_ns:
            continue  # a player would stumble over it
        if arrays["frame_index"][frame] == best.frame_index:
            shown = len(frames)
        params = params_of(arrays, int(frame), sequence.model.model_id)
        frames.append(RigFrame(t_ns, rig.pose(params), float(arrays["quality"][frame])))
    return frames, shown


def _trust(fit: Reconstruction) -> str:
    return f"quality {fit.quality:.3f} of 1{' (low)' if fit.quality < LOW_QUALITY else ''}"
