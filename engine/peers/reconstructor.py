"""PeerReconstructor: frames in, heads as a peer sees them out, in the form all fits here have."""

import logging
from pathlib import Path

from threadpoolctl import threadpool_limits

from engine.errors import ModelContractError
from engine.face_fit import FaceFit, network_quality
from engine.flame.model import HeadModel
from engine.flame.posed import PosedHead
from engine.peers.conventions import PeerHead, Told
from engine.peers.crops import CROPS
from engine.peers.network import PeerNetwork, open_network
from engine.peers.registry import PEERS, Peer
from engine.pipeline import camera_of, reconstruction
from engine.stages.face_cropper import CropConfig, FaceCropper
from engine.stages.head_unknowns import unknowns_of
from engine.stages.landmark_energy import FitConfig, LandmarkEnergy
from engine.timing import StageClock
from engine.types import FaceCrop, Frame, Reconstruction

__all__ = ["PeerReconstructor", "open_peer"]

log = logging.getLogger(__name__)

_SAME_CODES = ("2020", "unknown")
"""Releases of FLAME that the peers' codes belong to, or may."""


def open_peer(
    model: HeadModel, name: str, checkpoint: Path | None, *, trust: bool = False
) -> PeerNetwork:
    """A peer's network, after a look whether its codes belong to the head model.

    Args:
        checkpoint: as its authors gave it, .safetensors of `n2f peers convert`, or .onnx of
            `n2f peers export`.
        trust: run the code that a TorchScript file brings.
    Raises: ValueError: for a name that does not exist. AssetError: without a checkpoint, or where
        it cannot be used. ModelContractError: if the model is no FLAME. ProviderError.
    """
    if name not in PEERS:
        raise ValueError(f"peer {name!r} does not exist; choose from {', '.join(PEERS)}")
    network = open_network(PEERS[name], checkpoint, trust=trust)
    _check_head(model, PEERS[name])
    return network


class PeerReconstructor:
    """Fits faces by one peer, each frame on its own. Use it from one thread; `close` when done."""

    def __init__(
        self,
        model: HeadModel,
        name: str,
        checkpoint: Path | PeerNetwork | None,
        *,
        n_faces: int = 1,
        tracking: bool = True,
        trust: bool = False,
    ) -> None:
        """Load what is needed.

        Args:
            model: the user's FLAME file, best of 2020, of which the codes are.
            name: of PEERS.
            checkpoint: see `open_peer`; or what that gave, to share it on the same thread.
            n_faces: how many faces to look for.
            tracking: faces keep their ids from frame to frame.
            trust: run the code that a TorchScript file brings.
        Raises: as `open_peer`.
        """
        if checkpoint is None or isinstance(checkpoint, Path):
            checkpoint = open_peer(model, name, checkpoint, trust=trust)
        self.model, self.peer, self._network = model, PEERS[name], checkpoint
        threadpool_limits(1, user_api="blas")
        self._head, self._posed = PeerHead(model), PosedHead(model)
        self._energy = LandmarkEnergy(model, FitConfig())
        self._cropper = FaceCropper(CropConfig(n_faces=n_faces, tracking=tracking))

    @property
    def n_seen(self) -> int:
        """Faces in the last frame, of which fewer may have been fitted."""
        return self._cropper.n_seen

    def run_all(self, frame: Frame) -> list[Reconstruction]:
        """All faces of a frame up to n_faces, largest first; none where the peer tells no place."""
        clock = StageClock()
        with clock.stage("crop"):
            crops = self._cropper.run_all(frame)
        fits = (self._reconstruct(frame, crop, clock) for crop in crops)
        return [fit for fit in fits if fit is not None]

    def use(self, method: str) -> None:
        """Raises: ValueError: for any other method than the peer's own."""
        if method != self.peer.name:
            raise ValueError(f"this fits by {self.peer.name} alone, not by {method}")

    def reset(self) -> None:
        """Forget places: call when the source changes."""
        self._cropper.reset()

    def close(self) -> None:
        """Free what MediaPipe holds."""
        self._cropper.close()

    def _reconstruct(
        self, frame: Frame, crop: FaceCrop, clock: StageClock
    ) -> Reconstruction | None:
        own = StageClock()
        own.ms |= clock.ms
        told = self._told(frame, crop, own)
        if told is None:
            log.warning("frame %d: %s tells no place of the face", frame.index, self.peer.title)
            return None
        seen = self._energy.observe(crop.landmarks, told.camera)
        rms = self._energy.miss(unknowns_of(self.model, told.params), seen)
        fit = FaceFit(told.params, rms, network_quality(rms))
        return reconstruction(self._posed, frame, crop, told.camera, fit, own)

    def _told(self, frame: Frame, crop: FaceCrop, clock: StageClock) -> Told | None:
        with clock.stage("peer crop"):
            cut = CROPS[self.peer.name](frame.image, crop.landmarks)
        with clock.stage(self.peer.name):
            codes = self._network.run(cut)
        camera = camera_of(frame)
        if "place" in codes:
            return self._head.sheap(codes, cut, camera)
        if "camera" in codes:
            return self._head.weak_perspective(codes, cut, camera)
        return self._head.neutral(codes, crop.landmarks, camera)


def _check_head(model: HeadModel, peer: Peer) -> None:
    """Raises: ModelContractError: if codes of the peer mean nothing to the model."""
    release = model.meta.get("release")
    if not isinstance(release, dict):
        raise ModelContractError(
            f"{peer.title}'s codes are of {peer.head}, and {model.name} is no FLAME; "
            "pass that file with --model"
        )
    if release.get("key") not in _SAME_CODES:
        log.warning(
            "%s's codes are of %s; with %s expressions mean something else, and heads are wrong",
            peer.title,
            peer.head,
            model.name,
        )
