"""N2FNet in ONNX form with a fixed answer, for tests."""

import json
from pathlib import Path

import numpy as np
from onnx import TensorProto, helper

from engine.flame.model import HeadModel
from engine.stages.flame_regressor import KIND
from tests.onnx_files import FLOAT, save_graph

GROUPS = ("shape", "expr", "jaw", "eyelids", "neck", "rotation", "camera")


def save_parameter_net(
    path: Path,
    model: HeadModel,
    *,
    size: int = 32,
    picture: bool = False,
    std: float = 0.5,
    place_from_point: int | None = None,
    metadata: dict[str, str] | None = None,
    **answer: np.ndarray,
) -> Path:
    """Looks at maps (or, with picture, at RGB) and always gives the same.

    Args:
        place_from_point: also looks at MediaPipe's points, and puts the head where this one is.
        answer: values of GROUPS; what is left out is zero, the rotation none, the camera 4 crop
            sides a metre.
    """
    values = {
        "shape": np.zeros(model.n_shape),
        "expr": np.zeros(model.n_expr),
        "jaw": np.zeros(3),
        "eyelids": np.zeros(2),
        "neck": np.zeros(3),
        "rotation": np.eye(3),
        "camera": np.array([np.log(4.0), 0, 0]),
        "std": np.full(model.n_shape + model.n_expr + 14, std),
    } | answer
    constants = {f"{name}_0": v[None].astype(np.float32) for name, v in values.items()}
    nodes = [helper.make_node("Identity", [f"{name}_0"], [name]) for name in values]
    outputs = {name: (FLOAT, (1, *v.shape)) for name, v in values.items()}
    inputs = {"head": (FLOAT, (1, size, size, 3)), "mask": (FLOAT, (1, size, size))}
    if picture:
        inputs = {"image": (TensorProto.UINT8, (1, size, size, 3))}
    if place_from_point is not None:
        inputs["points"] = (FLOAT, (1, 478, 3))
        nodes = [node for node in nodes if node.output[0] != "camera"]
        nodes += [
            helper.make_node("Gather", ["points", "which"], ["point"], axis=1),
            helper.make_node("Gather", ["point", "flat"], ["xy"], axis=1),
            helper.make_node("Sub", ["xy", "half"], ["shift"]),
            helper.make_node("Concat", ["log_size", "shift"], ["camera"], axis=1),
        ]
        constants |= {
            "which": np.array(place_from_point, np.int64),
            "flat": np.array([0, 1], np.int64),
            "half": np.array([0.5, 0.5], np.float32),
            "log_size": np.array([[np.log(4.0)]], np.float32),
        }
    own = {
        "kind": KIND,
        "head_model_id": model.model_id,
        "head_model_name": model.name,
        "std_groups": json.dumps(GROUPS),
    }
    return save_graph(path, nodes, inputs, outputs, constants, own | (metadata or {}))
