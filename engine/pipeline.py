"""Reconstructor: frame in, fitted heads out. The same object serves window, batch and benchmark."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
from threadpoolctl import threadpool_limits

from engine.face_fit import FaceFit, FaceFollower, FaceSight
from engine.face_turns import FaceTurns
from engine.flame.landmarks import landmarks68
from engine.flame.model import HeadModel
from engine.flame.posed import PosedHead
from engine.followers import Followers
from engine.frames import camera_from_focal, default_camera, project
from engine.methods import method_named
from engine.stages.face_cropper import CropConfig, FaceCropper
from engine.stages.face_tracks import KEEP_NS
from engine.stages.landmark_placer import LandmarkPlacer
from engine.stages.normal_estimator import SeesNormals
from engine.stages.normal_residual import NormalResidual
from engine.timing import StageClock
from engine.types import Camera, FaceCrop, FlameParams, Frame, NormalMap, Reconstruction

__all__ = ["FoundFrame", "Reconstructor", "SeenFrame", "camera_of", "reconstruction", "yaw_of"]


@dataclass(frozen=True, slots=True, eq=False)
class FoundFrame:
    """A frame with its faces found: the first of three steps to a fit."""

    frame: Frame
    crops: tuple[FaceCrop, ...]  # largest first
    n_seen: int  # faces, those too that are not fitted
    ms: dict[str, float]


@dataclass(frozen=True, slots=True, eq=False)
class SeenFrame:
    """A frame with its faces found and looked at: two of three steps to a fit."""

    frame: Frame
    camera: Camera
    crops: tuple[FaceCrop, ...]  # largest first
    normals: tuple[NormalMap | None, ...]  # one for each crop
    n_seen: int  # faces, those too that are not fitted
    stage_ms: tuple[dict[str, float], ...]  # one for each crop
    in_turn: tuple[bool, ...]  # one for each crop: fitted; else its last fit is put in its place


class Reconstructor:
    """Fits a head model to the faces of frames; `close` when done.

    Use it from one thread, or `find`, `look` and `fit_seen` from one each.
    """

    def __init__(
        self,
        model: HeadModel,
        *,
        method: str = "landmarks",
        n_faces: int = 1,
        tracking: bool = True,
        normals: SeesNormals | None = None,
        weights: Path | None = None,
        others: Mapping[str, Callable[[], FaceFollower]] | None = None,
        provider: str = "auto",
        by_turns: bool = False,
    ) -> None:
        """Load what the method needs.

        Args:
            method: a name of `engine.methods.METHODS`.
            n_faces: how many faces to look for.
            tracking: frames are a video of the same people; False: each is a picture of its own.
            normals: sees the normals that fits use, or are compared with; the caller's, who may
                share it with others on the same thread.
            weights: N2FNet's ONNX file; None: the shipped one.
            others: what makes followers of methods that other parts of the program know, by name.
            provider: what parameter networks run on, as for `OnnxSession`; else the CPU.
            by_turns: fit the first face in every frame, and the others as time allows; between
                their turns they go where their landmarks are.
        Raises: ValueError: for a method that does not exist, or needs normals where there are none.
            AssetError, ModelContractError, ProviderError: if the method's network cannot be used.
        """
        # Matrices here are small: more BLAS threads than one only wait for each other.
        threadpool_limits(1, user_api="blas")
        self.model, self.tracking = model, tracking
        config = CropConfig(n_faces=n_faces, tracking=tracking)
        if normals is not None and normals.size_px > config.size_px:
            # Others' networks see large crops: enlarging small ones would blur what they look at.
            config = replace(config, size_px=normals.size_px)
        self._cropper = FaceCropper(config)
        self._turns = FaceTurns() if by_turns and n_faces > 1 else None
        self._placer = LandmarkPlacer(model) if self._turns is not None else None
        self._normals = _Normals(model, normals) if normals is not None else None
        self._rivals: _People | None = None
        self._followers = Followers(
            model, weights, tracking=tracking, others=others, provider=provider
        )
        self._people, self.method = self._new_people(method), method

    def use(self, method: str) -> None:
        """Fit by another method from the next frame on; persons are learned anew.

        Raises: as the constructor; what was in use then stays.
        """
        self._people, self.method = self._new_people(method), method
        if self._turns is not None:
            self._turns.forget()

    @property
    def rival(self) -> str:
        """The method that `fit_rivals` fits by; empty where there is none."""
        return self._rivals.method if self._rivals is not None else ""

    def compare_with(self, method: str) -> None:
        """Be ready to fit each frame by a second method too; empty: no more.

        Raises: as the constructor; what was in use then stays.
        """
        self._rivals = self._new_people(method) if method else None

    def _new_people(self, method: str) -> "_People":
        chosen = method_named(method)
        if chosen.needs_normals and self._normals is None:
            raise ValueError(f"method {method} needs normals: pass a NormalEstimator")
        self._followers.load(chosen)
        if chosen.needs_normals and self._normals is not None:
            self._followers.check_frames(chosen, self._normals.frames, self._normals.path.name)

        def new_face() -> _Face:
            follower = self._followers.new(chosen)
            return _Face(self.model, self._normals, follower, self._placer)

        return _People(method, new_face, tracking=self.tracking)

    def run(self, frame: Frame) -> Reconstruction | None:
        """The largest face of a frame, or None if there is none."""
        found = self.run_all(frame)
        return found[0] if found else None

    def run_all(self, frame: Frame) -> list[Reconstruction]:
        """All faces of a frame up to n_faces, largest first."""
        return self.fit_seen(self.see(frame))

    def see(self, frame: Frame) -> SeenFrame:
        """Find the faces of a frame and look at their normals."""
        return self.look(self.find(frame))

    def find(self, frame: Frame) -> FoundFrame:
        """Find the faces of a frame."""
        clock = StageClock()
        with clock.stage("crop"):
            crops = self._cropper.run_all(frame)
        return FoundFrame(frame, tuple(crops), self._cropper.n_seen, clock.ms)

    def look(self, found: FoundFrame) -> SeenFrame:
        """Look at the normals of the faces that were found and whose turn it is."""
        frame, camera = found.frame, camera_of(found.frame)
        ids = [crop.face_id for crop in found.crops]
        chosen = self._turns.choose(ids) if self._turns is not None else frozenset(ids)
        in_turn = tuple(face_id in chosen for face_id in ids)
        normals: list[NormalMap | None] = []
        times = []
        for crop, is_in_turn in zip(found.crops, in_turn, strict=True):
            own = StageClock()
            own.ms |= found.ms
            seen = self._normals.see(crop, camera, own) if self._normals and is_in_turn else None
            normals.append(seen)
            times.append(own.ms)
        return SeenFrame(
            frame, camera, found.crops, tuple(normals), found.n_seen, tuple(times), in_turn
        )

    def fit_seen(self, seen: SeenFrame) -> list[Reconstruction]:
        """The heads of a frame that was seen, largest first."""
        fits = self._people.fit(seen)
        if self._turns is not None:
            turned = {c.face_id for c, is_in in zip(seen.crops, seen.in_turn, strict=True) if is_in}
            for i, fit in enumerate(fits):
                if fit.crop.face_id in turned:
                    own_ms = sum(ms for stage, ms in fit.stage_ms.items() if stage != "crop")
                    self._turns.note(own_ms, first=i == 0)
        return fits

    def fit_rivals(self, seen: SeenFrame) -> list[Reconstruction]:
        """The same heads by the method of `compare_with`; none without one."""
        return self._rivals.fit(seen) if self._rivals is not None else []

    def compared(self, fit: Reconstruction, seen: NormalMap | None) -> Reconstruction:
        """A fit with its angle to the normals that were seen, where there are any."""
        if self._normals is None or seen is None:
            return fit
        return self._normals.compared(fit, seen)

    @property
    def n_seen(self) -> int:
        """Faces in the last frame; more than were fitted where n_faces is too small for it."""
        return self._cropper.n_seen

    @property
    def provider(self) -> str:
        """What the networks really run on, with the reason where it is not what was asked for."""
        if self._normals is None:
            return "cpu"
        fallback = self._normals.fallback
        return f"{self._normals.provider} ({fallback})" if fallback else self._normals.provider

    def reset(self) -> None:
        """Forget people and places: call when the source changes."""
        self.forget_places()
        self.forget_people()

    def forget_places(self) -> None:
        """Look for faces everywhere again; from the thread of `find`."""
        self._cropper.reset()
        if self._turns is not None:
            self._turns.forget()

    def forget_people(self) -> None:
        """Learn everybody anew; from the thread of `fit_seen`."""
        for people in (self._people, self._rivals):
            if people is not None:
                people.forget()

    def close(self) -> None:
        """Free what the stages hold."""
        self.forget_people()
        self._cropper.close()


class _People:
    """Everybody who is followed by one method."""

    def __init__(self, method: str, new_face: "Callable[[], _Face]", *, tracking: bool) -> None:
        self.method = method
        self._new_face, self._tracking = new_face, tracking
        self._faces: dict[int, _Face] = {}

    def fit(self, seen: SeenFrame) -> list[Reconstruction]:
        """The heads of a frame, largest first; without those who wait for their first turn."""
        frame, known = seen.frame, self._faces
        fits: list[Reconstruction] = []
        rows = zip(seen.crops, seen.normals, seen.stage_ms, seen.in_turn, strict=True)
        for crop, normals, ms, in_turn in rows:
            sight = FaceSight(crop, seen.camera, normals, frame.t_ns)
            if not in_turn:
                face = known.get(crop.face_id)
                carried = face.carried(sight, frame, ms) if face is not None else None
                if face is not None and carried is not None:
                    face.seen_ns = frame.t_ns
                    fits.append(carried)
                continue
            if crop.face_id not in known:
                # Takes tens of milliseconds.
                known[crop.face_id] = self._new_face()
            face = known[crop.face_id]
            if not self._tracking:
                face.reset()
            face.seen_ns = frame.t_ns
            fits.append(face.reconstruct(sight, frame, ms))
        # Lost faces are kept as long as their ids may come back.
        self._faces = {i: f for i, f in known.items() if abs(frame.t_ns - f.seen_ns) <= KEEP_NS}
        return fits

    def forget(self) -> None:
        """Everybody is new."""
        self._faces.clear()


class _Normals:
    """Sees normals and compares fits with them."""

    def __init__(self, model: HeadModel, estimator: SeesNormals) -> None:
        self._estimator = estimator
        self._residual = NormalResidual(model)

    @property
    def path(self) -> Path:
        return self._estimator.path

    @property
    def frames(self) -> frozenset[str]:
        return self._estimator.frames

    @property
    def provider(self) -> str:
        return self._estimator.provider

    @property
    def fallback(self) -> str:
        return self._estimator.fallback

    def see(self, crop: FaceCrop, camera: Camera, clock: StageClock) -> NormalMap:
        """The normals of a face."""
        with clock.stage("normals"):
            return self._estimator.run(crop, camera)

    def compared(self, fit: Reconstruction, seen: NormalMap) -> Reconstruction:
        """The fit with its angle to the normals."""
        angle = self._residual(fit.vertices, fit.params, fit.camera, seen)
        return replace(fit, normals=seen, normal_residual_deg=angle)


class _Face:
    """What is known of one tracked face."""

    def __init__(
        self,
        model: HeadModel,
        normals: _Normals | None,
        follower: FaceFollower,
        placer: LandmarkPlacer | None,
    ) -> None:
        """placer: for `carried`; None: every frame is fitted."""
        self._normals, self._follower, self._placer = normals, follower, placer
        self._head = PosedHead(model)
        self._last: FaceFit | None = None
        self.seen_ns = 0

    def reset(self) -> None:
        """Forget the person."""
        self._follower.reset()
        self._last = None

    def reconstruct(self, sight: FaceSight, frame: Frame, ms: dict[str, float]) -> Reconstruction:
        """ms: times of the stages before."""
        own = StageClock()
        own.ms |= ms
        seen = sight.normals
        fit = self._last = self._follower.fit(sight, own)
        found = reconstruction(self._head, frame, sight.crop, sight.camera, fit, own)
        if self._normals is None or seen is None:
            return found
        return self._normals.compared(found, seen)

    def carried(
        self, sight: FaceSight, frame: Frame, ms: dict[str, float]
    ) -> Reconstruction | None:
        """The last fit, moved to where the landmarks are now; None where there is none."""
        if self._last is None or self._placer is None:
            return None
        own = StageClock()
        own.ms |= ms
        with own.stage("place"):
            placed = self._placer.place(self._last.params, sight.crop.landmarks, sight.camera)
        fit = FaceFit(placed.params, placed.rms, self._last.quality)
        return reconstruction(self._head, frame, sight.crop, sight.camera, fit, own)


def reconstruction(
    head: PosedHead, frame: Frame, crop: FaceCrop, camera: Camera, fit: FaceFit, clock: StageClock
) -> Reconstruction:
    """A fit with what follows from it: vertices, landmarks, and whether the frame cuts the face."""
    with clock.stage("pose"):
        vertices = head.vertices(fit.params)
    points = landmarks68(head.model, vertices, yaw_of(fit.params))
    pixels = project(points @ fit.params.R.T + fit.params.t, camera.K)
    return Reconstruction(
        frame_index=frame.index,
        t_ns=frame.t_ns,
        params=fit.params,
        camera=camera,
        vertices=vertices,
        crop=crop,
        landmarks68_px=pixels.astype(np.float32),
        landmark_rms=fit.rms,
        quality=fit.quality * _share_quality(crop.score),
        stage_ms=clock.ms,
    )


def camera_of(frame: Frame) -> Camera:
    """The camera a frame was taken with, or a usual one where the source does not say."""
    height, width = frame.image.shape[:2]
    if frame.focal_px is None:
        return default_camera(width, height)
    return camera_from_focal(frame.focal_px, width, height)


def yaw_of(params: FlameParams) -> float:
    """Radians, of the head to the line of sight; positive turns its left cheek away."""
    camera = params.R.T @ -params.t  # in the model frame
    return float(-np.arctan2(camera[0], camera[2]))


def _share_quality(share_inside: float) -> float:
    return float(np.clip(share_inside / 0.9, 0, 1))
