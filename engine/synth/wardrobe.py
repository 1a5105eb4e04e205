"""What people wear: which skins, hair and lights a split may use, and what is put on a head."""

from dataclasses import dataclass, replace

import numpy as np

from engine.flame.posed import surface_points
from engine.synth.glasses import ear_roots
from engine.synth.hairstyles import hair_moves
from engine.synth.made_hair import MadeHair
from engine.synth.pack import Attachment, SynthHead, SynthLight, SynthPack
from engine.synth.posing import PosedPerson
from engine.synth.props import Prop, glasses, hat, occluder, torso
from engine.synth.scene_renderer import Worn
from engine.types import F32, F64, I32

__all__ = ["Wardrobe", "draw_props", "draw_worn", "with_hair_restyled"]

_HAIR, _BROWS, _LASHES = 0.82, 0.7, 0.6  # shares of people who wear them
_MADE, _MADE_AS_CUT = 0.6, 0.6  # shares: of restyled hair, and of that what is left as it is cut
_NEAR, _COVERED_SHARE = 0.008, 0.15  # metres; of the landmarks
_GLASSES, _HAT, _OCCLUDER, _CLOTHES = 0.22, 0.10, 0.10, 0.85


@dataclass(frozen=True, slots=True, eq=False)
class Wardrobe:
    """What samples of one split are made of."""

    skins: I32  # rows of the pack's skins
    attachments: dict[str, list[Attachment]]  # by kind
    lights: list[SynthLight]
    weights: dict[str, F64]  # by kind: how often each attachment is worn

    @classmethod
    def of_split(cls, pack: SynthPack, split: str) -> "Wardrobe":
        """For training all that is not held back, for validation what is held back.

        A kind of which nothing is held back serves both.
        """
        wanted = split == "val"

        def is_for(name: str, names: list[str]) -> bool:
            has_both = any(n in pack.held_back for n in names)
            return not has_both or (name in pack.held_back) == wanted

        skins = [s.name for s in pack.skins]
        lights = [light.name for light in pack.lights]
        kinds = sorted({a.kind for a in pack.attachments})
        by_kind = {k: [a for a in pack.attachments if a.kind == k] for k in kinds}
        attachments = {
            kind: [a for a in all_ if is_for(a.name, [b.name for b in all_])]
            for kind, all_ in by_kind.items()
        }
        head = next(iter(pack.heads.values()))
        return cls(
            skins=np.array([i for i, n in enumerate(skins) if is_for(n, skins)], np.int32),
            attachments=attachments,
            lights=[light for light in pack.lights if is_for(light.name, lights)],
            weights={kind: _weights(all_, head) for kind, all_ in attachments.items()},
        )


def _weights(attachments: list[Attachment], head: SynthHead) -> F64:
    """(N,) adding up to 1; hair that hangs over the face is worn seldom."""
    model = head.model
    marks = surface_points(model.v_template, model.faces, model.landmarks68)[17:]
    weights = np.ones(len(attachments))
    for i, attachment in enumerate(attachments):
        hair = attachment.vertices.get(head.name)
        if attachment.kind == "hair" and hair is not None:
            beside = np.linalg.norm(hair[None, :, :2] - marks[:, None, :2], axis=-1) < _NEAR
            covered = (beside & (hair[None, :, 2] > marks[:, None, 2])).any(axis=1)
            weights[i] = 1.0 if covered.mean() < _COVERED_SHARE else 0.2
    total: F64 = weights / weights.sum()
    return total


def draw_worn(rng: np.random.Generator, wardrobe: Wardrobe, hair_colour: F32) -> list[Worn]:
    """Hair, brows and lashes of one person."""
    worn = []
    for kind, share in (("hair", _HAIR), ("brows", _BROWS), ("lashes", _LASHES)):
        choices = wardrobe.attachments.get(kind, [])
        is_worn, chance = rng.random() < share, rng.random()
        colour = hair_colour * rng.uniform(0.6, 1.1)
        if kind == "lashes":
            colour = colour * 0.3
        if choices and is_worn:
            gloss = (float(rng.uniform(0.0, 0.05)), float(rng.uniform(8, 40)))
            which = int((chance > np.cumsum(wardrobe.weights[kind])[:-1]).sum())
            worn.append(Worn(choices[which], colour.astype(np.float32), gloss))
    return worn


def with_hair_restyled(
    rng: np.random.Generator, worn: list[Worn], head: SynthHead, made: MadeHair
) -> list[Worn]:
    """The same, with hair that is turned, sized and cut anew, or made; see `hair_moves`."""
    return [_restyled(rng, w, head, made) if w.attachment.kind == "hair" else w for w in worn]


def _restyled(rng: np.random.Generator, worn: Worn, head: SynthHead, made: MadeHair) -> Worn:
    moved: F32 | float = 0.0
    if rng.random() < _MADE:
        worn = replace(worn, attachment=made.attachments[rng.integers(len(made.attachments))])
        moved = made.cut(rng, head.name)
        if rng.random() < _MADE_AS_CUT:
            return replace(worn, moved=moved)
    lies = worn.attachment.vertices[head.name] + moved
    return replace(worn, moved=moved + hair_moves(rng, lies, head.model.v_template))


def draw_props(
    rng: np.random.Generator, head: SynthHead, posed: PosedPerson, skin: F64, *, has_hair: bool
) -> list[Prop]:
    """Glasses, a hat, something in front of the face, clothes; in the head frame.

    Args:
        skin: (3,) linear albedo, for hands.
    """
    regions = head.model.regions
    wears_glasses, wears_hat, is_covered, is_dressed = rng.random(4) < [
        _GLASSES, _HAT if has_hair else 2 * _HAT, _OCCLUDER, _CLOTHES,
    ]  # fmt: skip
    props: list[Prop] = []
    if wears_glasses:
        ears = ear_roots(posed.vertices, regions["ears"], posed.landmarks)
        props += glasses(rng, posed.landmarks, ears)
    if wears_hat:
        outer = head.model.faces[head.part == 0]
        props += hat(rng, posed.landmarks, posed.vertices[np.unique(outer)[::2]])
    if is_covered:
        props += occluder(rng, posed.landmarks, skin)
    if is_dressed:
        props += torso(rng, posed.vertices[regions["neck"]], skin)
    return props
