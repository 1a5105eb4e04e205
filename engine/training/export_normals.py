"""From trained weights to the ONNX file that the program runs, checked in ONNX Runtime."""

import shutil
import tempfile
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import torch
from torch import nn

from engine.errors import ModelContractError
from engine.files import replacing
from engine.onnx_graph import fold_norms, write_graph
from engine.stages.mediapipe_mesh import canonical_vertices
from engine.stages.onnx_session import OnnxSession
from engine.synth.sample import Sample
from engine.training.checkpoint import load_into, make_net, read_weights
from engine.training.graph_precision import Precision, to_half, to_int8
from engine.training.normal_metrics import angular_error_deg
from engine.training.normal_net import ExportedNormalNet
from engine.training.settings import NormalTrainSettings
from engine.types import N_MEDIAPIPE

__all__ = ["OUTPUTS", "Parity", "check_parity", "export_normals", "fold_norms"]

OUTPUTS = ("head", "view", "confidence", "parsing", "mask")
"""Of the graph, in the order of ExportedNormalNet."""

_INPUTS = ("image", "points")
_N_CHECKED = 8

_MOST_NORMAL_DEG = 0.1  # mean; float32 sums in another order make hundredths at most
_MOST_MASK = 1e-3
_LEAST_SAME_PARSING = 0.999
_MOST_MASK_IN_HALF = 1e-2  # weights of 10 bits
_LEAST_SAME_PARSING_IN_HALF = 0.995


@dataclass(frozen=True, slots=True)
class Parity:
    """The largest differences between torch and ONNX Runtime over some inputs."""

    normal_deg: float  # mean over an input's pixels
    mask: float
    confidence: float
    same_parsing: float  # least share of an input's pixels

    @property
    def holds(self) -> bool:
        """Whether the graph may be used in place of the network."""
        return self.within(_MOST_MASK, _LEAST_SAME_PARSING)

    @property
    def holds_in_half(self) -> bool:
        """The same where weights are kept in half precision."""
        return self.within(_MOST_MASK_IN_HALF, _LEAST_SAME_PARSING_IN_HALF)

    def within(self, most_mask: float, least_same_parsing: float) -> bool:
        """Whether normals, and mask, confidence and parsing, differ by no more than allowed."""
        return (
            self.normal_deg <= _MOST_NORMAL_DEG
            and max(self.mask, self.confidence) <= most_mask
            and self.same_parsing >= least_same_parsing
        )


def export_normals(
    weights: Path,
    out: Path,
    model_id: str = "",
    precision: Precision = "fp32",
    samples: Iterable[Sample] = (),
) -> Parity:
    """Write the network as ONNX and check it; where the check fails nothing is written.

    Args:
        weights: checkpoint (.pt) or weights (.npz).
        model_id: sha256 of the head model whose head frame the normals are in, for the metadata.
        precision: "fp16": weights in half precision; "int8": convolutions in 8 bits, see
            `graph_precision`. The graph is checked before that; in half precision again after it,
            less strictly. The error of "int8" must be measured.
        samples: for "int8", some dozens to take the ranges of values from.
    Raises: AssetError: for unusable weights. ModelContractError: if ONNX Runtime's results differ
        from torch's. ProviderError: if onnx or ONNX Runtime is missing. OutputError.
    """
    values, settings = read_weights(weights)
    net = make_net(settings)
    load_into(net, values, weights)
    exported = ExportedNormalNet(net).eval()
    fold_norms(exported)
    with tempfile.TemporaryDirectory() as folder:
        draft = Path(folder) / "net.onnx"
        _write_graph(exported, settings, draft, _metadata(settings, model_id))
        parity = check_parity(exported, draft, settings.size_px)
        if not parity.holds:
            raise ModelContractError(
                f"{weights}: ONNX Runtime differs from torch by {parity}; expected normals within "
                f"{_MOST_NORMAL_DEG} degrees, mask and confidence within {_MOST_MASK}, parsing the "
                f"same in {_LEAST_SAME_PARSING:.1%}; report this with the versions of both"
            )
        if precision == "fp16":
            to_half(draft, draft)
            parity = check_parity(exported, draft, settings.size_px)
            if not parity.holds_in_half:
                raise ModelContractError(
                    f"{weights}: half precision changes results by {parity}; export it as fp32"
                )
        if precision == "int8":
            to_int8(draft, draft, samples)
        with replacing(out) as temporary:
            shutil.copyfile(draft, temporary)
    return parity


def _metadata(settings: NormalTrainSettings, model_id: str) -> dict[str, str]:
    return {
        "kind": "n2fnet normal network",
        "size": str(settings.size_px),
        "frame_head": "head",
        "frame_view": "cropview",
        "head_model_id": model_id,
        "training_settings_sha256": settings.digest(),
        "population": settings.population,
        "uses_points": str(settings.use_points).lower(),
    }


def _write_graph(
    net: nn.Module, settings: NormalTrainSettings, path: Path, metadata: dict[str, str]
) -> None:
    image = torch.zeros(1, settings.size_px, settings.size_px, 3, dtype=torch.uint8)
    points = torch.from_numpy(_face_points())[None]
    write_graph(net, dict(zip(_INPUTS, (image, points), strict=True)), OUTPUTS, path, metadata)


def check_parity(net: nn.Module, path: Path, size: int, seed: int = 0) -> Parity:
    """Compare a network with a graph on smooth and noisy pictures and shaken faces."""
    session = OnnxSession(path)
    random = np.random.default_rng(seed)
    found = []
    for k in range(_N_CHECKED):
        image, points = _made_input(random, size, smooth=k % 2 == 0)
        with torch.no_grad():
            wanted = [t.numpy() for t in net(torch.from_numpy(image), torch.from_numpy(points))]
        got = session.run({"image": image, "points": points})
        found.append(_compare(dict(zip(OUTPUTS, wanted, strict=True)), got))
    return Parity(
        normal_deg=max(p.normal_deg for p in found),
        mask=max(p.mask for p in found),
        confidence=max(p.confidence for p in found),
        same_parsing=min(p.same_parsing for p in found),
    )


def _made_input(
    random: np.random.Generator, size: int, *, smooth: bool
) -> tuple[npt.NDArray[np.uint8], npt.NDArray[np.float32]]:
    cells = 8 if smooth else size
    coarse = random.integers(0, 256, (1, cells, cells, 3), dtype=np.uint8)
    image = coarse.repeat(size // cells, axis=1).repeat(size // cells, axis=2)
    points = _face_points()[None] + random.normal(0, 0.01, (1, N_MEDIAPIPE, 3)).astype(np.float32)
    return np.ascontiguousarray(image), points.astype(np.float32)


def _face_points() -> npt.NDArray[np.float32]:
    """(478, 3) MediaPipe's canonical face in the middle of a crop; irises between eye corners."""
    mesh = canonical_vertices()
    placed = (mesh - mesh.mean(axis=0)) * [1, -1, 1] / 25.0 + [0.5, 0.5, 0.0]
    irises = [(placed[a] + placed[b]) / 2 for a, b in ((33, 133), (362, 263))]
    points: npt.NDArray[np.float32] = np.concatenate([placed, np.repeat(irises, 5, axis=0)]).astype(
        np.float32
    )
    return points


def _compare(wanted: dict[str, Any], got: dict[str, Any]) -> Parity:
    degrees = [float(angular_error_deg(got[k], wanted[k]).mean()) for k in ("head", "view")]
    return Parity(
        normal_deg=max(degrees),
        mask=float(np.abs(got["mask"] - wanted["mask"]).max()),
        confidence=float(np.abs(got["confidence"] - wanted["confidence"]).max()),
        same_parsing=float((got["parsing"] == wanted["parsing"]).mean()),
    )
