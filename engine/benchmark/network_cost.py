"""What a network costs at least: its multiply-adds, and how many a second this machine can do."""

import math
import time
from pathlib import Path
from typing import Any, Final

import numpy as np
from threadpoolctl import threadpool_limits

from engine.errors import AssetError, ProviderError

__all__ = ["multiply_adds", "peak_multiply_adds_per_s"]

_SIDE: Final = 1536
"""Of the square matrices that the machine's peak is measured with: 9 MB each."""
_TRIES: Final = 6


def multiply_adds(path: Path) -> int:
    """Of convolutions and matrix products in an ONNX graph with fixed shapes, for one run.

    Raises: ProviderError: if onnx is missing. AssetError: if the graph leaves a shape open.
    """
    try:
        import onnx
    except ImportError as error:
        raise ProviderError(f"onnx cannot be imported ({error}); install n2fnet[train]") from error
    graph = onnx.shape_inference.infer_shapes(onnx.load(path), data_prop=True).graph
    shapes = {value.name: list(value.dims) for value in graph.initializer}
    for value in (*graph.input, *graph.output, *graph.value_info):
        shapes.setdefault(value.name, [d.dim_value for d in value.type.tensor_type.shape.dim])
    try:
        return sum(_of_node(node, shapes) for node in graph.node)
    except KeyError as error:
        raise AssetError(
            f"{path.name}: the shape of {error} is not known; export it with fixed shapes"
        ) from error


def _of_node(node: Any, shapes: dict[str, list[int]]) -> int:  # noqa: ANN401  (onnx has no types)
    if node.op_type == "Conv":
        # (out, in / groups, height, width)
        return math.prod(shapes[node.output[0]]) * math.prod(shapes[node.input[1]][1:])
    if node.op_type == "ConvTranspose":
        return math.prod(shapes[node.input[0]]) * math.prod(shapes[node.input[1]][1:])
    if node.op_type == "MatMul":
        return math.prod(shapes[node.output[0]]) * shapes[node.input[0]][-1]
    if node.op_type == "Gemm":
        turned = any(a.name == "transA" and a.i for a in node.attribute)
        return math.prod(shapes[node.output[0]]) * shapes[node.input[0]][0 if turned else -1]
    return 0


def peak_multiply_adds_per_s(threads: int) -> float:
    """The best of some products of large matrices in single precision."""
    rng = np.random.default_rng(0)
    a, b = rng.standard_normal((2, _SIDE, _SIDE)).astype(np.float32)
    out, best = np.empty_like(a), math.inf
    with threadpool_limits(threads, user_api="blas"):
        for _ in range(_TRIES):
            start = time.perf_counter()
            np.matmul(a, b, out=out)
            best = min(best, time.perf_counter() - start)
    return _SIDE**3 / best
