"""Hair in cuts that no source has: sheets of strands over the skull, then hanging."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass

import numpy as np

from engine.flame.posed import surface_points
from engine.synth.binding import bind, followed_vertices
from engine.synth.face_axes import FaceAxes, face_axes
from engine.synth.pack import Attachment, SynthHead
from engine.synth.prop_shapes import Shape, grid, merged
from engine.synth.skull_shell import SkullShell, directions_of, skull_centre, skull_shell
from engine.synth.soft_noise import soft_noise
from engine.synth.strands import fallen_strands
from engine.types import F32, F64, I32, U8

__all__ = ["MadeHair"]

_ROWS, _COLUMNS = 16, 48  # of a sheet, along and across its strands
_PICTURES = 8  # of strands, for all heads and cuts
_INNER = 0.45  # of the hair's thickness: the sheet under the outermost, so that no skull shows
# Latitudes are above the brow, longitudes from straight ahead; ranges are of even chances.
_HAIRLINE_DEG, _OPEN_DEG = (24.0, 57.0), (36.0, 95.0)  # top of the open face; to its sides
_PART_DEG = 14.0  # standard deviation of the parting's longitude
_RAMP_DEG = (4.0, 55.0)  # of latitude, in which a hairline opens from its part to its full width
_LENGTHS_MM = ((110.0, 175.0), (165.0, 270.0), (260.0, 450.0))  # from the crown
_LENGTH_SHARES = (0.2, 0.45, 0.35)
_LEAVES_DEG = (-35.0, 8.0)  # latitude at which strands leave the head and hang
_FLARE_DEG, _CURL_DEG = (-14.0, 24.0), 45.0  # of what hangs: from upright, and its ends
_THICK_MM, _UNEVEN_MM = (4.0, 32.0), (0.0, 9.0)  # over the skull, and how much that varies
_FRINGE = 0.5  # share of cuts that have one
_FRINGE_DEG, _FRINGE_END_DEG = (12.0, 66.0), (-8.0, 30.0)  # to its sides; latitude of its end


@dataclass(frozen=True, slots=True)
class _Skull:
    """A head at rest as made hair sees it, in its FaceAxes."""

    axes: FaceAxes
    shells: tuple[SkullShell, SkullShell]  # hair lies over the ears, or they stick out of it


class MadeHair:
    """Made hair for heads: pictures of strands once, shapes for each sample anew."""

    def __init__(self, heads: Iterable[SynthHead]) -> None:
        skulls = {head.name: (head, _skull(head)) for head in heads}
        self._skulls = {name: skull for name, (_, skull) in skulls.items()}
        shape = merged([grid(np.zeros((_ROWS, _COLUMNS, 3)))] * 3)
        self._rest = {name: _combed(skull) for name, skull in self._skulls.items()}
        bound = {
            name: bind(
                self._rest[name].astype(np.float64),
                head.model.v_template.astype(np.float64),
                followed_vertices(head, "hair"),
            )
            for name, (head, _) in skulls.items()
        }
        self.attachments = [
            _attachment(f"made{number}", shape, fallen_strands(number), self._rest, bound)
            for number in range(_PICTURES)
        ]

    def cut(self, rng: np.random.Generator, population: str) -> F32:
        """(M, 3) how far each vertex of `attachments` moves from rest, to be another cut.

        Args:
            population: name of one of the heads.
        """
        return _drawn(rng, self._skulls[population]) - self._rest[population]


def _attachment(
    name: str,
    shape: Shape,
    texture: U8,
    rest: Mapping[str, F32],
    bound: Mapping[str, tuple[I32, F32]],
) -> Attachment:
    along, across = np.meshgrid(
        np.linspace(0, 1, _ROWS), np.linspace(0, 1, _COLUMNS), indexing="ij"
    )
    outer = np.stack([across, along], axis=-1).reshape(-1, 2)
    inner = outer * [-1.0, 0.93] + [1.0, 0.0]
    fringe = outer * [0.6, 1.0] + [0.2, 0.0]
    return Attachment(
        name=name,
        kind="hair",
        faces=shape.faces,
        uv=np.concatenate([outer, inner, fringe]).astype(np.float32),
        uv_faces=shape.faces,
        texture=texture,
        vertices=rest,
        bind_idx={population: idx for population, (idx, _) in bound.items()},
        bind_weights={population: weights for population, (_, weights) in bound.items()},
    )


def _skull(head: SynthHead) -> _Skull:
    model = head.model
    landmarks = surface_points(model.v_template, model.faces, model.landmarks68)
    axes = face_axes(landmarks.astype(np.float32))
    outer = np.unique(model.faces[head.part == 0])
    with_ears = axes.to_local(model.v_template[outer])
    bare = axes.to_local(model.v_template[np.setdiff1d(outer, model.regions["ears"])])
    centre = skull_centre(with_ears, axes.to_local(landmarks))
    return _Skull(axes, (skull_shell(with_ears, centre), skull_shell(bare, centre)))


def _combed(skull: _Skull) -> F32:
    """(M, 3) metres: hair at rest, which follows the skin that it lies nearest to."""
    return _drawn(np.random.default_rng(0), skull)


def _drawn(rng: np.random.Generator, skull: _Skull) -> F32:
    """(M, 3) metres, head frame: outer and inner sheet, and a fringe or none."""
    shell = skull.shells[int(rng.random() < 0.5)]
    thick = rng.uniform(*_THICK_MM) * rng.uniform(0.4, 1.0)
    lengths = _lengths(rng)
    hangs = _Hang.drawn(rng)
    edges = _Hairline.drawn(rng)
    uneven = soft_noise(rng, (_ROWS, _COLUMNS), (3, 6)) * rng.uniform(*_UNEVEN_MM)
    taper = np.minimum(1.0, 0.25 + 8 * np.linspace(0, 1, _COLUMNS))
    taper = np.minimum(taper, taper[::-1])
    height = (thick + np.maximum(uneven, -0.7 * thick)) * taper
    outer = _sheet(shell, lengths, height, edges, hangs)
    inner = _sheet(shell, lengths, _INNER * height, edges, hangs)
    # Without a fringe its sheet lies in the inner one.
    fringe = _fringe(rng, shell, thick) if rng.random() < _FRINGE else inner
    points = np.concatenate([sheet.reshape(-1, 3) for sheet in (outer, inner, fringe)])
    return skull.axes.to_model(points)


def _lengths(rng: np.random.Generator) -> F64:
    """(_COLUMNS,) mm of strands from one side's edge round the back to the other's."""
    mean = rng.uniform(*_LENGTHS_MM[int(rng.choice(len(_LENGTHS_MM), p=_LENGTH_SHARES))])
    round_head = np.linspace(-1, 1, _COLUMNS)
    sides = rng.normal(0, 0.12) * np.abs(round_head) ** rng.uniform(1, 6)
    layers = 0.06 * rng.random() * soft_noise(rng, (1, _COLUMNS), (5, 10))[0]
    lengths: F64 = mean * np.clip(1 + sides + 0.05 * rng.normal() * round_head + layers, 0.5, 1.5)
    return lengths


@dataclass(frozen=True, slots=True)
class _Hang:
    """How strands go on below where they leave the head."""

    leaves: float  # radians of latitude
    flare: float  # radians from upright
    curl: float  # radians more, at the ends
    drift: float  # radians of longitude a metre, towards the face

    @classmethod
    def drawn(cls, rng: np.random.Generator) -> "_Hang":
        return cls(
            leaves=np.radians(rng.uniform(*_LEAVES_DEG)),
            flare=np.radians(rng.uniform(*_FLARE_DEG)),
            curl=np.radians(rng.normal(0, _CURL_DEG) if rng.random() < 0.5 else 0.0),
            drift=rng.normal(0, 1.0),
        )


@dataclass(frozen=True, slots=True)
class _Hairline:
    """Where hair begins beside the face."""

    top: float  # radians of latitude, of the hair's beginning ahead
    ramp: float  # radians
    part: float  # radians of longitude
    left: float  # radians from straight ahead to where hair begins, at the open face's widest
    right: float  # the same, to the other side

    @classmethod
    def drawn(cls, rng: np.random.Generator) -> "_Hairline":
        side = rng.uniform(*_OPEN_DEG)
        left, right = np.clip(side + rng.normal(0, 9, 2), *_OPEN_DEG)
        return cls(
            top=np.radians(rng.uniform(*_HAIRLINE_DEG)),
            ramp=np.radians(rng.uniform(*_RAMP_DEG)),
            part=np.radians(rng.normal(0, _PART_DEG)),
            left=np.radians(left),
            right=np.radians(right),
        )

    def longitudes(self, latitude: F64) -> F64:
        """(..., _COLUMNS) of strands at their latitudes, from the left edge round the back."""
        share = np.clip((self.top - latitude) / self.ramp, 0, 1)
        share = share * share * (3 - 2 * share)
        across = np.linspace(0, 1, _COLUMNS)
        left = self.part + share * (self.left - self.part)
        right = self.part + share * (-self.right - self.part)
        longitudes: F64 = left + (2 * np.pi + right - left) * across
        return longitudes


def _sheet(
    shell: SkullShell,
    lengths: F64,
    height: F64,
    edges: _Hairline,
    hangs: _Hang,
) -> F64:
    """Strands from the crown, over the shell, then hanging.

    Args:
        lengths: (_COLUMNS,) mm. height: (_ROWS, _COLUMNS) mm over the shell.
    Returns: (_ROWS, _COLUMNS, 3) mm of the head's FaceAxes.
    """
    mean_reach = float(shell.reach(np.array([[0.0, 1.0, 0.0], [0.0, 0.0, -1.0]])).mean())
    along = np.linspace(0, 1, _ROWS)[:, None] * lengths
    on_head = (np.pi / 2 - hangs.leaves) * mean_reach
    latitude = np.pi / 2 - 1e-3 - np.minimum(along, on_head) / mean_reach
    longitude = edges.longitudes(latitude)
    below = np.maximum(along - on_head, 0.0)
    longitude = longitude - hangs.drift * 1e-3 * below * np.sin(longitude)
    rises = np.minimum(1.0, 0.2 + 5 * np.linspace(0, 1, _ROWS))[:, None]
    points = shell.around(directions_of(latitude, longitude), height * rises)
    end = below / np.maximum(below[-1:], 1.0)
    angle = hangs.flare + hangs.curl * end**2
    outwards = np.stack([np.sin(longitude), np.zeros_like(longitude), np.cos(longitude)], axis=-1)
    hung = outwards * (np.sin(angle) * below)[..., None]
    hung[..., 1] -= np.cos(angle) * below
    sheet: F64 = points + hung
    return sheet


def _fringe(rng: np.random.Generator, shell: SkullShell, thick: float) -> F64:
    """(_ROWS, _COLUMNS, 3) mm of the head's FaceAxes: what falls over the forehead.

    Args:
        thick: mm, of the hair around it.
    """
    left, right = rng.uniform(*_FRINGE_DEG, 2)
    part, top = rng.normal(0, 12), rng.uniform(55, 85)
    across, along = np.linspace(-1, 1, _COLUMNS), np.linspace(0, 1, _ROWS)[:, None]
    end = rng.uniform(*_FRINGE_END_DEG) + rng.normal(0, 9) * across
    end = np.clip(end + rng.uniform(0, 18) * np.abs(across) ** 2, -12, 50)
    latitude = np.radians(top + (end - top) * along)
    ends = across * np.where(across < 0, right, left)
    swept = rng.normal(0, 14) * along**2
    longitude = np.radians(part + (ends - part) * np.minimum(1, 0.25 + along) + swept)
    height = np.maximum(2.0, thick * rng.uniform(0.5, 1.1) * (0.35 + 1.3 * along * (1 - along)))
    points: F64 = shell.around(directions_of(latitude, longitude), height)
    return points
