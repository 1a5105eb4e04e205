"""Running networks: known answers, own memory, clear errors."""

from pathlib import Path

import numpy as np
import pytest
from onnx import TensorProto, helper

from engine.errors import AssetError, ProviderError
from engine.stages.onnx_session import OnnxSession
from tests.onnx_files import save_graph


@pytest.fixture
def doubler(tmp_path: Path) -> Path:
    """y = 2 x on (2, 3) floats."""
    nodes = [helper.make_node("Mul", ["x", "two"], ["y"])]
    shape = (TensorProto.FLOAT, (2, 3))
    constants = {"two": np.array(2, np.float32)}
    return save_graph(
        tmp_path / "doubler.onnx", nodes, {"x": shape}, {"y": shape}, constants, {"licence": "CC0"}
    )


@pytest.fixture
def open_doubler(tmp_path: Path) -> Path:
    """y = 2 x on floats of any size."""
    nodes = [helper.make_node("Mul", ["x", "two"], ["y"])]
    shape = (TensorProto.FLOAT, ("batch", 3))
    constants = {"two": np.array(2, np.float32)}
    return save_graph(tmp_path / "open.onnx", nodes, {"x": shape}, {"y": shape}, constants)


def test_each_run_gives_arrays_of_its_own(doubler: Path) -> None:
    session = OnnxSession(doubler)
    x = np.arange(6, dtype=np.float32).reshape(2, 3)
    first = session.run({"x": x})["y"]
    second = session.run({"x": x + 1})["y"]
    assert first.tolist() == [[0, 2, 4], [6, 8, 10]]
    assert second.tolist() == [[2, 4, 6], [8, 10, 12]]


def test_strided_input_is_taken_as_it_reads(doubler: Path) -> None:
    x = np.arange(6, dtype=np.float32).reshape(3, 2).T
    assert OnnxSession(doubler).run({"x": x})["y"].tolist() == (2 * x).tolist()


def test_graph_describes_itself(doubler: Path) -> None:
    session = OnnxSession(doubler)
    assert {n: (i.shape, i.dtype) for n, i in session.inputs.items()} == {"x": ((2, 3), np.float32)}
    assert list(session.outputs) == ["y"]
    assert session.metadata == {"licence": "CC0"}
    assert (session.provider, session.fallback) == ("cpu", "")


def test_open_lengths_are_to_be_given(open_doubler: Path) -> None:
    session = OnnxSession(open_doubler, open_shape=(1, 3))
    assert session.run({"x": np.ones((1, 3), np.float32)})["y"].tolist() == [[2, 2, 2]]
    with pytest.raises(AssetError, match=r"open \(x\); export it with fixed"):
        OnnxSession(open_doubler)


@pytest.mark.parametrize(
    ("feeds", "words"),
    [
        ({}, "inputs none; doubler.onnx has x"),
        ({"z": np.zeros((2, 3), np.float32)}, "has x"),
        ({"x": np.zeros((3, 2), np.float32)}, r"expected float32 \(2, 3\)"),
        ({"x": np.zeros((2, 3), np.float64)}, "float64"),
    ],
)
def test_wrong_inputs_are_refused(doubler: Path, feeds: dict, words: str) -> None:
    session = OnnxSession(doubler)
    with pytest.raises(ValueError, match=words):
        session.run(feeds)


def test_missing_and_damaged_files_are_named(tmp_path: Path, doubler: Path) -> None:
    with pytest.raises(AssetError, match=r"none.onnx is missing"):
        OnnxSession(tmp_path / "none.onnx")
    for content in (b"", b"no network", doubler.read_bytes()[:60]):
        bad = tmp_path / "bad.onnx"
        bad.write_bytes(content)
        with pytest.raises(AssetError, match=r"bad.onnx cannot be loaded"):
            OnnxSession(bad)


def test_a_missing_card_is_an_error_or_a_visible_fallback(doubler: Path) -> None:
    """No machine has both Apple's and Microsoft's provider."""
    import onnxruntime

    there = onnxruntime.get_available_providers()
    absent = "directml" if "DmlExecutionProvider" not in there else "coreml"
    with pytest.raises(ProviderError, match=f"{absent} was asked for"):
        OnnxSession(doubler, provider=absent)
    session = OnnxSession(doubler, provider=absent, may_fall_back=True)
    assert session.provider == "cpu"
    assert session.fallback.startswith(f"CPU instead of {absent}")


def test_wrong_arguments_are_refused(doubler: Path) -> None:
    with pytest.raises(ValueError, match="choose from: auto, cpu"):
        OnnxSession(doubler, provider="abacus")
    with pytest.raises(ValueError, match="threads"):
        OnnxSession(doubler, threads=0)
