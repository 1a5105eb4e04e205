"""Draws a synthetic scene: light, head normals, parsing and depth, all at once."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import moderngl
import numpy as np

from engine.flame.normals import VertexNormals
from engine.frames import clip_from_view, view_from_model
from engine.render.colour import linear_from_srgb
from engine.render.context import activate, unbind
from engine.render.program import load_program
from engine.synth.light_rig import LightRig
from engine.synth.pack import PARTS, Attachment, Skin, SynthHead, SynthPack
from engine.synth.placement import WINDOW_PX, Placement
from engine.synth.prop_shapes import Prop
from engine.synth.sample import PARSING
from engine.synth.scene_buffers import SceneMesh, kind_of
from engine.synth.spherical_harmonics import COSINE_LOBE
from engine.types import F32, U8

__all__ = ["SceneMaps", "SceneRenderer", "Worn"]

_NEAR, _FAR = 0.02, 6.0  # metres
_LUMINANCE = (0.2126, 0.7152, 0.0722)
_SH_CONSTANTS = (
    (0.28209479177387814, 0.4886025119029199, 1.0925484305920792),
    (0.31539156525252005, 0.5462742152960396, 0.0),
)
_ALL, _NOTHING = (True,) * 4, (False,) * 4
_NOISE_CELLS = 32
_SURFACE = ("u_position_kind", "u_normal_footprint", "u_occlusion_u", "u_shadow_v")
_SURFACE_UNIT = 5  # the first of theirs; those before have skins, masks, strands and noise
_MAX_DETAIL = 3.2  # of a skin's log albedo, either way from its median
_MASKS = (("lips", "lids", "brows", "beard"), ("cheeks", "nose", "scalp"))


@dataclass(frozen=True, slots=True, eq=False)
class SceneMaps:
    """What the window shows, top row first."""

    light: F32  # (H, W, 4) linear, multiplied by the coverage in the last channel
    head_normals: F32  # (H, W, 3) unit, head frame; zeros where nothing is
    parsing: U8  # (H, W)
    depth: F32  # (H, W) metres; 0 where nothing is


@dataclass(frozen=True, slots=True, eq=False)
class Worn:
    """An attachment in a person's colour."""

    attachment: Attachment
    colour: F32  # (3,) linear
    gloss: tuple[float, float]  # reflectance, shininess
    moved: F32 | None = None  # (M, 3) metres, head frame: from where it lies as made


@dataclass(frozen=True, slots=True, eq=False)
class _Lit:
    """A posed head with the light that reaches each vertex."""

    vertices: F32
    normals: F32
    occlusion: F32
    shadow: F32


class SceneRenderer:
    """Made once in the thread that uses it."""

    def __init__(self, ctx: moderngl.Context, pack: SynthPack) -> None:
        self._ctx, self._pack = ctx, pack
        activate(ctx)
        self._programs = {
            name: load_program(ctx, "synth.vert", f"synth_{name}.frag")
            for name in ("surface", "hair", "prop")
        }
        self._programs["head"] = load_program(ctx, "synth_screen.vert", "synth_head.frag")
        self._meshes = {name: _head_mesh(ctx, head) for name, head in pack.heads.items()}
        self._worn: dict[tuple[str, str], tuple[SceneMesh, VertexNormals]] = {}
        self._strands: dict[str, tuple[moderngl.Texture, float]] = {}
        self.skin_names = [skin.name for skin in pack.skins]
        self._skins = _skin_textures(ctx, pack.skins)
        self._masks = [_mask_texture(ctx, pack.skin_masks, names) for names in _MASKS]
        self._noise = _noise_volume(ctx)
        size = (WINDOW_PX, WINDOW_PX)
        textures = [ctx.texture(size, 4, dtype="f4"), ctx.texture(size, 4, dtype="f4"),
                    ctx.texture(size, 1, dtype="f4")]  # fmt: skip
        depth = ctx.depth_renderbuffer(size)
        self._target = ctx.framebuffer(textures, depth)
        self._surface = [ctx.texture(size, 4, dtype="f4") for _ in _SURFACE]
        self._surface_target = ctx.framebuffer(self._surface, depth)
        self._screen = ctx.vertex_array(self._programs["head"].gl, [])

    def draw(
        self,
        head: SynthHead,
        vertices: F32,
        lit: tuple[F32, F32, F32],
        look: Mapping[str, Any],
        worn: Sequence[Worn],
        props: Sequence[Prop],
        placement: Placement,
        rig: LightRig,
    ) -> SceneMaps:
        """Draw one scene.

        Args:
            vertices: (V, 3) metres, head frame.
            lit: normals, occlusion, shadow of the lamps; all (V, 3).
            look: uniforms of shaders/synth_head.frag that belong to the person.
        """
        activate(self._ctx)
        self._place(placement, rig)
        self._begin()
        body = _Lit(vertices, *lit)
        self._draw_head(head, body, look)
        offset = np.asarray(look["u_noise_offset"])
        for item in (w for w in worn if w.attachment.kind == "hair"):
            self._draw_worn(head, body, item, offset, solid=True)
        for prop in (p for p in props if p.opacity == 1.0):
            self._draw_prop(prop, offset)
        self._target.color_mask = [_NOTHING, _ALL, _ALL]
        for prop in (p for p in props if p.opacity < 1.0 and not p.is_lens):  # sunglasses
            self._draw_prop(prop, offset)
        self._colour_only(on=True)
        for item in (w for w in worn if w.attachment.kind != "hair"):
            self._draw_worn(head, body, item, offset, solid=False)
        for prop in (p for p in props if p.opacity < 1.0):
            self._draw_prop(prop, offset)
        self._colour_only(on=False)
        return self._read()

    def _draw_head(self, head: SynthHead, body: _Lit, look: Mapping[str, Any]) -> None:
        """Find what is seen of it, then light each pixel once."""
        self._surface_target.use()
        self._surface_target.clear()  # depth, too, which the target shares
        self._ctx.enable_only(moderngl.DEPTH_TEST | moderngl.CULL_FACE)
        self._meshes[head.name].draw(
            self._programs["surface"], body.vertices, body.normals, body.occlusion, body.shadow
        )
        self._target.use()
        self._ctx.enable_only(moderngl.DEPTH_TEST)
        self._ctx.depth_func, self._target.depth_mask = ">", False
        self._programs["head"].set(look)
        self._skins.use(0)
        for unit, texture in enumerate(self._masks, start=1):
            texture.use(unit)
        for unit, texture in enumerate(self._surface, start=_SURFACE_UNIT):
            texture.use(unit)
        self._screen.render(moderngl.TRIANGLES, vertices=3)
        self._ctx.depth_func, self._target.depth_mask = "<", True

    def _place(self, placement: Placement, rig: LightRig) -> None:
        seen = {
            "u_view_from_head": view_from_model(placement.R, placement.t),
            "u_depth_axis": (0.0, 0.0, -1.0),
        }
        projection = {"u_clip_from_view": clip_from_view(placement.camera, _NEAR, _FAR)}
        light = {
            "u_sh": COSINE_LOBE[:, None] / np.pi * rig.sh,
            "u_sh_constants": _SH_CONSTANTS,
            "u_n_lamps": int(rig.lamp_colours.any(axis=1).sum()),
            "u_lamp_direction": rig.lamp_directions,
            "u_lamp_colour": rig.lamp_colours,
            "u_eye_position": -placement.R.T @ placement.t,
            "u_noise": 4,
            "u_noise_cells": float(_NOISE_CELLS),
        }
        self._noise.use(4)
        for name, program in self._programs.items():
            program.set(
                seen | (projection if name != "head" else {}) | (light if name != "surface" else {})
            )
        self._programs["head"].set({
            "u_skins": 0, "u_masks_a": 1, "u_masks_b": 2, "u_max_detail": _MAX_DETAIL,
        } | {name: _SURFACE_UNIT + k for k, name in enumerate(_SURFACE)})  # fmt: skip
        self._programs["hair"].set({"u_strands": 3, "u_luminance": _LUMINANCE})

    def _begin(self) -> None:
        self._target.use()
        self._target.color_mask = [_ALL] * 3
        self._target.depth_mask = True
        self._target.clear()
        self._ctx.depth_func = "<"
        self._ctx.front_face, self._ctx.cull_face = "ccw", "back"
        self._ctx.wireframe = False

    def _colour_only(self, *, on: bool) -> None:
        """Blend over the picture and leave the truth under it as it is."""
        truth = _NOTHING if on else _ALL
        self._target.color_mask = [_ALL, truth, truth]
        self._target.depth_mask = not on
        self._ctx.depth_func = "<=" if on else "<"
        if on:
            self._ctx.enable(moderngl.BLEND)
            self._ctx.blend_func = (moderngl.ONE, moderngl.ONE_MINUS_SRC_ALPHA)
            self._ctx.polygon_offset = (-1.0, -4.0)
        else:
            self._ctx.disable(moderngl.BLEND)
            self._ctx.polygon_offset = (0.0, 0.0)

    def _draw_worn(
        self, head: SynthHead, body: _Lit, item: Worn, offset: F32, *, solid: bool
    ) -> None:
        attachment = item.attachment
        mesh, normals_of = self._worn_mesh(head, attachment)
        texture, mean = self._strand_texture(attachment)
        idx, weights = attachment.bind_idx[head.name], attachment.bind_weights[head.name]
        moved = body.vertices - head.model.v_template
        vertices = attachment.vertices[head.name] + np.einsum("mk,mkc->mc", weights, moved[idx])
        if item.moved is not None:
            vertices = vertices + item.moved
        texture.use(3)
        program = self._programs["hair"]
        program.set({
            "u_strand_mean": mean,
            "u_hair_colour": item.colour,
            "u_hair_gloss": item.gloss,
            "u_solid": float(solid),
            "u_noise_offset": offset,
        })  # fmt: skip
        # Hair is hardly shaded by the head under it: half way to open sky.
        near = idx[:, 0]
        mesh.draw(program, vertices.astype(np.float32), normals_of(vertices.astype(np.float32)),
                  0.5 + 0.5 * body.occlusion[near], 0.5 + 0.5 * body.shadow[near])  # fmt: skip

    def _worn_mesh(
        self, head: SynthHead, attachment: Attachment
    ) -> tuple[SceneMesh, VertexNormals]:
        key = (head.name, attachment.name)
        if key not in self._worn:
            n = len(attachment.vertices[head.name])
            kind = np.full(len(attachment.faces), kind_of(0, "hair"), np.float32)
            mesh = SceneMesh(self._ctx, attachment.faces, attachment.uv, attachment.uv_faces, kind)
            self._worn[key] = (mesh, VertexNormals(attachment.faces, n))
        return self._worn[key]

    def _strand_texture(self, attachment: Attachment) -> tuple[moderngl.Texture, float]:
        if attachment.name not in self._strands:
            pixels = attachment.texture
            texture = self._ctx.texture(pixels.shape[1::-1], 4, pixels.tobytes())
            texture.build_mipmaps()
            covered = pixels[pixels[..., 3] > 64][:, :3]
            mean = float((covered @ np.array(_LUMINANCE)).mean() / 255) if len(covered) else 0.5
            self._strands[attachment.name] = (texture, max(mean, 0.02))
        return self._strands[attachment.name]

    def _draw_prop(self, prop: Prop, offset: F32) -> None:
        n = len(prop.vertices)
        name = "neck" if prop.kind == "neck" else "other"
        kind = np.full(len(prop.faces), kind_of(0, name), np.float32)
        mesh = SceneMesh(self._ctx, prop.faces, np.zeros((n, 2), np.float32), prop.faces, kind)
        program = self._programs["prop"]
        program.set({
            "u_prop_colour": [*prop.colour, prop.opacity],
            "u_prop_gloss": [0.02 + 0.06 * prop.gloss, 10 ** (0.8 + 1.8 * prop.gloss),
                             0.0 if prop.gloss > 0.5 else 0.15],
            "u_noise_offset": offset,
        })  # fmt: skip
        ones = np.ones((n, 3), np.float32)
        normals = VertexNormals(prop.faces, n)(prop.vertices)
        mesh.draw(program, prop.vertices, normals, 0.9 * ones, ones)
        mesh.release()

    def _read(self) -> SceneMaps:
        raw = [np.empty((WINDOW_PX, WINDOW_PX, c), np.float32) for c in (4, 4, 1)]
        for at, pixels in enumerate(raw):
            self._target.read_into(
                pixels, components=pixels.shape[2], attachment=at, dtype="f4", alignment=1
            )
        light, normal_class, depth = (np.ascontiguousarray(p[::-1]) for p in raw)
        return SceneMaps(
            light=light,
            head_normals=np.ascontiguousarray(normal_class[..., :3]),
            parsing=np.rint(normal_class[..., 3]).astype(np.uint8),
            depth=depth[..., 0],
        )

    def release(self) -> None:
        activate(self._ctx)
        unbind(self._ctx)
        for mesh in (*self._meshes.values(), *(m for m, _ in self._worn.values())):
            mesh.release()
        for texture in (
            *self._masks,
            self._skins,
            self._noise,
            *(t for t, _ in self._strands.values()),
        ):
            texture.release()
        for program in self._programs.values():
            program.release()
        self._screen.release()
        self._surface_target.release()
        for texture in self._surface:
            texture.release()
        self._target.release()


def _head_mesh(ctx: moderngl.Context, head: SynthHead) -> SceneMesh:
    kind = 16.0 * head.part.astype(np.float32) + head.face_class.astype(np.float32)
    if head.part.max() >= len(PARTS) or head.face_class.max() >= len(PARSING):
        raise ValueError(f"head {head.name}: part or face_class out of range")
    return SceneMesh(ctx, head.model.faces, head.uv, head.uv_faces, kind)


def _skin_textures(ctx: moderngl.Context, skins: Sequence[Skin]) -> moderngl.TextureArray:
    """Log albedo less its mean over the skin, so that any tone can be put under it."""
    height, width = skins[0].albedo.shape[:2]
    # Four bytes a texel: what software renderers read fastest.
    layers = np.zeros((len(skins), height, width, 4), np.uint8)
    for layer, skin in zip(layers, skins, strict=True):
        log = np.log(np.maximum(linear_from_srgb(skin.albedo.astype(np.float32) / 255), 0.004))
        log -= np.median(log.reshape(-1, 3), axis=0)
        layer[..., :3] = np.rint(np.clip(0.5 + log / (2 * _MAX_DETAIL), 0, 1) * 255)
    texture = ctx.texture_array((width, height, len(skins)), 4, layers.tobytes())
    texture.repeat_x = texture.repeat_y = False  # the back of the scalp lies outside of the picture
    texture.build_mipmaps()
    return texture


def _noise_volume(ctx: moderngl.Context) -> moderngl.Texture3D:
    side = (_NOISE_CELLS,) * 3
    values = np.random.default_rng(11).integers(0, 256, (*side, 4), np.uint8)
    return ctx.texture3d(side, 4, values.tobytes())


def _mask_texture(
    ctx: moderngl.Context, masks: Mapping[str, U8], names: Sequence[str]
) -> moderngl.Texture:
    size = next(iter(masks.values())).shape
    pixels = np.zeros((*size, 4), np.uint8)
    for channel, name in enumerate(names):
        pixels[..., channel] = masks[name]
    texture = ctx.texture(size[::-1], 4, pixels.tobytes())
    texture.repeat_x = texture.repeat_y = False
    texture.build_mipmaps()
    return texture
