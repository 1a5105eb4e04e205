"""The camera after the render."""

from dataclasses import replace

import numpy as np
import pytest

from engine.synth import photo_effects
from engine.synth.photo_effects import PhotoEffects, apply_photo_effects, draw_photo_effects


@pytest.fixture
def ramp():
    """Linear light from black to white, left to right; 48 x 64."""
    levels = np.linspace(0.0, 1.0, 64, dtype=np.float32)
    return np.repeat(np.repeat(levels[None, :, None], 48, axis=0), 3, axis=2)


def flat(value):
    return np.full((64, 64, 3), value, np.float32)


def test_default_effects_encode_as_srgb():
    # IEC 61966-2-1: linear 0.2140 is 0.5 encoded.
    encoded = apply_photo_effects(flat(0.2140), PhotoEffects())
    np.testing.assert_allclose(encoded, 127.5, atol=1.5)


def test_bytes_come_back_the_same_below_the_highlights():
    bytes_in = np.repeat(np.arange(20, 200, dtype=np.uint8)[None, :, None], 3, axis=2)
    out = apply_photo_effects(np.repeat(bytes_in, 8, axis=0), PhotoEffects())
    np.testing.assert_allclose(out[0].astype(int), bytes_in[0], atol=2)


def test_one_stop_doubles_the_light():
    brighter = apply_photo_effects(flat(0.1), PhotoEffects(exposure_stops=1.0))
    np.testing.assert_allclose(brighter, apply_photo_effects(flat(0.2), PhotoEffects()), atol=1)


def test_grey_gives_equal_channels(ramp):
    picture = ramp * np.array([1.0, 0.6, 0.3], np.float32)
    noisy = PhotoEffects(saturation=0.0, shot_noise=1e-3, warmth=0.5, jpeg_quality=50)
    out = apply_photo_effects(picture, noisy)
    assert (out[..., 0] == out[..., 1]).all()
    assert (out[..., 0] == out[..., 2]).all()
    assert np.ptp(out) > 150


def test_warm_light_raises_red_and_lowers_blue():
    out = apply_photo_effects(flat(0.2), PhotoEffects(warmth=0.5))[0, 0].astype(int)
    assert out[0] > out[1] > out[2]


def test_noise_has_the_variance_of_the_settings():
    out = apply_photo_effects(flat(0.25), PhotoEffects(shot_noise=1e-3, noise_seed=4))
    # d(encoded) / d(linear) of sRGB at 0.25 is 1.055 / 2.4 * 0.25^(1 / 2.4 - 1) = 0.987.
    expected = 255.0 * 0.987 * np.sqrt(1e-3 * 0.25)
    assert out.std() == pytest.approx(expected, rel=0.08)


def test_same_settings_give_the_same_bytes_and_another_seed_others(ramp):
    effects = PhotoEffects(shot_noise=1e-3, noise_seed=1, jpeg_quality=70)
    first = apply_photo_effects(ramp, effects)
    np.testing.assert_array_equal(first, apply_photo_effects(ramp, effects))
    other = apply_photo_effects(ramp, replace(effects, noise_seed=2))
    assert (first != other).mean() > 0.2


def test_motion_blurs_along_its_direction_only():
    line = np.zeros((41, 41, 3), np.float32)
    line[20] = 0.5
    along = apply_photo_effects(line, PhotoEffects(motion_px=9.0))
    across = apply_photo_effects(line, PhotoEffects(motion_px=9.0, motion_rad=np.pi / 2))
    assert along[18, 20, 0] == 0
    assert along[20, 20, 0] > 180
    assert 40 < across[18, 20, 0] == across[22, 20, 0] < 100


def test_blur_keeps_the_light():
    spot = np.full((31, 31, 3), 0.05, np.float32)
    spot[15, 15] = 0.3
    blurred = photo_effects._through_lens(spot, PhotoEffects(defocus_px=2.5))
    assert blurred[8:23, 8:23].sum() == pytest.approx(spot[8:23, 8:23].sum(), rel=1e-5)
    assert blurred[15, 15, 0] < 0.1


def test_low_resolution_keeps_the_size_and_loses_detail():
    stripes = np.zeros((64, 64, 3), np.float32)
    stripes[:, ::2] = 0.5
    out = apply_photo_effects(stripes, PhotoEffects(sensor_scale=0.25))
    assert out.shape == (64, 64, 3)
    assert np.ptp(out) < 10


def test_vignette_darkens_the_corners_alone():
    out = apply_photo_effects(flat(0.2), PhotoEffects(vignette=0.5))[..., 0]
    assert abs(int(out[32, 32]) - int(apply_photo_effects(flat(0.2), PhotoEffects())[0, 0, 0])) <= 1
    assert out[0, 0] < 0.75 * out[32, 32]


def test_palette_limits_the_number_of_colours(ramp):
    picture = ramp * np.array([1.0, 0.5, 0.2], np.float32)
    out = apply_photo_effects(picture, PhotoEffects(palette=8))
    assert len(np.unique(out.reshape(-1, 3), axis=0)) <= 8


def test_drawn_effects_are_repeatable_and_mostly_mild(ramp):
    drawn = [draw_photo_effects(np.random.default_rng(seed)) for seed in range(400)]
    assert drawn[:5] == [draw_photo_effects(np.random.default_rng(seed)) for seed in range(5)]
    stops = np.array([abs(effects.exposure_stops) for effects in drawn])
    assert np.median(stops) < 0.35
    assert 0.05 < np.mean([effects.saturation == 0.0 for effects in drawn]) < 0.16
    qualities = [effects.jpeg_quality for effects in drawn if effects.jpeg_quality is not None]
    assert min(qualities) >= 30
    assert max(qualities) <= 95
    for effects in drawn[:60]:
        out = apply_photo_effects(ramp, effects)
        assert out.shape == ramp.shape
        assert np.ptp(out) > 60


def test_impossible_settings_and_pictures_are_refused(ramp):
    with pytest.raises(ValueError, match="sensor_scale: 0"):
        PhotoEffects(sensor_scale=0.0)
    with pytest.raises(ValueError, match="upsampling"):
        PhotoEffects(upsampling="best")
    with pytest.raises(ValueError, match="palette"):
        PhotoEffects(palette=1000)
    with pytest.raises(ValueError, match="expected float32 or uint8"):
        apply_photo_effects(ramp[..., 0], PhotoEffects())
