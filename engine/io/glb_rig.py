"""A head as binary glTF: neutral mesh, morph targets, joints, and what they do over time.

Metres; the glTF world is the camera's view frame (glTF has both frames' axes: +y up, a camera looks
along -z). Node "head" carries R and t, the five joints hang below it.
"""

from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final

import numpy as np
import numpy.typing as npt
import pygltflib as gl
from scipy.spatial.transform import Rotation

from engine.files import replacing
from engine.flame.model import JOINTS
from engine.flame.morph_rig import MorphRig, RigPose
from engine.flame.normals import vertex_normals
from engine.types import F32, F64, I32, LOW_QUALITY, Camera

__all__ = ["GLB_SCHEMA", "RigFrame", "write_rig_glb"]

GLB_SCHEMA: Final = "n2fnet.head/1"
_MOST_JOINTS: Final = 4  # that glTF gives a vertex
_FLOAT, _U16, _U32 = gl.FLOAT, gl.UNSIGNED_SHORT, gl.UNSIGNED_INT


@dataclass(frozen=True, slots=True, eq=False)
class RigFrame:
    """One frame of the animation."""

    t_ns: int
    pose: RigPose
    quality: float  # 0..1


@dataclass(slots=True)
class _File:
    """A glTF file in the making: its tree, and its one buffer."""

    tree: gl.GLTF2 = field(default_factory=gl.GLTF2)
    data: bytearray = field(default_factory=bytearray)

    def add(
        self, values: npt.NDArray[Any], kind: str, component: int, *, target: int | None = None,
        bounds: bool = False,
    ) -> int:  # fmt: skip
        """Append an array as accessor. Returns: its index."""
        raw = np.ascontiguousarray(values).tobytes()
        view = gl.BufferView(
            buffer=0, byteOffset=len(self.data), byteLength=len(raw), target=target
        )
        self.data += raw + b"\0" * (-len(raw) % 4)
        self.tree.bufferViews.append(view)
        accessor = gl.Accessor(
            bufferView=len(self.tree.bufferViews) - 1,
            componentType=component,
            count=values.size if kind == gl.SCALAR else len(values),
            type=kind,
        )
        if bounds:
            rows = values.reshape(accessor.count, -1)
            accessor.min, accessor.max = rows.min(axis=0).tolist(), rows.max(axis=0).tolist()
        self.tree.accessors.append(accessor)
        return len(self.tree.accessors) - 1

    def floats(self, values: F32 | F64, kind: str, **options: Any) -> int:  # noqa: ANN401
        return self.add(values.astype("<f4"), kind, _FLOAT, **options)


def write_rig_glb(
    path: Path,
    rig: MorphRig,
    lbs_weights: F32,
    faces: I32,
    frames: Sequence[RigFrame],
    camera: Camera,
    *,
    colours: F32 | None = None,
    shown: int = 0,
) -> None:
    """Write a rig that stands as in frame `shown`, and moves through all frames if several.

    Args:
        lbs_weights: (V, 5).
        faces: (F, 3) counter-clockwise seen from outside.
        frames: one or more, times rising.
        camera: that saw them; glTF keeps its field of view.
        colours: (V, 3) linear light 0..1 by vertex; None: light plaster.
    Raises: ValueError: without a frame. OutputError: if it cannot be written.
    """
    if not frames:
        raise ValueError("a head without a frame, expected at least one")
    file = _File()
    tree = file.tree
    tree.asset = gl.Asset(version="2.0", generator="n2fnet")
    tree.materials.append(_material())
    tree.meshes.append(_mesh(file, rig, lbs_weights, faces, colours, frames[shown].pose))
    _add_nodes(tree, frames[shown].pose, camera)
    tree.skins.append(_skin(file, rig))
    if len(frames) > 1:
        tree.animations.append(_animation(file, frames))
    tree.scenes.append(gl.Scene(nodes=[0, 1, 2], extras=_notes(frames, shown)))
    tree.scene = 0
    tree.buffers.append(gl.Buffer(byteLength=len(file.data)))
    tree.set_binary_blob(bytes(file.data))
    with replacing(path) as temporary:
        temporary.write_bytes(b"".join(tree.save_to_bytes()))


_CAMERA_NODE, _MESH_NODE, _HEAD_NODE, _FIRST_JOINT = 0, 1, 2, 3


def _add_nodes(tree: gl.GLTF2, pose: RigPose, camera: Camera) -> None:
    height_angle = 2.0 * np.arctan(0.5 * camera.height / camera.K[1, 1])
    lens = gl.Perspective(
        yfov=float(height_angle), aspectRatio=camera.width / camera.height, znear=0.01, zfar=100.0
    )
    tree.cameras.append(gl.Camera(type="perspective", perspective=lens))
    tree.nodes.append(gl.Node(name="camera", camera=0))
    tree.nodes.append(gl.Node(name="head_mesh", mesh=0, skin=0))
    tree.nodes.append(_node("head", pose.R, pose.t, [_FIRST_JOINT]))
    children = {0: [1], 1: [2, 3, 4]}
    for joint, name in enumerate(JOINTS):
        below = [_FIRST_JOINT + child for child in children.get(joint, [])]
        tree.nodes.append(_node(name, pose.local_R[joint], pose.local_t[joint], below))


def _node(name: str, R: F64, t: F64, children: list[int]) -> gl.Node:
    return gl.Node(
        name=name, rotation=_quaternions(R[None])[0].tolist(), translation=t.tolist(),
        children=children,
    )  # fmt: skip


def _material() -> gl.Material:
    surface = gl.PbrMetallicRoughness(metallicFactor=0.0, roughnessFactor=0.8)
    # The inside of the mouth and the rim of the neck are seen from behind.
    return gl.Material(name="head", pbrMetallicRoughness=surface, doubleSided=True)


def _mesh(
    file: _File, rig: MorphRig, lbs_weights: F32, faces: I32, colours: F32 | None, pose: RigPose
) -> gl.Mesh:
    joints, weights = _strongest(lbs_weights)
    vertices, target = rig.vertices, gl.ARRAY_BUFFER
    normals = _normals(vertices, faces)
    if colours is None:
        colours = np.full((len(vertices), 3), 0.55, np.float32)
    attributes = gl.Attributes(
        POSITION=file.floats(vertices, gl.VEC3, target=target, bounds=True),
        NORMAL=file.floats(normals, gl.VEC3, target=target),
        COLOR_0=file.floats(colours, gl.VEC3, target=target),
        JOINTS_0=file.add(joints.astype("<u2"), gl.VEC4, _U16, target=target),
        WEIGHTS_0=file.floats(weights, gl.VEC4, target=target),
    )
    targets = []
    for moved in rig.targets:
        turned = _normals(vertices + moved, faces) - normals
        targets.append(
            {
                "POSITION": file.floats(moved, gl.VEC3, target=target, bounds=True),
                "NORMAL": file.floats(turned, gl.VEC3, target=target),
            }
        )
    index = file.add(
        faces.astype("<u4").reshape(-1), gl.SCALAR, _U32, target=gl.ELEMENT_ARRAY_BUFFER
    )
    skin = gl.Primitive(attributes=attributes, indices=index, material=0, targets=targets)
    return gl.Mesh(
        name="head",
        primitives=[skin],
        weights=pose.weights.tolist(),
        extras={"targetNames": list(rig.target_names)},
    )


def _normals(vertices: F32, faces: I32) -> F32:
    """(V, 3) unit normals, also where no triangle gives one: glTF wants that."""
    normals = vertex_normals(vertices, faces)
    normals[np.einsum("vk,vk->v", normals, normals) < 0.5] = (0.0, 0.0, 1.0)
    return normals


def _strongest(lbs_weights: F32) -> tuple[I32, F32]:
    """(V, 4) joints and weights: all of openhead's, the four largest of five where there are."""
    order = np.argsort(-lbs_weights, axis=1, kind="stable")[:, :_MOST_JOINTS].astype(np.int32)
    weights = np.take_along_axis(lbs_weights, order, axis=1)
    weights = weights / weights.sum(axis=1, keepdims=True)
    return np.where(weights > 0, order, 0).astype(np.int32), weights.astype(np.float32)


def _skin(file: _File, rig: MorphRig) -> gl.Skin:
    inverse = np.tile(np.eye(4), (len(JOINTS), 1, 1))
    inverse[:, :3, 3] = -rig.joints
    columns = inverse.transpose(0, 2, 1).reshape(len(JOINTS), 16)  # glTF keeps columns
    return gl.Skin(
        inverseBindMatrices=file.floats(columns, gl.MAT4),
        skeleton=_FIRST_JOINT,
        joints=[_FIRST_JOINT + joint for joint in range(len(JOINTS))],
    )


def _animation(file: _File, frames: Sequence[RigFrame]) -> gl.Animation:
    """Tracks of the head's pose, of the joints that move, and of the targets' weights."""
    start = frames[0].t_ns
    seconds = np.array([(frame.t_ns - start) / 1e9 for frame in frames])
    time = file.floats(seconds, gl.SCALAR, bounds=True)
    animation = gl.Animation(name="capture")

    def track(node: int, path: str, values: F32 | F64, kind: str) -> None:
        if path != "weights" and np.ptp(values, axis=0).max() == 0.0:
            return  # it rests where its node is
        output = file.floats(values, kind)
        animation.samplers.append(gl.AnimationSampler(input=time, output=output))
        target = gl.AnimationChannelTarget(node=node, path=path)
        animation.channels.append(
            gl.AnimationChannel(sampler=len(animation.samplers) - 1, target=target)
        )

    poses = [frame.pose for frame in frames]
    places = [(_HEAD_NODE, np.stack([p.R for p in poses]), np.stack([p.t for p in poses]))]
    for joint in range(len(JOINTS)):
        turns = np.stack([p.local_R[joint] for p in poses])
        places.append((_FIRST_JOINT + joint, turns, np.stack([p.local_t[joint] for p in poses])))
    for node, turns, ways in places:
        track(node, "rotation", _quaternions(turns), gl.VEC4)
        track(node, "translation", ways, gl.VEC3)
    track(_MESH_NODE, "weights", np.concatenate([p.weights for p in poses]), gl.SCALAR)
    return animation


def _quaternions(R: F64) -> F64:
    """(T, 3, 3) -> (T, 4) x, y, z, w; neighbours on the same side, as players interpolate."""
    turns: F64 = Rotation.from_matrix(R).as_quat(canonical=True)
    sides = np.sign((turns[1:] * turns[:-1]).sum(axis=1))
    turns[1:] *= np.cumprod(np.where(sides < 0, -1.0, 1.0))[:, None]
    return turns


def _notes(frames: Sequence[RigFrame], shown: int) -> dict[str, Any]:
    quality = [round(frame.quality, 4) for frame in frames]
    return {
        "schema": GLB_SCHEMA,
        "units": "metres; the world is the camera's view frame",
        "first_frame_t_ns": frames[0].t_ns,
        "shown_frame": shown,
        "quality": quality,
        "low": [q < LOW_QUALITY for q in quality],
    }
