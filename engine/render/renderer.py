"""MeshRenderer: one mesh over a photo, or as data. Overlay, recordings and training data use it.

Vertices in metres, model frame; R, t place them in the view frame; the camera says which pixel sees
what. Photo pixels go through untouched; shading is computed in linear light and encoded to sRGB.
"""

from enum import StrEnum

import moderngl
import numpy as np

from engine.render.colour import SRGB_UNIFORMS, linear_from_srgb
from engine.render.context import activate, check_picture_size
from engine.render.dots import LandmarkDots
from engine.render.in_memory import put_over
from engine.render.lighting import STUDIO, Lighting
from engine.render.maps import SurfaceMaps, maps_from_attachments
from engine.render.mesh_buffers import CLAY, MeshBuffers, Surface
from engine.render.photo_texture import PhotoSource, PhotoTexture
from engine.render.program import Program, load_program
from engine.render.screen import Compositor
from engine.render.targets import GrowingLayer, Layer, MapTargets, PictureTargets, download
from engine.render.view import View, view_of
from engine.types import F32, F64, I32, U8, Camera, check_array

__all__ = ["MeshRenderer", "PhotoSource", "RenderMode", "Surface"]


class RenderMode(StrEnum):
    """What the mesh looks like."""

    SHADED = "shaded"
    WIREFRAME = "wireframe"
    HEAD_NORMALS = "head-normals"
    VIEW_NORMALS = "view-normals"
    LANDMARKS = "landmarks"
    TEXTURE = "texture"


_WIRE_UNIFORMS = {
    "u_line_colour": (0.62, 0.95, 1.0),
    "u_line_width_px": 1.0,
    "u_fill_opacity": 0.10,
    "u_dense_px": 5.0,
}
_TEXTURE_UNIFORMS = {
    "u_grazing": (0.12, 0.34),
    "u_neutral_albedo": linear_from_srgb(np.array(CLAY, np.float32)),
}

_RELIEF = 0.22
"""How much darker a coloured surface is where it turns away: enough to see its shape."""


class MeshRenderer:
    """Draws one mesh topology; made, used and released in its context's thread."""

    def __init__(
        self,
        ctx: moderngl.Context,
        faces: I32,
        *,
        surface: Surface | None = None,
        lighting: Lighting = STUDIO,
        samples: int = 4,
        lit_at_vertices: bool = False,
    ) -> None:
        """Compile the shaders and make the buffers.

        Args:
            faces: (F, 3) counter-clockwise seen from outside; back faces are not drawn.
            surface: colour, opacity and gloss by vertex; clay where it says nothing.
            samples: for each pixel, against jagged edges: 4 (all devices have it), or 0 for none.
            lit_at_vertices: SHADED lights vertices, not pixels: quicker where the processor draws.
        Raises:
            ProviderError: if a shader does not compile here.
            ValueError: if faces are empty or negative, surface has too few vertices, or samples
                is neither.
        """
        if samples not in (0, 4):
            raise ValueError(f"samples: {samples}, expected 0 or 4")
        activate(ctx)
        self._ctx = ctx
        self._samples = samples
        self._mesh = MeshBuffers(ctx, faces, surface or Surface())
        shaded = (
            load_program(ctx, "shaded_vertices.vert", "shaded_vertices.frag")
            if lit_at_vertices
            else load_program(ctx, "mesh.vert", "shaded.frag")
        )
        wireframe = load_program(ctx, "mesh.vert", "wireframe.frag")
        normals = load_program(ctx, "mesh.vert", "normals.frag")
        texture = load_program(ctx, "texture.vert", "texture.frag")
        shaded.set(lighting.uniforms())
        wireframe.set(_WIRE_UNIFORMS)
        texture.set({**lighting.uniforms(), **_TEXTURE_UNIFORMS})
        self._programs = {
            RenderMode.SHADED: shaded,
            RenderMode.WIREFRAME: wireframe,
            RenderMode.HEAD_NORMALS: normals,
            RenderMode.VIEW_NORMALS: normals,
            RenderMode.TEXTURE: texture,
        }
        self._coloured_program = load_program(ctx, "mesh.vert", "coloured.frag")
        self._coloured_program.set({"u_relief": _RELIEF, **SRGB_UNIFORMS})
        self._maps_program = load_program(ctx, "mesh.vert", "maps.frag")
        self._maps_program.set({"u_depth_axis": (0.0, 0.0, -1.0)})
        self._compositor = Compositor(ctx)
        self._dots = LandmarkDots(ctx)
        self._photo_texture = PhotoTexture(ctx)
        self._targets: PictureTargets | None = None
        self._map_targets: MapTargets | None = None
        self._own_layer = GrowingLayer(ctx, samples)

    def draw(
        self,
        camera: Camera,
        vertices: F32,
        R: F64,
        t: F64,
        *,
        mode: RenderMode,
        background: U8 | None,
        opacity: float = 1.0,
        landmarks_px: F32 | None = None,
        texture_from: PhotoSource | None = None,
    ) -> None:
        """Draw a picture of the camera's size into an own framebuffer.

        Args:
            vertices: (V, 3) metres, model frame, at least as many as faces name.
            R, t: (3, 3), (3,) metres, view from model.
            background: (H, W, 3) of the camera's size; None: transparent black.
            opacity: 0..1 of the mesh or the dots.
            landmarks_px: (N, 2) px, y down; drawn in LANDMARKS mode, which draws no mesh.
            texture_from: what TEXTURE mode takes colours from; by default the background, which
                then shows the head in this same pose.
        Raises:
            ProviderError: if the picture is larger than this device can draw.
            ValueError: if sizes do not fit, values are not finite, or TEXTURE has no photo.
        """
        activate(self._ctx)
        targets = self._fit_targets(camera)
        if background is not None:
            check_array("background", background, (camera.height, camera.width, 3), np.uint8)
        targets.begin(background)
        view = None if mode is RenderMode.LANDMARKS else view_of(camera, vertices, R, t)
        if view is not None:
            if mode is RenderMode.TEXTURE:
                if texture_from is None:
                    if background is None:
                        raise ValueError("TEXTURE mode needs a background or texture_from")
                    texture_from = PhotoSource(background, camera, vertices, R, t)
                self._programs[mode].set(self._photo_texture.prepare(texture_from, self._mesh))
            layer = targets.layer.of(view.window)
            self._draw_mesh(layer, view, vertices, mode)
            self._compositor.put_over(targets, layer, view.window, opacity)
        if mode is RenderMode.LANDMARKS and landmarks_px is not None:
            self._dots.draw(targets.picture, camera, landmarks_px, opacity)

    def draw_coloured(
        self,
        camera: Camera,
        vertices: F32,
        R: F64,
        t: F64,
        *,
        colours: F32,
        background: U8 | None,
        opacity: float = 1.0,
    ) -> None:
        """Draw a picture as `draw` does, the mesh in colours that stand for numbers.

        Args:
            colours: (V, 3) sRGB-encoded, 0..1: seen as they are where the surface faces the camera.
        """
        activate(self._ctx)
        targets = self._fit_targets(camera)
        if background is not None:
            check_array("background", background, (camera.height, camera.width, 3), np.uint8)
        targets.begin(background)
        if (view := view_of(camera, vertices, R, t)) is None:
            return
        layer = targets.layer.of(view.window)
        self._draw_coloured_mesh(layer, view, vertices, colours)
        self._compositor.put_over(targets, layer, view.window, opacity)

    def draw_onto(
        self,
        image: U8,
        camera: Camera,
        vertices: F32,
        R: F64,
        t: F64,
        *,
        mode: RenderMode,
        opacity: float = 1.0,
        landmarks_px: F32 | None = None,
        colours: F32 | None = None,
    ) -> None:
        """Draw into a picture in memory, in place: OpenGL sees the mesh's own rectangle only.

        Looks as what `draw` or, with colours, `draw_coloured` leave, within rounding.

        Args:
            image: (H, W, 3) RGB of the camera's size; TEXTURE takes its colours.
            colours: as for `draw_coloured`, whatever mode is.
        Raises: as `draw`.
        """
        activate(self._ctx)
        check_picture_size(self._ctx, camera.width, camera.height)
        check_array("image", image, (camera.height, camera.width, 3), np.uint8)
        if mode is RenderMode.LANDMARKS and colours is None:
            if landmarks_px is not None and (window := self._dots.window(camera, landmarks_px)):
                layer = self._own_layer.of(window)
                layer.begin(window, (camera.width, camera.height))
                self._dots.draw(layer.framebuffer, camera, landmarks_px, 1.0)
                self._put_onto(image, layer, window, opacity)
            return
        if (view := view_of(camera, vertices, R, t)) is None:
            return
        layer = self._own_layer.of(view.window)
        if colours is not None:
            self._draw_coloured_mesh(layer, view, vertices, colours)
        else:
            if mode is RenderMode.TEXTURE:
                photo = PhotoSource(image, camera, vertices, R, t)
                self._programs[mode].set(self._photo_texture.prepare(photo, self._mesh))
            self._draw_mesh(layer, view, vertices, mode)
        self._put_onto(image, layer, view.window, opacity)

    @staticmethod
    def _put_onto(
        image: U8, layer: Layer, window: tuple[int, int, int, int], opacity: float
    ) -> None:
        x, y, width, height = window
        put_over(image, layer.read(width, height), x, len(image) - y - height, opacity)

    def _fit_targets(self, camera: Camera) -> PictureTargets:
        size = (camera.width, camera.height)
        if self._targets is None or self._targets.size != size:
            check_picture_size(self._ctx, *size)
            if self._targets is not None:
                self._targets.release()
                self._targets = None
            self._targets = PictureTargets(self._ctx, *size, self._samples)
        return self._targets

    def _draw_mesh(self, layer: Layer, view: View, vertices: F32, mode: RenderMode) -> None:
        program = self._programs[mode]
        self._place(program, view)
        if mode in (RenderMode.HEAD_NORMALS, RenderMode.VIEW_NORMALS):
            is_head = mode is RenderMode.HEAD_NORMALS
            program.set({"u_shown_from_head": np.eye(3) if is_head else view.rotation})
        corners = mode is RenderMode.WIREFRAME
        self._mesh.write(vertices, corners=corners)
        layer.begin(view.window, (view.camera.width, view.camera.height))
        self._set_mesh_state()
        self._mesh.render(program, corners=corners)

    def _draw_coloured_mesh(self, layer: Layer, view: View, vertices: F32, colours: F32) -> None:
        self._place(self._coloured_program, view)
        self._mesh.write(vertices)
        layer.begin(view.window, (view.camera.width, view.camera.height))
        self._set_mesh_state()
        self._mesh.render_coloured(self._coloured_program, colours)

    @staticmethod
    def _place(program: Program, view: View) -> None:
        program.set(
            {
                "u_view_from_model": view.view_from_model,
                "u_clip_from_view": view.clip_from_view,
            }
        )

    def _set_mesh_state(self) -> None:
        # All that matters is set each time: Qt's painter leaves its own behind.
        self._ctx.enable_only(moderngl.DEPTH_TEST | moderngl.CULL_FACE)
        self._ctx.depth_func = "<"
        self._ctx.front_face = "ccw"
        self._ctx.cull_face = "back"
        self._ctx.wireframe = False

    def read(self, *, alpha: bool = False) -> U8:
        """The finished picture, (H, W, 3), or (H, W, 4) with alpha that is not multiplied in.

        Raises: ValueError: if nothing was drawn yet.
        """
        targets = self._drawn()
        activate(self._ctx)
        pixels = download(targets.picture, 4 if alpha else 3)
        if not alpha:
            return pixels
        partial = (pixels[..., 3] > 0) & (pixels[..., 3] < 255)
        shares = pixels[partial][:, 3:] / np.float32(255.0)
        pixels[partial, :3] = np.minimum(pixels[partial][:, :3] / shares + 0.5, 255.0)
        return pixels

    @property
    def texture(self) -> moderngl.Texture:
        """The finished picture, RGBA multiplied by alpha, bottom row first."""
        return self._drawn().texture

    def _drawn(self) -> PictureTargets:
        if self._targets is None:
            raise ValueError("nothing was drawn yet: call draw() first")
        return self._targets

    def blit_to(
        self,
        framebuffer: moderngl.Framebuffer,
        viewport: tuple[int, int, int, int],
        *,
        mirrored: bool = False,
        scissor: tuple[int, int, int, int] | None = None,
    ) -> None:
        """Scale the finished picture into a rectangle of framebuffer (x, y, w, h; px, y up).

        Args:
            scissor: nothing outside of this rectangle is changed.
        """
        texture = self.texture
        activate(self._ctx)
        self._compositor.show(texture, framebuffer, viewport, mirrored=mirrored, scissor=scissor)

    def render_maps(self, camera: Camera, vertices: F32, R: F64, t: F64) -> SurfaceMaps:
        """What the camera sees at the centre of each pixel, as data; opacity has no say here.

        Args and Raises: as for `draw`.
        """
        activate(self._ctx)
        targets = self._fit_map_targets(camera)
        targets.framebuffer.use()
        targets.framebuffer.clear()
        if (view := view_of(camera, vertices, R, t)) is not None:
            self._mesh.write(vertices, corners=True)
            self._place(self._maps_program, view)
            self._set_mesh_state()
            self._mesh.render(self._maps_program, corners=True)
        return maps_from_attachments(*targets.read())

    def _fit_map_targets(self, camera: Camera) -> MapTargets:
        size = (camera.width, camera.height)
        if self._map_targets is None or self._map_targets.size != size:
            check_picture_size(self._ctx, *size)
            if self._map_targets is not None:
                self._map_targets.release()
                self._map_targets = None
            self._map_targets = MapTargets(self._ctx, *size)
        return self._map_targets

    def unset_uniforms(self) -> dict[str, list[str]]:
        """Uniforms that no draw has set yet, by program; programs without any left out."""
        named = {program.name: program.unset() for program in self._all_programs()}
        return {name: missing for name, missing in named.items() if missing}

    def _all_programs(self) -> list[Program]:
        passes = (self._dots.program, self._photo_texture.program, self._maps_program)
        own = (*self._programs.values(), self._coloured_program)
        return [*own, *passes, *self._compositor.programs]

    def release(self) -> None:
        """Free everything on the GPU; the renderer is of no use afterwards."""
        activate(self._ctx)
        self._mesh.release()
        own = (*self._programs.values(), self._coloured_program, self._maps_program)
        for program in {id(p): p for p in own}.values():
            program.release()
        for part in (self._compositor, self._dots, self._photo_texture, self._own_layer):
            part.release()
        for targets in (self._targets, self._map_targets):
            if targets is not None:
                targets.release()
        self._targets = self._map_targets = None
