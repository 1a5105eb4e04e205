"""Pixel3dmmEstimator: the official networks as a stage, in the place of the NormalEstimator.

In torch, for offline use; for the live path export them as ONNX (`n2f export pixel3dmm`).
"""

from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from torch import Tensor

from engine.errors import AssetError, ProviderError
from engine.peers.pixel3dmm_checkpoint import read_checkpoint
from engine.peers.pixel3dmm_crop import cut_picture, official_square
from engine.peers.pixel3dmm_maps import (
    PIXEL_MEAN,
    PIXEL_STD,
    MapNet,
    as_8_bit,
    head_normals,
)
from engine.peers.pixel3dmm_net import load_network
from engine.stages.crop_picture import resized_crop
from engine.stages.foreign_normals import oval_mask
from engine.stages.normal_estimator import points_in_map
from engine.types import F32, F64, U8, Camera, FaceCrop, Frame, NormalMap

__all__ = ["Pixel3dmmEstimator", "Pixel3dmmOptions"]


@dataclass(frozen=True, slots=True)
class Pixel3dmmOptions:
    """How the networks are run."""

    mirror: bool = True  # average with the mirrored picture, as theirs; doubles the time
    as_8_bit: bool = False  # through an 8-bit file, as theirs
    device: str = "cpu"  # or "cuda"


class Pixel3dmmEstimator:
    """Made once, used from one thread. `fallback` is always empty: nothing else stands in."""

    fallback = ""
    frames = frozenset({"head"})

    def __init__(
        self, normals: Path, uv: Path | None = None, options: Pixel3dmmOptions | None = None
    ) -> None:
        """Load the networks.

        Args:
            normals, uv: checkpoints, Lightning's or converted; uv None: no texture coordinates.
        Raises: AssetError: if a file is not what it should be. ModelContractError: if the two are
            exchanged. ProviderError: if the device is missing.
        """
        self.path, self.options = normals, options or Pixel3dmmOptions()
        if self.options.device == "cuda" and not torch.cuda.is_available():
            raise ProviderError("torch sees no CUDA device; use the CPU, or mend the driver")
        self._normals, self.size_px = self._loaded(normals, "normals")
        self._uv = None
        if uv is not None:
            self._uv, uv_size = self._loaded(uv, "uv_map")
            if uv_size != self.size_px:
                raise AssetError(
                    f"{uv} takes {uv_size} px, {normals} {self.size_px}; take both of one release"
                )

    @property
    def provider(self) -> str:
        """What it runs on, e.g. "cpu"."""
        return self.options.device

    def run(self, crop: FaceCrop, camera: Camera) -> NormalMap:
        """Normals, and places in the texture where there is a network for them, on our own crop,
        which is turned upright with the face.

        Args:
            camera: of the frame; not needed, as normals of the head know no camera.
        """
        image, matrix = resized_crop(crop, self.size_px)
        return self._seen(image, crop, matrix)

    def run_frame(self, frame: Frame, crop: FaceCrop) -> NormalMap:
        """The same on their crop.

        Args:
            frame: the picture that the crop is from.
        """
        height, width = frame.image.shape[:2]
        square = official_square(crop.landmarks[:468], width, height)
        image, matrix = cut_picture(frame.image, square, self.size_px)
        return self._seen(image, crop, matrix)

    def _seen(self, image: U8, crop: FaceCrop, matrix: F64) -> NormalMap:
        picture = self._prepared(image)
        raw = self._predict(self._normals, picture)
        head, is_normal = head_normals(raw)
        if self.options.as_8_bit:
            head = _head_through_8_bit(head)
        mask = oval_mask(points_in_map(crop, matrix), self.size_px)
        return NormalMap(
            head=head,
            view=None,
            mask=mask,
            confidence=mask * is_normal,
            parsing=None,
            crop_from_frame=matrix,
            uv=self._places(picture),
        )

    def _places(self, picture: Tensor) -> F32 | None:
        """(S, S, 2) in the texture."""
        if self._uv is None:
            return None
        uv = self._predict(self._uv, picture)
        if self.options.as_8_bit:
            uv = as_8_bit(uv, 0.0, 1.0)
        places: F32 = np.ascontiguousarray(uv.permute(1, 2, 0).numpy())
        return places

    def _loaded(self, path: Path, name: str) -> tuple[MapNet, int]:
        net, _ = load_network(read_checkpoint(path))
        mapped = MapNet(net, name, mirror=self.options.mirror).eval().to(self.options.device)
        return mapped, net.sizes.size_px

    def _prepared(self, image: U8) -> Tensor:
        """(1, 3, S, S) as the backbone wants it."""
        mean, std = torch.tensor(PIXEL_MEAN), torch.tensor(PIXEL_STD)
        picture = (torch.from_numpy(image).float() / 255 - mean) / std
        return picture.permute(2, 0, 1)[None].contiguous().to(self.options.device)

    def _predict(self, net: MapNet, picture: Tensor) -> Tensor:
        with torch.inference_mode():
            found: Tensor = net(picture)[0].cpu()
        return found


def _head_through_8_bit(head: F32) -> F32:
    """Unit normals again, after an 8-bit picture of them."""
    kept = as_8_bit(torch.from_numpy(head), -1.0, 1.0)
    again: F32 = torch.nn.functional.normalize(kept, dim=-1).numpy()
    return again
