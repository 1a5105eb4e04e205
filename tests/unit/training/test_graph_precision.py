"""Smaller kinds of a graph answer nearly the same."""

from pathlib import Path

import numpy as np
import onnx
import pytest
from onnx import TensorProto, helper

from engine.stages.onnx_session import OnnxSession
from engine.training.graph_precision import to_half, to_int8
from tests.balls import ball_sample
from tests.onnx_files import FLOAT, UINT8, save_graph

SIZE, WIDTH = 32, 16


@pytest.fixture
def graph(tmp_path: Path) -> Path:
    """Picture -> three convolutions -> `out`; points -> `sums`; the last layer is the network's."""
    random = np.random.default_rng(0)
    shapes = {
        "a": (WIDTH, 3, 3, 3),
        "b": (WIDTH, WIDTH, 3, 3),
        "net.heads.weight": (3, WIDTH, 3, 3),
    }
    constants = {
        name: random.normal(0, np.prod(shape[1:]) ** -0.5, shape).astype(np.float32)
        for name, shape in shapes.items()
    }
    constants |= {
        "scale": np.array(1 / 255, np.float32),
        "axes": np.array([1], np.int64),
        "tiny": np.full(100, 1e-7, np.float32),
        "big": np.full(100, 1e6, np.float32),
    }
    pads = {"pads": [1, 1, 1, 1]}
    nodes = [
        helper.make_node("Cast", ["image"], ["floats"], to=TensorProto.FLOAT),
        helper.make_node("Mul", ["floats", "scale"], ["scaled"]),
        helper.make_node("Transpose", ["scaled"], ["planes"], perm=[0, 3, 1, 2]),
        helper.make_node("Conv", ["planes", "a"], ["x"], name="first", **pads),
        helper.make_node("Relu", ["x"], ["rx"]),
        helper.make_node("Conv", ["rx", "b"], ["y"], name="middle", **pads),
        helper.make_node("Relu", ["y"], ["ry"]),
        helper.make_node("Conv", ["ry", "net.heads.weight"], ["out"], name="last", **pads),
        helper.make_node("ReduceSum", ["points", "axes"], ["sums"], keepdims=0),
        helper.make_node("Mul", ["tiny", "big"], ["tenths"]),
    ]
    return save_graph(
        tmp_path / "net.onnx",
        nodes,
        {"image": (UINT8, (1, SIZE, SIZE, 3)), "points": (FLOAT, (1, 478, 3))},
        {"out": (FLOAT, (1, 3, SIZE, SIZE)), "sums": (FLOAT, (1, 3)), "tenths": (FLOAT, (100,))},
        constants,
        {"kind": "made", "size": str(SIZE)},
    )


def answers(path: Path) -> dict[str, np.ndarray]:
    sample = ball_sample(3)
    feeds = {"image": sample.image[None], "points": sample.points[None] / np.float32(SIZE)}
    return OnnxSession(path).run(feeds)


def worst(a: Path, b: Path) -> float:
    """Largest difference of `out`, as a share of its spread."""
    x, y = answers(a)["out"], answers(b)["out"]
    return float(np.abs(x - y).max() / x.std())


def test_half_keeps_answers_and_halves_the_weights(graph: Path, tmp_path: Path):
    half = tmp_path / "half.onnx"
    to_half(graph, half)
    assert worst(graph, half) < 4e-3  # ten bits of a weight
    kinds = {t.name: t.data_type for t in onnx.load(half).graph.initializer}
    assert kinds["b.half"] == TensorProto.FLOAT16
    assert kinds["scale"] == TensorProto.FLOAT
    assert half.stat().st_size < 0.65 * graph.stat().st_size


def test_values_that_half_precision_cannot_hold_stay(graph: Path, tmp_path: Path):
    to_half(graph, tmp_path / "half.onnx")
    np.testing.assert_allclose(answers(tmp_path / "half.onnx")["tenths"], 0.1, rtol=1e-6)


def test_int8_changes_the_inner_layers_alone(graph: Path, tmp_path: Path):
    small = tmp_path / "int8.onnx"
    to_int8(graph, small, [ball_sample(k) for k in range(8)])
    assert 1e-4 < worst(graph, small) < 0.1
    np.testing.assert_array_equal(answers(small)["sums"], answers(graph)["sums"])
    kinds = {t.name: t.data_type for t in onnx.load(small).graph.initializer}
    assert kinds["b_quantized"] == TensorProto.INT8
    assert kinds["a"] == kinds["net.heads.weight"] == TensorProto.FLOAT


@pytest.mark.parametrize("precision", ["fp16", "int8"])
def test_metadata_comes_along(graph: Path, tmp_path: Path, precision: str):
    out = tmp_path / "small.onnx"
    if precision == "fp16":
        to_half(graph, out)
    else:
        to_int8(graph, out, [ball_sample(0)])
    metadata = OnnxSession(out).metadata
    assert metadata["kind"] == "made"
    assert metadata["precision"] == precision


def test_a_graph_may_be_written_over_itself(graph: Path):
    to_half(graph, graph)
    assert OnnxSession(graph).metadata["precision"] == "fp16"
