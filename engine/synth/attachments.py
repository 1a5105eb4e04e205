"""Hair, brows and lashes of MakeHuman (CC0), fitted to each population's head."""

from collections.abc import Mapping
from pathlib import Path

import cv2
import numpy as np

from engine.errors import AssetError
from engine.synth.binding import HeadSurface, bind, followed_vertices, lash_roots
from engine.synth.head_warp import HeadWarp
from engine.synth.mhclo import TexturedMesh, read_mhclo, read_obj
from engine.synth.pack import Attachment, SynthHead
from engine.synth.strands import strand_texture
from engine.types import F32, F64, I32, U8

__all__ = ["build_attachments", "prepared_texture"]

_FOLDERS = {"hair": "hair", "brows": "eyebrows", "lashes": "eyelashes"}
_TEXTURE_PX = {"hair": 512, "brows": 256, "lashes": 256}
_HAIR_ABOVE, _HAIR_SOFT = 0.0018, 0.0025  # metres
_BROW_HEIGHT = (0.0004, 0.0009)
_LASH_ABOVE, _LASH_SOFT = 0.0002, 0.0002
_CONTRAST = 0.32  # standard deviation of log brightness
_FALL: dict[str, tuple[float, float, float]] = {"ponytail01": (0.0, -0.6, -1.0)}
_CURL = {"afro01": 1.0}
_RAGGED = {"afro01": 1.0, "bob01": 0.1}
_DOWN = (0.0, -1.0, 0.0)


def build_attachments(
    makehuman: Path, heads: Mapping[str, SynthHead], warps: Mapping[str, HeadWarp]
) -> tuple[Attachment, ...]:
    """Every garment of the source on every head.

    Args:
        makehuman: folder with base.obj.gz, assets/ and textures/.
        heads: populations by name.
        warps: by the same names, from around the neutral base mesh to around that head.
    Raises: AssetError: if files are missing or damaged.
    """
    base = read_obj(makehuman / "base.obj.gz").vertices
    surfaces = {name: HeadSurface(head) for name, head in heads.items()}
    out = []
    for kind, folder in _FOLDERS.items():
        paths = sorted((makehuman / "assets" / folder).glob("*/*.mhclo.gz"))
        if not paths:
            raise AssetError(f"{makehuman / 'assets' / folder} holds no .mhclo.gz; fetch it again")
        for path in paths:
            name = path.name.removesuffix(".mhclo.gz")
            binding, mesh = read_mhclo(path), read_obj(path.with_name(f"{name}.obj.gz"))
            if len(binding.corners) != len(mesh.vertices):
                raise AssetError(
                    f"{path} places {len(binding.corners)} vertices, its .obj has "
                    f"{len(mesh.vertices)}; the two do not belong together"
                )
            placed = binding.place(base)
            texture = _texture(makehuman / "textures" / folder, name, kind, mesh, placed)
            fits = {
                population: _fit(kind, warps[population](placed), mesh.faces, head, surface)
                for (population, head), surface in zip(
                    heads.items(), surfaces.values(), strict=True
                )
            }
            out.append(_attachment(name, kind, mesh, texture, fits))
    return tuple(out)


def _attachment(
    name: str,
    kind: str,
    mesh: TexturedMesh,
    texture: U8,
    fits: Mapping[str, tuple[F32, I32, F32]],
) -> Attachment:
    return Attachment(
        name=name,
        kind=kind,
        faces=mesh.faces,
        uv=np.stack([mesh.uv[:, 0], 1 - mesh.uv[:, 1]], axis=1).astype(np.float32),
        uv_faces=mesh.uv_faces,
        texture=texture,
        vertices={population: fit[0] for population, fit in fits.items()},
        bind_idx={population: fit[1] for population, fit in fits.items()},
        bind_weights={population: fit[2] for population, fit in fits.items()},
    )


def _fit(
    kind: str, points: F64, faces: I32, head: SynthHead, surface: HeadSurface
) -> tuple[F32, I32, F32]:
    """Vertices at rest, and which vertices of the head they follow how much."""
    vertices = head.model.v_template.astype(np.float64)
    if kind == "hair":
        points = surface.lifted(points, _HAIR_ABOVE, _HAIR_SOFT)
    elif kind == "brows":
        points = surface.laid_on(points, *_BROW_HEIGHT)
    else:
        points = surface.lifted(points, _LASH_ABOVE, _LASH_SOFT)
    idx, weights = bind(points, vertices, followed_vertices(head, kind))
    if kind == "lashes":
        for mine, rim in lash_roots(points, faces, head):
            idx[mine], weights[mine] = bind(points[mine], vertices, rim)
    return points.astype(np.float32), idx, weights


def _texture(folder: Path, name: str, kind: str, mesh: TexturedMesh, placed: F64) -> U8:
    """The garment's own texture, or made strands where the source lacks it."""
    size = _TEXTURE_PX[kind]
    path = folder / (f"{name}_diffuse.png" if kind == "hair" else f"{name}.png")
    if path.exists():
        picture = cv2.imread(str(path), cv2.IMREAD_UNCHANGED)
        if picture is None or picture.ndim != 3 or picture.shape[2] != 4:
            raise AssetError(f"{path} is not a readable RGBA picture; fetch it again")
        return prepared_texture(picture[..., [2, 1, 0, 3]], size, flat=kind != "hair")
    worn = TexturedMesh(placed, mesh.faces, mesh.uv, mesh.uv_faces)
    fall = np.array(_FALL.get(name, _DOWN))
    curl, ragged = _CURL.get(name, 0.0), _RAGGED.get(name, 0.3)
    return strand_texture(worn, size, fall, curl, ragged, seed=len(mesh.faces))


def prepared_texture(rgba: U8, size: int, flat: bool) -> U8:
    """A texture to be recoloured: grey of mean 128 where it covers, spread outwards.

    Args:
        rgba: (H, W, 4); size: px, side of the result.
        flat: even brightness throughout (ink-black brows and lashes hold no shades).
    Returns: (size, size, 4) RGBA.
    """
    alpha = rgba[..., 3:].astype(np.float64) / 255
    weighted = cv2.resize(rgba[..., :3] * alpha, (size, size), interpolation=cv2.INTER_AREA)
    cover = cv2.resize(alpha[..., 0], (size, size), interpolation=cv2.INTER_AREA)
    colour = weighted / np.maximum(cover, 1e-3)[..., None]
    # Transparent texels take the colour around them, so that filtering does not draw dark rims.
    known = cover >= 1e-3
    for sigma in (2, 8, 32):
        near = cv2.GaussianBlur(np.dstack([weighted, cover]), (0, 0), sigma)
        found = ~known & (near[..., 3] > 1e-4)
        colour[found] = near[found, :3] / near[found, 3:]
        known |= found
    grey = np.full_like(cover, 128.0) if flat else _evened(colour.mean(axis=-1), cover)
    out = np.dstack([grey, grey, grey, 255 * cover])
    return np.asarray(np.rint(out), np.uint8)


def _evened(grey: F64, cover: F64) -> F64:
    """Grey values with mean 128 and no more contrast than hair in even light shows."""
    mean = (grey * cover).sum() / max(float(cover.sum()), 1e-6)
    relative = np.maximum(grey / max(float(mean), 1e-6), 1e-3)
    spread = np.sqrt((np.log(relative) ** 2 * cover).sum() / max(float(cover.sum()), 1e-6))
    evened = relative ** min(1.0, _CONTRAST / max(float(spread), 1e-6))
    evened *= 128 * cover.sum() / max(float((evened * cover).sum()), 1e-6)
    return np.asarray(np.clip(evened, 0, 255))
