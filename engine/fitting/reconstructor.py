"""The method `pixel3dmm` in a Reconstructor's place: each face of each frame is optimised."""

from engine.face_fit import FaceFit, FaceFollower, FaceSight, network_quality
from engine.fitting.curve import OnProgress, OptimisedFit
from engine.fitting.optimiser import Optimiser
from engine.fitting.settings import FitSettings
from engine.flame.model import HeadModel
from engine.methods import Followers, method_named
from engine.pipeline import Reconstructor
from engine.stages.head_unknowns import unknowns_of
from engine.stages.landmark_energy import FitConfig, LandmarkEnergy
from engine.stages.normal_estimator import SeesNormals
from engine.timing import StageClock
from engine.types import F32, FlameParams

__all__ = ["METHOD", "OptimisingFollower", "OptimisingReconstructor"]

METHOD = "pixel3dmm"


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
    ) -> None:
        """Args:
        starts: says where to begin; None: the mean head.
        tracking: calls are frames of one person's video; False: each is a picture of its own.
        """
        self._optimiser, self._landmarks, self._starts = optimiser, landmarks, starts
        self._tracking, self._on_progress = tracking, on_progress
        self._before: FlameParams | None = None
        self.last: OptimisedFit | None = None

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
        self.last = fit
        self._before = fit.params if self._tracking else None
        seen = self._landmarks.observe(sight.crop.landmarks, sight.camera)
        rms = self._landmarks.miss(unknowns_of(self._optimiser.model, fit.params), seen)
        return FaceFit(fit.params, rms, network_quality(rms))


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
    ) -> None:
        """Args:
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
            self._starts.use(method_named("n2fnet"))
        self._on_progress = on_progress
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
            self._starts.new() if self._starts is not None else None,
            tracking=self.tracking,
            on_progress=self._on_progress,
        )
        return self._newest

    @property
    def last(self) -> OptimisedFit | None:
        """The last face of one person; of several, of the one seen last for the first time."""
        return self._newest.last if self._newest is not None else None

    def close(self) -> None:
        super().close()
        self._optimiser.close()
