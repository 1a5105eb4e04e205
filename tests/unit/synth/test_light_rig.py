"""Light on synthetic heads: turning it, and how bright it arrives."""

import numpy as np
from scipy.spatial.transform import Rotation

from engine.synth.light_rig import draw_light_rig, mixed_light, turned_sh
from engine.synth.pack import SynthLight
from engine.synth.spherical_harmonics import COSINE_LOBE, sh_basis


def made_light() -> SynthLight:
    sh = np.zeros((9, 3), np.float32)
    sh[0] = 3.5
    sh[1] = 1.2  # from above
    sh[3, 0] = 0.8  # red from +x
    return SynthLight("made", sh, np.ones((4, 8, 3), np.float32), np.zeros((4, 8, 3), np.uint8))


def test_turned_light_is_the_same_light_seen_from_another_frame() -> None:
    turn = Rotation.from_euler("xyz", [0.4, -1.1, 2.0]).as_matrix()
    sh = np.random.default_rng(0).normal(0, 1, (9, 3))
    directions = np.random.default_rng(1).normal(0, 1, (50, 3))
    directions /= np.linalg.norm(directions, axis=1, keepdims=True)
    here = sh_basis(directions) @ turned_sh(sh, turn)
    there = sh_basis(directions @ turn.T) @ sh
    np.testing.assert_allclose(here, there, atol=1e-4)


def test_a_face_gets_neither_darkness_nor_glare() -> None:
    for seed in range(40):
        rig = draw_light_rig(np.random.default_rng(seed), made_light(), np.eye(3))
        ahead = np.array([0.0, 0.0, 1.0])
        sky = (sh_basis(ahead) @ (COSINE_LOBE[:, None] * rig.sh) / np.pi).mean()
        lamps = (np.maximum(rig.lamp_directions @ ahead, 0) @ rig.lamp_colours).mean()
        assert 0.1 < sky + lamps < 4.0
        np.testing.assert_allclose(np.linalg.norm(rig.lamp_directions, axis=1), 1, atol=1e-5)


def test_a_mixed_light_lies_between_two_and_keeps_its_name() -> None:
    light = made_light()
    dark = SynthLight("dark", np.zeros((9, 3), np.float32), light.radiance, light.backdrop)
    levels = [
        mixed_light(np.random.default_rng(seed), light, [dark]).sh[0, 0] / light.sh[0, 0]
        for seed in range(40)
    ]
    assert 0.3 <= min(levels) < 0.45
    assert 0.85 < max(levels) <= 1.0
    assert mixed_light(np.random.default_rng(0), light, [dark]).name == "made"
