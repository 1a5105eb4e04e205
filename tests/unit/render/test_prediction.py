"""Maps over photos: at the crop's place, with the right colours and opacity."""

import numpy as np
import pytest

from engine.render.prediction import PARSING_RGB, PredictionMode, paint_predictions
from engine.stages.crop_geometry import FaceSquare, crop_matrix
from engine.synth.sample import PARSING
from engine.types import NormalMap

SIZE = 32


def grey(width: int = 640, height: int = 480) -> np.ndarray:
    return np.full((height, width, 3), 100, np.uint8)


def map_at(x: float, y: float, side: float = 64.0, roll: float = 0.0, **changes) -> NormalMap:
    """Facing the viewer, its left half only inside the mask."""
    normals = np.zeros((SIZE, SIZE, 3), np.float32)
    normals[..., 2] = 1
    mask = np.zeros((SIZE, SIZE), np.float32)
    mask[:, : SIZE // 2] = 1
    fields = {
        "head": None, "view": normals, "mask": mask, "confidence": mask, "parsing": None,
        "crop_from_frame": crop_matrix(FaceSquare(np.array([x, y]), side, roll), SIZE),
    }  # fmt: skip
    return NormalMap(**{**fields, **changes})


def test_normals_lie_where_the_crop_was_and_only_inside_the_mask() -> None:
    painted = paint_predictions(grey(), [map_at(200, 100)], PredictionMode.VIEW_NORMALS, 1.0)
    assert painted[100, 180].tolist() == [128, 128, 255]
    assert painted[100, 220].tolist() == [100] * 3
    changed = (painted != 100).any(axis=2)
    rows, columns = np.nonzero(changed)
    # The crop's square is 168..232 by 68..132; linear sampling fades over one map pixel, two here.
    assert abs(rows.min() - 68) <= 2
    assert abs(rows.max() - 132) <= 2
    assert abs(columns.min() - 168) <= 2
    assert abs(columns.max() - 200) <= 2


@pytest.mark.parametrize("roll", [0.0, np.radians(90)])
def test_a_map_that_is_much_enlarged_lies_as_exactly(roll: float) -> None:
    seen = map_at(301, 242, side=256.0, roll=roll)
    painted = paint_predictions(grey(), [seen], PredictionMode.VIEW_NORMALS, 1.0)
    share = (painted[..., 2].astype(float) - 100) / 155  # 0 clear .. 1 opaque
    # Half of the square's 256 x 256 pixels; what fades off at its edges adds 4 % of that.
    assert share.sum() == pytest.approx(128 * 256, rel=0.05)
    y, x = (np.indices(share.shape) * share).sum(axis=(1, 2)) / share.sum()
    middle = (301, 242 - 64) if roll else (301 - 64, 242)
    np.testing.assert_allclose((x, y), middle, atol=0.5)


def test_a_rolled_crop_is_drawn_rolled() -> None:
    seen = map_at(200, 100, roll=np.radians(90))
    painted = paint_predictions(grey(), [seen], PredictionMode.VIEW_NORMALS, 1.0)
    # Its left half is up in the frame: the eye line runs down.
    assert painted[80, 200].tolist() == [128, 128, 255]
    assert painted[120, 200].tolist() == [100] * 3


def test_opacity_mixes_with_the_photo() -> None:
    image = grey()
    painted = paint_predictions(image, [map_at(200, 100)], PredictionMode.VIEW_NORMALS, 0.5)
    np.testing.assert_allclose(painted[100, 180], [114, 114, 178], atol=1)  # rounding twice
    assert (image == 100).all()
    clear = paint_predictions(image, [map_at(200, 100)], PredictionMode.VIEW_NORMALS, 0.0)
    np.testing.assert_array_equal(clear, image)


def test_maps_that_are_not_there_leave_no_trace() -> None:
    painted = paint_predictions(grey(), [map_at(200, 100)], PredictionMode.HEAD_NORMALS, 1.0)
    np.testing.assert_array_equal(painted, grey())


@pytest.mark.parametrize(("x", "y"), [(-500, 100), (0, 0), (639, 479), (200, 2000)])
def test_crops_over_the_edge_are_cut(x: float, y: float) -> None:
    painted = paint_predictions(grey(), [map_at(x, y)], PredictionMode.MASK, 1.0)
    assert painted.shape == (480, 640, 3)
    assert (painted != 100).any() == (0 <= x < 640 and 0 <= y < 480)


def test_classes_have_colours_and_background_none() -> None:
    parsing = np.zeros((SIZE, SIZE), np.uint8)
    parsing[:16], parsing[16:24] = 1, 4
    seen = map_at(200, 100, parsing=parsing)
    painted = paint_predictions(grey(), [seen], PredictionMode.MASK, 1.0)
    assert painted[80, 220].tolist() == [236, 178, 140]
    assert painted[108, 220].tolist() == [122, 82, 48]
    assert painted[125, 220].tolist() == [100] * 3


def test_colours_are_of_the_classes_that_the_network_learned() -> None:
    assert tuple(PARSING_RGB) == PARSING
    assert len(set(PARSING_RGB.values())) == len(PARSING)
