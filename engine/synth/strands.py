"""Made hair textures, for hair without its own: strands along the hair's fall."""

import cv2
import numpy as np

from engine.synth.mhclo import TexturedMesh
from engine.synth.skin_masks import rasterise
from engine.synth.soft_noise import soft_noise
from engine.types import F64, U8, Bool

__all__ = ["fallen_strands", "strand_texture"]

_RIM = np.ones((7, 7), np.uint8)
_FALLEN_PX = 512
_STEP_PX = 1.0
_STREAK_STEPS = 48
_TIP_STEPS = 22  # strands end at different heights over so many steps


def strand_texture(
    mesh: TexturedMesh, size: int, fall: F64, curl: float, ragged: float, seed: int
) -> U8:
    """Streaks along a direction on the surface; ragged where they end.

    Source: Cabral and Leedom 1993, "Imaging Vector Fields Using Line Integral Convolution".

    Args:
        mesh: the hair; its uv decides where its texture is drawn.
        size: px, side.
        fall: (3,) direction in which strands run, or (V, 3) by vertex.
        curl: 0 straight .. 1 frizzy.
        ragged: share of the hair's height, from below, in which strands may end.
        seed: of the strands.
    Returns: (size, size, 4) RGBA, grey.
    """
    rng = np.random.default_rng(seed)
    uv = np.stack([mesh.uv[:, 0], 1 - mesh.uv[:, 1]], axis=1)
    quads, quads_uv = (np.pad(f, ((0, 0), (0, 1)), "edge") for f in (mesh.faces, mesh.uv_faces))
    position, covered = rasterise(mesh.vertices, quads, uv, quads_uv, (size, size))
    along = np.broadcast_to(fall, mesh.vertices.shape)
    direction, _ = rasterise(along.astype(np.float64), quads, uv, quads_uv, (size, size))
    flow = _flow_px(position, direction, curl, rng)
    noise = rng.random((size, size))
    forward, steps_left = _streak(noise, flow, covered)
    backward, _ = _streak(noise, -flow, covered)
    streaks = (forward + backward) / 2
    spread = (streaks - streaks[covered].mean()) / max(float(streaks[covered].std()), 1e-6)
    grey = np.clip(128 + 38 * spread, 30, 255)
    tips = np.clip((steps_left / _TIP_STEPS - 0.7 * (0.5 + 0.5 * spread)) * 2.5, 0, 1)
    height = position[..., 1]
    low, high = height[covered].min(), height[covered].max()
    tips[height > low + ragged * (high - low)] = 1.0
    alpha = np.where(covered, 255 * tips, 0)
    # Beyond the seams as at them, so that no gap opens where two pieces meet.
    grey, alpha = (np.where(covered, a, cv2.dilate(a * covered, _RIM)) for a in (grey, alpha))
    return np.asarray(np.dstack([grey, grey, grey, alpha]).round(), np.uint8)


def fallen_strands(number: int) -> U8:
    """Strands for a sheet whose v runs along them: wavy, with gaps, ragged at ends and sides.

    Args:
        number: of the picture; each has its own waves, tips and gaps.
    Returns: (512, 512, 4) RGBA, grey.
    """
    rng = np.random.default_rng([17, number])
    px = _FALLEN_PX
    v, u = np.mgrid[0:px, 0:px] / px
    wave = rng.uniform(0, 0.02) * np.sin(
        2 * np.pi * (v * rng.uniform(2, 9) + 0.3 * soft_noise(rng, (px, px), (7, 14)))
    )
    x = ((u + wave) % 1 * px).astype(np.float32)
    y = (v * px).astype(np.float32)

    def fallen(cells: int, rows: int) -> F64:
        strands = soft_noise(rng, (px, px), (rows, cells))
        moved: F64 = cv2.remap(strands, x, y, cv2.INTER_LINEAR, borderMode=cv2.BORDER_REPLICATE)
        return moved

    fine, locks, wide = fallen(px // 2, 8), fallen(px // 9, 5), fallen(px // 32, 4)
    grey = np.clip(128 + rng.uniform(12, 34) * (0.7 * fine + 0.6 * locks + 0.4 * wide), 25, 255)
    ragged = rng.choice([0.03, 0.12, 0.35])
    tips = 1 - ragged * (0.5 + 0.25 * locks + 0.25 * fine)
    gaps = rng.choice([0.0, 0.5, 1.1]) * np.clip(v - rng.uniform(0.2, 0.7), 0, 1)
    side = rng.uniform(0.005, 0.05) * (1 + 0.6 * locks)
    inside = np.minimum(np.minimum(tips - v, np.minimum(u, 1 - u) - side) * 40, 1)
    alpha = np.clip(np.minimum(inside, 1.2 - gaps * (1.5 + locks + 0.5 * fine)), 0, 1)
    rgba = np.dstack([grey, grey, grey, 255 * alpha])
    return np.asarray(rgba.round(), np.uint8)


def _flow_px(position: F64, direction: F64, curl: float, rng: np.random.Generator) -> F64:
    """(H, W, 2) unit steps in the picture (x, y) that go along `direction` on the surface."""
    smooth = cv2.GaussianBlur(position, (0, 0), 2.0)
    across, down = np.gradient(smooth, axis=1), np.gradient(smooth, axis=0)
    # Least squares: a * across + b * down = direction.
    aa, ab, bb = ((p * q).sum(-1) for p, q in ((across, across), (across, down), (down, down)))
    da, db = (direction * across).sum(-1), (direction * down).sum(-1)
    flow = np.stack([bb * da - ab * db, aa * db - ab * da], axis=-1)
    flow = cv2.GaussianBlur(
        flow / (np.linalg.norm(flow, axis=-1, keepdims=True) + 1e-20), (0, 0), 4
    )
    if curl:
        angle = cv2.GaussianBlur(rng.standard_normal(flow.shape[:2]), (0, 0), 3.0)
        angle *= curl * 2.5 / angle.std()
        c, s = np.cos(angle), np.sin(angle)
        flow = np.stack(
            [c * flow[..., 0] - s * flow[..., 1], s * flow[..., 0] + c * flow[..., 1]], -1
        )
    return _unit(flow)


def _unit(flow: F64) -> F64:
    return np.asarray(flow / (np.linalg.norm(flow, axis=-1, keepdims=True) + 1e-20))


def _streak(noise: F64, flow: F64, covered: Bool) -> tuple[F64, F64]:
    """Mean of noise along the flow, and steps until it leaves the covered part."""
    y, x = np.indices(noise.shape).astype(np.float64)
    total, inside = np.zeros_like(noise), np.ones_like(covered)
    steps = np.zeros_like(noise)
    for _ in range(_STREAK_STEPS):
        row = np.clip(np.rint(y), 0, noise.shape[0] - 1).astype(int)
        column = np.clip(np.rint(x), 0, noise.shape[1] - 1).astype(int)
        inside &= covered[row, column]
        total += noise[row, column]
        steps += inside
        x += _STEP_PX * flow[row, column, 0]
        y += _STEP_PX * flow[row, column, 1]
    return total / _STREAK_STEPS, steps
