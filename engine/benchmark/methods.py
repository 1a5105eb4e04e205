"""Which methods can be benchmarked, and one factory that makes each of them.

Ours by their names; networks of one's own; peers with the user's checkpoint; MediaPipe's mesh.
"""

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final, Literal

from engine.benchmark.predictors import (
    FACES_IN_A_BOX,
    FitterPredictor,
    MediapipePredictor,
    Predictor,
)
from engine.errors import AssetError, EngineError, ProviderError
from engine.fitting.settings import FitSettings
from engine.flame.model import HeadModel
from engine.head_choice import chosen_head_model
from engine.io.assets import sha256_of
from engine.methods import METHODS, method_named, network_identity
from engine.normal_choice import choose_normals
from engine.peers.registry import FRONT_END, FRONT_END_NEEDS, PEERS, needs_checkpoint
from engine.pipeline import Reconstructor
from engine.stages.normal_estimator import NormalEstimator

__all__ = [
    "BENCH_METHODS",
    "DEFAULT_METHODS",
    "SLOW_METHODS",
    "UV_NETWORK",
    "MethodMaker",
    "MethodSetup",
]

_OPTIMISERS: Final[dict[str, Literal["adam", "gn"]]] = {"pixel3dmm": "adam", "pixel3dmm-gn": "gn"}
"""The published way, and Gauss-Newton on the same energy."""

UV_NETWORK: Final = "pixel3dmm-uv"
"""Among checkpoints: the network of places in FLAME's texture, used by FRONT_END if given."""

SLOW_METHODS: Final = frozenset({*_OPTIMISERS, FRONT_END, "oracle"})
"""Those that take seconds: nothing is warmed up for them, and their faces are kept for pictures."""

OWN_WEIGHTS: Final = ("n2fnet", "n2fnet-refined")
"""Methods that --n2fnet is for."""

DEFAULT_METHODS: Final = (
    "mediapipe", "landmarks", "rgb", "n2fnet-noseg", "baseline", "two-stage", "n2fnet",
    "landmarks-refined", "n2fnet-refined",
)  # fmt: skip


@dataclass(frozen=True, slots=True)
class MethodSetup:
    """What methods are made with. Files must be at the same place on every machine."""

    model: Path | None = None  # head model; None: the bundled one
    normals: str | None = None  # as for `choose_normals`
    n2fnet: Path | None = None  # in place of the shipped network
    networks: tuple[tuple[str, Path], ...] = ()  # by names of their own, run as n2fnet is
    checkpoints: tuple[tuple[str, Path], ...] = ()  # of peers, by name
    trust: bool = False  # whether code that a checkpoint brings may run

    def names(self) -> tuple[str, ...]:
        """All methods there are."""
        return (*BENCH_METHODS, *(name for name, _ in self.networks))

    def to_dict(self) -> dict[str, Any]:
        """As JSON values."""
        return {
            "model": None if self.model is None else str(self.model),
            "normals": self.normals,
            "n2fnet": None if self.n2fnet is None else str(self.n2fnet),
            "networks": {name: str(path) for name, path in self.networks},
            "checkpoints": {name: str(path) for name, path in self.checkpoints},
            "trust": self.trust,
        }


class MethodMaker:
    """Makes predictors for one head model; what they share is loaded once. For one thread."""

    def __init__(self, setup: MethodSetup) -> None:
        """Raises: AssetError: if the head model cannot be used."""
        self.setup = setup
        self.model: HeadModel = chosen_head_model(setup.model)
        self._normals: NormalEstimator | None = None

    def make(self, name: str, *, neutral: bool = False, boxed: bool = False) -> Predictor:
        """Args:
            name: one of `MethodSetup.names`.
            neutral: faces are wanted at rest.
            boxed: samples say which face they are about.
        Raises: EngineError: if the method cannot be used here, in words that fit into a table.
            ValueError: if there is none of that name.
        """
        n_faces = FACES_IN_A_BOX if boxed else 1
        if name == "mediapipe":
            return MediapipePredictor(n_faces)
        if name in _ELSEWHERE:
            return _ELSEWHERE[name](self, neutral, n_faces)
        networks = dict(self.setup.networks)
        if name in networks:
            return self._ours("n2fnet", networks[name], neutral, n_faces)
        weights = self.setup.n2fnet if name in OWN_WEIGHTS else None
        return self._ours(name, weights, neutral, n_faces)

    def obstacle(self, name: str) -> str:
        """Why a method cannot be used here; empty where it can."""
        try:
            self.make(name).close()
        except EngineError as error:
            return str(error)
        return ""

    def identity(self, name: str) -> str:
        """Which files a method's answers depend on, besides the head model."""
        networks, checkpoints = dict(self.setup.networks), dict(self.setup.checkpoints)
        if name == FRONT_END and name in checkpoints:
            files = [checkpoints[k] for k in (name, UV_NETWORK) if k in checkpoints]
            return ", ".join([*map(_file_identity, files), _settings_identity("adam")])
        if name in checkpoints:
            return _file_identity(checkpoints[name])
        if name not in (*METHODS, *_OPTIMISERS, *networks):
            return ""
        parts = [choose_normals(self.setup.normals).identity]
        if name in _OPTIMISERS:
            return f"{parts[0]}, {_settings_identity(_OPTIMISERS[name])}"
        if name in networks:
            parts.append(_file_identity(networks[name]))
        elif METHODS[name].network is not None:
            weights = self.setup.n2fnet if name in OWN_WEIGHTS else None
            parts.append(network_identity(name, weights))
        return ", ".join(filter(None, parts))

    def _ours(
        self, name: str, weights: Path | None, neutral: bool, n_faces: int
    ) -> FitterPredictor:
        method = method_named(name)
        normals = self.seeing() if method.needs_normals else None
        fitter = Reconstructor(
            self.model,
            method=name,
            n_faces=n_faces,
            tracking=False,
            normals=normals,
            weights=weights,
        )
        return FitterPredictor(self.model, fitter, neutral=neutral)

    def seeing(self) -> NormalEstimator:
        """The normal network that all methods share. Raises: AssetError: if there is none."""
        if self._normals is None:
            choice = choose_normals(self.setup.normals)
            self._normals = choice.load()
            if self._normals is None:
                raise AssetError(f"no normal network: {choice.reason}")
        return self._normals


def _peer(name: str) -> "_Elsewhere":
    def make(maker: MethodMaker, neutral: bool, n_faces: int) -> Predictor:
        path = dict(maker.setup.checkpoints).get(name)
        if path is None:
            raise AssetError(needs_checkpoint(PEERS[name]))
        try:
            from engine.peers.reconstructor import PeerReconstructor  # torch is an extra
        except ImportError as error:
            raise ProviderError(f"needs torch ({error}); install n2fnet[train]") from error
        fitter = PeerReconstructor(
            maker.model, name, path, n_faces=n_faces, tracking=False, trust=maker.setup.trust
        )
        return FitterPredictor(maker.model, fitter, neutral=neutral)

    return make


def _optimiser(name: Literal["adam", "gn"]) -> "_Elsewhere":
    def make(maker: MethodMaker, neutral: bool, n_faces: int) -> Predictor:
        try:
            from engine.fitting.reconstructor import OptimisingReconstructor  # torch is an extra
        except ImportError as error:
            raise ProviderError(f"needs torch ({error}); install n2fnet[train]") from error
        fitter = OptimisingReconstructor(
            maker.model,
            normals=maker.seeing(),
            settings=FitSettings(optimizer=name),
            n_faces=n_faces,
            tracking=False,
        )
        return FitterPredictor(maker.model, fitter, neutral=neutral)

    return make


def _front_end(maker: MethodMaker, neutral: bool, n_faces: int) -> Predictor:
    files = dict(maker.setup.checkpoints)
    if FRONT_END not in files:
        raise AssetError(FRONT_END_NEEDS)
    try:
        from engine.fitting.reconstructor import OptimisingReconstructor  # torch is an extra
        from engine.fitting.uv_matches import coords_beside, read_vertex_uv
        from engine.peers.pixel3dmm_estimator import Pixel3dmmEstimator
    except ImportError as error:
        raise ProviderError(f"needs torch ({error}); install n2fnet[train]") from error
    uv, vertex_uv = files.get(UV_NETWORK), None
    if uv is not None:
        vertex_uv = read_vertex_uv(coords_beside(uv), maker.model.n_vertices)
    fitter = OptimisingReconstructor(
        maker.model,
        normals=Pixel3dmmEstimator(files[FRONT_END], uv),
        settings=FitSettings(),
        n_faces=n_faces,
        tracking=False,
        vertex_uv=vertex_uv,
    )
    return FitterPredictor(maker.model, fitter, neutral=neutral)


def _oracle(maker: MethodMaker, neutral: bool, n_faces: int) -> Predictor:
    try:
        from engine.benchmark.oracle import OraclePredictor  # torch is an extra
    except ImportError as error:
        raise ProviderError(f"needs torch ({error}); install n2fnet[train]") from error
    return OraclePredictor(maker.model, neutral=neutral)


_Elsewhere = Callable[[MethodMaker, bool, int], Predictor]
_ELSEWHERE: Final[dict[str, _Elsewhere]] = {
    **{name: _peer(name) for name in PEERS},
    **{name: _optimiser(optimizer) for name, optimizer in _OPTIMISERS.items()},
    FRONT_END: _front_end,
    "oracle": _oracle,
}

BENCH_METHODS: Final = tuple(dict.fromkeys(("mediapipe", *METHODS, *_ELSEWHERE)))
"""By name, networks of one's own besides."""


def _settings_identity(optimizer: Literal["adam", "gn"]) -> str:
    return f"settings {FitSettings(optimizer=optimizer).digest()[:12]}"


def _file_identity(path: Path) -> str:
    if path.is_dir():  # EMOCA's, as unpacked
        return path.name
    return f"{path.name} {sha256_of(path)[:12]}"
