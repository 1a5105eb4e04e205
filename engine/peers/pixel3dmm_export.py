"""Writes the official Pixel3DMM networks as ONNX, checked in ONNX Runtime, for the live path.

A network of normals gets a description beside it (FILE.toml), with which `--normals FILE.onnx`
takes it like any other, see `engine.stages.foreign_normals`.
"""

import shutil
import tempfile
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch

from engine.errors import ModelContractError
from engine.files import replacing
from engine.onnx_graph import write_graph
from engine.peers.pixel3dmm_checkpoint import Checkpoint
from engine.peers.pixel3dmm_maps import NET_CHANNELS, PIXEL_MEAN, PIXEL_STD, MapNet
from engine.peers.pixel3dmm_net import KeyUse, load_network
from engine.stages.onnx_session import OnnxSession

__all__ = ["Pixel3dmmExport", "export_pixel3dmm"]

_OUTPUTS = {"normals": "normals", "uv_map": "uv"}
_N_CHECKED = 4
_MOST = 1e-3
"""Of the largest value; float32 sums in another order make some 1e-5."""


@dataclass(frozen=True, slots=True)
class Pixel3dmmExport:
    """What was written."""

    output: str  # "normals" or "uv"
    description: Path | None  # the TOML beside a network of normals
    largest_difference: float  # between torch and ONNX Runtime, as a share of the largest value
    keys: KeyUse


def export_pixel3dmm(checkpoint: Checkpoint, out: Path, *, mirror: bool = True) -> Pixel3dmmExport:
    """Write a network as ONNX and check it; where the check fails nothing is written.

    Input "image": (1, 3, S, S) f32 RGB, normalised. Output "normals": (1, 3, S, S), in
    NET_CHANNELS and of any length; or "uv": (1, 2, S, S), 0..1.

    Args:
        mirror: average with the mirrored picture inside of the graph, as theirs.
    Raises: AssetError: if the checkpoint is of another network. ModelContractError: if ONNX
        Runtime's results differ from torch's. ProviderError, OutputError.
    """
    net, keys = load_network(checkpoint)
    name = "normals" if "normals" in net.sizes.maps else "uv_map"
    mapped, output = MapNet(net, name, mirror=mirror).eval(), _OUTPUTS[name]
    size = net.sizes.size_px
    with tempfile.TemporaryDirectory() as folder:
        draft = Path(folder) / "net.onnx"
        example = torch.zeros(1, 3, size, size)
        write_graph(mapped, {"image": example}, (output,), draft, _metadata(checkpoint, mirror))
        largest = _largest_difference(mapped, draft, output, size)
        if not largest <= _MOST:
            raise ModelContractError(
                f"{checkpoint.path}: ONNX Runtime differs from torch by {largest:.1e} of the "
                f"largest value; expected at most {_MOST}; report this with the versions of both"
            )
        with replacing(out) as temporary:
            shutil.copyfile(draft, temporary)
    description = out.with_suffix(".toml") if name == "normals" else None
    if description is not None:
        with replacing(description) as temporary:
            temporary.write_text(_description(size), "utf-8")
    return Pixel3dmmExport(output, description, largest, keys)


def _largest_difference(net: MapNet, path: Path, output: str, size: int) -> float:
    """Over smooth and noisy pictures."""
    session, random, largest = OnnxSession(path), np.random.default_rng(0), 0.0
    for k in range(_N_CHECKED):
        cells = size // 16 if k % 2 else size
        coarse = random.normal(size=(1, 3, cells, cells)).astype(np.float32)
        image = coarse.repeat(size // cells, axis=2).repeat(size // cells, axis=3)
        with torch.inference_mode():
            wanted = net(torch.from_numpy(image)).numpy()
        got = session.run({"image": np.ascontiguousarray(image)})[output]
        largest = max(largest, float(np.abs(got - wanted).max() / np.abs(wanted).max()))
    return largest


def _metadata(checkpoint: Checkpoint, mirror: bool) -> dict[str, str]:
    return {
        "kind": "Pixel3DMM network",
        "checkpoint_sha256": checkpoint.sha256,
        "mirror_averaged": str(mirror).lower(),
    }


def _description(size: int) -> str:
    """The TOML that `foreign_normals` reads."""
    channels = ", ".join(f'"{axis}"' for axis in NET_CHANNELS)
    return (
        f'size = {size}\nlayout = "nchw"\ncolour = "rgb"\nrange = [0.0, 1.0]\n'
        f"mean = {list(PIXEL_MEAN)}\nstd = {list(PIXEL_STD)}\n"
        f'output = "normals"\noutput_range = [-1.0, 1.0]\nchannels = [{channels}]\n'
        'frame = "head"\n'
    )
