"""The ways to fit a head: what each begins with, whether it is refined, and which file it needs."""

from dataclasses import dataclass
from pathlib import Path
from typing import Final

from engine.errors import AssetError
from engine.io.assets import asset_path, load_manifest, sha256_of

__all__ = [
    "BEST_FIRST",
    "DEFAULT",
    "LIVE_METHODS",
    "METHODS",
    "Method",
    "method_named",
    "network_identity",
    "network_path",
]


@dataclass(frozen=True, slots=True)
class Method:
    """One way."""

    name: str
    network: str | None = None  # file among the assets; None: begins with landmarks
    needs_normals: bool = False
    refined: bool = False  # by landmarks and normals together
    optimised: bool = False  # by engine.fitting, which takes seconds and torch


METHODS: Final = {
    method.name: method
    for method in (
        Method("n2fnet-refined", "n2fnet.onnx", needs_normals=True, refined=True),
        Method("n2fnet", "n2fnet.onnx", needs_normals=True),
        Method("n2fnet-noseg", "n2fnet_noseg.onnx", needs_normals=True),
        Method("two-stage", "n2fnet_two_stage.onnx", needs_normals=True),
        Method("baseline", "n2fnet_baseline.onnx", needs_normals=True),
        Method("rgb", "n2fnet_rgb.onnx"),
        Method("landmarks-refined", needs_normals=True, refined=True),
        Method("landmarks"),
        Method("pixel3dmm", needs_normals=True, optimised=True),
    )
}
"""By name. Two-stage and baseline look at head-frame normals alone, trained in two stages and in
one; n2fnet, which looks at view normals and points too, was fine-tuned from neither of them."""

BEST_FIRST: Final = ("n2fnet-refined", "landmarks-refined", "landmarks")
"""What is taken where no method is asked for: the first that can be used. The refinement does with
normals of one frame, landmarks with none. Two-stage, which needs those of the head's frame alone,
is taken where it is asked for."""

DEFAULT: Final = BEST_FIRST[0]

LIVE_METHODS: Final = ("landmarks", "n2fnet", "n2fnet-refined")
"""Those that the window switches between."""


def method_named(name: str) -> Method:
    """Raises: ValueError: if there is none of that name."""
    if name not in METHODS:
        raise ValueError(f"method {name!r} does not exist; choose from {', '.join(METHODS)}")
    return METHODS[name]


def network_path(method: Method, weights: Path | None) -> Path | None:
    """The file of a method's network; None if it needs none.

    Args:
        weights: a network of one's own in place of the shipped one.
    Raises: AssetError: if the shipped file is missing or changed.
    """
    if method.network is None:
        return None
    if weights is not None:
        return weights
    if method.network not in {asset.file for asset in load_manifest()}:
        raise AssetError(
            f"no {method.network} is shipped, which --method {method.name} needs; train it with "
            "n2f train n2fnet, see docs/training.md, and pass it with --n2fnet"
        )
    return asset_path(method.network)


def network_identity(name: str, weights: Path | None) -> str:
    """For records: the network's file and the start of its hash; empty without one."""
    path = network_path(method_named(name), weights)
    return f"{path.name} {sha256_of(path)[:12]}" if path is not None else ""
