"""What fits faces by a method: its network loaded, and why it cannot be used where it cannot."""

import logging
from collections.abc import Callable, Collection, Iterable, Mapping
from pathlib import Path

from engine.errors import AssetError, EngineError
from engine.face_fit import FaceFollower, LandmarkFollower, NetworkFollower
from engine.flame.model import HeadModel
from engine.methods import BEST_FIRST, DEFAULT, Method, method_named, network_path
from engine.normal_choice import NormalChoice
from engine.stages.flame_regressor import FlameRegressor
from engine.stages.landmark_placer import LandmarkPlacer
from engine.stages.normal_surface import NormalSurface
from engine.stages.refiner import FOR_PREDICTED, Refiner

__all__ = [
    "Followers",
    "check_method",
    "default_method",
    "load_regressor",
    "obstacle",
    "obstacles",
]

log = logging.getLogger(__name__)


def load_regressor(
    method: Method, model: HeadModel, weights: Path | None, provider: str = "auto"
) -> FlameRegressor | None:
    """The network of a method; None if it needs none.

    Args:
        weights: as for `network_path`.
        provider: as for `OnnxSession`; where it does not work, the CPU is used, and that logged.
    Raises: AssetError: if the file is missing or damaged. ModelContractError: if it is for another
        head model. ProviderError.
    """
    path = network_path(method, weights)
    if path is None:
        return None
    regressor = FlameRegressor(path, model, provider=provider, may_fall_back=True)
    if regressor.session.fallback:
        log.warning("%s runs on the %s", path.name, regressor.session.fallback)
    return regressor


def check_method(name: str, model: HeadModel, weights: Path | None, normals: NormalChoice) -> None:
    """Args: weights: as for `load_regressor`.

    Raises: EngineError: if a method cannot be used here, saying why.
    """
    method = method_named(name)
    if method.needs_normals and normals.path is None:
        raise AssetError(f"no normal network: {normals.reason}")
    regressor = load_regressor(method, model, weights)
    if regressor is not None and normals.path is not None:
        regressor.check_frames(normals.frames, normals.path.name)


def obstacle(name: str, model: HeadModel, weights: Path | None, normals: NormalChoice) -> str:
    """Why a method cannot be used here, see `check_method`; empty where it can."""
    try:
        check_method(name, model, weights, normals)
    except EngineError as error:
        return str(error)
    return ""


def obstacles(
    names: Iterable[str], model: HeadModel, weights: Path | None, normals: NormalChoice
) -> dict[str, str]:
    """`obstacle` of several methods by name; a network that they share is loaded once."""
    found: dict[tuple[str | None, bool], str] = {}
    reasons = {}
    for name in names:
        method = method_named(name)
        key = (method.network, method.needs_normals)
        if key not in found:
            found[key] = obstacle(name, model, weights, normals)
        reasons[name] = found[key]
    return reasons


def default_method(model: HeadModel, normals: NormalChoice) -> str:
    """The best method that can be used here; the log says why where it is not DEFAULT."""
    problems = {}
    for name in BEST_FIRST:
        problems[name] = obstacle(name, model, None, normals)
        if not problems[name]:
            break
    if problems[DEFAULT]:
        log.warning("method %s instead of %s: %s", name, DEFAULT, problems[DEFAULT])
    return name


class Followers:
    """Makes followers by methods; what they share is loaded when first needed."""

    def __init__(
        self,
        model: HeadModel,
        weights: Path | None,
        *,
        tracking: bool,
        others: Mapping[str, Callable[[], FaceFollower]] | None = None,
        provider: str = "auto",
    ) -> None:
        """Args:
        others: what makes followers of methods that are not known here, by name.
        provider: as for `load_regressor`.
        """
        self._provider = provider
        self._others = dict(others or {})
        self._model, self._weights, self._tracking = model, weights, tracking
        self._regressors: dict[str, FlameRegressor | None] = {}
        self._placer: LandmarkPlacer | None = None
        self._surface: NormalSurface | None = None

    def load(self, method: Method) -> None:
        """Load what is missing for `new`.

        Raises: ValueError: if followers of the method are made elsewhere, and not by `others`.
        """
        if method.optimised and method.name not in self._others:
            raise ValueError(f"method {method.name}: use engine.fitting.reconstructor")
        network = method.network or ""
        if network not in self._regressors:
            self._regressors[network] = load_regressor(
                method, self._model, self._weights, self._provider
            )
        if method.network is not None and self._placer is None:
            self._placer = LandmarkPlacer(self._model)
        if method.refined and self._surface is None:
            self._surface = NormalSurface(self._model)

    def check_frames(self, method: Method, given: Collection[str], source: str) -> None:
        """As `FlameRegressor.check_frames`, of the network of a method that was loaded."""
        regressor = self._regressors[method.network or ""]
        if regressor is not None:
            regressor.check_frames(given, source)

    def new(self, method: Method) -> FaceFollower:
        """By a method that was loaded; takes tens of milliseconds."""
        if method.name in self._others:
            return self._others[method.name]()
        surface = self._surface if method.refined else None
        regressor = self._regressors[method.network or ""]
        if regressor is not None and self._placer is not None:
            return NetworkFollower(
                self._model, regressor, self._placer, surface=surface, tracking=self._tracking
            )
        refiner = None
        if surface is not None:
            refiner = Refiner(self._model, FOR_PREDICTED, surface=surface, tracking=self._tracking)
        return LandmarkFollower(self._model, refiner)
