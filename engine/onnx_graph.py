"""Writes torch networks as ONNX graphs, by the names of inputs and outputs the program expects.

For training and peers alone: nothing on the live path imports this.
"""

import logging
import warnings
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn.utils.fusion import fuse_conv_bn_eval

from engine.errors import ProviderError

__all__ = ["fold_norms", "strip_traces", "write_graph"]

_OPSET = 18
_OURS = "contract_"


def write_graph(
    net: nn.Module,
    inputs: Mapping[str, Tensor],
    outputs: tuple[str, ...],
    path: Path,
    metadata: dict[str, str],
) -> None:
    """Args:
        inputs: examples by name, in the order in which the network takes them; shapes are fixed.
        outputs: names, in the order in which the network gives them.
    Raises: ProviderError: if onnx is missing.
    """
    try:
        import onnx
    except ImportError as error:
        raise ProviderError(f"onnx cannot be imported ({error}); install n2fnet[train]") from error
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # the exporter's own deprecations
        logging.getLogger("torch.onnx").setLevel(logging.ERROR)
        torch.onnx.export(
            net,
            tuple(inputs.values()),
            path,
            dynamo=True,
            opset_version=_OPSET,
            input_names=[f"{_OURS}{name}" for name in inputs],
            output_names=[f"{_OURS}{name}" for name in outputs],
            external_data=False,
            verbose=False,
        )
    model = onnx.load(path)
    _give_names(model.graph, (*inputs, *outputs))
    strip_traces(model)
    onnx.helper.set_model_props(model, metadata)
    onnx.checker.check_model(model)
    onnx.save(model, path)


def strip_traces(model: Any) -> None:  # noqa: ANN401
    """Take out, in place, where in whose source files each node was written."""
    for node in model.graph.node:
        del node.metadata_props[:]
        node.doc_string = ""


def _give_names(graph: Any, names: tuple[str, ...]) -> None:  # noqa: ANN401
    """Give inputs and outputs their names; the exporter calls values inside the same as well."""

    def renamed(name: str) -> str:
        if name.startswith(_OURS):
            return name.removeprefix(_OURS)
        return f"inner_{name}" if name in names else name

    for node in graph.node:
        node.input[:] = [renamed(name) for name in node.input]
        node.output[:] = [renamed(name) for name in node.output]
    for value in (*graph.input, *graph.output, *graph.value_info, *graph.initializer):
        value.name = renamed(value.name)


def fold_norms(module: nn.Module) -> None:
    """Put batch normalisation into the convolution before it, in place, in evaluation mode."""
    previous = None
    for name, child in list(module.named_children()):
        if isinstance(child, nn.BatchNorm2d) and previous is not None:
            setattr(module, previous, fuse_conv_bn_eval(getattr(module, previous), child))
            setattr(module, name, nn.Identity())
            previous = None
        else:
            fold_norms(child)
            previous = name if isinstance(child, nn.Conv2d) else None
