"""Made heads for the benchmark: balls whose distances are known by hand."""

from dataclasses import replace

import numpy as np
import trimesh

from engine.benchmark.types import LANDMARKS7, PredictedFace, TruthMesh

RADIUS = 0.1
"""metres"""


def ball(radius: float = RADIUS, subdivisions: int = 4) -> tuple[np.ndarray, np.ndarray]:
    """Vertices (V, 3) metres and faces (F, 3) of an icosphere."""
    mesh = trimesh.creation.icosphere(subdivisions=subdivisions, radius=radius)
    return np.asarray(mesh.vertices, np.float64), np.asarray(mesh.faces, np.int32)


def landmarks68(vertices: np.ndarray) -> np.ndarray:
    """(68, 3) points of the ball, spread like a face's: the eyes over the mouth, nose ahead."""
    wanted = np.random.default_rng(0).normal((0, 0, 1), 0.4, (68, 3))
    eyes_and_mouth = {36: (-0.5, 0.4), 39: (-0.2, 0.4), 42: (0.2, 0.4), 45: (0.5, 0.4)}
    eyes_and_mouth |= {48: (-0.3, -0.5), 54: (0.3, -0.5), 33: (0.0, -0.1), 30: (0.0, 0.0)}
    eyes_and_mouth |= {51: (0.0, -0.45), 57: (0.0, -0.6)}
    for point, (x, y) in eyes_and_mouth.items():
        wanted[point] = (x, y, 0.8)
    wanted *= np.linalg.norm(vertices[0]) / np.linalg.norm(wanted, axis=1, keepdims=True)
    return wanted


def parts(vertices: np.ndarray) -> dict[str, np.ndarray]:
    """The whole ball as face, and its upper half as eyes."""
    rows = np.arange(len(vertices), dtype=np.int32)
    return {"face": rows, "eyes": rows[vertices[:, 1] > 0]}


def ball_truth() -> TruthMesh:
    vertices, faces = ball()
    marks = landmarks68(vertices)
    return TruthMesh(
        vertices,
        faces,
        parts(vertices),
        landmarks7=marks[list(LANDMARKS7)],
        landmarks68=marks,
        model_id="ball",
    )


PLATE_SHARE = 169 / (169 + 2562)
"""Of the points of `plated_truth`: less than the tenth that closest points leave out."""


def plated_truth() -> TruthMesh:
    """The ball, and a plate before it: what the plate does, the alignment does not see."""
    truth = ball_truth()
    x, y = np.meshgrid(np.linspace(-0.01, 0.01, 13), np.linspace(-0.01, 0.01, 13))
    plate = np.stack([x, y, np.full_like(x, 0.15)], axis=-1).reshape(-1, 3)
    at = np.arange(len(plate)).reshape(13, 13)
    a, b, c, d = at[:-1, :-1], at[:-1, 1:], at[1:, :-1], at[1:, 1:]
    quads = [np.stack(t, axis=-1).reshape(-1, 3) for t in ((a, b, c), (b, d, c))]
    faces = np.concatenate([truth.faces, *(q + len(truth.vertices) for q in quads)])
    vertices = np.concatenate([truth.vertices, plate])
    rows = np.arange(len(vertices), dtype=np.int32)
    plate_rows = rows[len(truth.vertices) :]
    return replace(
        truth,
        vertices=vertices,
        faces=faces.astype(np.int32),
        regions={"face": rows, "nose": plate_rows},
    )


def plate_moved(truth: TruthMesh, metres: float) -> np.ndarray:
    """The vertices of `plated_truth`, the plate moved along its normal."""
    vertices = truth.vertices.copy()
    vertices[truth.regions["nose"], 2] += metres
    return vertices


def returned(truth: TruthMesh, **changes: object) -> PredictedFace:
    """The truth as a prediction, some of it changed."""
    values = {
        "vertices": truth.vertices,
        "faces": truth.faces,
        "regions": truth.regions,
        "landmarks68": truth.landmarks68,
        "model_id": truth.model_id,
    }
    return PredictedFace(**(values | changes))
