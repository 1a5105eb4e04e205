"""What a normal network is asked and answers, and the network of our own training."""

from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

import numpy as np

from engine.errors import AssetError
from engine.stages.onnx_session import OnnxSession
from engine.types import F32, N_MEDIAPIPE, U8

__all__ = ["NormalNetwork", "OwnNetwork", "Prediction", "point_shares"]

_INPUTS, _OUTPUTS = ("image", "points"), ("head", "view", "confidence", "parsing", "mask")


@dataclass(frozen=True, slots=True, eq=False)
class Prediction:
    """A network's answer for a crop of S x S px; see `NormalMap` for what the maps mean."""

    mask: F32  # (S, S) 0..1
    confidence: F32  # (S, S) 0..1
    head: F32 | None = None  # (S, S, 3) unit, head frame
    crop_view: F32 | None = None  # (S, S, 3) unit, crop-view frame
    view: F32 | None = None  # (S, S, 3) unit, view frame, of networks that know the camera
    parsing: U8 | None = None  # (S, S)


def point_shares(points: F32, size: int) -> F32:
    """(N, 3) points of a crop's pixels as shares of its side, counted from its corner."""
    shares: F32 = (points + np.array([0.5, 0.5, 0.0], np.float32)) / np.float32(size)
    return shares


class NormalNetwork(Protocol):
    """Any network that sees normals."""

    @property
    def session(self) -> OnnxSession:
        """What it runs in."""
        ...

    @property
    def size_px(self) -> int:
        """Side of the crop that it takes."""
        ...

    def predict(self, image: U8, points: F32) -> Prediction:
        """Args:
        image: (S, S, 3) RGB.
        points: (478, 3) MediaPipe's points, crop px, z towards the viewer.
        """
        ...


class OwnNetwork:
    """The network that engine.training exports: two normal maps, a mask and a parsing."""

    def __init__(self, path: Path, *, threads: int, provider: str, may_fall_back: bool) -> None:
        """Raises: AssetError: if it is another network. ProviderError: if it cannot run."""
        self.session = OnnxSession(
            path, threads=threads, provider=provider, may_fall_back=may_fall_back
        )
        self.size_px = _checked_size(self.session)

    def predict(self, image: U8, points: F32) -> Prediction:
        """As `NormalNetwork.predict`."""
        shares = point_shares(points, self.size_px)
        found = self.session.run({"image": image[None], "points": shares[None]})
        return Prediction(
            mask=found["mask"][0],
            confidence=found["confidence"][0],
            head=found["head"][0],
            crop_view=found["view"][0],
            parsing=found["parsing"][0],
        )


def _checked_size(session: OnnxSession) -> int:
    """The side of the crop. Raises: AssetError: if shapes are not those of our network."""
    inputs, outputs = session.inputs, session.outputs
    shape = inputs["image"].shape if "image" in inputs else ()
    side = (shape[1] if len(shape) == 4 else None) or 0
    maps, flat = (1, side, side, 3), (1, side, side)
    wanted_in = {"image": (maps, np.uint8), "points": ((1, N_MEDIAPIPE, 3), np.float32)}
    wanted_out = {
        "head": (maps, np.float32),
        "view": (maps, np.float32),
        "confidence": (flat, np.float32),
        "parsing": (flat, np.uint8),
        "mask": (flat, np.float32),
    }
    have_in = {i.name: (i.shape, i.dtype) for i in inputs.values()}
    have_out = {o.name: (o.shape, o.dtype) for o in outputs.values() if o.name in wanted_out}
    if have_in == wanted_in and have_out == wanted_out:
        return side
    raise AssetError(
        f"{session.path} is no normal network of this program (inputs {', '.join(inputs)}; "
        f"outputs {', '.join(outputs)}; expected {', '.join(_INPUTS)} and {', '.join(_OUTPUTS)}); "
        f"choose another, or describe it in {session.path.with_suffix('.toml').name} beside it"
    )
