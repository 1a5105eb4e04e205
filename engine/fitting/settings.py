"""Settings of the optimiser; those that mean the same as in Pixel3DMM's tracker have its names.

Source of names and values: Giebenhain et al. 2025 (Pixel3DMM), the public tracker's configuration.
"""

import hashlib
import json
from dataclasses import asdict, dataclass
from typing import Literal, get_args

__all__ = ["FOR_EXACT", "FitSettings", "Init", "OptimizerName"]

OptimizerName = Literal["adam", "gn"]
Init = Literal["neutral", "n2fnet"]


@dataclass(frozen=True, slots=True)
class FitSettings:
    """What a fit depends on, besides the head model and what is seen."""

    optimizer: OptimizerName = "adam"
    init: Init = "neutral"  # what it starts from
    iters: int = 800  # of Adam; Pixel3DMM: 200, and 800 advised for single pictures
    iters_video: int = 200  # for each frame of a video after the first
    gn_steps: int = 20  # of Gauss-Newton
    joint: bool = True  # all frames of a video together, after each by itself
    global_iters: int = 5000  # of Adam, of a video's frames together
    batch_size: int = 16  # frames in each of these
    global_gn_steps: int = 10  # of Gauss-Newton, of a video's frames together
    joint_frames: int = 300  # most together; longer videos in parts
    device: str = "cpu"  # torch's name
    size: int = 256  # px of a map's side at most; larger ones are made smaller
    # Weights of the terms.
    normal_super: float = 1000.0
    view_normal_super: float = 0.0  # the same for view normals, which Pixel3DMM does not have
    uv_map_super: float = 2000.0  # of a network's map of surface coordinates: vertices, and pixels
    points_super: float = 1000.0  # of MediaPipe's points, which stand in where there is no such map
    sil_super: float = 50.0  # Pixel3DMM's 500, divided by 10 on first frames
    w_lmks: float = 1000.0  # eye contour times 5
    w_lmks_lid: float = 1000.0  # times 500
    w_lmks_iris: float = 1000.0  # times 50
    w_lmks_mouth: float = 0.0  # times 0.25; gap of the lips times 2.5
    w_exp: float = 0.2  # Pixel3DMM: 0.05
    w_shape: float = 0.2  # to the start's shape, where it is a network's; MICA's in Pixel3DMM
    w_shape_general: float = 0.4  # Pixel3DMM: 0.05, beside MICA's
    w_jaw: float = 0.01
    w_eyes: float = 0.01
    w_eyes_same: float = 0.1
    w_mirror: float = 5000.0  # square metres
    # Temporal terms, to the frame before: mean squares.
    reg_smooth_exp: float = 50.0
    reg_smooth_eyes: float = 10.0
    reg_smooth_eyelids: float = 2.0
    reg_smooth_jaw: float = 50.0
    reg_smooth_R: float = 2000.0
    reg_smooth_t: float = 15200.0
    # Outliers.
    delta_n: float = 0.33  # mean difference of a normal's components that no longer counts
    dist_uv: float = 20.0  # px of 256, |x| + |y|, that no longer counts
    normal_mask_ksize: int = 13  # px of 256, by which eyes are widened
    # Learning rates.
    lr_shape: float = 0.002
    lr_exp: float = 0.005
    lr_jaw: float = 0.005
    lr_eyes: float = 0.005
    lr_eyelids: float = 0.002
    lr_R: float = 0.005
    lr_t: float = 0.001  # metres for a head a metre away
    camera_steps: int = 500  # of R and t alone, before the rest
    lr_camera_R: float = 0.005
    lr_camera_t: float = 0.001
    # Ours.
    refresh_every: int = 20  # iterations of Adam between renderings of what is visible

    def __post_init__(self) -> None:
        for name, choices in (("optimizer", OptimizerName), ("init", Init)):
            if getattr(self, name) not in get_args(choices):
                expected = ", ".join(get_args(choices))
                raise ValueError(f"{name} {getattr(self, name)!r}, expected one of: {expected}")
        counts = ("iters", "iters_video", "gn_steps", "refresh_every", "size", "global_iters")
        for name in (*counts, "batch_size", "global_gn_steps", "joint_frames"):
            if getattr(self, name) < 1:
                raise ValueError(f"{name} {getattr(self, name)}, expected at least 1")

    def digest(self) -> str:
        """Hexadecimal SHA-256 of all that results depend on."""
        values = {name: value for name, value in asdict(self).items() if name != "device"}
        return hashlib.sha256(json.dumps(values, sort_keys=True).encode()).hexdigest()


FOR_EXACT = FitSettings(
    optimizer="gn",
    gn_steps=60,
    view_normal_super=1000.0,
    w_exp=0.002,
    w_shape_general=0.002,
    delta_n=0.1,
)
"""For normals without errors, drawn and not seen by a network: hardly any prior, view normals too,
and pixels that lie between two surfaces do not count."""
