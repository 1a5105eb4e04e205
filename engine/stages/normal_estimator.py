"""NormalEstimator: a face's crop in, its normals out, each in the frame it is named for."""

from pathlib import Path
from typing import Protocol

import numpy as np

from engine.frames import view_from_crop
from engine.stages.crop_picture import resized_crop
from engine.stages.foreign_normals import ForeignNetwork, load_format
from engine.stages.normal_network import NormalNetwork, OwnNetwork
from engine.types import F32, F64, Camera, FaceCrop, NormalMap

__all__ = ["NormalEstimator", "SeesNormals", "frames_of_network", "points_in_map"]


class SeesNormals(Protocol):
    """What a fit needs of a stage that sees normals."""

    @property
    def path(self) -> Path:
        """The network's file."""
        ...

    @property
    def frames(self) -> frozenset[str]:
        """In which frames normals are given: "head", "view" or both."""
        ...

    @property
    def size_px(self) -> int:
        """Side of the maps."""
        ...

    @property
    def provider(self) -> str:
        """What it runs on."""
        ...

    @property
    def fallback(self) -> str:
        """What it runs on instead of what was asked for, and why; empty if it runs there."""
        ...

    def run(self, crop: FaceCrop, camera: Camera) -> NormalMap:
        """As `NormalEstimator.run`."""
        ...


class NormalEstimator:
    """Made once, used from one thread."""

    def __init__(
        self,
        weights: Path,
        *,
        threads: int = 2,
        provider: str = "auto",
        may_fall_back: bool = False,
    ) -> None:
        """Load a network and run it once.

        Args:
            weights: an ONNX file of our own training, or any other with a FILE.toml beside it, see
                `engine.stages.foreign_normals`.
            threads, provider, may_fall_back: as for `OnnxSession`.
        Raises: AssetError: if the file is missing or not as it should be. ProviderError: if it
            cannot be run there.
        """
        make = OwnNetwork if _description(weights) is None else ForeignNetwork
        self._network: NormalNetwork = make(
            weights, threads=threads, provider=provider, may_fall_back=may_fall_back
        )
        self.path = weights

    @property
    def frames(self) -> frozenset[str]:
        """See `frames_of_network`."""
        return frames_of_network(self.path)

    @property
    def size_px(self) -> int:
        """Side of the maps."""
        return self._network.size_px

    @property
    def provider(self) -> str:
        """What it runs on, e.g. "cpu"."""
        return self._network.session.provider

    @property
    def fallback(self) -> str:
        """Why that is the CPU although something else was asked for; else empty."""
        return self._network.session.fallback

    def run(self, crop: FaceCrop, camera: Camera) -> NormalMap:
        """Normals of a face.

        Args:
            camera: of the frame that the crop is from.
        """
        size = self.size_px
        image, map_from_frame = resized_crop(crop, size)
        found = self._network.predict(image, points_in_map(crop, map_from_frame))
        view = found.view
        if found.crop_view is not None:
            turn = view_from_crop(camera, map_from_frame, size).astype(np.float32)
            view = found.crop_view @ turn.T
        return NormalMap(
            head=found.head,
            view=view,
            mask=found.mask,
            confidence=found.confidence,
            parsing=found.parsing,
            crop_from_frame=map_from_frame,
        )


def frames_of_network(weights: Path) -> frozenset[str]:
    """In which frames a network of `NormalEstimator` gives normals: "head", "view" or both.

    Raises: AssetError: if the description beside it is not as it should be.
    """
    description = _description(weights)
    if description is None:
        return frozenset({"head", "view"})
    return frozenset({load_format(description).map_frame})


def _description(weights: Path) -> Path | None:
    """What lies beside a network of others; None: it is of our own training."""
    path = weights.with_suffix(".toml")
    return path if path.is_file() else None


def points_in_map(crop: FaceCrop, map_from_frame: F64) -> F32:
    """(478, 3) MediaPipe's points in the pixels of a map, z towards the viewer."""
    linear = map_from_frame[:, :2]
    scale = np.sqrt(np.linalg.det(linear))
    flat = crop.landmarks @ linear.T + map_from_frame[:, 2]
    points: F32 = np.column_stack([flat, scale * crop.landmarks_z]).astype(np.float32)
    return points
