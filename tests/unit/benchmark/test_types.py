import json
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from engine.benchmark.types import LANDMARKS7, SuiteSettings, Truth
from tests.bench_made import ball_truth, returned


def test_settings_are_json_values():
    settings = SuiteSettings("now", Path("data"), "validation", cache=Path("kept"))
    values = json.loads(json.dumps(settings.to_dict()))
    assert values == {
        "suite": "now",
        "data": "data",
        "preset": "validation",
        "seed": 0,
        "n_samples": 200,
        "pack": None,
        "cache": "kept",
    }


def test_the_seven_points_are_those_of_now_in_its_order():
    # Eye corners from image left to right, below the nose, mouth corners.
    assert LANDMARKS7 == (36, 39, 42, 45, 33, 48, 54)


def test_arrays_of_another_shape_or_type_are_refused():
    truth = ball_truth()
    with pytest.raises(ValueError, match=r"TruthMesh\.landmarks7: shape"):
        replace(truth, landmarks7=np.zeros((6, 3)))
    with pytest.raises(ValueError, match=r"TruthMesh\.vertices: dtype float32"):
        replace(truth, vertices=truth.vertices.astype(np.float32))
    with pytest.raises(ValueError, match=r"PredictedFace\.landmarks68: shape"):
        returned(truth, landmarks68=np.zeros((51, 3)))
    with pytest.raises(ValueError, match=r"Truth\.landmarks68_px: shape"):
        Truth(landmarks68_px=np.zeros((68, 3)))
