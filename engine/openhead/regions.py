"""Named regions of openhead, and where its mesh has to be dense: by geometry, both sides alike."""

import numpy as np

from engine.openhead.ict import RANGES, IctModel
from engine.openhead.mesh import EYE_CENTRE, EYE_RADIUS, IRIS_DEG, PARTS, Mesh
from engine.types import F64, I32, Bool

__all__ = ["importance", "loops", "regions"]


def loops(ict: IctModel) -> tuple[I32, I32]:
    """(lid edges, inner lip line): source vertices where skin turns into socket."""
    return _seam(ict, "eye_sockets"), _seam(ict, "mouth_socket")


def _seam(ict: IctModel, inner: str) -> I32:
    skin, socket = np.zeros((2, len(ict.vertices)), bool)
    skin[slice(*RANGES["face"])] = True
    socket[slice(*RANGES[inner])] = True
    across = ict.triangles[skin[ict.triangles].any(1) & socket[ict.triangles].any(1)]
    seam = np.unique(across)
    return np.asarray(seam[skin[seam]], np.int32)


def _near(points: F64, centre: F64, radii: tuple[float, float, float]) -> Bool:
    """Inside an ellipsoid or its mirror image."""
    sides = (np.sum(((points - centre * [s, 1, 1]) / radii) ** 2, axis=1) < 1 for s in (1, -1))
    return np.asarray(np.logical_or(*sides))


def importance(ict: IctModel) -> F64:
    """(S,) weight of the squared surface error: lids, nostrils and lips before cheeks and scalp."""
    v, lm = ict.vertices, ict.vertices[ict.landmarks]
    weight = np.full(len(v), 0.12)
    weight[slice(*RANGES["narrow_face"])] = 1.0
    weight[_near(v, EYE_CENTRE, (0.024, 0.020, 0.030))] = 6.0
    weight[_near(v, lm[48:].mean(0), (0.034, 0.020, 0.030))] = 4.0
    weight[_near(v, lm[31:36].mean(0), (0.024, 0.022, 0.040))] = 5.0
    weight[slice(*RANGES["mouth_socket"])] = 0.05
    weight[slice(*RANGES["eye_sockets"])] = 0.05
    return weight


def regions(ict: IctModel, mesh: Mesh, v: F64) -> dict[str, I32]:
    """Vertex indices by region name; v: (V, 3) neutral openhead, metres."""
    lm = ict.vertices[ict.landmarks]
    share = {
        name: (mesh.carry[:, slice(*RANGES[name])].sum(axis=1) > 0.5)
        for name in ("narrow_face", "face")
    }
    skin = mesh.part == PARTS.index("skin")
    ears = skin & share["face"] & ~share["narrow_face"] & _ear_box(v)
    # Under the jaw: below the line from chin to ear lobe, which 68-point contours follow.
    jaw_y = np.interp(v[:, 2], [lm[1, 2], lm[4, 2], lm[8, 2]], [lm[1, 1], lm[4, 1], lm[8, 1]])
    face = share["narrow_face"] & skin & (v[:, 1] > jaw_y - 0.012)
    brow_y = np.interp(np.abs(v[:, 0]), np.abs(lm[21:16:-1, 0]), lm[21:16:-1, 1])
    forehead = face & (v[:, 1] > brow_y + 0.004)
    neck = skin & ~face & ~ears & (v[:, 1] < np.interp(v[:, 2], [-0.06, 0.02], [-0.02, -0.055]))
    eyes = face & _near(v, EYE_CENTRE, (0.025, 0.019, 0.05))
    bridge = np.interp(v[:, 1], [lm[33, 1], lm[27, 1]], [0.022, 0.011])
    nose = face & ~eyes & (np.abs(v[:, 0]) < bridge)
    nose &= (v[:, 1] > lm[33, 1] - 0.003) & (v[:, 1] < lm[27, 1] + 0.002)
    mouth = face & _near(v, lm[48:60].mean(0), (0.036, 0.0185, 0.05))
    eyeballs = mesh.part >= PARTS.index("eye_left")
    centres = np.where((v[:, :1] > 0), EYE_CENTRE, EYE_CENTRE * [-1, 1, 1])
    cosine = (v[:, 2] - centres[:, 2]) / EYE_RADIUS
    masks = {
        "face": face,
        "eyes": eyes,
        "nose": nose,
        "mouth": mouth,
        "ears": ears,
        "forehead": forehead,
        "neck": neck,
        "scalp": skin & ~face & ~ears & ~neck,
        "lips": _lips(lm, v, face),
        "brows": _brows(lm, v, face),
        "eyeballs": eyeballs,
        "iris": eyeballs & (cosine > np.cos(np.radians(IRIS_DEG + 1))),
        "pupil": eyeballs & (cosine > np.cos(np.radians(10.0))),
        "teeth": np.isin(mesh.part, (PARTS.index("upper_teeth"), PARTS.index("lower_teeth"))),
        "mouth_inside": np.isin(
            mesh.part, (PARTS.index("mouth_socket"), PARTS.index("gums_tongue"))
        ),
        "eye_sockets": mesh.part == PARTS.index("eye_sockets"),
    }
    return {name: np.flatnonzero(mask).astype(np.int32) for name, mask in masks.items()}


def _ear_box(v: F64) -> Bool:
    inside = (np.abs(v[:, 0]) > 0.066) & (v[:, 1] > -0.034) & (v[:, 1] < 0.047)
    return np.asarray(inside & (v[:, 2] > -0.05) & (v[:, 2] < 0.021))


def _lips(lm: F64, v: F64, face: Bool) -> Bool:
    """Between the outer lip line (iBUG 48-59) and the mouth."""
    x = np.abs(v[:, 0])
    upper = np.interp(x, lm[[51, 52, 53, 54], 0], lm[[51, 52, 53, 54], 1] + 0.0005)
    lower = np.interp(x, lm[[57, 56, 55, 54], 0], lm[[57, 56, 55, 54], 1] - 0.0005)
    return np.asarray(face & (x <= lm[54, 0] + 0.001) & (v[:, 1] <= upper) & (v[:, 1] >= lower))


def _brows(lm: F64, v: F64, face: Bool) -> Bool:
    """A band along iBUG 22-26, thinner towards the temple."""
    x, brow = np.abs(v[:, 0]), lm[22:27]
    height = np.interp(x, brow[:, 0], brow[:, 1]) - 0.001
    half = np.interp(x, [brow[0, 0], brow[4, 0]], [0.0042, 0.0022])
    inside = (x > brow[0, 0] - 0.002) & (x < brow[4, 0] + 0.002)
    return np.asarray(face & inside & (np.abs(v[:, 1] - height) < half))
