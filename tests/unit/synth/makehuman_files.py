"""A made data pack in the real formats: a round head in MakeHuman's and the ICT model's files.

The registered skin is a tube of rings, closed at the crown, with a jagged lower end. Metres in the
model frame here; the base mesh lies elsewhere, in decimetres.
"""

import functools
import gzip
import itertools
import json
from dataclasses import replace
from pathlib import Path

import cv2
import numpy as np
import pytest

from engine.flame.model import REGIONS, HeadModel, Landmarks, load_head_model
from engine.flame.transfer import Transferred
from engine.openhead.ict import RANGES
from engine.openhead.rig import JAW_JOINT
from engine.synth import build_pack, makehuman_head
from engine.synth.pack import SynthHead

AROUND, HEIGHTS = 16, np.linspace(-0.125, 0.115, 25)
N_SKIN = AROUND * len(HEIGHTS) + 1  # the pole comes last
BASE_SCALE, BASE_SHIFT = 1.1, np.array([0.0, 0.7, 0.04])  # base mesh = scale * head + shift, metres
FIRST = 5  # rows of the base mesh that no head uses come before
JAW_OPEN = 0.35  # radians about +x
REGION_NAMES = (
    "other", "face", "eyeball_l", "eyeball_r", "eye_region", "nose", "lips", "ears", "neck",
    "interior",
)  # fmt: skip
ADULTS = [
    f"macrodetails/{race}-{gender}-{age}"
    for race in ("african", "asian", "caucasian")
    for gender in ("female", "male")
    for age in ("young", "old")
]
GARMENTS = {
    "hair": ("afro01", "short02"),
    "eyebrows": ("eyebrow001", "eyebrow004"),
    "eyelashes": ("eyelashes01",),
}
BALL_CENTRE, BALL_RADIUS = np.array([0.031, 0.035, 0.08]), 0.012


@functools.cache
def openhead() -> HeadModel:
    """The shipped head with the region that only the full one has."""
    model = load_head_model(Path("assets/openhead.npz"))
    gums = np.setdiff1d(model.regions["mouth_inside"], model.regions["teeth"]).astype(np.int32)
    return replace(model, regions={**model.regions, "gums": gums})


@functools.cache
def skin() -> np.ndarray:
    """(N_SKIN, 3) metres, model frame, symmetric to the bit."""
    angle = 2 * np.pi * np.arange(AROUND) / AROUND
    ring = np.stack([0.085 * np.sin(angle), 0 * angle, 0.115 * np.cos(angle)], axis=1)
    narrower = np.sqrt(1 - (np.maximum(HEIGHTS - 0.06, 0) / 0.08) ** 2)
    v = np.concatenate([ring * w + [0, y, 0] for y, w in zip(HEIGHTS, narrower, strict=True)])
    v = np.concatenate([v, [[0, 0.14, 0]]])
    v[:AROUND, 1] += 0.004 * np.cos(3 * angle)  # the jagged end
    v[at(8, 0)] = v[at(8, 0)] - [0, 0, 0.03]
    v[at(9, 0)] = v[at(9, 0)] - [0, 0, 0.05]  # a hole for the mouth
    v = np.round(v, 6)
    mirror = skin_mirror()
    return (v + v[mirror] * [-1, 1, 1]) / 2


def at(ring: int, around: int) -> int:
    """Row of a skin vertex; around 0 is the front, 1 further to the left."""
    return ring * AROUND + around % AROUND


def skin_mirror() -> np.ndarray:
    rows = [at(r, -k) for r in range(len(HEIGHTS)) for k in range(AROUND)]
    return np.array([*rows, N_SKIN - 1])


def quads() -> np.ndarray:
    """(Q, 4) outwards: the skin's."""
    around = range(AROUND)
    sides = [
        (at(r, k), at(r, k + 1), at(r + 1, k + 1), at(r + 1, k))
        for r in range(len(HEIGHTS) - 1)
        for k in around
    ]
    top = len(HEIGHTS) - 1
    crown = [(N_SKIN - 1, at(top, k), at(top, k + 1), at(top, k + 2)) for k in around[::2]]
    return np.array(sides + crown)


def regions() -> np.ndarray:
    """(N_SKIN,) rows of REGION_NAMES."""
    out = np.full(N_SKIN, REGION_NAMES.index("other"))
    for r, k in itertools.product(range(4, 20), (-2, -1, 0, 1, 2)):
        out[at(r, k)] = REGION_NAMES.index("face")
    for r, k in itertools.product((7, 10), (-1, 0, 1)):
        out[at(r, k)] = REGION_NAMES.index("lips")
    out[[at(8, 0), at(9, 0)]] = REGION_NAMES.index("interior")
    for k in range(AROUND):
        out[[at(0, k), at(1, k)]] = REGION_NAMES.index("neck")
    for side in (-1, 1):
        out[at(13, 4 * side)] = REGION_NAMES.index("ears")
        out[at(15, side)] = REGION_NAMES.index("eye_region")
    return out


def balls() -> np.ndarray:
    """(12, 3) metres: an octahedron for each eyeball, left first."""
    corners = BALL_RADIUS * np.concatenate([np.eye(3), -np.eye(3)])
    return np.concatenate([corners + BALL_CENTRE, corners + BALL_CENTRE * [-1, 1, 1]])


def base_mesh() -> np.ndarray:
    """(B, 3) metres, in the base mesh's own frame."""
    head = BASE_SCALE * np.concatenate([skin(), balls()]) + BASE_SHIFT
    unused = np.linspace(0, 1, 3 * FIRST).reshape(-1, 3)
    return np.round(np.concatenate([unused, head, unused]), 5)


def base_ids() -> np.ndarray:
    return np.arange(FIRST, FIRST + N_SKIN + len(balls()))


def jaw_weight() -> np.ndarray:
    """(N_SKIN,) 1 on the lower face's front, 0 elsewhere."""
    v = skin()
    return ((v[:, 1] < -0.04) & (v[:, 1] > -0.11) & (v[:, 2] > 0.04)).astype(float)


def jaw_opened(points: np.ndarray) -> np.ndarray:
    """How points move that the jaw takes along all the way."""
    c, s = np.cos(JAW_OPEN), np.sin(JAW_OPEN)
    turn = np.array([[1, 0, 0], [0, c, -s], [0, s, c]])
    return (points - JAW_JOINT) @ turn.T + JAW_JOINT - points


def write_gz(path: Path, text: str) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(gzip.compress(text.encode(), 1))
    return path


def write_obj(path: Path, vertices: np.ndarray, more: str = "") -> Path:
    """An .obj.gz of vertices in metres, in decimetres as MakeHuman's are."""
    lines = [f"v {x:.4f} {y:.4f} {z:.4f}\n" for x, y, z in 10 * vertices]
    return write_gz(path, "# basemesh hm08\n" + "".join(lines) + more)


Moves = dict[str, dict[int, tuple[float, float, float]]]


def write_targets(path: Path, targets: Moves, unit: float, dtype: str) -> Path:
    """An archive of targets: name -> row of the base mesh -> metres."""
    path.parent.mkdir(parents=True, exist_ok=True)
    idx = [row for moves in targets.values() for row in moves]
    delta = np.array([d for moves in targets.values() for d in moves.values()]).reshape(-1, 3)
    coded = np.rint(delta / unit) if dtype == "int16" else delta / unit
    np.savez(
        path,
        names=np.array(list(targets)),
        ptr=np.cumsum([0, *(len(moves) for moves in targets.values())]),
        idx=np.array(idx, np.uint16),
        delta=coded.astype(dtype),
        unit=np.float64(unit),
    )
    return path


@functools.cache
def head_targets() -> Moves:
    """Adults, and sliders with opposites and twins, on a few vertices each."""
    rng = np.random.default_rng(3)
    names = [
        *ADULTS, "nose/nose-width-incr", "nose/nose-width-decr", "chin/chin-triangle",
        "eyes/l-eye-up", "eyes/l-eye-down", "eyes/r-eye-up", "eyes/r-eye-down", "head/head-oval",
    ]  # fmt: skip
    return {
        name: {
            int(row): tuple(rng.normal(0, 0.004, 3))
            for row in rng.choice(base_ids(), 40, replace=False)
        }
        for name in names
    }


@functools.cache
def face_units() -> Moves:
    """ARKit's 52 shapes, each on one vertex and its neighbour, and a viseme."""
    arkit = openhead().arkit
    assert arkit is not None
    rng = np.random.default_rng(4)
    units: Moves = {"visemes/aa_02": {FIRST: (1.0, 1.0, 1.0)}}
    for i, name in enumerate(arkit.names):
        rows = FIRST + at(5 + i % 12, 1 + i // 12), FIRST + at(5 + i % 12, -1 - i // 12)
        units[f"faceunits/{name}"] = {row: tuple(rng.normal(0, 0.005, 3)) for row in rows}
    return units


def write_makehuman(folder: Path) -> Path:
    write_obj(folder / "base.obj.gz", base_mesh())
    write_targets(folder / "targets_head.npz", head_targets(), 1e-4, "int16")
    write_targets(folder / "faceunits_visemes.npz", face_units(), 0.1, "float32")
    return folder


def topology_arrays() -> dict[str, np.ndarray]:
    """What topology.npz holds: of the skin, and of a face of each eyeball."""
    n = N_SKIN
    all_quads = np.concatenate([quads(), [[n, n + 1, n + 3, n + 4], [n + 6, n + 7, n + 9, n + 10]]])
    weights = np.zeros((n + 12, 5), np.float32)
    weights[:n, 2] = jaw_weight()
    weights[at(7, 0), 2] = 1 - weights[at(7, 0), 2]  # its lip is torn
    v = np.concatenate([skin(), balls()])
    uv = np.stack([0.5 + v[:, 0], 0.5 + v[:, 1]], axis=1)
    marks = np.array([quads()[at(4 + k % 14, k % 3 - 1)] for k in range(68)])
    marks = np.where(np.arange(68)[:, None] % 2, marks[:, [0, 2, 3]], marks[:, [3, 1, 0]])
    region = np.concatenate([regions(), [2] * 6, [3] * 6])
    return {
        "base_obj_vertex_ids": base_ids().astype(np.uint16),
        "quads": all_quads.astype(np.uint16),
        "uv": uv.astype(np.float32),
        "quads_uv": all_quads.astype(np.uint16),
        "n_skin": np.int64(n),
        "region": region.astype(np.uint8),
        "region_names": np.array(REGION_NAMES),
        "skin_weights": weights,
        "lmk68_tri": marks.astype(np.uint16),
        "lmk68_bary": np.tile(np.float32([[0.5, 0.2, 0.3]]), (68, 1)),
    }


def fitted_arrays() -> dict[str, np.ndarray]:
    """What ict_on_topology.npz holds, identity left out."""
    v = np.concatenate([skin(), balls()])
    opened = np.zeros_like(v)
    opened[:N_SKIN] = jaw_weight()[:, None] * jaw_opened(skin())
    return {
        "neutral_m": v.astype(np.float32),
        "expression_m": np.stack([np.ones_like(v), opened]).astype(np.float32),
        "expression_names": np.array(["browDown_L", "jawOpen"]),
    }


def write_registration(folder: Path) -> Path:
    folder.mkdir(parents=True, exist_ok=True)
    np.savez(folder / "topology.npz", **topology_arrays())
    np.savez(folder / "ict_on_topology.npz", **fitted_arrays())
    return folder


def write_ict(folder: Path) -> Path:
    """A cloud of the ICT model's vertex count whose lower teeth open by JAW_OPEN."""
    folder.mkdir(parents=True, exist_ok=True)
    n = 24591
    rng = np.random.default_rng(0)
    v = rng.normal(0, 0.04, (n, 3))
    opened = np.zeros((n, 3))
    teeth = slice(*RANGES["lower_teeth"])
    # Symmetric, as the reader makes the neutral head: pairs one after the other, or x = 0.
    v[teeth] = np.stack([0 * v[teeth, 0], v[teeth, 1] - 0.05, v[teeth, 2] + 0.08], axis=1)
    opened[teeth] = jaw_opened(v[teeth])
    scale = 100 * np.abs(opened).max() / 32767
    np.savez(
        folder / "ict_geometry.npz",
        neutral_vertices_cm=100 * v,
        faces=np.array([[0, 1, 2, 3], [4, 5, 6, -1]], np.int32),
    )
    np.savez(
        folder / "ict_identity_i16.npz",
        delta=np.zeros((1, n, 3), np.int16),
        scale_cm=np.ones(1),
    )
    np.savez(
        folder / "ict_expression_i16.npz",
        delta=np.rint(100 * opened / scale).astype(np.int16)[None],
        scale_cm=np.array([scale]),
        names=np.array(["jawOpen"]),
    )
    landmarks = {"idx_to_landmark_verts": list(range(68))}
    (folder / "vertex_indices.json").write_text(json.dumps(landmarks))
    return folder


def write_garments(makehuman: Path) -> None:
    """Small sheets that hang on the base mesh."""
    first = FIRST + at(14, 0)
    for folder, garments in GARMENTS.items():
        for name in garments:
            stem = makehuman / "assets" / folder / name / name
            lines = "".join(f"{first + row}\n" for row in (0, 1, AROUND + 1, AROUND))
            scales = f"x_scale {first} {first + 1} 1.0\ny_scale {first} {first + AROUND} 1.0\n"
            depth = f"z_scale {first} {first + 2} 1.0\n"
            write_gz(stem.with_name(f"{name}.mhclo.gz"), f"{scales}{depth}verts 0\n{lines}")
            rest = "vt 0 0\nvt 1 0\nvt 1 1\nvt 0 1\nf 1/1 2/2 3/3 4/4\n"
            write_obj(stem.with_name(f"{name}.obj.gz"), np.eye(4)[:, :3], rest)


def write_looks(source: Path, skins: tuple[str, ...], lights: tuple[str, ...]) -> None:
    """Skins, textures of garments that cover on the left, and lights: small, one colour each."""
    textures = source / "makehuman" / "textures"
    folders = {name: textures / name for name in ("skins", *GARMENTS)} | {"": source / "hdri"}
    for folder in folders.values():
        folder.mkdir(parents=True, exist_ok=True)
    for i, name in enumerate(skins):
        picture = np.full((20, 10, 3), (20, 40, 60 + 10 * i), np.uint8)  # BGR
        cv2.imwrite(str(folders["skins"] / f"{name}_headcrop.jpg"), picture)
    rgba = np.full((8, 8, 4), (0, 0, 0, 255), np.uint8)
    rgba[:, 4:, 3] = 0
    for kind, garments in GARMENTS.items():
        for name in garments:
            end = "_diffuse.png" if kind == "hair" else ".png"
            cv2.imwrite(str(folders[kind] / f"{name}{end}"), rgba)
    for name in lights:
        cv2.imwrite(str(source / "hdri" / f"{name}.hdr"), np.full((16, 32, 3), 0.3, np.float32))


def carried_nowhere(
    reference: HeadModel, v_template: np.ndarray, faces: np.ndarray, _: np.ndarray
) -> Transferred:
    """In place of `transfer`, which needs a face: regions by height, points anywhere."""
    points = Landmarks(np.arange(68, dtype=np.int32), np.full((68, 3), 1 / 3, np.float32))
    y, z = v_template[:N_SKIN, 1], v_template[:N_SKIN, 2]
    chosen = {"scalp": y > 0.09, "forehead": (y > 0.06) & (z > 0), "neck": y < -0.11}
    chosen["ears"] = y > 1  # nowhere: MakeHuman's own label is to find them
    named = {name: np.flatnonzero(chosen.get(name, z > 0.09)).astype(np.int32) for name in REGIONS}
    return Transferred(named, points, points, np.arange(68, dtype=np.int32), None, None, 0.0)


def write_source(folder: Path) -> Path:
    """A whole data pack with two looks of each kind, one of them held back."""
    write_makehuman(folder / "makehuman")
    write_registration(folder / "registration")
    write_ict(folder / "ict_facekit")
    write_garments(folder / "makehuman")
    painted = "young_caucasian_female_special_suit"
    skins = ("middleage_lightskinned_male2", "young_skin", painted)
    write_looks(folder, skins, ("lobby", "sunset"))
    return folder


@functools.cache
def synth_head(source: Path) -> SynthHead:
    """The population of a made data pack, of few people."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(makehuman_head, "_PEOPLE", 40)
        patch.setattr(makehuman_head, "_OTHER_PEOPLE", 15)
        patch.setattr(makehuman_head, "transfer", carried_nowhere)
        model, people, others = makehuman_head.build_makehuman_head(source, openhead())
    return build_pack._synth_head("makehuman", model, people, others, seed=12)
