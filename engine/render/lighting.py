"""The numbers of shaders/include/shading.glsl: three lights and a sky, fixed to the camera."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np

from engine.render.colour import SRGB_UNIFORMS
from engine.types import F32

__all__ = ["STUDIO", "Light", "Lighting"]


@dataclass(frozen=True, slots=True)
class Light:
    """A far light."""

    direction: tuple[float, float, float]  # view frame, towards the light, any length
    colour: tuple[float, float, float]  # linear light; 1 lights white to white when faced


@dataclass(frozen=True, slots=True)
class Lighting:
    """Lights and the way a surface answers them; all colours in linear light."""

    key: Light
    fill: Light
    rim: Light
    sky_colour: tuple[float, float, float]
    ground_colour: tuple[float, float, float]
    wrap: tuple[float, float, float]  # 0: hard terminator, 1: light reaches round to the back
    specular: tuple[float, float] = (0.028, 0.04)  # skin's and water's reflectance at 0 degrees
    shininess: tuple[float, float] = (14.0, 220.0)  # matt, wet

    def uniforms(self) -> Mapping[str, Any]:
        """Values for every uniform of shading.glsl and srgb.glsl."""
        lights = (self.key, self.fill, self.rim)
        directions: F32 = np.array([light.direction for light in lights], np.float32)
        return {
            "u_light_direction": directions / np.linalg.norm(directions, axis=1, keepdims=True),
            "u_light_colour": [light.colour for light in lights],
            "u_up": (0.0, 1.0, 0.0),
            "u_sky_colour": self.sky_colour,
            "u_ground_colour": self.ground_colour,
            "u_wrap": self.wrap,
            "u_specular": self.specular,
            "u_shininess": self.shininess,
            **SRGB_UNIFORMS,
        }


STUDIO = Lighting(
    key=Light(direction=(-0.55, 0.65, 0.75), colour=(0.98, 0.93, 0.86)),
    fill=Light(direction=(0.8, 0.1, 0.6), colour=(0.20, 0.23, 0.28)),
    rim=Light(direction=(0.75, 0.45, -0.75), colour=(0.75, 0.82, 0.95)),
    sky_colour=(0.24, 0.26, 0.29),
    ground_colour=(0.10, 0.085, 0.075),
    wrap=(0.30, 0.20, 0.16),
)
"""Warm key from the upper left, cool fill, rim from behind: what overlays are drawn with."""
