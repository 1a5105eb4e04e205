"""What a normal network sees in synthetic pictures, with their parameters: rows for N2FNet.

Only samples of the given head model have parameters that count; others are left out.
"""

import logging
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import numpy.typing as npt

from engine.errors import AssetError
from engine.flame.model import HeadModel
from engine.io.assets import sha256_of
from engine.stages.normal_network import NormalNetwork, OwnNetwork, point_shares
from engine.stages.weak_perspective import crop_pose, face_anchor
from engine.synth.head_maps import averaged, coded, param_fields
from engine.synth.map_files import MapInfo, begin_folder, write_rows
from engine.synth.sample import MASK_CLASSES, Sample, decode_normals
from engine.synth.shards import read_model_ids, read_shard
from engine.types import F32, F64, N_MEDIAPIPE, U8, Camera, FlameParams

__all__ = [
    "TrueMaps",
    "check_shards",
    "predict_maps",
    "predicted_row",
    "predicted_row_type",
    "row_of",
]

Rows = npt.NDArray[np.void]

log = logging.getLogger(__name__)


def predicted_row_type(map_px: int, image_px: int, n_shape: int, n_expr: int) -> np.dtype[np.void]:
    """A picture as the normal network saw it; maps as in `head_maps.map_row_type`."""
    return np.dtype(
        [
            ("head", np.uint8, (map_px, map_px, 3)),
            ("view", np.uint8, (map_px, map_px, 3)),  # crop-view frame
            ("mask", np.uint8, (map_px, map_px)),
            ("confidence", np.uint8, (map_px, map_px)),
            ("image", np.uint8, (image_px, image_px, 3)),  # RGB, for the baseline without normals
            ("points", np.float32, (N_MEDIAPIPE, 3)),  # MediaPipe's, as shares of the crop's side
            *param_fields(n_shape, n_expr),
        ]
    )


class TrueMaps:
    """In place of a network: the sample's own normals and mask, to know what the rest costs."""

    def maps(self, sample: Sample) -> tuple[F32, F32, F32, F32]:
        """As `_Seen.maps`."""
        mask = np.isin(sample.parsing, MASK_CLASSES).astype(np.float32)
        head, view = (decode_normals(n) for n in (sample.head_normals, sample.view_normals))
        return head, view, mask, np.ones_like(mask)


class _Seen:
    def __init__(self, network: NormalNetwork) -> None:
        self._network = network

    def maps(self, sample: Sample) -> tuple[F32, F32, F32, F32]:
        """head, view (S, S, 3), mask, confidence (S, S)."""
        found = self._network.predict(sample.image, sample.points)
        if found.head is None or found.crop_view is None:
            raise AssetError("the normal network gives no head-frame and crop-view normals")
        return found.head, found.crop_view, found.mask, found.confidence


def check_shards(shards: Path, split: str, model: HeadModel) -> None:
    """See that a split has a sample of the head model; pictures are not read.

    Raises: AssetError: if it has none, or no shards, or one that is damaged.
    """
    paths = _paths(shards, split)
    if not any(model.model_id in read_model_ids(path) for path in paths):
        raise _none_of(model, shards, split)


def predict_maps(
    shards: Path,
    split: str,
    model: HeadModel,
    out: Path,
    *,
    network: Path | None,
    map_px: int = 64,
    threads: int = 2,
) -> int:
    """Run a normal network over all shards of a split; goes on where it stopped.

    Args:
        network: ONNX file of our own training; None: the true normals instead.
    Returns: samples written now.
    Raises: AssetError: if shards, network or folder cannot be used, or no sample is of the head
        model. OutputError.
    """
    paths = _paths(shards, split)
    source = sha256_of(network) if network is not None else "true normals"
    begin_folder(out, MapInfo("predicted", model.model_id, map_px, 0, source))
    seen = TrueMaps() if network is None else _Seen(_own_network(network, threads))
    written = 0
    for path in paths:
        target = out / f"{path.stem}.npy"
        if target.exists():
            continue
        rows = list(_rows(path, model, seen, map_px))
        if rows:
            write_rows(target, rows)
            written += len(rows)
            log.info("%s: %d samples", target, len(rows))
    if not any(out.glob(f"{split}-*.npy")):
        raise _none_of(model, shards, split)
    return written


def _paths(shards: Path, split: str) -> list[Path]:
    paths = sorted(shards.glob(f"{split}-*.tar"))
    if not paths:
        raise AssetError(f"{shards} has no {split}-*.tar; make samples with n2f synth")
    return paths


def _none_of(model: HeadModel, shards: Path, split: str) -> AssetError:
    return AssetError(
        f"{shards}: no sample of {split}-*.tar is of head model {model.model_id[:12]} "
        f"({model.name}); make some with n2f synth --population openhead, or, for another head "
        "model, train on drawn maps alone (--config drawn)"
    )


def _own_network(path: Path, threads: int) -> OwnNetwork:
    return OwnNetwork(path, threads=threads, provider="auto", may_fall_back=True)


def _rows(path: Path, model: HeadModel, seen: TrueMaps | _Seen, map_px: int) -> Iterator[Rows]:
    anchor = face_anchor(model)
    for sample in read_shard(path):
        if sample.params.model_id == model.model_id:
            yield predicted_row(sample, seen.maps(sample), anchor, map_px)


def predicted_row(
    sample: Sample, maps: tuple[F32, F32, F32, F32], anchor: F64, map_px: int
) -> Rows:
    """A sample's row (); maps as `_Seen.maps` gives them, the rest as for `row_of`."""
    return row_of(maps, sample.image, sample.points, sample.params, sample.camera, anchor, map_px)


def row_of(
    maps: tuple[F32, F32, F32, F32],
    image: U8,
    points: F32,
    params: FlameParams,
    camera: Camera,
    anchor: F64,
    map_px: int,
) -> Rows:
    """A row () of `predicted_row_type`.

    Args:
        maps: head, view (crop-view frame) (S, S, 3), mask, confidence (S, S).
        image: (S, S, 3) RGB, the crop.
        points: (478, 3) MediaPipe's, crop px, z towards the viewer.
        camera: of the crop.
        anchor: (3,) of `weak_perspective.face_anchor`.
    Raises: ValueError: if S is no multiple of map_px, or the head is behind the camera.
    """
    side = len(image)
    if side % map_px:
        raise ValueError(f"crops of {side} px, expected a multiple of {map_px}")
    pose = crop_pose(camera, params.R, params.t, anchor)
    row = np.zeros((), predicted_row_type(map_px, side, len(params.shape), len(params.expr)))
    for name, values in zip(("head", "view", "mask", "confidence"), maps, strict=True):
        means = averaged(values, side // map_px)
        row[name] = coded(means) if means.ndim == 3 else np.rint(255 * means.clip(0, 1))
    row["image"] = image
    row["points"] = point_shares(points, side)
    for name in ("shape", "expr", "jaw", "eyelids", "neck"):
        row[name] = getattr(params, name)
    row["R"], row["camera"] = pose.R, pose.camera
    return row
