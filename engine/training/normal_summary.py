"""Results of many samples as figures: of all of them, of groups, of classes and of confidences."""

from collections.abc import Callable, Sequence

import numpy as np

from engine.synth.sample import PARSING
from engine.training.evaluate_normals import SampleResult
from engine.training.normal_net import CONFIDENCE_SCALE_DEG

__all__ = ["FIGURES", "calibration", "figures", "grouped", "parsing_iou", "sample_row"]

FIGURES = {
    "n": "samples",
    "head_median_deg": "error of head normals, median over all pixels of skin",
    "head_mean_deg": "mean of the same",
    "head_sample_median_deg": "median over samples of each one's median",
    "view_median_deg": "view normals, as above",
    "view_mean_deg": "view normals, as above",
    "view_sample_median_deg": "view normals, as above",
    "mask_iou": "face mask: overlap with the true one over what both cover, mean over samples",
    "rotation_median_deg": "rotation between the two maps, median over samples",
    "rotation_p95_deg": "95 % of samples are under this",
}
"""Name -> meaning of what `figures` gives."""

_N_DECILES = 10

Group = tuple[str, Callable[[SampleResult], bool]]

_GROUPS: tuple[Group, ...] = (
    ("openhead", lambda r: r.population == "openhead"),
    ("makehuman", lambda r: r.population == "makehuman"),
    ("yaw under 15°", lambda r: abs(r.yaw_deg) < 15),
    ("yaw 15 to 30°", lambda r: 15 <= abs(r.yaw_deg) < 30),
    ("yaw 30 to 50°", lambda r: 30 <= abs(r.yaw_deg) < 50),
    ("yaw from 50°", lambda r: abs(r.yaw_deg) >= 50),
    ("no hair, or a hat", lambda r: r.hair == ""),
    ("covered under 5 %", lambda r: r.covered < 0.05),
    ("covered 5 to 20 %", lambda r: 0.05 <= r.covered < 0.2),
    ("covered from 20 %", lambda r: r.covered >= 0.2),
    ("found by MediaPipe", lambda r: r.found),
    ("not found", lambda r: not r.found),
)


def figures(results: Sequence[SampleResult]) -> dict[str, float]:
    """FIGURES of some samples; NaN for what none of them tells."""
    head = np.concatenate([np.zeros(0, np.float32), *(r.scores.head_deg for r in results)])
    view = np.concatenate([np.zeros(0, np.float32), *(r.scores.view_deg for r in results)])
    turns = np.array([r.scores.rotation_deg for r in results])
    turns = turns[np.isfinite(turns)]
    heads = [float(np.median(r.scores.head_deg)) for r in results if len(r.scores.head_deg)]
    views = [float(np.median(r.scores.view_deg)) for r in results if len(r.scores.view_deg)]
    return {
        "n": len(results),
        "head_median_deg": _of(np.median, head),
        "head_mean_deg": _of(np.mean, head.astype(np.float64)),
        "head_sample_median_deg": _of(np.median, heads),
        "view_median_deg": _of(np.median, view),
        "view_mean_deg": _of(np.mean, view.astype(np.float64)),
        "view_sample_median_deg": _of(np.median, views),
        "mask_iou": _of(np.mean, [r.scores.iou for r in results]),
        "rotation_median_deg": _of(np.median, turns),
        "rotation_p95_deg": _of(lambda x: np.percentile(x, 95), turns),
    }


def grouped(results: Sequence[SampleResult]) -> dict[str, dict[str, float]]:
    """`figures` of every group that has samples."""
    chosen = {name: [r for r in results if belongs(r)] for name, belongs in _GROUPS}
    for hair in sorted({r.hair for r in results if r.hair}):
        chosen[f"hair {hair}"] = [r for r in results if r.hair == hair]
    return {name: figures(some) for name, some in chosen.items() if some}


def parsing_iou(results: Sequence[SampleResult]) -> dict[str, float]:
    """Class -> overlap of its pixels, of all samples together; NaN for a class never seen."""
    confusion = np.sum([r.confusion for r in results], axis=0)
    common = confusion.diagonal()
    union = confusion.sum(axis=0) + confusion.sum(axis=1) - common
    return {
        name: float(c / u) if u else float("nan")
        for name, c, u in zip(PARSING, common, union, strict=True)
    }


def calibration(results: Sequence[SampleResult]) -> list[dict[str, float]]:
    """Tenths of the skin's pixels from the least confident: what is expected, and what is true.

    Errors are means of head and view maps, as the network's confidence is.
    """
    confidence = np.concatenate([r.confidence for r in results])
    error = np.concatenate([(r.scores.head_deg + r.scores.view_deg) / 2 for r in results])
    order = np.argsort(confidence, kind="stable")
    tenths = [t for t in np.array_split(order, _N_DECILES) if len(t)]
    expected = -CONFIDENCE_SCALE_DEG * np.log(np.maximum(confidence, 1e-9).astype(np.float64))
    return [
        {
            "confidence": float(confidence[t].mean(dtype=np.float64)),
            "expected_deg": float(expected[t].mean()),
            "true_deg": float(error[t].mean(dtype=np.float64)),
        }
        for t in tenths
    ]


def sample_row(result: SampleResult) -> dict[str, str | float]:
    """A sample's row of rows.csv."""
    one = figures([result])
    return {
        "key": result.key,
        "population": result.population,
        "found": int(result.found),
        "yaw_deg": result.yaw_deg,
        "hair": result.hair or "",
        "covered": result.covered,
        "skin_px": len(result.confidence),
        "head_median_deg": one["head_median_deg"],
        "head_mean_deg": one["head_mean_deg"],
        "view_median_deg": one["view_median_deg"],
        "view_mean_deg": one["view_mean_deg"],
        "mask_iou": one["mask_iou"],
        "rotation_deg": result.scores.rotation_deg,
        "confidence": _of(np.mean, result.confidence.astype(np.float64)),
    }


def _of(number: Callable[..., object], values: Sequence[float] | np.ndarray) -> float:  # type: ignore[type-arg]
    return float(number(values)) if len(values) else float("nan")  # type: ignore[arg-type]
