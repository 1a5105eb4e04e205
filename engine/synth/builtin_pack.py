"""A SynthPack that needs no data: openhead, even skin, a cap of hair and made-up surroundings.

Good for trying things and for tests; networks are better trained with a pack built from data.
"""

import cv2
import numpy as np

from engine.flame.model import HeadModel, load_head_model
from engine.io.assets import asset_path
from engine.synth.hdr_light import light_from_equirect
from engine.synth.head_labels import face_classes, face_parts
from engine.synth.pack import Attachment, Skin, SynthHead, SynthLight, SynthPack
from engine.synth.skin_masks import skin_masks
from engine.synth.skins import crop_uv
from engine.synth.soft_noise import soft_noise
from engine.synth.spherical_harmonics import equirect_directions
from engine.types import F64, I32, U8

__all__ = ["builtin_pack"]

_N_LIGHTS = 8
_HAIR_THICKNESS = (0.006, 0.014)  # metres


def builtin_pack() -> SynthPack:
    """Openhead with looks that are made here.

    Raises: AssetError: if the bundled head is missing or changed.
    """
    model = load_head_model(asset_path("openhead.npz"))
    if model.uv is None or model.uv_faces is None:
        raise ValueError(f"{model.name} has no texture coordinates")
    uv = crop_uv(model.uv.astype(np.float64))
    head = SynthHead(
        name="openhead",
        model=model,
        face_class=face_classes(model),
        part=face_parts(model),
        uv=uv.astype(np.float32),
        uv_faces=model.uv_faces,
        shape_samples=None,
        expr_samples=None,
    )
    lights = tuple(_light(np.random.default_rng(i), f"made {i}") for i in range(_N_LIGHTS))
    hair = tuple(_hair_cap(model, i, t) for i, t in enumerate(_HAIR_THICKNESS))
    return SynthPack(
        heads={"openhead": head},
        skins=(_skin("even", 0), _skin("rough", 1)),
        skin_masks=skin_masks(*_skin_mesh(model, uv, model.uv_faces)),
        attachments=hair,
        lights=lights,
        held_back=frozenset({"rough", "cap 1", "made 0", "made 1"}),
    )


def _skin_mesh(model: HeadModel, uv: F64, uv_faces: I32) -> tuple[F64, I32, F64, I32, F64]:
    """What `skin_masks` takes: triangles count as quads whose last corner comes twice."""
    is_skin = face_parts(model) == 0
    quads, quads_uv = (np.column_stack([f, f[:, 2]])[is_skin] for f in (model.faces, uv_faces))
    vertices = model.v_template.astype(np.float64)
    marks = model.landmarks68
    corners = vertices[model.faces[marks.faces_idx]]
    return vertices, quads, uv, quads_uv, np.einsum("nk,nkc->nc", marks.bary, corners)


def _skin(name: str, roughness: float) -> Skin:
    rng = np.random.default_rng(7)
    coarse = soft_noise(rng, (124, 64), (32, 16, 3))
    albedo = np.array([205.0, 160.0, 138.0]) * (1 + 0.06 * roughness * coarse)
    return Skin(name, np.clip(albedo, 0, 255).astype(np.uint8))


def _light(rng: np.random.Generator, name: str) -> SynthLight:
    """Sky, ground, and a few windows."""
    directions, _ = equirect_directions(128, 256)
    up = directions[..., 1:2]
    sky, ground = rng.uniform(0.2, 1.5, 3), rng.uniform(0.05, 0.6, 3)
    picture = ground + (sky - ground) / (1 + np.exp(-6 * up))
    for _ in range(rng.integers(1, 4)):
        towards = rng.normal(0, 1, 3) + np.array([0, 0.4, 0])
        towards /= np.linalg.norm(towards)
        size = rng.uniform(0.90, 0.99)
        lit = 1 / (1 + np.exp(-60 * (directions @ towards - size)))
        picture = picture + lit[..., None] * rng.uniform(3, 12) * rng.uniform(0.7, 1.0, 3)
    return light_from_equirect(name, picture.astype(np.float32))


def _hair_cap(model: HeadModel, number: int, thickness: float) -> Attachment:
    """The scalp, lifted off the skull, with strands painted on."""
    scalp = np.zeros(model.n_vertices, bool)
    scalp[model.regions["scalp"]] = True
    faces = model.faces[scalp[model.faces].all(axis=1)]
    used, index = np.unique(faces, return_inverse=True)
    base = model.v_template[used]
    outwards = base - model.v_template.mean(axis=0)
    outwards /= np.linalg.norm(outwards, axis=1, keepdims=True)
    uv = np.stack([np.arctan2(base[:, 0], base[:, 2]) / 2 / np.pi + 0.5, 4 * base[:, 1] % 1], 1)
    bind_idx = np.repeat(used[:, None], 4, axis=1).astype(np.int32)
    return Attachment(
        name=f"cap {number}",
        kind="hair",
        faces=index.reshape(-1, 3).astype(np.int32),
        uv=uv.astype(np.float32),
        uv_faces=index.reshape(-1, 3).astype(np.int32),
        texture=_strands(),
        vertices={"openhead": (base + thickness * outwards).astype(np.float32)},
        bind_idx={"openhead": bind_idx},
        bind_weights={"openhead": np.full((len(used), 4), 0.25, np.float32)},
    )


def _strands() -> U8:
    rng = np.random.default_rng(3)
    streaks = cv2.GaussianBlur(rng.normal(0, 1, (128, 128)), (0, 0), sigmaX=0.8, sigmaY=6)
    brightness = np.clip(140 + 260 * streaks, 20, 255).astype(np.uint8)
    return np.dstack([brightness] * 3 + [np.full_like(brightness, 255)])
