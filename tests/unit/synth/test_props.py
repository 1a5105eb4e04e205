"""Glasses, hats, occluders and clothes on the shipped head."""

import numpy as np
import pytest

from engine.flame.normals import vertex_normals
from engine.flame.posed import PosedHead, surface_points
from engine.synth.face_axes import face_axes
from engine.synth.prop_shapes import Prop, grid, merged, mirrored, rounded_body, tube
from engine.synth.props import covered_share, ear_roots, glasses, hat, occluder, torso
from engine.synth.skull_shell import SkullShell
from engine.types import FlameParams

SKIN = np.array([0.45, 0.24, 0.16], np.float32)


@pytest.fixture(scope="module")
def people(openhead):
    """Vertices and landmarks of eight people, some with a turned neck and an open mouth."""
    posed = PosedHead(openhead)
    params = FlameParams.neutral(openhead.model_id, openhead.n_shape, openhead.n_expr)
    made = []
    for seed in range(8):
        rng = np.random.default_rng(seed)
        vertices = posed.vertices(
            params.with_values(
                shape=rng.normal(0.0, 0.8, openhead.n_shape).astype(np.float32),
                neck=rng.normal(0.0, 0.15, 3).astype(np.float32),
                jaw=np.array([abs(rng.normal(0.0, 0.15)), 0.0, 0.0], np.float32),
            )
        )
        points = surface_points(vertices, openhead.faces, openhead.landmarks68)
        made.append((vertices, points))
    return made


def volume(shape):
    a, b, c = shape.vertices[shape.faces].transpose(1, 0, 2)
    return np.einsum("nk,nk->n", a, np.cross(b, c)).sum() / 6


def farthest_hits(origin, rays, triangles):
    """(R,) multiples of rays (R, 3) at which they last meet triangles (T, 3, 3); 0: never."""
    a, b, c = (triangles - origin).transpose(1, 0, 2)
    sides = [rays @ np.cross(p, q).T for p, q in ((b, c), (c, a), (a, b))]
    normals = np.cross(b - a, c - a)
    hit = np.all([side >= 0.0 for side in sides], axis=0)
    across = rays @ normals.T
    # Undersides of rims, which bend inwards through the skin, look down and hide nothing.
    hit &= (across > 0.0) & (normals[:, 1] > -0.2 * np.linalg.norm(normals, axis=1))
    along = np.einsum("tk,tk->t", a, normals) / np.where(hit, across, np.inf)
    return along.max(axis=1)


def all_props(openhead, vertices, landmarks, seed):
    rng = np.random.default_rng(seed)
    ears = ear_roots(vertices, openhead.regions["ears"], landmarks)
    return [
        *glasses(rng, landmarks, ears),
        *hat(rng, landmarks, vertices),
        *occluder(rng, landmarks, SKIN),
        *torso(rng, vertices[openhead.regions["neck"]], SKIN),
    ]


def test_closed_shapes_have_the_volume_of_their_solids_and_face_outwards():
    straight = np.array([[0.0, y, 0.0] for y in np.linspace(0, 10, 5)])
    drawn = tube(straight, 1.0, np.array([1.0, 0.0, 0.0]), sides=64)
    # A cylinder of 10 pi with two nearly half-spherical ends of 2 pi / 3 each.
    assert volume(drawn) == pytest.approx(np.pi * (10 + 4 / 3), rel=0.03)
    ball = rounded_body(np.zeros(3), np.array([1.0, 2.0, 3.0]), rows=40, columns=80)
    assert volume(ball) == pytest.approx(4 / 3 * np.pi * 6, rel=0.01)
    assert volume(mirrored(ball)) == pytest.approx(volume(ball), rel=1e-9)
    assert volume(merged([ball, ball])) == pytest.approx(2 * volume(ball), rel=1e-9)


def test_grid_faces_its_viewer():
    rows = np.array([[[0.0, 0.0, 0.0], [1.0, 0.0, 0.0]], [[0.0, 1.0, 0.0], [1.0, 1.0, 0.0]]])
    sheet = grid(rows)
    normals = vertex_normals(sheet.vertices.astype(np.float32), sheet.faces)
    np.testing.assert_allclose(normals, [[0.0, 0.0, 1.0]] * 4, atol=1e-6)


def test_face_axes_of_an_upright_head_are_the_models(openhead):
    landmarks = surface_points(openhead.v_template, openhead.faces, openhead.landmarks68)
    axes = face_axes(landmarks)
    np.testing.assert_allclose(axes.rotation, np.eye(3), atol=0.12)
    np.testing.assert_allclose(axes.to_model(axes.to_local(landmarks)), landmarks, atol=1e-6)


def test_face_axes_refuse_points_on_one_line():
    with pytest.raises(ValueError, match="one line"):
        face_axes(np.zeros((68, 3), np.float32))


def test_lenses_lie_in_front_of_the_eyes(openhead, people):
    for seed, (vertices, landmarks) in enumerate(people * 4):
        ears = ear_roots(vertices, openhead.regions["ears"], landmarks)
        props = glasses(np.random.default_rng(seed), landmarks, ears)
        lenses = [prop for prop in props if prop.kind == "lens"]
        assert len(lenses) == 2
        axes = face_axes(landmarks)
        for lens, eye in zip(lenses, (slice(42, 48), slice(36, 42)), strict=True):
            assert lens.is_lens == (lens.opacity < 0.5)
            points = axes.to_local(lens.vertices)
            middle = axes.to_local(landmarks[eye]).mean(axis=0)
            assert points[:, 0].min() < middle[0] < points[:, 0].max()
            assert points[:, 1].min() < middle[1] < points[:, 1].max()
            nearest = points[np.hypot(*(points - middle)[:, :2].T).argsort()[:6]]
            assert 8.0 < (nearest[:, 2].mean() - middle[2]) * axes.scale * 1e3 < 25.0


def test_arms_reach_back_to_the_ears(openhead, people):
    for seed, (vertices, landmarks) in enumerate(people):
        ears = ear_roots(vertices, openhead.regions["ears"], landmarks)
        frame = glasses(np.random.default_rng(seed), landmarks, ears)[0]
        for ear in ears:
            gap = np.linalg.norm(frame.vertices - ear, axis=1).min()
            assert gap < 0.015


def test_shell_lies_outside_of_every_vertex():
    rng = np.random.default_rng(2)
    away = rng.normal(size=(3000, 3))
    away /= np.linalg.norm(away, axis=1, keepdims=True)
    reach = 100.0 + 20.0 * away[:, 1] + rng.uniform(0.0, 5.0, 3000)
    shell = SkullShell(away * reach[:, None], np.zeros(3))
    assert (shell.reach(away) >= reach - 1e-6).all()
    assert (shell.reach(away) - reach).mean() < 12.0


def test_hats_lie_outside_the_skull(openhead, people):
    scalp = openhead.regions["scalp"]
    n_covered = 0
    for seed, (vertices, landmarks) in enumerate(people):
        for again in range(3):
            props = hat(np.random.default_rng(8 * again + seed), landmarks, vertices)
            axes = face_axes(landmarks)
            head = axes.to_local(vertices[scalp])
            centre = np.array([0.0, 20.0, 0.5 * (head[:, 2].min() + head[:, 2].max())])
            top = head[head[:, 1] > 75.0]
            rays = top - centre
            length = np.linalg.norm(rays, axis=1)
            farthest = np.zeros(len(top))
            for prop in props:
                local = axes.to_local(prop.vertices)
                farthest = np.maximum(farthest, farthest_hits(centre, rays, local[prop.faces]))
            covered = farthest > 0.0
            # The upper lip of a headband bends inwards as well: one vertex may see it alone.
            assert np.count_nonzero(farthest[covered] <= 1.0 + 0.5 / length[covered]) <= 1
            n_covered += np.count_nonzero(covered)
    assert n_covered > 1000


def test_occluders_cover_a_part_of_the_face_from_in_front_of_it(people):
    shares = []
    for seed in range(40):
        _, landmarks = people[seed % len(people)]
        props = occluder(np.random.default_rng(seed), landmarks, SKIN)
        shares.append(covered_share(props, landmarks))
        axes = face_axes(landmarks)
        points = axes.to_local(np.concatenate([prop.vertices for prop in props]))
        face = axes.to_local(landmarks)
        for i in (30, 33, 51, 57, 8, 48, 54):
            over = points[np.hypot(*(points - face[i])[:, :2].T) < 4.0]
            assert not over.size or over[:, 2].min() > face[i, 2] - 3.0
    assert min(shares) > 0.04
    assert max(shares) < 0.40
    assert 0.1 < np.median(shares) < 0.3


def test_clothes_hide_the_necks_cut_and_reach_below_it(openhead, people):
    for seed, (vertices, _) in enumerate(people):
        neck = vertices[openhead.regions["neck"]]
        props = torso(np.random.default_rng(seed), neck, SKIN)
        cloth = np.concatenate([p.vertices for p in props if p.kind == "clothes"])
        skin = np.concatenate([p.vertices for p in props if p.kind == "neck"])
        low = neck[:, 1].min()
        assert skin[:, 1].max() > low + 0.02
        assert cloth[:, 1].min() < low - 0.3
        assert 0.3 < np.ptp(cloth[:, 0]) < 0.55


def test_props_are_sound_repeatable_and_light(openhead, people):
    for seed, (vertices, landmarks) in enumerate(people):
        props = all_props(openhead, vertices, landmarks, seed)
        for prop, again in zip(props, all_props(openhead, vertices, landmarks, seed), strict=True):
            np.testing.assert_array_equal(prop.vertices, again.vertices)
            assert np.isfinite(prop.vertices).all()
            assert prop.faces.min() >= 0
            assert prop.faces.max() < len(prop.vertices)
            assert len(prop.faces) < 3000
            assert 0.0 <= prop.colour.min() <= prop.colour.max() <= 1.0


def test_arrays_of_other_shapes_are_refused():
    with pytest.raises(ValueError, match=r"Prop\.colour"):
        Prop("hat", np.zeros((3, 3), np.float32), np.zeros((1, 3), np.int32), np.float32([1, 1]))
