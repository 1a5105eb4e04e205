"""The regressor: a network's answer in the camera's frame, and files that are refused."""

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from scipy.spatial.transform import Rotation

from engine.errors import AssetError, ModelContractError
from engine.frames import camera_from_focal, crop_camera, project, view_from_crop
from engine.stages.flame_regressor import FlameRegressor, _normal_feeds
from engine.stages.weak_perspective import crop_pose, face_anchor
from engine.types import FaceCrop, NormalMap
from tests.bumpy_head import bumpy_head
from tests.onnx_files import save_normal_net
from tests.parameter_net import save_parameter_net

HEAD = bumpy_head()
CAMERA = camera_from_focal(700.0, 640, 480)
ANCHOR = face_anchor(HEAD)


def crop_at(crop_from_frame: np.ndarray, size: int = 192) -> FaceCrop:
    image = np.full((size, size, 3), 90, np.uint8)
    return FaceCrop(image, crop_from_frame, np.zeros((478, 2), np.float32), 1.0)


def maps_at(crop_from_frame: np.ndarray, size: int = 32, *, head: bool = True) -> NormalMap:
    flat = np.broadcast_to(np.float32([0, 0, 1]), (size, size, 3)).copy()
    ones = np.ones((size, size), np.float32)
    return NormalMap(flat if head else None, flat, ones, ones, None, crop_from_frame)


def test_the_answer_is_turned_from_the_crops_frame_into_the_cameras(tmp_path: Path):
    """A head is described as a turned, shifted crop shows it, and comes back as it was."""
    R = Rotation.from_euler("yx", [25, -10], degrees=True).as_matrix()
    t = np.array([0.12, -0.05, -0.8])
    turn = Rotation.from_euler("z", 20, degrees=True).as_matrix()[:2, :2]
    crop_from_frame = np.column_stack([0.1 * turn, [-20.0, 8.0]])
    pose = crop_pose(crop_camera(CAMERA, crop_from_frame, 32), R, t, ANCHOR)
    shape = np.linspace(-1, 1, HEAD.n_shape)
    net = save_parameter_net(
        tmp_path / "net.onnx", HEAD, rotation=pose.R, camera=pose.camera, shape=shape
    )
    maps = maps_at(crop_from_frame)
    found = FlameRegressor(net, HEAD).run(crop_at(crop_from_frame), CAMERA, maps)
    np.testing.assert_allclose(found.params.R, R, atol=1e-6)  # single precision
    np.testing.assert_allclose(found.params.t, t, atol=1e-5)
    np.testing.assert_allclose(found.params.shape, shape, atol=1e-6)
    assert found.params.model_id == HEAD.model_id


def test_a_fixed_jaw_stays_shut(tmp_path: Path):
    """As in FLAME 2023 without jaw, where the joint must not be used."""
    net = save_parameter_net(tmp_path / "net.onnx", HEAD, jaw=np.array([0.2, 0.0, 0.1]))
    fixed = replace(HEAD, meta={**HEAD.meta, "jaw_fixed": True})
    crop_from_frame = np.array([[0.1, 0, -20.0], [0, 0.1, -8.0]])
    for model, wanted in ((HEAD, [0.2, 0.0, 0.1]), (fixed, [0, 0, 0])):
        maps = maps_at(crop_from_frame)
        found = FlameRegressor(net, model).run(crop_at(crop_from_frame), CAMERA, maps)
        np.testing.assert_allclose(found.params.jaw, wanted, atol=1e-7)


def test_view_normals_go_back_into_the_crop_view_frame_that_networks_learn():
    crop_from_frame = np.array([[0.3, 0.1, -20.0], [-0.1, 0.3, 60.0]])  # far off the axis
    turn = view_from_crop(CAMERA, crop_from_frame, 32).astype(np.float32)
    learned = np.random.default_rng(0).normal(0, 1, (32, 32, 3)).astype(np.float32)
    maps = replace(maps_at(crop_from_frame), view=learned @ turn.T)  # as NormalEstimator turns it
    feeds = _normal_feeds(maps, CAMERA, ("head", "view"), 32)
    np.testing.assert_allclose(feeds["view"][0], learned, atol=1e-5)
    np.testing.assert_array_equal(feeds["head"][0], maps.head)


def test_a_network_of_pictures_sees_the_same_place_in_a_crop_of_another_size(tmp_path: Path):
    net = save_parameter_net(tmp_path / "rgb.onnx", HEAD, picture=True, size=64)
    regressor = FlameRegressor(net, HEAD)
    assert not regressor.needs_normals
    crop_from_frame = np.array([[0.6, 0, -90.0], [0, 0.6, -40.0]])
    found = regressor.run(crop_at(crop_from_frame), CAMERA, None)
    place = found.params.R @ ANCHOR + found.params.t
    middle = project(place, CAMERA.K) @ crop_from_frame[:, :2].T + crop_from_frame[:, 2]
    np.testing.assert_allclose(middle, [95.5, 95.5], atol=1e-3)  # the middle of 192 px


def test_larger_maps_are_averaged(tmp_path: Path):
    crop_from_frame = np.array([[0.6, 0, -90.0], [0, 0.6, -40.0]])
    regressor = FlameRegressor(save_parameter_net(tmp_path / "net.onnx", HEAD), HEAD)
    twice = np.array([[1.2, 0, -179.5], [0, 1.2, -79.5]])  # the same crop of 64 px
    a = regressor.run(crop_at(crop_from_frame), CAMERA, maps_at(crop_from_frame, 32))
    b = regressor.run(crop_at(crop_from_frame), CAMERA, maps_at(twice, 64))
    np.testing.assert_allclose(a.params.t, b.params.t, atol=1e-9)


def test_a_refinement_trusts_no_network_more_than_the_least_spread(tmp_path: Path):
    crop_from_frame = np.array([[0.6, 0, -90.0], [0, 0.6, -40.0]])
    for std, wanted in ((0.01, 0.22), (0.7, 0.7)):
        net = save_parameter_net(tmp_path / f"{std}.onnx", HEAD, std=std)
        found = FlameRegressor(net, HEAD).run(
            crop_at(crop_from_frame), CAMERA, maps_at(crop_from_frame)
        )
        start = found.start(found.params)
        np.testing.assert_allclose(start.shape_std, wanted, rtol=1e-6)
        assert not start.mean_head
    assert start.rotation_std_deg == pytest.approx(np.degrees(0.7))


def test_points_are_given_as_shares_of_the_map(tmp_path: Path):
    """The made network answers with a point of the face as the head's place in the crop."""
    crop_from_frame = np.array([[0.1, 0, -20.0], [0, 0.1, -8.0]])
    net = save_parameter_net(tmp_path / "net.onnx", HEAD, place_from_point=4)
    crop = crop_at(crop_from_frame)
    crop.landmarks[4] = (360.0, 240.0)  # px (16, 16) of 32: half a pixel past the middle
    found = FlameRegressor(net, HEAD).run(crop, CAMERA, maps_at(crop_from_frame))
    place = found.params.R @ ANCHOR + found.params.t
    np.testing.assert_allclose(project(place, CAMERA.K), [360.0, 240.0], atol=1e-3)


def test_normals_are_asked_for(tmp_path: Path):
    crop_from_frame = np.array([[0.6, 0, -90.0], [0, 0.6, -40.0]])
    regressor = FlameRegressor(save_parameter_net(tmp_path / "net.onnx", HEAD), HEAD)
    with pytest.raises(ValueError, match="looks at normals"):
        regressor.run(crop_at(crop_from_frame), CAMERA, None)
    with pytest.raises(AssetError, match="no normals in the head frame"):
        regressor.run(crop_at(crop_from_frame), CAMERA, maps_at(crop_from_frame, head=False))


def test_networks_of_another_head_or_kind_are_refused(tmp_path: Path):
    net = save_parameter_net(tmp_path / "net.onnx", HEAD)
    with pytest.raises(ModelContractError, match=r"trained for bumpy .* train one with n2f train"):
        FlameRegressor(net, replace(HEAD, model_id="1" * 64))
    with pytest.raises(AssetError, match="is no N2FNet"):
        FlameRegressor(save_normal_net(tmp_path / "normals.onnx"), HEAD)
    short = save_parameter_net(tmp_path / "short.onnx", HEAD, jaw=np.zeros(2))
    with pytest.raises(AssetError, match="outputs jaw"):
        FlameRegressor(short, HEAD)
