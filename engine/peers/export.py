"""From a peer's checkpoint to .safetensors and to ONNX, the latter checked in ONNX Runtime."""

import copy
import shutil
import tempfile
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from torch import nn

from engine.errors import ModelContractError
from engine.files import replacing
from engine.io.assets import sha256_of
from engine.onnx_graph import fold_norms, write_graph
from engine.peers.architectures import ARCHITECTURES, example_image
from engine.peers.checkpoint import write_safetensors
from engine.peers.layouts import METADATA, Loaded, load_network
from engine.stages.onnx_session import OnnxSession

__all__ = ["Parity", "convert_checkpoint", "export_checkpoint", "export_network"]

_N_CHECKED = 3
_MOST = 1e-3
"""Of the largest code's size: float32 sums in another order differ by far less."""


@dataclass(frozen=True, slots=True)
class Parity:
    """The largest difference between torch and ONNX Runtime over some pictures of noise."""

    largest: float  # of any code
    size: float  # the largest code itself

    @property
    def holds(self) -> bool:
        """Whether the graph may be used in place of the network."""
        return self.largest <= _MOST * max(self.size, 1.0)


def convert_checkpoint(path: Path, out: Path) -> Loaded:
    """Write the weights that a peer's network uses as .safetensors, which is no pickle.

    Raises: AssetError: if it is no checkpoint of a peer. ProviderError: without safetensors.
        OutputError.
    """
    loaded = load_network(path, ARCHITECTURES)
    metadata = {
        METADATA: loaded.architecture,
        "source": path.name,
        "source_sha256": sha256_of(path),
    }
    write_safetensors(out, loaded.net.state_dict(), metadata)
    return loaded


def export_checkpoint(path: Path, out: Path) -> tuple[Loaded, Parity]:
    """Write a peer's network as ONNX. Raises: as `convert_checkpoint` and `export_network`."""
    loaded = load_network(path, ARCHITECTURES)
    return loaded, export_network(loaded.net, loaded.architecture, out)


def export_network(net: nn.Module, name: str, out: Path) -> Parity:
    """Write a network as ONNX and check it; where the check fails nothing is written.

    Input: image (1, 3, S, S) f32, output: codes (1, n_codes) f32, both as in ARCHITECTURES.

    Args:
        net: of the architecture `name`, in evaluation mode; random weights will do for speed.
    Raises: ModelContractError: if ONNX Runtime's results differ from torch's. ProviderError: if
        onnx or ONNX Runtime is missing. OutputError.
    """
    folded = copy.deepcopy(net)
    fold_norms(folded)
    with tempfile.TemporaryDirectory() as folder:
        draft = Path(folder) / "net.onnx"
        write_graph(folded, {"image": example_image(name)}, ("codes",), draft, {METADATA: name})
        parity = _parity(net, name, draft)
        if not parity.holds:
            raise ModelContractError(
                f"{name}: ONNX Runtime differs from torch by {parity.largest:.3g}, codes up to "
                f"{parity.size:.3g}; report this with the versions of both"
            )
        with replacing(out) as temporary:
            shutil.copyfile(draft, temporary)
    return parity


def _parity(net: nn.Module, name: str, path: Path) -> Parity:
    session = OnnxSession(path)
    largest = size = 0.0
    for seed in range(_N_CHECKED):
        image = example_image(name, seed)
        with torch.inference_mode():
            wanted = net(image).numpy()
        got = session.run({"image": image.numpy()})["codes"]
        largest = max(largest, float(np.abs(got - wanted).max()))
        size = max(size, float(np.abs(wanted).max()))
    return Parity(largest, size)
