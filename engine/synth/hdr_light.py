"""SynthLights from Radiance pictures (.hdr) of whole surroundings."""

from pathlib import Path

import cv2
import numpy as np

from engine.errors import AssetError
from engine.render.colour import srgb_from_linear
from engine.synth.pack import SynthLight
from engine.synth.spherical_harmonics import equirect_directions, project_equirect
from engine.types import F32, U8

__all__ = ["light_from_equirect", "load_lights"]

_LUMINANCE = np.array([0.2126, 0.7152, 0.0722], np.float32)  # Rec. 709
_SPOT = 20.0  # times the mean: what is brighter is a lamp or the sun
_SPOT_SHARE = 4.0  # lamps and sun give at most so many times the light of all the rest
_MIDDLE_GREY = 0.16  # linear brightness of a backdrop's median
_WHITE = 6.0  # brightness, after exposure, that comes out as white
_RADIANCE_SIZE = (128, 64)
_BACKDROP_SIZE = (1024, 512)


def load_lights(folder: Path) -> tuple[SynthLight, ...]:
    """Every .hdr of a folder, by name.

    Raises: AssetError: if the folder holds none or one cannot be read.
    """
    paths = sorted(folder.glob("*.hdr"))
    if not paths:
        raise AssetError(f"{folder} holds no .hdr pictures; expected equirectangular ones there")
    return tuple(light_from_equirect(path.stem, _read(path)) for path in paths)


def light_from_equirect(name: str, picture: F32) -> SynthLight:
    """A light from an equirectangular picture, scaled to a mean luminance of 1 over all directions.

    Args:
        picture: (H, W, 3) linear RGB radiance, row 0 up.
    """
    picture = picture / _mean_luminance(picture)
    limited = _limit_spots(picture)
    mean = _mean_luminance(limited)
    small = cv2.resize(limited, _RADIANCE_SIZE, interpolation=cv2.INTER_AREA) / mean
    return SynthLight(
        name=name,
        sh=project_equirect(limited / mean),
        radiance=_clipped(small).astype(np.float32),
        backdrop=_tone_mapped(picture),
    )


def _read(path: Path) -> F32:
    picture = cv2.imread(str(path), cv2.IMREAD_UNCHANGED)
    if picture is None or picture.ndim != 3 or picture.dtype != np.float32:
        raise AssetError(f"{path} is not a readable Radiance picture; fetch it again")
    linear: F32 = np.nan_to_num(np.maximum(picture[..., ::-1], 0.0), posinf=6e4)
    if not linear.any():
        raise AssetError(f"{path} is black all over; a light needs some light")
    return linear


def _mean_luminance(picture: F32) -> float:
    _, solid_angle = equirect_directions(*picture.shape[:2])
    by_row = (picture @ _LUMINANCE).mean(axis=1)
    return float((by_row * solid_angle).sum() / solid_angle.sum())


def _clipped(picture: F32) -> F32:
    """No brighter than _SPOT times the mean of 1, colours kept."""
    luminance = np.maximum(picture @ _LUMINANCE, 1e-8)
    clipped: F32 = picture * np.minimum(1.0, _SPOT / luminance)[..., None]
    return clipped


def _limit_spots(picture: F32) -> F32:
    """Dim lamps and sun alike until they give no more than _SPOT_SHARE times the rest's light."""
    rest = _clipped(picture)
    spots = picture - rest
    ratio = _mean_luminance(spots) / _mean_luminance(rest)
    limited: F32 = rest + spots * min(1.0, _SPOT_SHARE / max(ratio, 1e-8))
    return limited


def _tone_mapped(picture: F32) -> U8:
    """sRGB bytes: median luminance to middle grey, highlights rolled off (extended Reinhard).

    Source: Reinhard et al. 2002, "Photographic Tone Reproduction for Digital Images", equation 4.
    """
    small = cv2.resize(picture, _BACKDROP_SIZE, interpolation=cv2.INTER_AREA)
    exposed = small * (_MIDDLE_GREY / max(float(np.median(small @ _LUMINANCE)), 1e-6))
    mapped = np.clip(exposed * (1 + exposed / _WHITE**2) / (1 + exposed), 0, 1)
    coded: U8 = np.rint(255 * srgb_from_linear(mapped.astype(np.float32))).astype(np.uint8)
    return coded
