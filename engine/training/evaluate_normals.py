"""How good a normal network is on held-out samples, sample by sample.

Runs the exported graph as the program does. Errors of normals are counted in the true skin, in
degrees; head normals in the head frame, view normals in the crop-view frame.
"""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path

import cv2
import numpy as np
import numpy.typing as npt

from engine.errors import AssetError
from engine.stages.normal_network import NormalNetwork, Prediction
from engine.stages.normal_pose import rotation_from_maps
from engine.synth.sample import FACE_CLASSES, MASK_CLASSES, PARSING, Sample, decode_normals
from engine.synth.shards import read_shard
from engine.training.normal_metrics import NormalScores, rotation_error_deg, score
from engine.types import F32, F64, U8

__all__ = ["I64", "SampleResult", "evaluate", "predicted", "result_of", "spread_samples"]

I64 = npt.NDArray[np.int64]

_COVERING = tuple(PARSING.index(name) for name in ("hair", "other"))
"""What hides a face."""

_FROM_A_SHARD = 64
_LEAST_SKIN_PX = 50
"""Fewer pixels of skin tell no rotation."""


@dataclass(frozen=True, slots=True, eq=False)
class SampleResult:
    """What a network made of one sample."""

    key: str
    population: str
    found: bool  # MediaPipe found the face; else its points are modelled
    yaw_deg: (
        float  # of the head in the crop-view frame, positive to the subject's left; NaN: no skin
    )
    hair: str | None  # the style; "": none, or under a hat; None: not told
    covered: float  # 0..1 share of the face under hair or things
    scores: NormalScores  # rotation: the predicted maps weighted by mask x confidence, as live
    confidence: F32  # (n,) of the pixels of `scores`
    confusion: I64  # (8, 8) pixels; rows: true class, columns: predicted


def spread_samples(
    folder: Path, split: str = "val", n_most: int = 0, population: str = "both"
) -> Iterator[Sample]:
    """Samples spread evenly over the shards of a split, always the same ones.

    Args:
        n_most: at most so many, from no more shards than they need at 64 each; 0: all.
        population: "both", or the one whose samples are wanted.
    Raises: AssetError: if there are no shards, or one is damaged.
    """
    shards = sorted(folder.glob(f"{split}-*.tar"))
    if not shards:
        raise AssetError(
            f"{folder} has no {split}-*.tar; make samples with: "
            f"n2f synth --split {split} --out {folder}"
        )
    if n_most:
        few = min(len(shards), -(-n_most // _FROM_A_SHARD))
        shards = [shards[k] for k in np.linspace(0, len(shards) - 1, few).round().astype(int)]
    share = -(-n_most // len(shards))
    for k, shard in enumerate(shards):
        samples = [s for s in read_shard(shard) if population in ("both", s.meta.get("population"))]
        wanted = min(share, n_most - k * share) if n_most else len(samples)
        n = max(0, min(wanted, len(samples)))
        for index in np.linspace(0, len(samples) - 1, n).round().astype(int):
            yield samples[index]


def evaluate(network: NormalNetwork, samples: Iterable[Sample]) -> Iterator[SampleResult]:
    """The results of samples, in their order.

    Raises: AssetError: if samples are of another size, or the network gives no head or view
        normals.
    """
    for sample in samples:
        yield result_of(sample, predicted(network, sample))


def predicted(network: NormalNetwork, sample: Sample) -> Prediction:
    """A network's maps of a sample. Raises: AssetError: as `evaluate`."""
    if len(sample.image) != network.size_px:
        raise AssetError(
            f"sample {sample.key} has {len(sample.image)} px, the network takes {network.size_px}; "
            "make samples of that size"
        )
    return network.predict(sample.image, sample.points)


def result_of(sample: Sample, found: Prediction) -> SampleResult:
    """Hold a prediction against a sample's truth. Raises: AssetError: as `evaluate`."""
    if found.head is None or found.crop_view is None or found.parsing is None:
        raise AssetError("the network lacks head normals, view normals or a parsing; take our own")
    true_head, true_view = decode_normals(sample.head_normals), decode_normals(sample.view_normals)
    skin = np.isin(sample.parsing, FACE_CLASSES) & true_head.any(axis=-1)
    true_mask = np.isin(sample.parsing, MASK_CLASSES)
    maps = (found.head, found.crop_view)
    scores = score(*maps, found.mask > 0.5, true_head, true_view, skin, true_mask)
    yaw = turn = float("nan")
    if np.count_nonzero(skin) >= _LEAST_SKIN_PX:
        true_turn = rotation_from_maps(true_head, true_view, skin.astype(np.float32))
        yaw = float(np.degrees(np.arctan2(true_turn[0, 2], true_turn[2, 2])))
        turn = _rotation_error(found, true_turn)
    return SampleResult(
        key=sample.key,
        population=str(sample.meta.get("population", "")),
        found=bool(sample.meta.get("found", False)),
        yaw_deg=yaw,
        hair=sample.meta.get("hair"),
        covered=_covered(sample),
        scores=NormalScores(scores.head_deg, scores.view_deg, scores.iou, turn),
        confidence=found.confidence[skin],
        confusion=_confusion(sample.parsing, found.parsing),
    )


def _rotation_error(found: Prediction, true_turn: F64) -> float:
    """Degrees; half a turn where the network sees no face to tell a rotation by."""
    weight = found.mask * found.confidence
    if found.head is None or found.crop_view is None or not weight.sum() > 0:
        return 180.0
    return rotation_error_deg(rotation_from_maps(found.head, found.crop_view, weight), true_turn)


def _covered(sample: Sample) -> float:
    """Share of the outline of the true landmarks, brows to chin, that hair or things lie over."""
    outline = cv2.convexHull(np.rint(sample.landmarks68).astype(np.int32))
    face = np.zeros(sample.parsing.shape, np.uint8)
    cv2.fillConvexPoly(face, outline, 1)
    inside = sample.parsing[face > 0]
    return float(np.isin(inside, _COVERING).mean()) if len(inside) else 0.0


def _confusion(truth: U8, found: U8) -> I64:
    n = len(PARSING)
    pairs = n * truth.astype(np.int64).ravel() + found.ravel()
    return np.bincount(pairs, minlength=n * n).reshape(n, n)
