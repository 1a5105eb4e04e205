"""Who is drawn and with what face: shapes, expressions, gaze and lids of a population."""

from dataclasses import dataclass

import numpy as np

from engine.flame.model import HeadModel
from engine.synth.pack import SynthHead
from engine.types import F32, F64, FlameParams

__all__ = ["Person", "draw_person"]

_SHAPE_CLIP = 3.0
_WIDE_SHARE, _WIDE_STD = 0.15, 1.4  # of all people, and how much wider they are drawn
_BASIS_SHARE = 0.4  # faces drawn straight from the basis instead of from natural mixtures
_MAX_JAW = 0.6  # radians


@dataclass(frozen=True, slots=True, eq=False)
class Person:
    """Coefficients of a head model; neck: of the body against the head, see `posed_person`."""

    shape: F32  # (n_shape,)
    expr: F32  # (n_expr,)
    jaw: F32  # (3,) radians
    eyes: F32  # (6,) radians, left then right
    eyelids: F32  # (2,)
    neck: F32  # (3,) radians

    def params(self, model: HeadModel) -> FlameParams:
        """As parameters of a head model, at the origin."""
        return FlameParams(
            model_id=model.model_id,
            shape=self.shape,
            expr=self.expr,
            neck=self.neck,
            jaw=self.jaw,
            eyes=self.eyes,
            eyelids=self.eyelids,
            R=np.eye(3),
            t=np.zeros(3),
        )


def draw_person(rng: np.random.Generator, head: SynthHead, split: str) -> Person:
    """A person and a face, drawn from a population; train and val share no people.

    Raises: ValueError: if the pack has no people of that population for validation.
    """
    model = head.model
    expr, jaw, eyes, eyelids = _draw_face(rng, head)
    if model.jaw_fixed:
        jaw = np.zeros(3)
    return Person(
        shape=_draw_shape(rng, head, split),
        expr=expr.astype(np.float32),
        jaw=jaw.astype(np.float32),
        eyes=eyes.astype(np.float32),
        eyelids=(eyelids if model.eyelid_dirs is not None else np.zeros(2)).astype(np.float32),
        neck=rng.normal(0, np.radians([6.0, 9.0, 4.0])).astype(np.float32),
    )


def _draw_shape(rng: np.random.Generator, head: SynthHead, split: str) -> F32:
    if head.shape_samples is None:  # every draw is somebody new
        std = _WIDE_STD if rng.random() < _WIDE_SHARE else 1.0
        shape = rng.normal(0, std, head.model.n_shape)
        return np.clip(shape, -_SHAPE_CLIP, _SHAPE_CLIP).astype(np.float32)
    # Between two people of the population, and a little off: never the same one twice.
    people = head.val_shape_samples if split == "val" else head.shape_samples
    if people is None:
        raise ValueError(
            f"the pack has no {head.name} people for validation; build it again with "
            "`python -m engine.synth.build_pack`"
        )
    a, b = people[rng.integers(len(people), size=2)]
    share = rng.beta(0.5, 0.5)
    spread = head.shape_samples.std(axis=0)
    mixed: F32 = share * a + (1 - share) * b + rng.normal(0, 0.25, len(a)) * spread
    return mixed.astype(np.float32)


def _draw_face(rng: np.random.Generator, head: SynthHead) -> tuple[F64, F64, F64, F64]:
    """Expression, jaw, eyes, eyelids."""
    n_expr = head.model.n_expr
    if head.expr_samples is not None and rng.random() > _BASIS_SHARE:
        a, b = head.expr_samples[rng.integers(len(head.expr_samples), size=2)]
        share = rng.beta(0.4, 0.4)
        face = share * a + (1 - share) * b
        face[:n_expr] += rng.normal(0, 0.15, n_expr)
        return (
            face[:n_expr],
            face[n_expr : n_expr + 3],
            face[n_expr + 3 : n_expr + 9],
            np.clip(face[n_expr + 9 : n_expr + 11], 0, 1),
        )
    return _draw_from_basis(rng, n_expr)


def _draw_from_basis(rng: np.random.Generator, n_expr: int) -> tuple[F64, F64, F64, F64]:
    kind = rng.random()
    expr = np.zeros(n_expr)
    if kind < 0.6:
        expr = rng.normal(0, 0.8, n_expr)
    elif kind < 0.85:
        chosen = rng.integers(n_expr, size=rng.integers(1, 5))
        expr[chosen] = rng.uniform(-2.5, 2.5, len(chosen))
    jaw = rng.normal(0, 0.02, 3)
    jaw[0] = min(rng.exponential(0.12), _MAX_JAW) if rng.random() < 0.5 else 0.0
    gaze = np.array([rng.normal(0, 0.10), rng.normal(0, 0.20), 0.0])
    eyes = np.tile(gaze, 2)
    lids = rng.random()
    eyelids = np.zeros(2)
    if lids > 0.6:
        eyelids = np.full(2, rng.random()) if lids < 0.85 else rng.random(2)
    return expr, jaw, eyes, eyelids
