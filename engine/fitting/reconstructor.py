"""The method `pixel3dmm` in a Reconstructor's place: each face of each frame is optimised.

Of videos all frames are then optimised together (`run_clip`), in parts where they are long.
"""

from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from pathlib import Path
from typing import NamedTuple

import numpy as np

from engine.errors import AssetError
from engine.face_fit import FaceFit, FaceFollower, FaceSight, network_quality
from engine.fitting.curve import CurvePoint, OnProgress, OptimisedFit, StageCurve, write_curves
from engine.fitting.map_size import at_most
from engine.fitting.optimiser import FittedFace, Optimiser
from engine.fitting.settings import FitSettings
from engine.flame.model import HeadModel
from engine.flame.posed import PosedHead
from engine.followers import Followers
from engine.methods import method_named
from engine.pipeline import Reconstructor, SeenFrame, reconstruction
from engine.stages.head_unknowns import unknowns_of
from engine.stages.landmark_energy import FitConfig, LandmarkEnergy
from engine.stages.normal_estimator import SeesNormals
from engine.timing import StageClock
from engine.types import F32, WRONG_NORMALS_DEG, FlameParams, Frame, Reconstruction

__all__ = ["METHOD", "OptimisingFollower", "OptimisingReconstructor"]

METHOD = "pixel3dmm"
_STARTS = method_named("n2fnet")
_NO_TRUST_DEG = 60.0
_NO_PICTURE = np.zeros((1, 1, 3), np.uint8)


class OptimisingFollower:
    """Follows one face: the first frame finds the shape, later ones keep it."""

    def __init__(
        self,
        optimiser: Optimiser,
        landmarks: LandmarkEnergy,
        starts: FaceFollower | None,
        *,
        tracking: bool,
        on_progress: OnProgress,
        on_fit: "Callable[[OptimisingFollower], None]" = lambda follower: None,
    ) -> None:
        """Args:
        on_fit: called after each fit.
        starts: says where to begin; None: the mean head.
        tracking: calls are frames of one person's video; False: each is a picture of its own.
        """
        self._optimiser, self._landmarks, self._starts = optimiser, landmarks, starts
        self._tracking, self._on_progress, self._on_fit = tracking, on_progress, on_fit
        self._before: FlameParams | None = None
        self.last: OptimisedFit | None = None
        self.last_start: FlameParams | None = None

    def go_on_from(self, params: FlameParams) -> None:
        """Take the frame before for another than was found here, of the same person."""
        self._before = params

    def reset(self) -> None:
        """Forget the person."""
        self._before = None
        if self._starts is not None:
            self._starts.reset()

    def fit(self, sight: FaceSight, clock: StageClock) -> FaceFit:
        """Raises: CaptureError: if the normals cannot be fitted to."""
        if sight.normals is None:
            raise ValueError(f"method {METHOD} needs normals")
        start = None
        if self._starts is not None:
            start = self._starts.fit(sight, clock).params
        with clock.stage("optimise"):
            fit = self._optimiser.fit(
                sight.crop,
                sight.camera,
                sight.normals,
                start=start,
                before=self._before,
                on_progress=self._on_progress,
            )
        self.last, self.last_start = fit, start
        self._before = fit.params if self._tracking else None
        self._on_fit(self)
        seen = self._landmarks.observe(sight.crop.landmarks, sight.camera)
        rms = self._landmarks.miss(unknowns_of(self._optimiser.model, fit.params), seen)
        return FaceFit(fit.params, rms, network_quality(rms))


@dataclass(frozen=True, slots=True, eq=False)
class _Fitted:
    """A face of a frame of a part that is not optimised together yet; without its picture."""

    fit: Reconstruction
    start: FlameParams | None
    follower: OptimisingFollower


class _Last(NamedTuple):
    """Where a face was last, before the part at hand."""

    frame: int  # counted from the part's first: -1 for the one before it
    params: FlameParams


class OptimisingReconstructor(Reconstructor):
    """A Reconstructor that optimises. Use it from one thread; `close` when done."""

    def __init__(
        self,
        model: HeadModel,
        *,
        normals: SeesNormals,
        settings: FitSettings | None = None,
        n_faces: int = 1,
        tracking: bool = True,
        vertex_uv: F32 | None = None,
        on_progress: OnProgress = lambda point, n: True,
        on_joint: OnProgress = lambda point, n: True,
    ) -> None:
        """Args:
            on_joint: as on_progress, of the frames of a video together.
            vertex_uv: as for `Optimiser`, where `normals` gives places in the texture as well.
            on_progress: see `engine.fitting.curve`; called on this thread for every face.
        Raises: AssetError, ModelContractError, ProviderError: if it cannot be set up.
        """
        chosen = settings or FitSettings()
        self._optimiser = Optimiser(model, chosen, vertex_uv=vertex_uv)
        self._landmark_energy = LandmarkEnergy(model, FitConfig())
        self._starts: Followers | None = None
        if chosen.init == "n2fnet":
            self._starts = Followers(model, None, tracking=False)
            self._starts.load(_STARTS)
            try:
                self._starts.check_frames(_STARTS, normals.frames, normals.path.name)
            except AssetError as error:
                raise AssetError(f"{error}; --init neutral begins without it") from error
        self._on_progress, self._on_joint = on_progress, on_joint
        self.settles = chosen.joint
        """Whether `run_clip` changes what `run_all` says of a video's frames."""
        self._joint_frames, self._size = chosen.joint_frames, chosen.size
        self._fits: list[OptimisingFollower] = []  # of the frame at hand, in order
        self._head = PosedHead(model)
        self._curves: dict[int, list[StageCurve]] = {}
        self._newest: OptimisingFollower | None = None
        super().__init__(
            model,
            method=METHOD,
            n_faces=n_faces,
            tracking=tracking,
            normals=normals,
            others={METHOD: self._new_follower},
        )

    def _new_follower(self) -> OptimisingFollower:
        self._newest = OptimisingFollower(
            self._optimiser,
            self._landmark_energy,
            self._starts.new(_STARTS) if self._starts is not None else None,
            tracking=self.tracking,
            on_progress=self._on_progress,
            on_fit=self._fits.append,
        )
        return self._newest

    def fit_seen(self, seen: SeenFrame) -> list[Reconstruction]:
        """As of any Reconstructor; how each face got there is kept for `write_curve`."""
        self._fits.clear()
        fits = super().fit_seen(seen)
        for fit, follower in zip(fits, self._fits, strict=True):
            if follower.last is not None:
                self._keep_curve(fit, f"frame {fit.frame_index}", follower.last.curve)
        return [_trusted(fit) for fit in fits]

    def reset(self) -> None:
        super().reset()
        self._curves.clear()

    def write_curve(self, path: Path, face_id: int) -> None:
        """How a face got where it is, since `reset`: of each frame, and of all together.

        A CSV line for each point: stage, iteration, seconds, energy, and its terms, weighted.
        Raises: OutputError.
        """
        write_curves(path, self._curves.get(face_id, ()))

    def _keep_curve(self, fit: Reconstruction, stage: str, curve: tuple[CurvePoint, ...]) -> None:
        self._curves.setdefault(fit.crop.face_id, []).append(StageCurve(stage, curve))

    def run_clip(
        self, frames: Iterator[Frame], on_frame: Callable[[int], None] = lambda n: None
    ) -> Iterator[list[Reconstruction]]:
        """The faces of each frame of a video, each person's frames optimised together.

        They come late: a part of the video (`FitSettings.joint_frames`) is kept, without pictures,
        until all of it was seen. A longer video keeps the shape that its first part finds.

        Args:
            on_frame: called with the number of frames seen.
        Raises: as `run_all`.
        """
        part: list[list[_Fitted]] = []
        last: dict[int, _Last] = {}  # by face
        for number, frame in enumerate(frames, start=1):
            fits = self.run_all(frame)
            part.append(
                [
                    _Fitted(_without_picture(fit, self._size), follower.last_start, follower)
                    for fit, follower in zip(fits, self._fits, strict=True)
                ]
            )
            on_frame(number)
            if len(part) == self._joint_frames:
                yield from self._settled(part, last)
                part = []
        yield from self._settled(part, last)

    def _settled(
        self, part: list[list[_Fitted]], last: dict[int, _Last]
    ) -> list[list[Reconstruction]]:
        """last: what is known of faces from earlier parts; brought up to this one's end."""
        settled = [[each.fit for each in found] for found in part]
        earlier = dict(last)
        last |= {face: each._replace(frame=each.frame - len(part)) for face, each in last.items()}
        for face in dict.fromkeys(each.fit.crop.face_id for found in part for each in found):
            places = [
                (k, i)
                for k, found in enumerate(part)
                for i, each in enumerate(found)
                if each.fit.crop.face_id == face
            ]
            known = earlier.get(face)
            frames = [k for k, _ in places]
            ends = [known.frame if known is not None else None, *frames[:-1]]
            faces = [
                _as_face(part[k][i], follows=end == k - 1)
                for (k, i), end in zip(places, ends, strict=True)
            ]
            before = None if known is None else known.params
            joint = self._optimiser.fit_joint(faces, before=before, on_progress=self._on_joint)
            self._keep_curve(part[places[0][0]][places[0][1]].fit, "together", joint.curve)
            for (k, i), params in zip(places, joint.params, strict=True):
                settled[k][i] = self._moved(settled[k][i], params)
            k, i = places[-1]
            part[k][i].follower.go_on_from(joint.params[-1])
            last[face] = _Last(k - len(part), joint.params[-1])
        return settled

    def _moved(self, fit: Reconstruction, params: FlameParams) -> Reconstruction:
        """A fit with other parameters, and what follows from them."""
        seen = self._landmark_energy.observe(fit.crop.landmarks, fit.camera)
        rms = self._landmark_energy.miss(unknowns_of(self.model, params), seen)
        found = FaceFit(params, rms, network_quality(rms))
        clock = StageClock()
        clock.ms |= fit.stage_ms
        frame = Frame(_NO_PICTURE, fit.frame_index, fit.t_ns)
        moved = reconstruction(self._head, frame, fit.crop, fit.camera, found, clock)
        return _trusted(self.compared(moved, fit.normals))

    @property
    def last(self) -> OptimisedFit | None:
        """The last face of one person; of several, of the one seen last for the first time."""
        return self._newest.last if self._newest is not None else None

    def close(self) -> None:
        super().close()
        self._optimiser.close()


def _trusted(fit: Reconstruction) -> Reconstruction:
    """Less quality where the head does not follow what was seen, however landmarks agree: from
    WRONG_NORMALS_DEG on, and none at _NO_TRUST_DEG."""
    if not np.isfinite(fit.normal_residual_deg):
        return fit
    share = np.clip(
        (_NO_TRUST_DEG - fit.normal_residual_deg) / (_NO_TRUST_DEG - WRONG_NORMALS_DEG), 0.0, 1.0
    )
    return replace(fit, quality=fit.quality * float(share))


def _without_picture(fit: Reconstruction, size: int) -> Reconstruction:
    """What must be kept of a frame: no picture, and maps no larger than they are fitted to."""
    normals = None if fit.normals is None else at_most(fit.normals, size)
    return replace(fit, crop=replace(fit.crop, image=_NO_PICTURE), normals=normals)


def _as_face(fitted: _Fitted, *, follows: bool) -> FittedFace:
    fit = fitted.fit
    if fit.normals is None:
        raise ValueError(f"method {METHOD} needs normals")
    return FittedFace(fit.crop, fit.camera, fit.normals, fit.params, fitted.start, follows)
