"""Small ONNX networks for tests: known answers instead of trained weights."""

from pathlib import Path

import numpy as np
import onnx
from onnx import TensorProto, helper, numpy_helper

from engine.types import F32

FLOAT, UINT8 = TensorProto.FLOAT, TensorProto.UINT8


def sphere_normals(size: int) -> F32:
    """(S, S, 3) normals of a ball that touches the edges, (0, 0, 1) around it."""
    ticks = (np.arange(size, dtype=np.float32) + np.float32(0.5)) / np.float32(size) * 2 - 1
    x, y = np.meshgrid(ticks, -ticks)
    z = np.sqrt(np.maximum(1 - x**2 - y**2, 0))
    normals = np.stack([x, y, z], axis=-1).astype(np.float32)
    normals[z == 0] = (0, 0, 1)
    return normals


def disc(size: int) -> F32:
    """(S, S) 1 inside the ball of `sphere_normals`, 0 around it."""
    return (sphere_normals(size)[..., 2] < 1).astype(np.float32)


def save_graph(
    path: Path,
    nodes: list[onnx.NodeProto],
    inputs: dict[str, tuple[int, tuple]],
    outputs: dict[str, tuple[int, tuple]],
    constants: dict[str, np.ndarray],
    metadata: dict[str, str] | None = None,
) -> Path:
    """inputs, outputs: by name, ONNX's element type and the shape."""
    graph = helper.make_graph(
        nodes,
        "made",
        [helper.make_tensor_value_info(n, *spec) for n, spec in inputs.items()],
        [helper.make_tensor_value_info(n, *spec) for n, spec in outputs.items()],
        [numpy_helper.from_array(value, name) for name, value in constants.items()],
    )
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=8)
    helper.set_model_props(model, metadata or {})
    onnx.checker.check_model(model)
    onnx.save(model, path)
    return path


def save_normal_net(
    path: Path, size: int = 32, *, head: F32 | None = None, view: F32 | None = None
) -> Path:
    """A network as the training exports it: a ball, with the picture's red as its confidence.

    Args:
        head, view: (S, S, 3) to give instead of the ball's normals; head None: where z of the
            face's point 4 is positive, the ball's, else the opposite.
    """
    ball = sphere_normals(size)
    first = lambda a: np.ascontiguousarray(a, np.float32)[None]  # noqa: E731
    nodes = [
        helper.make_node("Gather", ["points", "nose"], ["nose_points"], axis=1),
        helper.make_node("Gather", ["nose_points", "z"], ["nose_z"], axis=2),
        helper.make_node("Sign", ["nose_z"], ["side"]),
        helper.make_node("Unsqueeze", ["side", "last"], ["side4"]),
        helper.make_node("Mul", ["head_map", "side4"], ["head"]),
        helper.make_node("Identity", ["view_map"], ["view"]),
        helper.make_node("Cast", ["image"], ["image_f"], to=FLOAT),
        helper.make_node("Gather", ["image_f", "red"], ["red_f"], axis=3),
        helper.make_node("Div", ["red_f", "white"], ["confidence"]),
        helper.make_node("Identity", ["disc"], ["mask"]),
        helper.make_node("Cast", ["disc"], ["parsing"], to=UINT8),
    ]
    constants = {
        "nose": np.array([4], np.int64),
        "z": np.array([2], np.int64),
        "last": np.array([3], np.int64),
        "red": np.array(0, np.int64),
        "white": np.array(255, np.float32),
        "head_map": first(ball if head is None else head),
        "view_map": first(ball if view is None else view),
        "disc": first(disc(size)),
    }
    maps, flat = (1, size, size, 3), (1, size, size)
    inputs = {"image": (UINT8, maps), "points": (FLOAT, (1, 478, 3))}
    outputs = {
        "head": (FLOAT, maps),
        "view": (FLOAT, maps),
        "confidence": (FLOAT, flat),
        "parsing": (UINT8, flat),
        "mask": (FLOAT, flat),
    }
    return save_graph(path, nodes, inputs, outputs, constants, {"made_for": "tests"})


def save_foreign_net(folder: Path, description: str, planes: F32, mask: F32 | None = None) -> Path:
    """A network of others: gives constant planes (C, S, S) as `n`, whatever the picture.

    Args:
        description: what stands in the TOML beside it; input and output are nchw.
        mask: (S, S) to give as `m`.
    """
    size = planes.shape[-1]
    shape = ("n", 3, "h", "w")
    nodes = [
        helper.make_node("Mul", ["x", "zero"], ["nothing"]),
        helper.make_node("Add", ["nothing", "planes"], ["n"]),
        helper.make_node("Identity", ["x"], ["seen"]),
    ]
    outputs = {"n": (FLOAT, shape), "seen": (FLOAT, shape)}
    constants = {"zero": np.array(0, np.float32), "planes": planes[None]}
    if mask is not None:
        nodes.append(helper.make_node("Identity", ["mask"], ["m"]))
        outputs["m"] = (FLOAT, (1, 1, size, size))
        constants["mask"] = mask[None, None]
    path = folder / "foreign.onnx"
    path.with_suffix(".toml").write_text(description)
    return save_graph(path, nodes, {"x": (FLOAT, shape)}, outputs, constants)
