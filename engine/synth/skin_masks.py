"""Where on a skin's picture make-up, stubble, blush and shaved hair go: masks in its UV crop."""

import itertools
from pathlib import Path

import cv2
import numpy as np

from engine.errors import AssetError
from engine.io.npz_read import UNREADABLE_NPZ, open_npz
from engine.synth.skins import crop_uv
from engine.types import F32, F64, I32, U8, Bool

__all__ = ["build_skin_masks", "rasterise", "skin_masks"]

_SIZE = (494, 256)  # rows, columns
_OUTER_LIPS = slice(48, 60)
_DISC = cv2.getStructuringElement(cv2.MORPH_ELLIPSE, (7, 7))


def build_skin_masks(registration: Path) -> dict[str, U8]:
    """Masks from MakeHuman's head topology registered to the ICT model; see `skin_masks`.

    Raises: AssetError: if the folder lacks topology.npz or ict_on_topology.npz.
    """
    try:
        with open_npz(registration / "topology.npz") as topology:
            n_skin = int(topology["n_skin"])
            quads, quads_uv = (topology[k].astype(np.int32) for k in ("quads", "quads_uv"))
            uv = crop_uv(topology["uv"].astype(np.float64))
            marks, bary = topology["lmk68_tri"].astype(np.int32), topology["lmk68_bary"]
        with open_npz(registration / "ict_on_topology.npz") as shapes:
            vertices = shapes["neutral_m"].astype(np.float64)
    except UNREADABLE_NPZ as error:
        raise AssetError(f"{registration} does not hold the registered head: {error}") from error
    landmarks = np.einsum("nk,nkc->nc", bary, vertices[marks])
    skin = (quads < n_skin).all(axis=1)
    return skin_masks(vertices, quads[skin], uv, quads_uv[skin], landmarks)


def skin_masks(vertices: F64, quads: I32, uv: F64, quads_uv: I32, landmarks: F64) -> dict[str, U8]:
    """Masks by name: lips, lids, brows, beard, cheeks, nose, scalp; 0 outside .. 255 inside.

    Args:
        vertices: (V, 3) metres, a head looking along +z, +y up.
        quads: (Q, 4) its skin; uv: (T, 2) 0..1 in the picture, v down; quads_uv: (Q, 4) rows of it.
        landmarks: (68, 3) iBUG points on it, metres.
    """
    position, covered = rasterise(vertices, quads, uv, quads_uv, _SIZE)
    face = _Painter(position, covered, landmarks)
    masks = {
        "lips": face.lips(),
        "lids": face.lids(),
        "brows": face.brows(),
        "beard": face.beard(),
        "cheeks": face.cheeks(),
        "nose": face.nose(),
        "scalp": face.scalp(),
    }
    return {name: _as_bytes(_spread(mask, covered)) for name, mask in masks.items()}


def rasterise(
    vertices: F64, quads: I32, uv: F64, quads_uv: I32, size: tuple[int, int]
) -> tuple[F64, Bool]:
    """Which place of the surface each texel shows.

    Args: as `skin_masks`; size: rows, columns.
    Returns: positions (rows, columns, 3) metres, zeros where none; covered (rows, columns).
    """
    rows, columns = size
    position, covered = np.zeros((rows, columns, 3)), np.zeros((rows, columns), bool)
    corners_px = uv * [columns, rows] - 0.5
    for corners in ([0, 1, 2], [0, 2, 3]):
        for tri, tri_uv in zip(quads[:, corners], quads_uv[:, corners], strict=True):
            _fill(position, covered, vertices[tri], corners_px[tri_uv])
    return position, covered


def _fill(position: F64, covered: Bool, points: F64, px: F64) -> None:
    """Write one triangle's positions into the texels that its uv covers."""
    low = np.maximum(np.floor(px.min(axis=0)).astype(int), 0)
    high = np.minimum(np.ceil(px.max(axis=0)).astype(int) + 1, covered.shape[::-1])
    if (low >= high).any():
        return
    edges = np.stack([px[1] - px[0], px[2] - px[0]], axis=1)
    if abs(np.linalg.det(edges)) < 1e-9:
        return
    x, y = np.meshgrid(np.arange(low[0], high[0]), np.arange(low[1], high[1]))
    beta, gamma = np.tensordot(np.linalg.inv(edges), np.stack([x, y]) - px[0][:, None, None], 1)
    inside = (beta >= -1e-6) & (gamma >= -1e-6) & (beta + gamma <= 1 + 1e-6)
    bary = np.stack([1 - beta - gamma, beta, gamma], axis=-1)[inside]
    position[y[inside], x[inside]] = bary @ points
    covered[y[inside], x[inside]] = True


class _Painter:
    """Masks by where the texels lie on the face: all lengths in metres on the head."""

    def __init__(self, position: F64, covered: Bool, landmarks: F64) -> None:
        self.covered = covered
        self.x, self.y, self.z = np.moveaxis(position, -1, 0)
        self.position = position
        self.lm = landmarks
        self.front = covered & (self.z > landmarks[[0, 16], 2].mean())

    def lips(self) -> F64:
        """Between outer and inner outline, as seen from the front."""
        lm = self.lm
        outer = self._inside(lm[_OUTER_LIPS], pad=1.02)
        front = self.z > lm[[48, 54], 2].mean() - 0.012
        closed = cv2.morphologyEx((outer & front).astype(np.uint8), cv2.MORPH_CLOSE, _DISC)
        return self._softened(closed > 0, 1.2)

    def lids(self) -> F64:
        """Eye shadow: from lashes to under the brow, strongest at the lashes."""
        mask = np.zeros_like(self.x)
        for lashes, brow in ((slice(36, 40), slice(17, 22)), (slice(42, 46), slice(22, 27))):
            distance = self._distance(self.lm[lashes])
            reach = np.abs(self.lm[brow, 1].mean() - self.lm[lashes, 1].mean())
            above = self.y > self._height_of(self.lm[lashes]) - 0.0015
            fade = np.clip(1 - distance / (0.85 * reach), 0, 1)
            mask = np.maximum(mask, np.sqrt(fade) * above * self.front)
        return self._softened(mask, 1.5)

    def brows(self) -> F64:
        """A soft band along the brow line."""
        distance = np.minimum(self._distance(self.lm[17:22]), self._distance(self.lm[22:27]))
        return np.asarray(np.exp(-((distance / 0.0055) ** 2)) * self.front)

    def beard(self) -> F64:
        """Upper lip, chin, jaw and side-burns, down to the upper neck; lips left out."""
        lm, side = self.lm, np.abs(self.x)
        mouth, nose, ear = lm[[48, 54]].mean(0), lm[33], lm[[0, 16]].mean(0)
        half_mouth, half_face = np.abs(lm[[48, 54], 0]).mean(), np.abs(lm[[0, 16], 0]).mean()
        # Upper edge: nose base in the middle, a little under the mouth's corners on the cheek,
        # then up to the ear.
        places = [0, 0.5 * half_mouth, 1.15 * half_mouth, 0.8 * half_face, 0.93 * half_face]
        heights = [nose[1], nose[1], mouth[1] + 0.004, mouth[1] + 0.012, ear[1] + 0.004]
        upper = np.interp(side, places, heights)
        lower = lm[8, 1] - 0.014 - 0.5 * np.maximum(lm[8, 2] - 0.02 - self.z, 0)
        within = (self.y < upper) & (self.y > lower) & (self.z > lm[[0, 16], 2].mean() - 0.004)
        return self._softened(within, 3.5) * (1 - self.lips())

    def cheeks(self) -> F64:
        """Blush: a soft spot on each cheekbone."""
        mask = np.zeros_like(self.x)
        for eye, corner, jaw in ((slice(36, 42), 48, 2), (slice(42, 48), 54, 14)):
            spot = 0.55 * self.lm[eye].mean(0) + 0.1 * self.lm[corner] + 0.35 * self.lm[jaw]
            # Mixtures of landmarks lie under the skin: look at the picture plane, from the front.
            distance = np.hypot((self.x - spot[0]) / 1.25, self.y - self.lm[30, 1])
            mask = np.maximum(mask, np.exp(-((distance / 0.015) ** 2)))
        return np.asarray(mask * self.front)

    def nose(self) -> F64:
        """Tip and wings, less up the bridge."""
        lm = self.lm
        half = np.interp(self.y, [lm[33, 1], lm[27, 1]], [0.018, 0.007])
        bridge = (np.abs(self.x) < half) & (self.y > lm[33, 1] - 0.004) & (self.y < lm[27, 1])
        up = np.clip((self.y - lm[33, 1]) / (lm[27, 1] - lm[33, 1]), 0, 1)
        return np.asarray(self._softened(bridge & self.front, 3.0) * (1 - 0.7 * up))

    def scalp(self) -> F64:
        """Where hair grows: behind the hairline, round the ears, down to the nape."""
        lm = self.lm
        brow_y, ear = lm[17:27, 1].mean(), lm[[0, 16]].mean(0)
        depth = lm[27, 2] - self.z  # behind the bridge of the nose
        # Hairline: high in the middle of the forehead, falls at the temples in front of the ears.
        places = [0.0, 0.020, 0.045, 0.075, 0.100, 0.125, 0.165]
        lift = [0.070, 0.062, 0.042, 0.018, -0.004, -0.050, -0.085]
        line = brow_y + np.interp(depth, places, lift)
        hairy = self.y > line
        near_ear = ((self.y - ear[1] - 0.004) / 0.036) ** 2 + ((depth - 0.108) / 0.022) ** 2 < 1
        return self._softened(hairy & ~near_ear, 3.0)

    def _inside(self, outline: F64, pad: float) -> Bool:
        """Texels inside a closed outline, seen from the front."""
        centre = outline.mean(0)
        polygon = ((outline - centre) * pad + centre)[:, :2]
        inside = np.zeros(self.x.shape, bool)
        for (x0, y0), (x1, y1) in zip(polygon, np.roll(polygon, -1, axis=0), strict=True):
            crosses = (y0 > self.y) != (y1 > self.y)
            with np.errstate(divide="ignore", invalid="ignore"):
                inside ^= crosses & (self.x < (x1 - x0) * (self.y - y0) / (y1 - y0) + x0)
        return np.asarray(inside & self.front)

    def _distance(self, line: F64) -> F64:
        """Metres to a polyline."""
        best = np.full(self.x.shape, np.inf)
        for start, end in itertools.pairwise(line):
            edge = end - start
            along = np.clip((self.position - start) @ edge / (edge @ edge), 0, 1)
            away = self.position - start - along[..., None] * edge
            best = np.minimum(best, np.linalg.norm(away, axis=-1))
        return best

    def _height_of(self, line: F64) -> F64:
        """y of a polyline at each texel's x."""
        order = np.argsort(line[:, 0])
        return np.asarray(np.interp(self.x, line[order, 0], line[order, 1]))

    def _softened(self, mask: F64 | Bool, sigma_px: float) -> F64:
        """Blurred within the covered texels, so that it does not fade towards seams."""
        inside = cv2.GaussianBlur(mask * self.covered.astype(np.float64), (0, 0), sigma_px)
        share = cv2.GaussianBlur(self.covered.astype(np.float64), (0, 0), sigma_px)
        return np.asarray(inside / np.maximum(share, 1e-6))


def _spread(mask: F64, covered: Bool) -> F64:
    """Covered values, and around them their neighbours' for samples at seams."""
    values = np.where(covered, mask, 0.0)
    around = cv2.dilate(values, _DISC)
    return np.asarray(np.where(covered, values, around))


def _as_bytes(mask: F64) -> U8:
    values: F32 = np.clip(mask, 0, 1).astype(np.float32)
    return np.asarray(np.rint(255 * values), np.uint8)
