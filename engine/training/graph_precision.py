"""Smaller kinds of an exported graph: weights kept in half precision, or convolutions in 8 bits.

Inputs, outputs and metadata stay as they are.
"""

import logging
import tempfile
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any, Literal

import numpy as np

from engine.errors import ProviderError
from engine.files import replacing
from engine.synth.sample import Sample

__all__ = ["PRECISIONS", "Precision", "to_half", "to_int8"]

Precision = Literal["fp32", "fp16", "int8"]
PRECISIONS: tuple[Precision, ...] = ("fp32", "fp16", "int8")

_LEAST_VALUES = 64  # smaller constants are not worth a node
_HALF_MOST, _HALF_LEAST = 6e4, 6e-5  # beyond these half precision has fewer digits, or none

_OUTPUT_LAYER = "net.heads.weight"
"""Of the convolution whose results are the normals themselves."""


def to_half(source: Path, out: Path) -> None:
    """Keep weights in half precision: half the file, the same arithmetic and speed.

    ONNX Runtime widens them once, when it loads the graph.
    Raises: ProviderError: if onnx is missing. OutputError.
    """
    onnx = _onnx()
    model = onnx.load(source)
    graph = model.graph
    casts = []
    for tensor in graph.initializer:
        values = onnx.numpy_helper.to_array(tensor)
        if not _fits_half(values):
            continue
        name = tensor.name
        tensor.CopyFrom(onnx.numpy_helper.from_array(values.astype(np.float16), f"{name}.half"))
        casts.append(
            onnx.helper.make_node("Cast", [f"{name}.half"], [name], to=onnx.TensorProto.FLOAT)
        )
    nodes = [*casts, *graph.node]
    del graph.node[:]
    graph.node.extend(nodes)
    _save(model, out, "fp16")


def to_int8(source: Path, out: Path, samples: Iterable[Sample]) -> None:
    """Convolutions in 8 bits, scaled per channel by what the samples make of them.

    The first and the last layer, and all that is no convolution, keep their precision.
    Args:
        samples: of the graph's size, some dozens, for the ranges of values between layers.
    Raises: ProviderError: if onnx or ONNX Runtime is missing. OutputError.
    """
    onnx = _onnx()
    try:
        from onnxruntime import quantization
    except ImportError as error:
        raise ProviderError(f"ONNX Runtime cannot be imported ({error}); install it") from error
    model = onnx.load(source)
    convolutions = [node for node in model.graph.node if node.op_type == "Conv"]
    kept = [n.name for n in convolutions if _OUTPUT_LAYER in n.input] + [convolutions[0].name]
    logger = logging.getLogger()
    level = logger.level
    logger.setLevel(logging.ERROR)  # it advises a step that changes nothing here
    try:
        with tempfile.TemporaryDirectory() as folder:
            draft = Path(folder) / "int8.onnx"
            quantization.quantize_static(
                str(source),
                str(draft),
                _Reader(samples),
                quant_format=quantization.QuantFormat.QDQ,
                op_types_to_quantize=["Conv"],
                nodes_to_exclude=kept,
                per_channel=True,
                activation_type=quantization.QuantType.QUInt8,
                weight_type=quantization.QuantType.QInt8,
            )
            quantised = onnx.load(draft)
    finally:
        logger.setLevel(level)
    del quantised.metadata_props[:]
    quantised.metadata_props.extend(model.metadata_props)
    _save(quantised, out, "int8")


class _Reader:
    """Samples as the graph takes them, one at a time, as `quantize_static` asks for them."""

    def __init__(self, samples: Iterable[Sample]) -> None:
        self._samples: Iterator[Sample] = iter(samples)

    def get_next(self) -> dict[str, Any] | None:
        """The next feeds; None at the end."""
        sample = next(self._samples, None)
        if sample is None:
            return None
        size = np.float32(len(sample.image))
        corner = np.array([0.5, 0.5, 0.0], np.float32)
        return {"image": sample.image[None], "points": ((sample.points + corner) / size)[None]}


def _fits_half(values: Any) -> bool:  # noqa: ANN401  (an array of any type)
    if values.dtype != np.float32 or values.size < _LEAST_VALUES:
        return False
    size = np.abs(values[values != 0])
    return not size.size or bool(size.max() < _HALF_MOST and np.median(size) > _HALF_LEAST)


def _save(model: Any, out: Path, precision: Precision) -> None:  # noqa: ANN401  (onnx has no types)
    onnx = _onnx()
    entry = model.metadata_props.add()
    entry.key, entry.value = "precision", precision
    onnx.checker.check_model(model)
    with replacing(out) as temporary:
        onnx.save(model, temporary)


def _onnx() -> Any:  # noqa: ANN401  (it has no types)
    try:
        import onnx
    except ImportError as error:
        raise ProviderError(f"onnx cannot be imported ({error}); install n2fnet[train]") from error
    return onnx
