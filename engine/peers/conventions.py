"""From the peers' codes to our parameters: their poses, cameras and axes end here.

All peers speak FLAME: metres, +x subject's left, +y up, +z out of the face, axis-angle in radians,
the root turned about joint 0 where we turn about the origin. DECA, EMOCA and SMIRK see by weak
perspective, with a camera (s, x, y):

    crop px = (1 + s ((X + x), -(Y + y))) S / 2

X and Y of the posed head in metres, S the crop's size. SHeaP has a pinhole camera 1 m in front of
the origin. MICA tells neither pose nor camera.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final

import numpy as np

from engine.flame.lbs import rodrigues
from engine.flame.model import HeadModel
from engine.flame.posed import PosedHead, surface_points
from engine.frames import crop_camera
from engine.peers.crops import PeerCrop
from engine.stages.face_pose import pose_from_points
from engine.stages.mediapipe_points import noise_mm
from engine.stages.weak_perspective import CropPose, face_anchor, pose_in_view
from engine.types import F32, F64, Camera, FlameParams

__all__ = ["SHEAP_FOV_DEG", "Codes", "PeerHead", "Told"]

Codes = Mapping[str, F32]
"""What a network gives, by the names of `engine.peers.architectures`."""

SHEAP_FOV_DEG: Final = 14.2539
"""Angle from the upper to the lower edge of SHeaP's picture. Source: its renderer."""
_SHEAP_CAMERA = np.array([0.0, 0.0, 1.0])  # metres

_LEAST_SCALE = 0.1  # of weak perspective: the head would be a fiftieth of the crop


@dataclass(frozen=True, slots=True, eq=False)
class Told:
    """What a peer says of one face."""

    params: FlameParams
    camera: Camera  # that the parameters' R and t belong to


class PeerHead:
    """Reads codes for one head model. Use it from one thread."""

    def __init__(self, model: HeadModel) -> None:
        self._model = model
        self._head = PosedHead(model)
        root = model.J_regressor[0].astype(np.float64)
        self._root = root @ model.v_template
        self._root_shape = np.einsum("v,vck->ck", root, model.shapedirs)
        self._root_expr = np.einsum("v,vck->ck", root, model.exprdirs)
        self._anchor = face_anchor(model)
        self._weights = noise_mm(model.mediapipe_idx) ** -2.0

    def weak_perspective(self, codes: Codes, crop: PeerCrop, camera: Camera) -> Told | None:
        """DECA's, EMOCA's and SMIRK's, seen by the frame's own camera.

        The size and place of the middle of the face are theirs; what lies before or behind it is
        drawn in perspective, which they do not have.

        Returns: None where the camera's scale is none.
        """
        scale, x, y = (float(value) for value in codes["camera"])
        if not scale > _LEAST_SCALE:
            return None
        neutral = self._params(codes)
        R = rodrigues(codes["root"].astype(np.float64), xp=np)
        root = self._root_joint(neutral)
        middle = R @ (self._anchor - root) + root
        size = crop.image.shape[0]
        # CropPose counts in crop sides from the corner; theirs lies half a pixel beside it.
        shift = scale / 2 * np.array([middle[0] + x, -(middle[1] + y)]) + 0.5 / size
        pose = CropPose(R, np.array([np.log(scale / 2), *shift]))
        R_view, t = pose_in_view(
            crop_camera(camera, crop.crop_from_frame, size), pose, self._anchor
        )
        return Told(neutral.with_values(R=R_view, t=t), camera)

    def sheap(self, codes: Codes, crop: PeerCrop, camera: Camera) -> Told:
        """SHeaP's, seen by its own camera, of which the frame is a part."""
        neutral = self._params(codes)
        R = rodrigues(codes["root"].astype(np.float64), xp=np)
        root = self._root_joint(neutral)
        t = root - R @ root + codes["place"].astype(np.float64) - _SHEAP_CAMERA
        size = crop.image.shape[0]
        focal = size / 2 / np.tan(np.radians(SHEAP_FOV_DEG) / 2)
        K_crop = np.array(
            [[focal, 0.0, (size - 1) / 2], [0.0, focal, (size - 1) / 2], [0.0, 0.0, 1.0]]
        )
        frame_from_crop = np.linalg.inv(np.vstack([crop.crop_from_frame, [0.0, 0.0, 1.0]]))
        own = Camera(frame_from_crop @ K_crop, camera.width, camera.height)
        return Told(neutral.with_values(R=R, t=t), own)

    def neutral(self, codes: Codes, landmarks: F32, camera: Camera) -> Told:
        """MICA's neutral head, laid on MediaPipe's points; the pose is ours.

        Args:
            landmarks: (478, 2) px of the camera.
        """
        params = self._params(codes)
        points = surface_points(
            self._head.vertices(params), self._model.faces, self._model.mediapipe
        ).astype(np.float64)
        seen = landmarks[self._model.mediapipe_idx].astype(np.float64)
        R, t = pose_from_points(points, seen, camera, self._weights)
        return Told(params.with_values(R=R, t=t), camera)

    def _params(self, codes: Codes) -> FlameParams:
        """Shape, expression and joints; R and t are not told yet."""
        m = self._model
        params = FlameParams.neutral(m.model_id, m.n_shape, m.n_expr)
        given: dict[str, F32] = {
            "shape": _padded(codes["shape"], m.n_shape),
            "expr": _padded(codes.get("expr", np.zeros(0, np.float32)), m.n_expr),
        }
        given |= {name: codes[name] for name in ("jaw", "neck", "eyes") if name in codes}
        if m.eyelid_dirs is not None and "eyelids" in codes:
            given["eyelids"] = np.clip(codes["eyelids"], 0.0, 1.0)
        return params.with_values(**given)

    def _root_joint(self, params: FlameParams) -> F64:
        """(3,) metres, what the root turns about."""
        joint: F64 = self._root + self._root_shape @ params.shape + self._root_expr @ params.expr
        return joint


def _padded(codes: F32, n: int) -> F32:
    """The first n codes; zeros for those a network does not give.

    Codes beyond the model's components are of components that its file does not have.
    """
    row = np.zeros(n, np.float32)
    used = min(n, len(codes))
    row[:used] = codes[:used]
    return row
