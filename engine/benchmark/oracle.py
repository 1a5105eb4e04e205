"""The oracle: the head model fitted to the true mesh itself, which no method can do better than."""

import numpy as np

from engine.benchmark.predictors import Prediction, SampleSight
from engine.benchmark.regions import head_regions
from engine.benchmark.types import LANDMARKS7, PredictedFace, TruthMesh
from engine.errors import ScoreError
from engine.fitting.oracle import OracleFitter
from engine.flame.landmarks import landmarks68
from engine.flame.model import HeadModel
from engine.flame.posed import PosedHead
from engine.frames import project
from engine.pipeline import yaw_of
from engine.types import F64, FlameParams

__all__ = ["OraclePredictor"]


class OraclePredictor:
    """Sees nothing of the picture; its landmarks come through the true camera, where it is known.

    Sizes are fitted as they are: a truth in another unit than metres is no task for it.
    """

    def __init__(self, model: HeadModel, *, neutral: bool = False) -> None:
        """neutral: true meshes are faces at rest, as NoW compares them."""
        self._model, self._head = model, PosedHead(model)
        self._fitter = OracleFitter(model, neutral=neutral)

    def predict(self, sight: SampleSight) -> Prediction | None:
        """Raises: ScoreError: if the sample has no true mesh, or none with landmarks."""
        mesh = sight.truth.mesh
        if mesh is None:
            raise ScoreError("the oracle needs a true mesh, which this sample has not")
        params = self._fitted(mesh)
        vertices = self._head.vertices(params)
        marks = landmarks68(self._model, vertices, 0.0).astype(np.float64)
        camera, pixels = sight.truth.camera, None
        if camera is not None and sight.truth.params is not None:  # the mesh is in its view frame
            seen = landmarks68(self._model, vertices, yaw_of(params)).astype(np.float64)
            pixels = project(seen @ params.R.T + params.t, camera.K)
        face = PredictedFace(
            vertices=vertices.astype(np.float64),
            faces=self._model.faces,
            regions=head_regions(self._model),
            landmarks68=marks,
            landmarks68_px=pixels,
            model_id=self._model.model_id,
            R=params.R,
        )
        return Prediction(face)

    def close(self) -> None:
        """Holds nothing."""

    def _fitted(self, mesh: TruthMesh) -> FlameParams:
        same = mesh.model_id == self._model.model_id
        if same and len(mesh.vertices) == self._model.n_vertices:
            return self._fitter.fit_vertices(mesh.vertices)
        return self._fitter.fit_surface(mesh.vertices, mesh.faces, _landmarks(mesh))


def _landmarks(mesh: TruthMesh) -> F64:
    """(68, 3) metres, NaN where not known."""
    points: F64 = np.full((68, 3), np.nan)
    if mesh.landmarks68 is not None:
        points[:] = mesh.landmarks68
    elif mesh.landmarks51 is not None:
        points[17:] = mesh.landmarks51
    elif mesh.landmarks7 is not None:
        points[list(LANDMARKS7)] = mesh.landmarks7
    return points
