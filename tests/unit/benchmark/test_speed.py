"""The speed suite's parts: what is counted, how it is timed, what is said of it."""

import math
import time
from pathlib import Path

import pytest

from engine.benchmark.network_cost import multiply_adds, peak_multiply_adds_per_s
from engine.benchmark.speed import SpeedResult, speed_blocks
from engine.benchmark.timed import ROUNDS, Subject, Timing, simple, time_in_turn
from engine.errors import AssetError

onnx = pytest.importorskip("onnx")
FLOAT = onnx.TensorProto.FLOAT


def graph_file(path: Path, nodes: list, shapes: dict, weights: dict, given: list) -> Path:
    """A graph from "x" of a given shape to "y"."""
    values = [
        onnx.helper.make_tensor(name, FLOAT, dims, [0.0] * math.prod(dims))
        for name, dims in weights.items()
    ]
    graph = onnx.helper.make_graph(
        nodes, "g", [onnx.helper.make_tensor_value_info("x", FLOAT, given)],
        [onnx.helper.make_tensor_value_info("y", FLOAT, shapes["y"])], values,
    )  # fmt: skip
    opsets = [onnx.helper.make_opsetid("", 18), onnx.helper.make_opsetid("made", 1)]
    onnx.save(onnx.helper.make_model(graph, opset_imports=opsets), path)
    return path


def test_multiply_adds_of_a_convolution_and_a_product(tmp_path: Path):
    make = onnx.helper.make_node
    nodes = [
        make("Conv", ["x", "w"], ["c"], pads=[1, 1, 1, 1], strides=[2, 2], group=2),
        make("Flatten", ["c"], ["f"]),
        make("Gemm", ["f", "m"], ["y"], transB=1),
    ]
    # 4 channels in two groups, 6 out, 3 x 3, from 8 x 8 to 4 x 4; then 96 to 5.
    weights = {"w": [6, 2, 3, 3], "m": [5, 96]}
    path = graph_file(tmp_path / "a.onnx", nodes, {"y": [1, 5]}, weights, [1, 4, 8, 8])
    assert multiply_adds(path) == 6 * 4 * 4 * 2 * 9 + 96 * 5


def test_a_transposed_convolution_counts_from_its_input(tmp_path: Path):
    node = onnx.helper.make_node("ConvTranspose", ["x", "w"], ["y"], strides=[2, 2])
    path = graph_file(
        tmp_path / "a.onnx", [node], {"y": [1, 5, 8, 8]}, {"w": [3, 5, 2, 2]}, [1, 3, 4, 4]
    )
    assert multiply_adds(path) == 3 * 4 * 4 * 5 * 4


def test_an_unknown_shape_is_an_error(tmp_path: Path):
    make = onnx.helper.make_node
    nodes = [make("Own", ["x"], ["c"], domain="made"), make("MatMul", ["c", "w"], ["y"])]
    path = graph_file(tmp_path / "a.onnx", nodes, {"y": [1, 5]}, {"w": [4, 5]}, [1, 4])
    with pytest.raises(AssetError, match="the shape of 'c' is not known"):
        multiply_adds(path)


def test_the_peak_is_more_than_a_loop_could_do():
    assert peak_multiply_adds_per_s(1) > 1e8


def test_subjects_run_in_turn_and_parts_are_kept_apart():
    order = []

    def run(name: str, parts: dict[str, float]):
        def once() -> dict[str, float]:
            order.append(name)
            return parts

        return once

    subjects = [
        Subject("a", "pipeline", "r", 1, run("a", {"x": 1.0, "whole": 3.0})),
        Subject("b", "peer", "r", 2, run("b", {"": 2.0}), multiply_adds=7),
    ]
    timings = time_in_turn(subjects, 2 * ROUNDS, lambda name, done, total: None)
    assert [(t.name, len(t.ms), t.percentile(50)) for t in timings] == [
        ("a: x", 10, 1.0), ("a: whole", 10, 3.0), ("b", 10, 2.0),
    ]  # fmt: skip
    assert (timings[0].multiply_adds, timings[2].multiply_adds) == (None, 7)
    assert "".join(order[-4 * ROUNDS :]) == "aabb" * ROUNDS  # after the warm-up


def test_a_call_is_timed():
    assert 5.0 <= simple(lambda: time.sleep(0.005))()[""] < 500.0


def test_percentiles_need_enough_runs():
    timing = Timing("a", "peer", "r", 1, ms=[float(k) for k in range(1, 100)])
    assert timing.percentile(50) == 50.0
    assert math.isnan(timing.percentile(99))
    timing.ms.append(100.0)
    assert timing.percentile(99) == pytest.approx(99.01)


def test_the_report_says_by_how_much_and_how_far_from_the_limit():
    timings = [
        Timing("n2fnet-refined: whole", "pipeline", "ONNX Runtime, cpu", 2, ms=[40.0]),
        Timing("smirk", "peer", "torch, cpu", 2, "random weights", 400_000_000, [60.0]),
        Timing("smirk", "peer", "ONNX Runtime, cpu", 2, "random weights", 400_000_000, [20.0]),
    ]
    machine = {"processor": "P", "cores": 2, "load": 0.5}
    result = SpeedResult(timings, 40e9, ["mica: no torch"], {}, machine)
    tables = [block for block in speed_blocks(result) if hasattr(block, "rows")]
    network, ratios = tables[1].rows[0], tables[2].rows
    assert network[0] == "`smirk` (random weights)"
    # 400 million at 40 thousand million a second: 10 ms, a sixth of what it takes.
    assert network[-3:] == ["400", "10.00", "6.0"]
    assert [row[-1] for row in ratios] == ["1.50", "0.50"]


def test_throughput_is_told_beside_the_latency_and_what_it_is():
    timings = [Timing("n2fnet-refined: whole", "pipeline", "ONNX Runtime, cpu", 2, ms=[40.0])]
    machine = {"processor": "P", "cores": 2, "load": 0.5}
    result = SpeedResult(timings, 40e9, [], {}, machine, frames_per_s=47.25)
    texts = [block.text for block in speed_blocks(result) if hasattr(block, "text")]
    (told,) = [text for text in texts if "n2f fit" in text]
    assert "47.2 frames/s" in told
    assert "25.0 frames/s" in told  # one over 40 ms
    assert "drawing and writing not" in told
    assert result.to_dict()["fit_frames_per_s"] == 47.25


def test_without_a_throughput_nothing_is_told_of_it():
    result = SpeedResult([], 40e9, [], {}, {"processor": "P", "cores": 2, "load": None})
    texts = [block.text for block in speed_blocks(result) if hasattr(block, "text")]
    assert not any("n2f fit" in text for text in texts)
    assert result.to_dict()["fit_frames_per_s"] is None
