"""A peer's network, ready to run: a crop in, its codes by name out; in torch or in ONNX Runtime."""

import logging
import warnings
from pathlib import Path
from typing import Protocol

import numpy as np
import torch

from engine.errors import AssetError
from engine.peers.architectures import ARCHITECTURES, Architecture
from engine.peers.checkpoint import checkpoint_file, is_torchscript
from engine.peers.conventions import Codes
from engine.peers.crops import PeerCrop
from engine.peers.layouts import METADATA, Loaded, load_network
from engine.peers.registry import Peer, needs_checkpoint
from engine.stages.onnx_session import OnnxSession
from engine.types import F32

__all__ = ["PeerNetwork", "network_picture", "open_network"]

log = logging.getLogger(__name__)

_SHEAP_PARTS = {  # ours, and how many; eyes are two of its
    "shape_from_facenet": ("shape", 300),
    "expr": ("expr", 100),
    "eyelids": ("eyelids", 2),
    "torso_pose": ("root", 3),
    "neck_pose": ("neck", 3),
    "jaw_pose": ("jaw", 3),
    "cam_trans": ("place", 3),
    "eye_l_pose": ("eye_l", 3),
    "eye_r_pose": ("eye_r", 3),
}


class PeerNetwork(Protocol):
    """Run it from one thread."""

    def run(self, crop: PeerCrop) -> Codes: ...


def open_network(peer: Peer, checkpoint: Path | None, *, trust: bool = False) -> PeerNetwork:
    """A peer's network with the weights of a file.

    Args: as `engine.peers.reconstructor.open_peer`.
    Raises: AssetError: without a file, or where it cannot be used. ProviderError.
    """
    if checkpoint is None:
        raise AssetError(f"{peer.title} {needs_checkpoint(peer)}; pass it with --checkpoint")
    checkpoint = checkpoint_file(checkpoint)
    if checkpoint.suffix == ".onnx":
        return _OnnxNetwork(checkpoint, peer)
    if not peer.architectures:
        return _ScriptNetwork(checkpoint, peer, trust=trust)
    loaded = load_network(checkpoint, peer.architectures)
    if loaded.unused:
        groups = ", ".join(f"{name} ({n})" for name, n in loaded.unused)
        log.info("%s: %d tensors used; not used: %s", checkpoint, loaded.n_used, groups)
    return _TorchNetwork(loaded)


def _split_codes(kind: Architecture, codes: F32) -> Codes:
    """(n_codes,) by name."""
    ends = np.cumsum([length for _, length in kind.parts])
    rows = np.split(codes, ends[:-1])
    return {name: row for (name, _), row in zip(kind.parts, rows, strict=True)}


def network_picture(crop: PeerCrop, low: float) -> F32:
    """(1, 3, S, S) what a network takes: RGB, low..1."""
    # ArcFace's own way: 127.5 is the middle.
    scaled = crop.image / np.float32(255.0) if low == 0.0 else (crop.image - 127.5) / 127.5
    picture: F32 = np.ascontiguousarray(scaled.transpose(2, 0, 1)[None], np.float32)
    return picture


class _TorchNetwork:
    """In torch, on the CPU."""

    def __init__(self, loaded: Loaded) -> None:
        self._net = loaded.net
        self._kind = ARCHITECTURES[loaded.architecture]

    def run(self, crop: PeerCrop) -> Codes:
        with torch.inference_mode():
            codes = self._net(torch.from_numpy(network_picture(crop, self._kind.low)))
        return _split_codes(self._kind, codes[0].numpy())


class _OnnxNetwork:
    """In ONNX Runtime."""

    def __init__(self, path: Path, peer: Peer) -> None:
        self._session = OnnxSession(path)
        name = self._session.metadata.get(METADATA, "")
        if name not in peer.architectures:
            raise AssetError(
                f"{path} is {f'a network of {name}' if name else 'no network of a peer'}, expected "
                f"one of {peer.name}; write it with n2f peers export"
            )
        self._kind = ARCHITECTURES[name]

    def run(self, crop: PeerCrop) -> Codes:
        outputs = self._session.run({"image": network_picture(crop, self._kind.low)})
        return _split_codes(self._kind, outputs["codes"][0])


class _ScriptNetwork:
    """SHeaP's TorchScript, which is a program of its authors and runs as one."""

    def __init__(self, path: Path, peer: Peer, *, trust: bool) -> None:
        if not is_torchscript(path):
            raise AssetError(
                f"{path} is not TorchScript; expected {' or '.join(peer.files)} from {peer.source}"
            )
        if not trust:
            raise AssetError(
                f"{path} is TorchScript: it brings its own code, which would run here. If you have "
                f"it from {peer.source} and trust its authors, add --trust"
            )
        try:
            with warnings.catch_warnings():  # PyTorch would rather see other forms
                warnings.simplefilter("ignore", DeprecationWarning)
                self._net = torch.jit.load(str(path), map_location="cpu").eval()
        except (RuntimeError, ValueError) as error:
            reason = str(error).strip().splitlines()[0]
            raise AssetError(f"{path} cannot be loaded ({reason}); download it again") from error
        self._path = path

    def run(self, crop: PeerCrop) -> Codes:
        with torch.inference_mode():
            said = self._net(torch.from_numpy(network_picture(crop, 0.0)))
        codes: dict[str, F32] = {}
        for theirs, (ours, length) in _SHEAP_PARTS.items():
            if not isinstance(said, dict) or theirs not in said:
                raise AssetError(f"{self._path} does not give {theirs}, which SHeaP's files do")
            row = said[theirs].reshape(-1).float().numpy()
            if len(row) != length:
                raise AssetError(
                    f"{self._path} gives {len(row)} values of {theirs}, expected {length}"
                )
            codes[ours] = row
        codes["eyes"] = np.concatenate([codes.pop("eye_l"), codes.pop("eye_r")])
        return codes
