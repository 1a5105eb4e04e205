"""SampleMaker: an index in, a synthetic sample out; the same index always gives the same sample.

Uses an OpenGL context and MediaPipe: make, use and close it in one thread.
"""

from collections.abc import Callable
from dataclasses import dataclass, replace

import moderngl
import numpy as np

from engine.flame.model import HeadModel
from engine.flame.posed import PosedHead
from engine.frames import crop_camera, project, view_from_crop
from engine.render.context import headless_context
from engine.stages.crop_geometry import crop_matrix
from engine.synth.backdrop import draw_backdrop
from engine.synth.builtin_pack import builtin_pack
from engine.synth.crop_maps import crop_maps, draw_crop
from engine.synth.light_rig import LightRig, draw_light_rig, mixed_light
from engine.synth.live_points import PointFinder, modelled_points, true_points
from engine.synth.look import draw_hair_colour, draw_look, draw_skin_tone
from engine.synth.made_hair import MadeHair
from engine.synth.pack import SynthHead, SynthPack
from engine.synth.pack_file import load_pack
from engine.synth.person import Person, draw_person
from engine.synth.photo_effects import apply_photo_effects, draw_photo_effects
from engine.synth.placement import WINDOW_PX, Placement, centred, draw_placement
from engine.synth.posing import PersonPoser, PosedPerson
from engine.synth.props import Prop
from engine.synth.sample import PARSING, Sample
from engine.synth.scene_renderer import SceneMaps, SceneRenderer, Worn
from engine.synth.settings import SynthSettings
from engine.synth.visibility import HeadVisibility, measure_visibility, with_rows_of
from engine.synth.wardrobe import Wardrobe, draw_props, draw_worn, with_hair_restyled
from engine.types import F32, U8, FlameParams

__all__ = ["SampleMaker", "Scene"]

_SPLITS = ("train", "val")
_OPEN_JAW = 0.3  # radians
_CLOSEST = 0.12  # metres
_OTHER_SKIN = 1.2  # most of another skin's share; a noise over the head says where


@dataclass(frozen=True, slots=True, eq=False)
class Scene:
    """A drawn window, before a crop is cut out of it."""

    head: SynthHead  # whose model vertices and parameters belong to
    params: FlameParams
    posed: PosedPerson
    placement: Placement
    maps: SceneMaps
    image: U8  # (H, W, 3) RGB, finished
    meta: dict[str, object]


class SampleMaker:
    """Makes samples for one set of settings; `close` frees what it holds."""

    def __init__(self, settings: SynthSettings, pack: SynthPack | None = None) -> None:
        """Load the pack and measure what the heads' vertices see of the sky (a few seconds).

        Args:
            pack: by default the one that the settings name, or the built-in one.
        Raises:
            AssetError: if the pack cannot be read.
            ProviderError: without OpenGL.
            ValueError: if the pack lacks the population wanted.
        """
        self.settings = settings
        self._varies = settings.varied and settings.split == "train"
        if pack is None:
            pack = load_pack(settings.pack) if settings.pack else builtin_pack()
        self._heads = _populations(settings, pack)
        self._wardrobe = Wardrobe.of_split(pack, settings.split)
        self._made = MadeHair(self._heads) if self._varies else None
        self._ctx = headless_context()
        self._renderer = SceneRenderer(self._ctx, pack)
        self._posers = {head.name: PersonPoser(head) for head in self._heads}
        self._visibility = {head.name: _visibility(self._ctx, head) for head in self._heads}
        self._finder = PointFinder()

    @property
    def populations(self) -> tuple[str, ...]:
        """Names of the heads that samples are drawn from."""
        return tuple(head.name for head in self._heads)

    def make(self, index: int) -> Sample:
        """The sample of an index."""
        rng = self._rng(index)
        scene = self._scene(rng, self._heads[rng.integers(len(self._heads))])
        model = scene.head.model
        points, found = self._points(rng, model, scene.posed, scene.placement, scene.image)
        return self._cut(rng, index, scene, points, scene.meta | {"found": found})

    def scene(self, index: int, population: str) -> Scene:
        """A picture of its own, whole, of a person of one of `populations`.

        The camera's axis goes through its middle; `make` cuts its samples out of larger frames.
        """
        rng = self._rng(index)
        rng.integers(len(self._heads))  # what follows is then drawn as in `make`
        return self._scene(rng, self._heads[self.populations.index(population)], centred)

    def _rng(self, index: int) -> np.random.Generator:
        split = _SPLITS.index(self.settings.split)
        return np.random.default_rng([self.settings.seed, split, index])

    def _scene(
        self,
        rng: np.random.Generator,
        head: SynthHead,
        placed: Callable[[Placement], Placement] = lambda drawn: drawn,
    ) -> Scene:
        person = draw_person(rng, head, self.settings.split)
        posed = self._posers[head.name].pose(person)
        placement = placed(draw_placement(rng))
        light = self._wardrobe.lights[rng.integers(len(self._wardrobe.lights))]
        if self._varies:
            light = mixed_light(rng.spawn(1)[0], light, self._wardrobe.lights)
        rig = draw_light_rig(rng, light, placement.R)
        maps, meta = self._draw(rng, head, posed, placement, rig)
        backdrop = draw_backdrop(rng, light, WINDOW_PX)
        linear = maps.light[..., :3] + (1 - maps.light[..., 3:]) * backdrop
        image = apply_photo_effects(linear, draw_photo_effects(rng))
        return Scene(
            head=head,
            params=_params(head.model, person, placement),
            posed=posed,
            placement=placement,
            maps=maps,
            image=image,
            meta=meta | {"population": head.name, "light": light.name},
        )

    def _draw(
        self,
        rng: np.random.Generator,
        head: SynthHead,
        posed: PosedPerson,
        placement: Placement,
        rig: LightRig,
    ) -> tuple[SceneMaps, dict[str, object]]:
        visibility = self._visibility[head.name]
        shadow = np.stack([visibility.lamp_shadow(d) for d in rig.lamp_directions], axis=1)
        lit = (posed.normals, visibility.occlusion(rig.sh), shadow)
        tone = draw_skin_tone(rng)
        hair_colour = draw_hair_colour(rng, tone)
        layer = int(self._wardrobe.skins[rng.integers(len(self._wardrobe.skins))])
        worn = draw_worn(rng, self._wardrobe, hair_colour)
        other_skin = (0.0, 0.0)
        if self._made is not None:
            aside = rng.spawn(1)[
                0
            ]  # a generator of its own: all else is drawn as without variation
            worn = with_hair_restyled(aside, worn, head, self._made)
            other_skin = (float(aside.choice(self._wardrobe.skins)), aside.uniform(0, _OTHER_SKIN))
        props = draw_props(rng, head, posed, np.exp(tone), has_hair=_has_hair(worn))
        props = [prop for prop in props if _is_clear_of(prop, placement)]
        if any(prop.kind == "hat" for prop in props):
            worn = [w for w in worn if w.attachment.kind != "hair"]
        catch = rng.normal(0, 1, 3) * [0.6, 0.5, 0.2] + [0, 0.4, 1.0]
        look = draw_look(rng, tone, hair_colour) | {
            "u_skin_layer": float(layer),
            "u_other_skin": other_skin,
            "u_eye_centre": posed.eye_centres,
            "u_left_eye_from_head": posed.eye_turns[0].T,
            "u_right_eye_from_head": posed.eye_turns[1].T,
            "u_catch_light": [*(catch / np.linalg.norm(catch) @ placement.R), rng.uniform(0, 0.9)],
        }
        maps = self._renderer.draw(head, posed.vertices, lit, look, worn, props, placement, rig)
        return maps, {
            "skin": self._renderer.skin_names[layer],
            "worn": [w.attachment.name for w in worn],
            "hair": next((w.attachment.name for w in worn if w.attachment.kind == "hair"), ""),
            "props": sorted({prop.kind for prop in props}),
        }

    def _points(
        self,
        rng: np.random.Generator,
        model: HeadModel,
        posed: PosedPerson,
        placement: Placement,
        image: U8,
    ) -> tuple[F32, bool]:
        truth = true_points(model, posed, placement)
        wants_mediapipe = rng.random() < self.settings.mediapipe_share
        modelled = modelled_points(rng, truth)
        found = self._finder.find(image, truth) if wants_mediapipe else None
        return (modelled, False) if found is None else (found, True)

    def _cut(
        self,
        rng: np.random.Generator,
        index: int,
        scene: Scene,
        points: F32,
        meta: dict[str, object],
    ) -> Sample:
        size, placement = self.settings.size_px, scene.placement
        square = draw_crop(rng, points)
        crop = crop_matrix(square, size)
        cropview_from_head = view_from_crop(placement.camera, crop, size).T @ placement.R
        cut = crop_maps(scene.image, scene.maps, square, size, cropview_from_head)
        camera = crop_camera(placement.camera, crop, size)
        marks = scene.posed.landmarks @ placement.R.T + placement.t
        in_crop = np.empty_like(points)
        in_crop[:, :2] = points[:, :2] @ crop[:, :2].T + crop[:, 2]
        in_crop[:, 2] = points[:, 2] * np.hypot(*crop[0, :2])
        return Sample(
            key=f"{index:09d}",
            image=cut.image,
            head_normals=cut.head_normals,
            view_normals=cut.view_normals,
            parsing=cut.parsing,
            depth=cut.depth,
            points=in_crop.astype(np.float32),
            landmarks68=project(marks, camera.K).astype(np.float32),
            params=scene.params,
            camera=camera,
            meta=meta,
        )

    def close(self) -> None:
        """Free OpenGL and MediaPipe."""
        self._finder.close()
        self._renderer.release()
        self._ctx.release()


def _visibility(ctx: moderngl.Context, head: SynthHead) -> HeadVisibility:
    """Of a neutral head; what lies in the mouth is seen with the jaw open."""
    model = head.model
    neutral = FlameParams.neutral(model.model_id, model.n_shape, model.n_expr)
    open_jaw = neutral.with_values(jaw=np.array([_OPEN_JAW, 0, 0], np.float32))
    shut, wide = (
        measure_visibility(ctx, PosedHead(model).vertices(params), model.faces)
        for params in (neutral, open_jaw)
    )
    inside = np.unique(model.faces[head.face_class == PARSING.index("mouth_inside")])
    return with_rows_of(shut, wide, inside)


def _params(model: HeadModel, person: Person, placement: Placement) -> FlameParams:
    """The head's parameters; the neck bends the body only, so that it is zero here."""
    params = person.params(model)
    return replace(params, neck=np.zeros(3, np.float32), R=placement.R, t=placement.t)


def _populations(settings: SynthSettings, pack: SynthPack) -> list[SynthHead]:
    if settings.population == "both":
        return list(pack.heads.values())
    if settings.population not in pack.heads:
        raise ValueError(
            f"population {settings.population!r} is not in the pack, which has "
            f"{', '.join(pack.heads)}; build a pack with `python -m engine.synth.build_pack`"
        )
    return [pack.heads[settings.population]]


def _is_clear_of(prop: Prop, placement: Placement) -> bool:
    """Whether a prop keeps away from the camera, which an arm may point at."""
    depth = -(prop.vertices @ placement.R[2] + placement.t[2])
    return bool(depth.min() > _CLOSEST)


def _has_hair(worn: list[Worn]) -> bool:
    return any(w.attachment.kind == "hair" for w in worn)
