"""The population "makehuman": MakeHuman's head as a head model in FLAME form, in openhead's frame.

Its vertices: first those of the registered head's skin (`registration/topology.npz`, same order),
then openhead's teeth, gums and eyeballs, fitted to MakeHuman's mouth and eyes.
"""

import hashlib
from dataclasses import replace
from pathlib import Path

import numpy as np
from scipy.sparse import csr_array

from engine.errors import AssetError
from engine.flame.mesh_parts import edges_of
from engine.flame.model import HeadModel, head_model_bytes
from engine.flame.registration import Similarity, fit_similarity
from engine.flame.transfer import transfer
from engine.openhead.expressions import arkit_map, expression_basis
from engine.openhead.ict import load_ict
from engine.openhead.mesh import PARTS, Mesh
from engine.openhead.rig import Rig, build_rig
from engine.synth.makehuman_people import MakeHuman, draw_people, load_makehuman
from engine.synth.makehuman_topology import MakeHumanTopology, load_topology, registered_ids
from engine.types import F32, F64, I32, Bool

__all__ = ["build_makehuman_head"]

_PEOPLE, _SEED = 1500, 5
_OTHER_PEOPLE, _OTHER_SEED = 300, 6  # for validation alone
_MAX_SHAPES, _VARIANCE = 120, 0.995
_ALIKE_M = 1e-6  # people whose vertices together vary by less differ by rounding alone
_BLINK_STRENGTH = 1.0
_SPLIT_M = 0.008  # over which a shape of both sides is parted at the middle
_FACE = ("face", "eye_region", "nose", "lips")


def build_makehuman_head(source: Path, openhead: HeadModel) -> tuple[HeadModel, F32, F32]:
    """The head model, (N, n_shape) the people it was made from, and (M, n_shape) others.

    Args:
        source: folder of the data pack.
        openhead: gives the frame, teeth, eyeballs, landmarks and regions.
    Raises: AssetError: if source data is missing, damaged or incomplete.
    """
    ids = registered_ids(source / "registration")
    makehuman = load_makehuman(source / "makehuman", ids)
    _check_units(makehuman, openhead, source / "makehuman" / "faceunits_visemes.npz")
    topology = load_topology(source / "registration", openhead, makehuman)
    mesh = Mesh(
        csr_array((len(topology.neutral), 0)), topology.faces, topology.mirror, topology.part,
        np.full(len(topology.neutral), -1, np.int32),
    )  # fmt: skip
    rig = build_rig(load_ict(source / "ict_facekit"), mesh, topology.neutral, topology.jaw_open)
    people, placed = _aligned(draw_people(makehuman, _PEOPLE, _SEED), topology)
    mean = people.mean(axis=0)
    carry, rest = _extras(mean, topology)
    rest[: topology.n_skin] += _even_neck(mean[: topology.n_skin], topology)
    dirs, samples = _components(people - mean)
    others, _ = _aligned(draw_people(makehuman, _OTHER_PEOPLE, _OTHER_SEED), topology)
    other_samples = _coefficients(others - mean, dirs)
    shapes = _shapes(makehuman, placed, topology)
    model = _assembled(topology, rig, openhead, carry @ mean + rest, _moved(carry, dirs), shapes)
    model_id = hashlib.sha256(head_model_bytes(model)).hexdigest()
    return replace(model, model_id=model_id), samples, other_samples


def _check_units(makehuman: MakeHuman, openhead: HeadModel, path: Path) -> None:
    """AssetError unless MakeHuman has every shape of ARKit's that openhead has but jawOpen."""
    wanted = set(openhead.arkit.names if openhead.arkit is not None else ()) - {"jawOpen"}
    if missing := sorted(wanted - set(makehuman.face_units)):
        raise AssetError(f"{path} lacks the face units {', '.join(missing)}; fetch it again")


def _aligned(people: F64, topology: MakeHumanTopology) -> tuple[F64, Similarity]:
    """Lay each head's face over openhead's: turned and shifted each, scaled all alike."""
    face = topology.rows(*_FACE)
    ones = np.ones(len(face))
    target = topology.neutral[face]
    for head in people:
        own = fit_similarity(head[face], people.mean(axis=0)[face], ones)
        head[:] = (head - head[face].mean(axis=0)) @ own.R.T
    placed = fit_similarity(people.mean(axis=0)[face], target, ones)
    for head in people:
        own = fit_similarity(placed.scale * head[face], target, ones)
        turned = placed.scale * head @ own.R.T
        head[:] = turned + (target - turned[face]).mean(axis=0)
    return people, placed


def _extras(mean: F64, topology: MakeHumanTopology) -> tuple[csr_array, F64]:
    """How the whole head follows skin and eyeball helpers: vertices = carry @ points + rest.

    Args: mean: (n + helpers, 3) metres.
    """
    n, n_points = topology.n_skin, len(mean)
    carry = np.zeros((len(topology.neutral), n_points))
    carry[:n, :n] = np.eye(n)
    rest = np.zeros((len(topology.neutral), 3))
    lips = topology.rows("lips")
    shift = mean[lips].mean(axis=0) - topology.neutral[lips].mean(axis=0)
    helpers = np.arange(n, n_points)
    for k, name in enumerate(PARTS):
        rows = np.flatnonzero(topology.part == k)
        if name.startswith("eye_") and name != "eye_sockets":
            ball = helpers[mean[helpers, 0] > 0] if name == "eye_left" else (
                helpers[mean[helpers, 0] < 0]
            )  # fmt: skip
            middle = mean[ball].mean(axis=0)
            radius = np.linalg.norm(mean[ball] - middle, axis=1).mean()
            directions = topology.neutral[rows] - _centre(topology.neutral[rows])
            wanted = middle + radius * directions / np.linalg.norm(
                directions, axis=1, keepdims=True
            )
            affine = np.concatenate([mean[ball].T, np.ones((1, len(ball)))])
            goal = np.concatenate([wanted.T, np.ones((1, len(rows)))])
            carry[np.ix_(rows, ball)] = (np.linalg.pinv(affine) @ goal).T
        elif k:
            carry[np.ix_(rows, lips)] = 1 / len(lips)
            rest[rows] = topology.neutral[rows] + shift - mean[lips].mean(axis=0)
    return csr_array(carry), rest


def _even_neck(skin: F64, topology: MakeHumanTopology) -> F64:
    """(n, 3) what brings the jagged lower end of the neck to one slanted plane."""
    edges = edges_of(topology.faces[(topology.faces < topology.n_skin).all(axis=1)])
    pairs, count = np.unique(edges, axis=0, return_counts=True)
    end = np.unique(pairs[count == 1])
    slope, height = np.polyfit(skin[end, 2], skin[end, 1], 1)
    plane = height + slope * skin[end, 2]
    lower = 0.5 * float((plane - skin[end, 1]).max())
    moved = np.zeros_like(skin)
    moved[end, 1] = plane - lower - skin[end, 1]
    return moved


def _centre(ball: F64) -> F64:
    middle: F64 = (ball.min(axis=0) + ball.max(axis=0)) / 2
    return middle


def _components(moved: F64) -> tuple[F64, F32]:
    """Principal components of people less their mean: (N, 3, K) dirs of unit spread, (n, K)."""
    flat = moved.reshape(len(moved), -1)
    values, vectors = np.linalg.eigh(flat @ flat.T)
    if values.max() < len(flat) * _ALIKE_M**2:
        raise AssetError("MakeHuman's people do not differ; is targets_head.npz complete?")
    order = np.argsort(values)[::-1]
    share = np.cumsum(values[order]) / values.sum()
    count = min(_MAX_SHAPES, int(np.searchsorted(share, _VARIANCE)) + 1)
    kept = order[:count]
    samples = vectors[:, kept] * np.sqrt(len(flat))
    dirs = flat.T @ samples / len(flat)
    sign = np.sign(dirs[np.abs(dirs).argmax(axis=0), np.arange(count)])
    return (dirs * sign).reshape(-1, 3, count), (samples * sign).astype(np.float32)


def _coefficients(moved: F64, dirs: F64) -> F32:
    """(n, K) of people less the mean, (n, N, 3), in principal components, (N, 3, K)."""
    flat = dirs.reshape(-1, dirs.shape[-1])
    projected = moved.reshape(len(moved), -1) @ flat
    coefficients: F32 = (projected / (flat**2).sum(axis=0)).astype(np.float32)
    return coefficients


def _shapes(
    makehuman: MakeHuman, placed: Similarity, topology: MakeHumanTopology
) -> dict[str, F64]:
    """ARKit's shapes under openhead's source names, (n + m, 3) metres, in the model frame."""
    middle = topology.neutral[: topology.n_skin, 0]
    left = 0.5 + 0.5 * np.tanh(middle / _SPLIT_M)
    out: dict[str, F64] = {}
    for name, unit in makehuman.face_units.items():
        moved = np.zeros_like(topology.neutral)
        moved[: topology.n_skin] = placed.scale * unit[: topology.n_skin] @ placed.R.T
        if name in ("browInnerUp", "cheekPuff"):
            out[f"{name}_L"], out[f"{name}_R"] = (
                moved * _wide(left, moved),
                moved * _wide(1 - left, moved),
            )
        elif name != "tongueOut":
            out[_short(name)] = moved
    lower = topology.part == PARTS.index("lower_teeth")
    chin = topology.landmarks68.faces_idx[8]
    for name in ("jawForward", "jawLeft", "jawRight"):
        out[name][lower] = out[name][topology.faces[chin]].mean(axis=0)
    return out


def _wide(share: F64, moved: F64) -> F64:
    return np.pad(share, (0, len(moved) - len(share)))[:, None]


def _short(name: str) -> str:
    if name in ("jawLeft", "jawRight", "mouthLeft", "mouthRight"):
        return name
    for long, short in (("Left", "_L"), ("Right", "_R")):
        if name.endswith(long):
            return name.removesuffix(long) + short
    return name


def _moved(carry: csr_array, dirs: F64) -> F64:
    moved: F64 = (carry @ dirs.reshape(len(dirs), -1)).reshape(carry.shape[0], 3, -1)
    return moved


def _assembled(
    topology: MakeHumanTopology,
    rig: Rig,
    openhead: HeadModel,
    v: F64,
    shapedirs: F64,
    shapes: dict[str, F64],
) -> HeadModel:
    neutral = topology.neutral.astype(np.float32)
    regressor = rig.J_regressor.astype(np.float32)
    carried = transfer(openhead, neutral, topology.faces, regressor)
    basis = expression_basis(shapes)
    lids = _BLINK_STRENGTH * np.stack([shapes["eyeBlink_L"], shapes["eyeBlink_R"]], axis=-1)
    weights, posedirs = rig.lbs_weights.astype(np.float32), rig.posedirs.astype(np.float32)
    inside = np.arange(topology.n_skin, len(v))
    weights[inside] = openhead.lbs_weights[topology.extra]
    posedirs[inside] = openhead.posedirs[topology.extra]
    return HeadModel(
        name="makehuman",
        licence="CC0 1.0, with parts of USC ICT's Face Model Light (MIT)",
        model_id="",
        v_template=v.astype(np.float32),
        shapedirs=shapedirs.astype(np.float32),
        exprdirs=basis.dirs.astype(np.float32),
        posedirs=posedirs,
        J_regressor=regressor,
        parents=openhead.parents,
        lbs_weights=weights,
        faces=topology.faces,
        regions=_regions(dict(carried.regions), topology, openhead),
        landmarks68=topology.landmarks68,
        mediapipe=carried.mediapipe,
        mediapipe_idx=carried.mediapipe_idx,
        contour=carried.contour,
        eyelid_dirs=lids.astype(np.float32),
        uv=topology.uv,
        uv_faces=topology.uv_faces,
        mirror=topology.mirror,
        arkit=arkit_map(basis, {"jawOpen": rig.jaw_open}, _BLINK_STRENGTH),
        meta={"source": "MakeHuman (CC0), USC ICT Face Model Light (MIT)"},
    )


def _regions(
    found: dict[str, I32], topology: MakeHumanTopology, openhead: HeadModel
) -> dict[str, I32]:
    """Regions by MakeHuman's own labels where they are better than what was carried over."""
    interior = topology.rows("interior")
    y, z = topology.neutral[interior, 1], topology.neutral[interior, 2]
    in_mouth: Bool = (y < 0.012) & (z > 0.01)
    gums = np.flatnonzero(topology.part == PARTS.index("gums_tongue"))
    found["mouth_inside"] = np.union1d(interior[in_mouth], gums).astype(np.int32)
    found["eye_sockets"] = interior[~in_mouth & (z > 0.05)]
    found["gums"] = gums.astype(np.int32)
    place = {int(row): topology.n_skin + i for i, row in enumerate(topology.extra)}
    for name in ("teeth", "eyeballs", "iris", "pupil"):
        found[name] = np.array([place[int(row)] for row in openhead.regions[name]], np.int32)
    ears = topology.rows("ears")
    found["ears"] = np.union1d(found["ears"], ears[_outer_ear(topology, ears)]).astype(np.int32)
    return found


def _outer_ear(topology: MakeHumanTopology, ears: I32) -> Bool:
    outer: Bool = np.abs(topology.neutral[ears, 0]) > 0.07
    return outer
