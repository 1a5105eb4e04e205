"""Parameters to unknowns and back."""

import numpy as np
import pytest

from engine.errors import ModelContractError
from engine.flame.model import HeadModel
from engine.flame.posed import PosedHead
from engine.stages.face_cover import face_cover
from engine.stages.head_unknowns import params_of, unknowns_of
from engine.types import FlameParams
from tests.rendered_faces import random_params

pytestmark = pytest.mark.assets


@pytest.fixture
def params(openhead: HeadModel) -> FlameParams:
    eyes = np.array([0.1, 0.2, 0, 0.1, 0.15, 0], np.float32)
    drawn = random_params(openhead, np.random.default_rng(2))
    return drawn.with_values(eyes=eyes, eyelids=np.float32([0.2, 0.7]))


def test_without_neck_nothing_is_lost(openhead: HeadModel, params: FlameParams) -> None:
    back = params_of(openhead, unknowns_of(openhead, params))
    for name in ("shape", "expr", "neck", "jaw", "eyes", "eyelids", "R", "t"):
        np.testing.assert_allclose(getattr(back, name), getattr(params, name), atol=1e-6)


def test_a_bent_neck_becomes_pose_and_the_face_stays(
    openhead: HeadModel, params: FlameParams
) -> None:
    bent = params.with_values(neck=np.float32([0.1, 0.25, -0.1]))
    straight = params_of(openhead, unknowns_of(openhead, bent))
    assert not straight.neck.any()
    head = PosedHead(openhead)
    one, two = (head.vertices(p) @ p.R.T + p.t for p in (bent, straight))
    face = face_cover(openhead, 400)
    # Vertices that hang on the trunk in a small part move by that part.
    np.testing.assert_allclose(one[face], two[face], atol=3e-4)


def test_another_models_parameters_are_refused(openhead: HeadModel, params: FlameParams) -> None:
    with pytest.raises(ModelContractError, match="belong to head model other"):
        unknowns_of(openhead, params.with_values(model_id="other"))
