"""From N2FNet's weights to the ONNX file that the program runs, checked in ONNX Runtime."""

import json
import shutil
import tempfile
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from scipy.spatial.transform import Rotation
from torch import Tensor

from engine.errors import ModelContractError
from engine.files import replacing
from engine.flame.model import HeadModel
from engine.onnx_graph import fold_norms, write_graph
from engine.stages.mediapipe_mesh import N_SURFACE, canonical_vertices
from engine.stages.onnx_session import OnnxSession
from engine.training.n2f_settings import N2FSettings
from engine.training.n2f_weights import N2FNET, N2FRecipe, read_n2fnet
from engine.training.n2fnet import GROUPS, ExportedN2FNet
from engine.types import F32, N_MEDIAPIPE

__all__ = ["N2F_OUTPUTS", "N2FParity", "export_n2fnet"]

N2F_OUTPUTS = (*GROUPS, "std")
"""Of the graph. std: standard deviations in the order of GROUPS, of rotation as a turn, radians."""

_N_CHECKED = 8
_MOST = 1e-3


@dataclass(frozen=True, slots=True)
class N2FParity:
    """The largest difference between torch and ONNX Runtime over some inputs, of each output."""

    largest: dict[str, float]
    n_inputs: int

    @property
    def holds(self) -> bool:
        """Whether the graph may be used in place of the network."""
        return max(self.largest.values()) <= _MOST


def export_n2fnet(weights: Path, out: Path, model: HeadModel) -> N2FParity:
    """Write the network as ONNX and check it; where the check fails nothing is written.

    Inputs, by the network's settings: head, view (1, S, S, 3) f32 unit normals, zeros where there
    is nothing; mask, confidence (1, S, S) f32; image (1, S, S, 3) uint8; points (1, 478, 3) f32,
    shares of the side. Outputs: N2F_OUTPUTS.

    Args:
        weights: checkpoint (.pt) or weights (.npz).
    Raises: AssetError: for unusable weights. ModelContractError: if they are for another head
        model, or ONNX Runtime's results differ from torch's. ProviderError, OutputError.
    """
    net, recipe = read_n2fnet(weights, model)
    exported = ExportedN2FNet(net).eval()
    fold_norms(exported)
    with tempfile.TemporaryDirectory() as folder:
        draft = Path(folder) / "net.onnx"
        example = _made_input(exported, np.random.default_rng(0))
        write_graph(exported, example, N2F_OUTPUTS, draft, _metadata(recipe))
        parity = check_parity(exported, draft)
        if not parity.holds:
            raise ModelContractError(
                f"{weights}: ONNX Runtime differs from torch by {parity.largest}; expected at most "
                f"{_MOST}; report this with the versions of both"
            )
        with replacing(out) as temporary:
            shutil.copyfile(draft, temporary)
    return parity


def check_parity(net: ExportedN2FNet, path: Path, seed: int = 1) -> N2FParity:
    """Compare a network with a graph on made maps."""
    session = OnnxSession(path)
    random = np.random.default_rng(seed)
    largest = dict.fromkeys(N2F_OUTPUTS, 0.0)
    for _ in range(_N_CHECKED):
        given = _made_input(net, random)
        with torch.no_grad():
            wanted = net(*given.values())
        got = session.run({name: array.numpy() for name, array in given.items()})
        for name, value in zip(N2F_OUTPUTS, wanted, strict=True):
            largest[name] = max(largest[name], float(np.abs(got[name] - value.numpy()).max()))
    return N2FParity(largest, _N_CHECKED)


def _made_input(net: ExportedN2FNet, random: np.random.Generator) -> dict[str, Tensor]:
    """A ball of random size and place, seen from a random side, with noise."""
    settings: N2FSettings = net.net.settings
    size = settings.size_px
    ramp = (np.arange(size) + 0.5) / size * 2 - 1
    x, y = ramp[None] - random.uniform(-0.3, 0.3), -(ramp[:, None] - random.uniform(-0.3, 0.3))
    radius = random.uniform(0.4, 0.9)
    inside = x**2 + y**2 < radius**2
    z = np.sqrt(np.maximum(radius**2 - x**2 - y**2, 0))
    ball = np.stack(np.broadcast_arrays(x, y, z), -1) + random.normal(0, 0.1, (size, size, 3))
    ball = inside[..., None] * ball / np.linalg.norm(ball, axis=-1, keepdims=True)
    turn = np.linalg.qr(random.normal(size=(3, 3)))[0]
    made = {
        "head": (ball @ turn).astype(np.float32),
        "mask": inside.astype(np.float32),
        "view": ball.astype(np.float32),
        "confidence": (inside * random.uniform(0.3, 1.0)).astype(np.float32),
        "image": random.integers(0, 256, (size, size, 3), dtype=np.uint8),
        "points": _made_points(random),
    }
    return {name: torch.from_numpy(made[name][None]) for name in net.names}


def _made_points(random: np.random.Generator) -> F32:
    """(478, 3) of MediaPipe's own face, turned, in the crop."""
    face = canonical_vertices()
    face = np.concatenate([face, face[: N_MEDIAPIPE - N_SURFACE]])
    turn = Rotation.from_rotvec(random.normal(0, 0.3, 3)).as_matrix()
    flat = 0.04 * (face @ turn.T) * [1, -1, 1] + random.normal(0, 0.005, face.shape)
    points: F32 = (flat + np.array([0.5, 0.5, 0.0])).astype(np.float32)
    return points


def _metadata(recipe: N2FRecipe) -> dict[str, str]:
    settings = recipe.settings
    return {
        "kind": N2FNET.name,
        "configuration": settings.name,
        "inputs": " ".join(name for name in settings.inputs if name != "coordinates"),
        "size": str(settings.size_px),
        "head_model_id": recipe.model_id,
        "head_model_name": recipe.model_name,
        "n_shape": str(recipe.n_shape),
        "n_expr": str(recipe.n_expr),
        "std_groups": json.dumps(GROUPS),
        "frame_rotation": "cropview from head",
        "frame_camera": "log of crop sides per metre, then shift in crop sides, y down",
        "training_settings_sha256": settings.digest(),
    }
