"""Made samples: a ball with a face's points on it, turned and lit at random."""

from pathlib import Path

import numpy as np
from scipy.spatial.transform import Rotation

from engine.frames import camera_from_focal
from engine.stages.mediapipe_mesh import canonical_vertices
from engine.synth.sample import PARSING, Sample, code_normals
from engine.synth.shards import write_shard
from engine.types import FlameParams


def ball_normals(size: int, radius: float, centre: tuple[float, float]) -> np.ndarray:
    """(S, S, 3) view normals of a ball, zero beside it; pixels."""
    y, x = np.mgrid[:size, :size].astype(np.float64)
    n = np.stack([(x - centre[0]) / radius, (centre[1] - y) / radius], axis=-1)
    z2 = 1 - (n**2).sum(-1)
    normals = np.concatenate([n, np.sqrt(np.clip(z2, 0, 1))[..., None]], axis=-1)
    normals[z2 <= 0] = 0
    return normals.astype(np.float32)


def ball_sample(index: int, size: int = 32) -> Sample:
    """A ball whose colours tell its head normals, and points as MediaPipe would lay them."""
    random = np.random.default_rng(index)
    R = Rotation.from_euler("yxz", random.normal(0, [25, 12, 8]), degrees=True).as_matrix()
    radius = size * random.uniform(0.34, 0.4)
    centre = tuple((size - 1) / 2 + size * random.uniform(-0.04, 0.04, 2))
    view = ball_normals(size, radius, centre)
    there = view.any(-1)
    head = (view.reshape(-1, 3) @ R).reshape(view.shape).astype(np.float32)
    parsing = there.astype(np.uint8)  # skin
    parsing[there & (head[..., 2] > 0.96)] = PARSING.index("eyes")
    colours = np.where(there[..., None], 0.5 + 0.3 * head + 0.1 * view[..., 2:], 0.1)
    mesh = canonical_vertices() / 9.0
    placed = (mesh - mesh.mean(0)) @ R.T * radius * [1, -1, 1] + [*centre, 0]
    irises = np.repeat(placed[[33, 263]], 5, axis=0)
    points = np.concatenate([placed, irises]).astype(np.float32)
    return Sample(
        key=f"s{index:05d}",
        image=np.clip(255 * colours, 0, 255).astype(np.uint8),
        head_normals=code_normals(head),
        view_normals=code_normals(view),
        parsing=parsing,
        depth=np.zeros((size, size), np.uint16),
        points=points,
        landmarks68=points[np.linspace(0, 467, 68).astype(int), :2].copy(),
        params=FlameParams.neutral("made", 3, 3),
        camera=camera_from_focal(4.0 * size, size, size),
        meta={"found": True},
    )


def write_balls(folder: Path, split: str, n: int, first: int = 0, size: int = 32) -> None:
    """One shard of balls."""
    samples = [ball_sample(first + k, size) for k in range(n)]
    write_shard(folder / f"{split}-{first:06d}.tar", samples)
