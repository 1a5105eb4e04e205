"""What a camera and its software do to a picture: light in, a webcam's, phone's or press photo out.

Most pictures get mild effects, as most photos are ordinary; strong ones are rare. The same settings
always give the same bytes.
"""

from dataclasses import dataclass, replace
from functools import lru_cache

import cv2
import numpy as np
from PIL import Image

from engine.types import F32, F64, U8

__all__ = ["PhotoEffects", "apply_photo_effects", "draw_photo_effects"]

_LUMA = np.array([0.2126, 0.7152, 0.0722])
"""ITU-R BT.709."""
_WARMTH_AXIS = np.array([0.42, 0.0, -0.55])
"""Log gains of red, green, blue from daylight's to tungsten's white, about 6500 K to 3300 K."""
_SEPIA = np.array([1.12, 0.97, 0.72])
_WHITE = 1.5
"""Linear light above which the sensor clips; 1.0 is the white of a well-exposed picture."""
_NOISE_SIDE = 640
_INTERPOLATION = {
    "nearest": cv2.INTER_NEAREST,
    "linear": cv2.INTER_LINEAR,
    "cubic": cv2.INTER_CUBIC,
}


@dataclass(frozen=True, slots=True)
class PhotoEffects:
    """One camera and one treatment; the defaults change nothing but roll off the highlights."""

    exposure_stops: float = 0.0
    warmth: float = 0.0  # -1 blue (tungsten balance in daylight) .. 1 orange
    tint: float = 0.0  # -1 green .. 1 magenta
    saturation: float = 1.0  # 0 grey .. 2
    contrast: float = 1.0  # slope of the tone curve at its middle
    gamma: float = 1.0  # of encoded values; above 1 is darker
    fade: float = 0.0  # 0 .. 1 how far blacks and whites draw together, as in old prints
    vignette: float = 0.0  # 0 .. 1 light lost in the corners
    motion_px: float = 0.0  # length of the streak
    motion_rad: float = 0.0  # its direction, from image right towards image down
    defocus_px: float = 0.0  # radius of the blur disc
    sensor_scale: float = 1.0  # sensor px per picture px, up to 1
    upsampling: str = "linear"  # from sensor to picture: "nearest", "linear" or "cubic"
    shot_noise: float = 0.0  # variance per unit of linear light
    read_noise: float = 0.0  # standard deviation in linear light
    noise_seed: int = 0
    denoise: float = 0.0  # 0 .. 1 smoothing of noise, of colours more than of brightness
    sharpening: float = 0.0  # share of the fine detail added again
    sepia: float = 0.0  # 0 .. 1
    palette: int | None = None  # number of colours, dithered as in a GIF
    jpeg_quality: int | None = None  # 1 .. 100

    def __post_init__(self) -> None:
        if not 0.02 <= self.sensor_scale <= 1.0:
            raise ValueError(f"sensor_scale: {self.sensor_scale}, expected 0.02 to 1")
        if self.upsampling not in _INTERPOLATION:
            raise ValueError(f"upsampling: {self.upsampling!r}, expected {sorted(_INTERPOLATION)}")
        if self.palette is not None and not 2 <= self.palette <= 256:
            raise ValueError(f"palette: {self.palette} colours, expected 2 to 256")


def draw_photo_effects(rng: np.random.Generator) -> PhotoEffects:
    """A camera and a treatment by chance, as photos of faces have them."""
    effects = _draw_colour(rng)
    effects = _draw_sharpness(rng, effects)
    effects = _draw_noise(rng, effects)
    effects = replace(effects, jpeg_quality=_draw_quality(rng))
    look = rng.random()
    if look < 0.08:
        effects = replace(effects, saturation=0.0)
    elif look < 0.10:
        effects = replace(
            effects,
            saturation=0.0,
            sepia=float(rng.choice([0.0, 1.0]) * rng.uniform(0.3, 1.0)),
            fade=float(rng.uniform(0.2, 0.7)),
            shot_noise=float(rng.uniform(0.002, 0.008)),
            defocus_px=max(effects.defocus_px, float(rng.uniform(0.5, 1.4))),
        )
    elif look < 0.115:
        effects = replace(effects, palette=int(rng.choice([64, 128, 256])), jpeg_quality=None)
    return effects


def _draw_colour(rng: np.random.Generator) -> PhotoEffects:
    strong = rng.random(3) < 0.12
    return PhotoEffects(
        exposure_stops=float(np.clip(rng.normal(0.0, 0.75 if strong[0] else 0.3), -1.6, 1.3)),
        warmth=float(np.clip(rng.normal(0.0, 0.5 if strong[1] else 0.16), -1.0, 1.0)),
        tint=float(rng.normal(0.0, 0.15 if strong[1] else 0.05)),
        saturation=float(np.clip(rng.normal(1.0, 0.35 if strong[2] else 0.14), 0.3, 1.8)),
        contrast=float(np.clip(rng.lognormal(0.05, 0.14), 0.65, 1.6)),
        gamma=float(np.clip(rng.lognormal(0.0, 0.12), 0.7, 1.45)),
        vignette=float(rng.uniform(0.05, 0.55)) if rng.random() < 0.25 else 0.0,
    )


def _draw_sharpness(rng: np.random.Generator, effects: PhotoEffects) -> PhotoEffects:
    kind = rng.random()
    if kind < 0.08:
        length = float(min(2.0 + rng.exponential(2.5), 14.0))
        angle = float(rng.uniform(0.0, np.pi))
        effects = replace(effects, motion_px=length, motion_rad=angle)
    elif kind < 0.22:
        effects = replace(effects, defocus_px=float(min(0.6 + rng.exponential(0.7), 4.0)))
    if rng.random() < 0.3:
        effects = replace(
            effects,
            sensor_scale=float(1.0 - 0.72 * rng.beta(1.2, 1.8)),
            upsampling=str(rng.choice(["linear", "cubic", "nearest"], p=[0.5, 0.44, 0.06])),
        )
    if rng.random() < 0.35:
        effects = replace(effects, sharpening=float(min(rng.exponential(0.45), 1.8)))
    return effects


def _draw_noise(rng: np.random.Generator, effects: PhotoEffects) -> PhotoEffects:
    if rng.random() < 0.25:
        return effects
    level = float(np.clip(rng.lognormal(-8.1, 1.1), 2e-5, 8e-3))
    return replace(
        effects,
        shot_noise=level,
        read_noise=float(0.15 * np.sqrt(level) * rng.uniform(0.3, 1.5)),
        noise_seed=int(rng.integers(2**31)),
        denoise=float(rng.uniform(0.3, 1.0)) if rng.random() < 0.3 else 0.0,
    )


def _draw_quality(rng: np.random.Generator) -> int | None:
    if rng.random() < 0.15:
        return None
    return int(np.clip(96 - rng.exponential(16.0), 30, 95))


def apply_photo_effects(linear: F32 | U8, effects: PhotoEffects) -> U8:
    """Take a photo.

    Args:
        linear: (H, W, 3) linear light, 1.0 = diffuse white; or sRGB-encoded bytes.
    Returns: (H, W, 3) sRGB-encoded.
    Raises: ValueError: if the picture is of another shape or type.
    """
    if linear.ndim != 3 or linear.shape[2] != 3 or linear.dtype not in (np.uint8, np.float32):
        raise ValueError(f"picture: {linear.dtype} {linear.shape}, expected float32 or uint8 HxWx3")
    height, width = linear.shape[:2]
    picture = _LINEAR[linear] if linear.dtype == np.uint8 else linear.astype(np.float32, copy=False)
    picture = _through_lens(picture, effects)
    encoded = _expose(picture, effects)
    encoded = _process(encoded, effects)
    if encoded.shape[:2] != (height, width):
        how = _INTERPOLATION[effects.upsampling]
        encoded = cv2.resize(encoded, (width, height), interpolation=how)
    if effects.palette is not None:
        quantised = Image.fromarray(encoded).quantize(effects.palette)
        encoded = np.asarray(quantised.convert("RGB"))
    if effects.jpeg_quality is not None:
        encoded = _as_jpeg(encoded, effects.jpeg_quality)
    return _without_colour(encoded) if _is_grey(effects) else encoded


def _through_lens(picture: F32, effects: PhotoEffects) -> F32:
    """Blur in linear light, then the sensor's coarser grid."""
    if effects.motion_px > 1.0:
        picture = cv2.filter2D(picture, -1, _streak(effects.motion_px, effects.motion_rad))
    if effects.defocus_px > 0.4:
        picture = cv2.filter2D(picture, -1, _disc(effects.defocus_px))
    if effects.sensor_scale < 1.0:
        height, width = picture.shape[:2]
        scale = effects.sensor_scale
        size = (max(1, round(scale * width)), max(1, round(scale * height)))
        picture = cv2.resize(picture, size, interpolation=cv2.INTER_AREA)
    return picture


def _streak(length_px: float, angle_rad: float) -> F32:
    reach = int(np.ceil(length_px / 2))
    kernel = np.zeros((2 * reach + 1, 2 * reach + 1), np.float32)
    half = 0.5 * length_px * np.array([np.cos(angle_rad), np.sin(angle_rad)])
    ends = np.rint((reach + np.stack([-half, half])) * 16).astype(int)
    cv2.line(kernel, tuple(ends[0]), tuple(ends[1]), 1.0, 1, cv2.LINE_8, 4)
    kernel /= kernel.sum()
    return kernel


def _disc(radius_px: float) -> F32:
    reach = int(np.ceil(radius_px))
    y, x = np.mgrid[-reach : reach + 1, -reach : reach + 1]
    kernel: F32 = np.clip(radius_px + 0.5 - np.hypot(x, y), 0.0, 1.0).astype(np.float32)
    kernel /= kernel.sum()
    return kernel


def _expose(picture: F32, effects: PhotoEffects) -> U8:
    """Linear light to bytes, by the square root: there, shot noise is the same at all levels."""
    matrix = _colour_matrix(effects) * (255.0**2 / _WHITE)
    exposed: F32 = cv2.transform(picture, matrix.astype(np.float32))
    if effects.vignette > 0.0:
        exposed *= _vignette_mask(*picture.shape[:2], round(effects.vignette, 2))
    np.maximum(exposed, 0.0, out=exposed)
    root: F32 = np.sqrt(exposed, out=exposed)
    if effects.shot_noise > 0.0 or effects.read_noise > 0.0:
        _add_noise(root, effects)
    np.maximum(root, 0.0, out=root)
    return np.asarray(cv2.convertScaleAbs(root))


def _colour_matrix(effects: PhotoEffects) -> F64:
    """(3, 3) exposure, white balance and saturation of linear light."""
    gains = np.exp(effects.warmth * _WARMTH_AXIS + effects.tint * np.array([0.15, -0.15, 0.15]))
    gains /= _LUMA @ gains
    grey = np.tile(_LUMA, (3, 1))
    saturate = grey + effects.saturation * (np.eye(3) - grey)
    matrix: F64 = saturate @ np.diag(gains * 2.0**effects.exposure_stops)
    return matrix


@lru_cache(maxsize=128)
def _vignette_mask(height: int, width: int, strength: float) -> F32:
    y = np.linspace(-1.0, 1.0, height)[:, None]
    x = np.linspace(-1.0, 1.0, width)[None, :]
    fall = 1.0 - strength * ((x * x + y * y) / 2.0) ** 1.5
    return np.repeat(fall[..., None], 3, axis=2).astype(np.float32)


@lru_cache(maxsize=1)
def _noise_field() -> F32:
    """Standard normal values that all pictures cut their noise from: drawing them is slow."""
    field = np.random.default_rng(20).standard_normal((_NOISE_SIDE, _NOISE_SIDE, 3))
    return field.astype(np.float32)


def _add_noise(root: F32, effects: PhotoEffects) -> None:
    """Add shot and read noise, in place, to bytes' worth of square roots of linear light.

    A variance a x + b^2 of x is (a + b^2 / x) / 4 of its root.
    """
    height, width = root.shape[:2]
    scale = np.float32(255.0 / np.sqrt(_WHITE) / 2.0)
    noise = _noise_cut(height, width, effects.noise_seed)
    if effects.saturation == 0.0:
        noise = np.repeat(noise[..., :1], 3, axis=2)
    levels = np.maximum(np.arange(256) / 255.0, 0.05) ** 2 * _WHITE
    sd = scale * np.sqrt(effects.shot_noise + effects.read_noise**2 / levels)
    if sd.max() < 1.25 * sd.min():
        cv2.scaleAdd(noise, float(sd[128]), root, root)
        return
    amount = cv2.LUT(cv2.convertScaleAbs(root), sd.astype(np.float32))
    root += cv2.multiply(amount, noise)


def _noise_cut(height: int, width: int, seed: int) -> F32:
    if height >= _NOISE_SIDE or width >= _NOISE_SIDE:
        return np.random.default_rng(seed).standard_normal((height, width, 3), np.float32)
    rng = np.random.default_rng(seed)
    y = int(rng.integers(_NOISE_SIDE - height))
    x = int(rng.integers(_NOISE_SIDE - width))
    return np.ascontiguousarray(_noise_field()[y : y + height, x : x + width])


def _process(encoded: U8, effects: PhotoEffects) -> U8:
    """Smoothing, tone curve and sharpening by the camera's software."""
    if effects.denoise > 0.0:
        encoded = _denoised(encoded, effects.denoise)
    encoded = cv2.LUT(encoded, _tone_table(effects))
    if effects.sharpening > 0.0:
        soft = cv2.GaussianBlur(encoded, (0, 0), 1.2)
        amount = effects.sharpening
        encoded = cv2.addWeighted(encoded, 1.0 + amount, soft, -amount, 0.0)
    return encoded


def _denoised(encoded: U8, strength: float) -> U8:
    parts = cv2.cvtColor(encoded, cv2.COLOR_RGB2YCrCb)
    luma = parts[..., 0]
    smooth = cv2.medianBlur(luma, 3)
    mixed = cv2.addWeighted(luma, 1.0 - 0.8 * strength, smooth, 0.8 * strength, 0.0)
    reach = 1 + 2 * round(1 + 3 * strength)
    parts = cv2.blur(parts, (reach, reach))
    parts[..., 0] = mixed
    return np.asarray(cv2.cvtColor(parts, cv2.COLOR_YCrCb2RGB))


def _tone_table(effects: PhotoEffects) -> U8:
    """(1, 256, 3) sRGB bytes of the sensor's square roots."""
    linear = (np.arange(256) / 255.0) ** 2 * _WHITE
    rolled = np.where(linear < 0.7, linear, 0.7 + 0.3 * np.tanh((linear - 0.7) / 0.42))
    value = _srgb_from_linear(rolled) ** effects.gamma
    middle = 0.46
    value = middle + (value - middle) * effects.contrast
    value = np.clip(value, 0.0, 1.0)
    value = effects.fade * 0.22 + value * (1.0 - 0.4 * effects.fade)
    tint = 1.0 + effects.sepia * (_SEPIA - 1.0)
    table: F64 = np.rint(255.0 * np.clip(value[:, None] * tint, 0.0, 1.0))
    return table.astype(np.uint8)[None]


def _srgb_from_linear(x: F64) -> F64:
    """IEC 61966-2-1."""
    power = 1.055 * np.maximum(x, 0.0031308) ** (1 / 2.4) - 0.055
    encoded: F64 = np.where(x <= 0.0031308, 12.92 * x, power)
    return encoded


def _linear_table() -> F32:
    x = np.arange(256) / 255.0
    table: F64 = np.where(x <= 0.04045, x / 12.92, ((x + 0.055) / 1.055) ** 2.4)
    return table.astype(np.float32)


_LINEAR = _linear_table()


def _as_jpeg(encoded: U8, quality: int) -> U8:
    settings = [cv2.IMWRITE_JPEG_QUALITY, quality]
    _, data = cv2.imencode(".jpg", cv2.cvtColor(encoded, cv2.COLOR_RGB2BGR), settings)
    return np.asarray(cv2.imdecode(data, cv2.IMREAD_COLOR_RGB))


def _is_grey(effects: PhotoEffects) -> bool:
    return effects.saturation == 0.0 and effects.sepia == 0.0


def _without_colour(encoded: U8) -> U8:
    grey = cv2.cvtColor(encoded, cv2.COLOR_RGB2GRAY)
    return np.asarray(cv2.cvtColor(grey, cv2.COLOR_GRAY2RGB))
