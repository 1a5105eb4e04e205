"""Optimiser: normals of one face in, parameters of minimal energy out."""

import time
from collections.abc import Sequence
from dataclasses import dataclass

import torch

from engine.fitting.adam import minimise_adam
from engine.fitting.clip import Clip, with_shape
from engine.fitting.clip_adam import minimise_clip_adam
from engine.fitting.clip_gauss_newton import minimise_clip_gauss_newton
from engine.fitting.curve import CurvePoint, JointFit, OnProgress, OptimisedFit
from engine.fitting.energy import Energy
from engine.fitting.gauss_newton import minimise_gauss_newton
from engine.fitting.linear_head import HeadLinearizer
from engine.fitting.observed import Correspondences, Texture, observe
from engine.fitting.placing import neutral_start, place, place_at_once
from engine.fitting.settings import FitSettings
from engine.fitting.state import HeadState, params_from, state_from
from engine.fitting.torch_head import TorchHead
from engine.fitting.visibility import Rasteriser
from engine.flame.model import HeadModel
from engine.types import F32, Camera, FaceCrop, FlameParams, NormalMap

__all__ = ["FittedFace", "Optimiser"]


@dataclass(frozen=True, slots=True, eq=False)
class FittedFace:
    """One frame of a person's video, as `Optimiser.fit` took it and found."""

    crop: FaceCrop  # of its picture nothing is needed
    camera: Camera  # of the frame
    normals: NormalMap
    params: FlameParams
    start: FlameParams | None = None  # whose shape is believed somewhat
    follows: bool = True  # comes right after the one before it


class Optimiser:
    """For one head model; used and closed by one thread."""

    def __init__(
        self,
        model: HeadModel,
        settings: FitSettings | None = None,
        *,
        vertex_uv: F32 | None = None,
    ) -> None:
        """Args:
            vertex_uv: (V, 2) of `engine.fitting.uv_matches.read_vertex_uv`: maps that have places
                in FLAME's texture (`NormalMap.uv`) are matched by them; None: they are not.
        Raises: ProviderError: if nothing can be drawn here, or torch has no such device.
        """
        self.model, self.settings = model, settings or FitSettings()
        if self.settings.device == "cpu":
            torch.set_num_threads(1)  # so little is computed at a time that more only wait
        self._texture = None if vertex_uv is None else Texture(model, vertex_uv)
        self._head = TorchHead(model, self.settings.device, vertex_uv=vertex_uv)
        self._linearizer = HeadLinearizer(self._head)
        self._rasteriser = Rasteriser(self._head)

    def fit(
        self,
        crop: FaceCrop,
        camera: Camera,
        normals: NormalMap,
        *,
        start: FlameParams | None = None,
        before: FlameParams | None = None,
        uv: Correspondences | None = None,
        on_progress: OnProgress = lambda point, n: True,
    ) -> OptimisedFit:
        """Fit one frame.

        Args:
            camera: of the frame.
            start: where to begin, whose shape is believed somewhat; None: the mean head, frontal.
            before: of the frame before, of the same person: its shape is kept, and what changes
                from it costs.
            uv: places of surface points on the map, if it is known otherwise; None: by the map's
                own places in the texture, or else MediaPipe's points.
        Raises:
            CaptureError: if the map shows no face, has no normals or values that are not finite.
            ModelContractError: if start or before belong to another head model.
        """
        began = time.perf_counter()
        device, size = self.settings.device, self.settings.size
        seen = observe(crop, camera, normals, device, uv=uv, texture=self._texture, size=size)
        first = before or start or neutral_start(self.model, seen)
        state = state_from(self.model, first, device)
        known = state if before is None and start is not None else None
        last = state if before is not None else None
        energy = Energy(self._head, seen, self.settings, start=known, before=last)
        placed = state if before is not None else self._placed(energy, state)
        found, curve, stopped = self._minimise(energy, placed, on_progress)
        ends = [(self._energy(energy, each), each) for each in (placed, found)]
        terms, best = min(ends, key=lambda end: sum(end[0].values()))
        return OptimisedFit(
            params=params_from(self.model, best),
            energy=sum(terms.values()),
            start_energy=sum(ends[0][0].values()),
            curve=tuple(curve),
            seconds=time.perf_counter() - began,
            stopped=stopped,
            terms=terms,
        )

    def fit_joint(
        self,
        faces: Sequence[FittedFace],
        *,
        before: FlameParams | None = None,
        on_progress: OnProgress = lambda point, n: True,
    ) -> JointFit:
        """All frames of one person's video together, from what each is by itself.

        About 0.6 MB are kept of each frame while this lasts (maps of 128 px; 256 px: 2.5 MB).

        Args:
            before: of an earlier frame, which was fitted already: its shape is kept, and where the
                first of these frames follows it, what changes from it costs.
        Raises: CaptureError, ModelContractError: as `fit`. ValueError: if there are no frames.
        """
        if not faces:
            raise ValueError("no frames to fit together")
        began, s = time.perf_counter(), self.settings
        last = None if before is None else state_from(self.model, before, s.device)
        clip = Clip(
            [self._alone(face) for face in faces],
            [face.follows for face in faces],
            self._rasteriser,
            s,
            last if faces[0].follows else None,
        )
        own = [state_from(self.model, face.params, s.device) for face in faces]
        start = with_shape(own, own[0].shape if last is None else last.shape)
        free = last is None
        found, curve, stopped = self._minimise_clip(clip, start, on_progress, free_shape=free)
        ends = [(self._clip_energy(clip, each), each) for each in (start, found)]
        terms, best = min(ends, key=lambda end: sum(end[0].values()))
        return JointFit(
            params=tuple(params_from(self.model, state) for state in best),
            energy=sum(terms.values()),
            start_energy=sum(ends[0][0].values()),
            curve=tuple(curve),
            seconds=time.perf_counter() - began,
            stopped=stopped,
            terms=terms,
        )

    def _alone(self, face: FittedFace) -> Energy:
        """The energy of a frame that is tied to no other."""
        s = self.settings
        seen = observe(
            face.crop, face.camera, face.normals, s.device, texture=self._texture, size=s.size
        )
        known = None if face.start is None else state_from(self.model, face.start, s.device)
        return Energy(self._head, seen, s, start=known)

    def _minimise_clip(
        self,
        clip: Clip,
        start: Sequence[HeadState],
        on_progress: OnProgress,
        *,
        free_shape: bool,
    ) -> tuple[list[HeadState], list[CurvePoint], bool]:
        s = self.settings
        if s.optimizer == "gn":
            return minimise_clip_gauss_newton(
                clip, self._linearizer, start, s, free_shape=free_shape, on_progress=on_progress
            )
        return minimise_clip_adam(clip, start, s, free_shape=free_shape, on_progress=on_progress)

    def _clip_energy(self, clip: Clip, states: Sequence[HeadState]) -> dict[str, float]:
        """Terms of a clip, with what it shows drawn anew."""
        for frame, state in enumerate(states):
            clip.see(frame, state)
        with torch.no_grad():
            return clip.terms(states)

    def _placed(self, energy: Energy, state: HeadState) -> HeadState:
        if self.settings.optimizer == "gn":
            return place_at_once(energy, state)
        return place(energy, state, self.settings)

    def _minimise(
        self, energy: Energy, state: HeadState, on_progress: OnProgress
    ) -> tuple[HeadState, list[CurvePoint], bool]:
        s, is_first = self.settings, energy.before is None
        if s.optimizer == "gn":
            return minimise_gauss_newton(
                energy,
                self._linearizer,
                self._rasteriser,
                state,
                s,
                with_shape=is_first,
                on_progress=on_progress,
            )
        return minimise_adam(
            energy,
            self._rasteriser,
            state,
            s,
            iters=s.iters if is_first else s.iters_video,
            with_shape=is_first,
            may_end_early=not is_first,
            on_progress=on_progress,
        )

    def _energy(self, energy: Energy, state: HeadState) -> dict[str, float]:
        """Terms of a state, with what it shows drawn anew."""
        params = params_from(self.model, state)
        energy.see(self._rasteriser.see(params, energy.seen, self.settings.normal_mask_ksize))
        with torch.no_grad():
            return {name: float(value) for name, value in energy.terms(state).items()}

    def close(self) -> None:
        """Free what is on the GPU."""
        self._rasteriser.close()
