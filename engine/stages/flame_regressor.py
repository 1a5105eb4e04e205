"""FlameRegressor: what a network sees of a face in, a head's parameters and their spread out.

The network is N2FNet, which looks at normals, or its rival that looks at the picture itself.
"""

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

import cv2
import numpy as np
import numpy.typing as npt

from engine.errors import AssetError, ModelContractError
from engine.flame.model import HeadModel
from engine.frames import crop_camera, view_from_crop
from engine.stages.crop_picture import resized_crop
from engine.stages.normal_estimator import points_in_map
from engine.stages.normal_network import point_shares
from engine.stages.onnx_session import OnnxSession
from engine.stages.refine_start import RefineStart
from engine.stages.weak_perspective import CropPose, face_anchor, pose_in_view
from engine.types import F32, Camera, FaceCrop, FlameParams, NormalMap

__all__ = ["KIND", "THREADS", "FlameRegressor", "Regressed"]

KIND: Final = "n2fnet parameter network"
"""What the files of this stage call themselves."""

THREADS: Final = 1
"""A network this small is done before a second thread has woken up."""

_GROUPS = ("shape", "expr", "jaw", "eyelids", "neck", "rotation", "camera")
_INPUTS = {"head", "view", "mask", "confidence", "image", "points"}
"""What networks may look at."""

# Networks are surer of themselves than they are right on pictures unlike those they learned from.
_LEAST_COEFFICIENT_STD = 0.22
_LEAST_JAW_STD = 0.03  # radians
_LEAST_LID_STD = 0.1
_LEAST_ROTATION_STD_DEG = 1.5
_SHAPES = {"jaw": (1, 3), "eyelids": (1, 2), "rotation": (1, 3, 3), "camera": (1, 3)}


@dataclass(frozen=True, slots=True, eq=False)
class Regressed:
    """A network's answer; neck and eyes rest, as normals do not show them."""

    params: FlameParams  # placed by the network's own camera
    std: Mapping[str, F32]  # standard deviations by group, in its unit; rotation: (3,) radians

    def start(self, params: FlameParams) -> RefineStart:
        """Where a refinement begins: these spreads around params, which may be placed anew."""
        std = self.std
        return RefineStart(
            params,
            shape_std=np.maximum(std["shape"], _LEAST_COEFFICIENT_STD),
            expr_std=np.maximum(std["expr"], _LEAST_COEFFICIENT_STD),
            jaw_std=np.maximum(std["jaw"], _LEAST_JAW_STD),
            eyelids_std=np.maximum(std["eyelids"], _LEAST_LID_STD),
            rotation_std_deg=max(
                float(np.degrees(np.sqrt((std["rotation"] ** 2).mean()))), _LEAST_ROTATION_STD_DEG
            ),
        )


class FlameRegressor:
    """Made once for a head model, used from one thread."""

    def __init__(
        self,
        weights: Path,
        model: HeadModel,
        *,
        threads: int = THREADS,
        provider: str = "auto",
        may_fall_back: bool = False,
    ) -> None:
        """Load a network and run it once.

        Args:
            weights: ONNX file as `n2f export n2fnet` writes it.
            threads, provider, may_fall_back: as for `OnnxSession`.
        Raises: AssetError: if the file is missing or not such a network. ModelContractError: if it
            was trained for another head model. ProviderError: if it cannot be run there.
        """
        self.session = OnnxSession(
            weights, threads=threads, provider=provider, may_fall_back=may_fall_back
        )
        _check(self.session, model)
        self._model, self._anchor = model, face_anchor(model)
        self._lengths = np.cumsum([model.n_shape, model.n_expr, 3, 2, 3, 3])

    @property
    def needs_normals(self) -> bool:
        """Whether it looks at a normal map; else at the picture."""
        return "head" in self.session.inputs

    def check_frames(self, given: Collection[str], source: str) -> None:
        """Raises: AssetError: unless normals of these frames, of that source, are enough."""
        for frame in ("head", "view"):
            if frame in self.session.inputs and frame not in given:
                raise AssetError(
                    f"{source} gives no normals in the {frame} frame, which "
                    f"{self.session.path.name} needs; choose another network with --normals, or "
                    "--method landmarks-refined"
                )

    def run(self, crop: FaceCrop, camera: Camera, normals: NormalMap | None) -> Regressed:
        """The parameters of a face.

        Args:
            camera: of the frame that the crop is from.
            normals: what a normal network saw in this crop; of size S or larger.
        Raises: ValueError: if the network needs normals and there are none. AssetError: if these
            are not in the frames that it needs.
        """
        size = next(iter(self.session.inputs.values())).shape[1] or 0
        if self.needs_normals:
            if normals is None:
                raise ValueError(f"{self.session.path.name} looks at normals, but there are none")
            given = [name for name in ("head", "view") if getattr(normals, name) is not None]
            self.check_frames(given, "the normal network")
            names = [name for name in self.session.inputs if name != "points"]
            feeds = _normal_feeds(normals, camera, names, size)
            map_from_frame = normals.crop_from_frame
            if "points" in self.session.inputs:
                points = points_in_map(crop, map_from_frame)
                feeds["points"] = point_shares(points, len(normals.mask))[None]
            seen_by = crop_camera(camera, map_from_frame, len(normals.mask))
        else:
            image, map_from_frame = resized_crop(crop, size)
            feeds = {"image": image[None]}
            seen_by = crop_camera(camera, map_from_frame, size)
        found = self.session.run(feeds)
        spread = np.split(found["std"][0], self._lengths)
        return Regressed(self._params(found, seen_by), dict(zip(_GROUPS, spread, strict=True)))

    def _params(self, found: Mapping[str, npt.NDArray[Any]], seen_by: Camera) -> FlameParams:
        pose = CropPose(
            found["rotation"][0].astype(np.float64), found["camera"][0].astype(np.float64)
        )
        R, t = pose_in_view(seen_by, pose, self._anchor)
        U, _, Vt = np.linalg.svd(R)  # single precision: back to a rotation
        neutral = FlameParams.neutral(self._model.model_id, self._model.n_shape, self._model.n_expr)
        has_lids = self._model.eyelid_dirs is not None
        return neutral.with_values(
            shape=found["shape"][0],
            expr=found["expr"][0],
            jaw=neutral.jaw if self._model.jaw_fixed else found["jaw"][0],
            eyelids=found["eyelids"][0] if has_lids else neutral.eyelids,
            R=U @ Vt,
            t=t,
        )


def _normal_feeds(
    normals: NormalMap, camera: Camera, names: Sequence[str], size: int
) -> dict[str, npt.NDArray[Any]]:
    """The maps that a network takes; view normals turned into the crop-view frame it learned."""
    feeds: dict[str, npt.NDArray[Any]] = {}
    for name in names:
        values: F32 = getattr(normals, name)
        if name == "view":
            turn = view_from_crop(camera, normals.crop_from_frame, len(values))
            values = values @ turn.astype(np.float32)  # rows: the inverse rotation
        if len(values) != size:
            values = cv2.resize(values, (size, size), interpolation=cv2.INTER_AREA)
        feeds[name] = values[None]
    return feeds


def _check(session: OnnxSession, model: HeadModel) -> None:
    """Raises: AssetError, ModelContractError: unless it is such a network, for this model."""
    meta, path = session.metadata, session.path
    if meta.get("kind") != KIND:
        raise AssetError(
            f"{path} is no N2FNet (kind {meta.get('kind', 'not given')!r}); expected a file of "
            "n2f export n2fnet"
        )
    if meta.get("head_model_id") != model.model_id:
        raise ModelContractError(
            f"{path.name} was trained for {meta.get('head_model_name')} "
            f"({meta.get('head_model_id', '')[:12]}), but {model.name} ({model.model_id[:12]}) is "
            "loaded; use --method landmarks-refined, or train one with n2f train n2fnet --model "
            "and pass it with --n2fnet"
        )
    n_std = model.n_shape + model.n_expr + 14
    wanted = _SHAPES | {
        "shape": (1, model.n_shape), "expr": (1, model.n_expr), "std": (1, n_std)
    }  # fmt: skip
    have = {name: info.shape for name, info in session.outputs.items()}
    wrong = [name for name, shape in wanted.items() if have.get(name) != shape]
    if wrong or not set(session.inputs) <= _INPUTS:
        raise AssetError(
            f"{path} is no N2FNet that runs here (inputs {', '.join(session.inputs)}; outputs "
            f"{', '.join(wrong) or 'as expected'}); export it again"
        )
