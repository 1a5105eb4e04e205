"""Which of MediaPipe's 478 points lie where, and how well each is known."""

import numpy as np

from engine.types import F64, I32

__all__ = [
    "BROWS",
    "EYES",
    "EYE_CORNERS",
    "FITTED",
    "IRISES",
    "LIPS",
    "NME10",
    "NME10_IBUG",
    "NOSE",
    "OVAL",
    "noise_mm",
]

EYE_CORNERS = (33, 133, 362, 263)
"""Outer and inner corner of the subject's right eye, inner and outer of the left."""

NME10 = (33, 133, 362, 263, 61, 291, 4, 2, 0, 17)
NME10_IBUG = (36, 39, 42, 45, 48, 54, 30, 33, 51, 57)
"""Ten points that MediaPipe's and iBUG's conventions put in the same place, in both numberings."""

IRISES = (468, 473)  # centres: the subject's right eye, then the left

EYES = (33, 246, 161, 160, 159, 158, 157, 173, 133, 155, 154, 153, 145, 144, 163, 7,
        263, 466, 388, 387, 386, 385, 384, 398, 362, 382, 381, 380, 374, 373, 390, 249)  # fmt: skip
LIPS = (61, 185, 40, 39, 37, 0, 267, 269, 270, 409, 291, 375, 321, 405, 314, 17, 84, 181, 91, 146,
        78, 191, 80, 81, 82, 13, 312, 311, 310, 415, 308, 324, 318, 402, 317, 14, 87, 178, 88,
        95)  # fmt: skip
BROWS = (70, 63, 105, 66, 107, 46, 53, 52, 65, 55, 300, 293, 334, 296, 336, 276, 283, 282, 295,
         285)  # fmt: skip
NOSE = (168, 6, 197, 195, 5, 4, 1, 19, 94, 2, 98, 97, 326, 327, 129, 358, 48, 278, 64, 294, 122,
        351, 198, 420, 45, 275, 220, 440)  # fmt: skip
OVAL = (10, 338, 297, 332, 284, 251, 389, 356, 454, 323, 361, 288, 397, 365, 379, 378, 400, 377,
        152, 148, 176, 149, 150, 136, 172, 58, 132, 93, 234, 127, 162, 21, 54, 103, 67,
        109)  # fmt: skip
_CHEEKS = (50, 280, 101, 330, 118, 347, 117, 346, 123, 352, 147, 376, 187, 411, 205, 425, 207, 427,
           216, 436, 192, 416, 214, 434, 202, 422, 212, 432, 36, 266, 142, 371, 203, 423, 116, 345,
           143, 372, 111, 340, 9, 8, 151, 69, 299, 104, 333, 108, 337, 200, 199, 175, 18, 83, 313,
           201, 421, 208, 428, 32, 262, 140, 369, 171, 396)  # fmt: skip
FITTED = tuple(sorted({*EYES, *LIPS, *BROWS, *NOSE, *OVAL, *_CHEEKS, *IRISES}))
"""The points that the landmark fit uses: all features, and a thin cover of the rest."""

_NOISE_MM = ((IRISES, 0.5), (EYES, 0.5), (LIPS, 0.8), (NOSE, 1.2), (BROWS, 2.0), (OVAL, 2.5))
_OTHER_NOISE_MM = 3.0


def noise_mm(indices: I32) -> F64:
    """(N,) standard deviation of MediaPipe's points on the face, in millimetres.

    Features are pinned by the picture; cheeks, forehead and outline are only guessed from it.
    """
    sigma = np.full(478, _OTHER_NOISE_MM)
    for group, value in _NOISE_MM:
        sigma[list(group)] = value
    noise: F64 = sigma[indices]
    return noise
