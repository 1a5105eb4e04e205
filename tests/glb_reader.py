"""Reads binary glTF by hand, chunk by chunk, and plays it: what a viewer would show, and where."""

import json
import struct
from pathlib import Path
from typing import Any

import numpy as np

_TYPES = {5123: "<u2", 5125: "<u4", 5126: "<f4"}
_SIZES = {"SCALAR": 1, "VEC2": 2, "VEC3": 3, "VEC4": 4, "MAT4": 16}


class Glb:
    """The tree as plain JSON, and accessors as arrays."""

    def __init__(self, path: Path) -> None:
        data = path.read_bytes()
        magic, version, length = struct.unpack_from("<4sII", data)
        assert (magic, version, length) == (b"glTF", 2, len(data))
        size, kind = struct.unpack_from("<I4s", data, 12)
        assert kind == b"JSON"
        self.tree: dict[str, Any] = json.loads(data[20 : 20 + size])
        _, kind = struct.unpack_from("<I4s", data, 20 + size)
        assert kind == b"BIN\0"
        self._buffer = data[28 + size :]

    def array(self, accessor: int) -> np.ndarray:
        entry = self.tree["accessors"][accessor]
        view = self.tree["bufferViews"][entry["bufferView"]]
        n = entry["count"] * _SIZES[entry["type"]]
        offset = view.get("byteOffset", 0) + entry.get("byteOffset", 0)
        flat = np.frombuffer(self._buffer, _TYPES[entry["componentType"]], n, offset)
        return flat.reshape(entry["count"], -1) if entry["type"] != "SCALAR" else flat

    @property
    def mesh(self) -> dict[str, Any]:
        return self.tree["meshes"][0]

    def morphed(self, weights: np.ndarray) -> np.ndarray:
        """(V, 3) the mesh at rest with its targets at these weights."""
        primitive = self.mesh["primitives"][0]
        moved = self.array(primitive["attributes"]["POSITION"]).astype(np.float64)
        for weight, target in zip(weights, primitive["targets"], strict=True):
            moved = moved + weight * self.array(target["POSITION"])
        return moved

    def frame(self, key: int | None) -> tuple[np.ndarray, np.ndarray]:
        """The weights, and the (N, 4, 4) placement of every node in its parent.

        key: of the animation; None: as the file stands.
        """
        values = {
            (node, path): entry[path]
            for node, entry in enumerate(self.tree["nodes"])
            for path in ("rotation", "translation")
            if path in entry
        }
        weights = np.array(self.mesh["weights"])
        for animation in self.tree.get("animations", []) if key is not None else []:
            for channel in animation["channels"]:
                output = self.array(animation["samplers"][channel["sampler"]]["output"])
                target = channel["target"]
                if target["path"] == "weights":
                    weights = output.reshape(-1, len(weights))[key]
                else:
                    values[target["node"], target["path"]] = output[key]
        local = np.tile(np.eye(4), (len(self.tree["nodes"]), 1, 1))
        for (node, path), value in values.items():
            if path == "rotation":
                local[node, :3, :3] = _matrix(np.asarray(value, np.float64))
            else:
                local[node, :3, 3] = value
        return weights, local

    def vertices(self, key: int | None = None) -> np.ndarray:
        """(V, 3) in the world, as the file stands or at a key of its animation."""
        weights, local = self.frame(key)
        world = self._world(local)
        skin = self.tree["skins"][0]
        inverse = self.array(skin["inverseBindMatrices"]).reshape(-1, 4, 4).transpose(0, 2, 1)
        moving = world[skin["joints"]] @ inverse
        attributes = self.mesh["primitives"][0]["attributes"]
        joints, shares = self.array(attributes["JOINTS_0"]), self.array(attributes["WEIGHTS_0"])
        blended = np.einsum("vk,vkab->vab", shares, moving[joints])
        rest = self.morphed(weights)
        return np.einsum("vab,vb->va", blended[:, :3, :3], rest) + blended[:, :3, 3]

    def _world(self, local: np.ndarray) -> np.ndarray:
        world = local.copy()

        def go(node: int, above: np.ndarray) -> None:
            world[node] = above @ local[node]
            for child in self.tree["nodes"][node].get("children", []):
                go(child, world[node])

        for root in self.tree["scenes"][0]["nodes"]:
            go(root, np.eye(4))
        return world


def _matrix(q: np.ndarray) -> np.ndarray:
    x, y, z, w = q / np.linalg.norm(q)
    return np.array(
        [
            [1 - 2 * (y * y + z * z), 2 * (x * y - z * w), 2 * (x * z + y * w)],
            [2 * (x * y + z * w), 1 - 2 * (x * x + z * z), 2 * (y * z - x * w)],
            [2 * (x * z - y * w), 2 * (y * z + x * w), 1 - 2 * (x * x + y * y)],
        ]
    )
