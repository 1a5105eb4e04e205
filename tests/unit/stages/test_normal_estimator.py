"""From crops to normals in their frames, on networks with known answers."""

from pathlib import Path

import cv2
import numpy as np
import pytest

from engine.errors import AssetError
from engine.frames import camera_from_focal, default_camera, view_from_crop
from engine.stages.crop_geometry import FaceSquare, crop_matrix
from engine.stages.crop_picture import resized_crop
from engine.stages.normal_estimator import NormalEstimator
from engine.types import FaceCrop
from tests.onnx_files import disc, save_foreign_net, save_normal_net, sphere_normals

SIZE = 32


@pytest.fixture
def net(tmp_path: Path) -> Path:
    return save_normal_net(tmp_path / "made.onnx", SIZE)


def crop_of(
    side: int = 96, centre: tuple[float, float] = (319.5, 239.5), roll: float = 0.0, z: float = 5.0
) -> FaceCrop:
    """A crop of a 640 x 480 frame of red ramps: rising to the right in the crop."""
    ramp = np.repeat(np.arange(side, dtype=np.uint8)[None] * 2, side, axis=0)
    image = np.stack([ramp, ramp * 0, ramp * 0], axis=-1)
    matrix = crop_matrix(FaceSquare(np.array(centre), 2.0 * side, roll), side)
    points = np.tile(np.float32(centre), (478, 1))
    return FaceCrop(image, matrix, points, 1.0, landmarks_z=np.full(478, z, np.float32))


def test_a_crop_around_the_cameras_axis_keeps_its_normals(net: Path) -> None:
    found = NormalEstimator(net).run(crop_of(), default_camera(640, 480))
    # The crop's middle lies on the axis: nothing is to be turned.
    np.testing.assert_allclose(found.view, sphere_normals(SIZE), atol=1e-6)
    np.testing.assert_allclose(found.head, sphere_normals(SIZE), atol=1e-6)
    np.testing.assert_array_equal(found.mask, disc(SIZE))
    assert found.parsing is not None
    assert found.parsing.tolist() == disc(SIZE).astype(int).tolist()


def test_a_crop_at_the_side_turns_view_normals_by_its_direction(net: Path) -> None:
    """45 degrees right of the axis: what faces the crop's camera faces left and back."""
    camera = camera_from_focal(200.0, 640, 480)
    crop = crop_of(centre=(519.5, 239.5))
    found = NormalEstimator(net).run(crop, camera)
    assert found.view is not None
    assert found.head is not None
    corner = found.view[0, 0]  # outside the ball: (0, 0, 1) for the crop's camera
    np.testing.assert_allclose(corner, [-np.sqrt(0.5), 0.0, np.sqrt(0.5)], atol=1e-4)
    np.testing.assert_allclose(found.head[0, 0], [0, 0, 1], atol=1e-6)


def test_a_rolled_crop_turns_view_normals_back(net: Path) -> None:
    camera = default_camera(640, 480)
    found = NormalEstimator(net).run(crop_of(roll=np.radians(90)), camera)
    assert found.view is not None
    # The eye line points down in the frame: the crop's right is the frame's down.
    right_edge = found.view[SIZE // 2, -1]
    assert right_edge[1] < -0.9
    turn = view_from_crop(camera, found.crop_from_frame, SIZE)
    np.testing.assert_allclose(right_edge, turn @ sphere_normals(SIZE)[SIZE // 2, -1], atol=1e-6)


def test_the_crop_is_shrunk_by_averaging_and_its_matrix_with_it(net: Path) -> None:
    crop = crop_of(side=96)
    found = NormalEstimator(net).run(crop, default_camera(640, 480))
    # The network gives red / 255 as confidence; three columns of the ramp make one.
    columns = np.arange(96).reshape(SIZE, 3).mean(axis=1) * 2 / 255
    np.testing.assert_allclose(found.confidence[0], columns, atol=1e-6)
    # The corner of the crop's first pixel stays where it is in the frame.
    lift = [[0, 0, 1]]
    big, small = (np.linalg.inv(np.vstack([m, lift]))
                  for m in (crop.crop_from_frame, found.crop_from_frame))  # fmt: skip
    np.testing.assert_allclose(big @ [-0.5, -0.5, 1], small @ [-0.5, -0.5, 1])
    np.testing.assert_allclose(big @ [95.5, 95.5, 1], small @ [31.5, 31.5, 1])


def test_a_shrunk_crop_lies_where_one_cut_at_that_size_does() -> None:
    # Training cuts at the network's size, the program at 192 px and shrinks.
    square = FaceSquare(np.array([301.3, 222.7]), 217.9, 0.3)
    live = FaceCrop(
        np.zeros((192, 192, 3), np.uint8), crop_matrix(square, 192),
        np.zeros((478, 2), np.float32), 1.0,
    )  # fmt: skip
    image, matrix = resized_crop(live, 128)
    assert image.shape == (128, 128, 3)
    np.testing.assert_allclose(matrix, crop_matrix(square, 128), atol=1e-9)


def test_points_reach_the_network_in_shares_of_the_crop(tmp_path: Path) -> None:
    import onnx

    model = onnx.load(save_normal_net(tmp_path / "made.onnx", SIZE))
    # Give the nose's share back as x of the head map.
    del model.graph.node[2:5]
    fill = np.zeros((1, SIZE, SIZE, 3), np.float32)
    model.graph.initializer.append(onnx.numpy_helper.from_array(fill, "fill"))
    model.graph.node.append(onnx.helper.make_node("Unsqueeze", ["nose_points", "one"], ["n4"]))
    model.graph.node.append(onnx.helper.make_node("Add", ["fill", "n4"], ["head"]))
    model.graph.initializer.append(onnx.numpy_helper.from_array(np.array([1]), "one"))
    onnx.save(model, tmp_path / "points.onnx")
    crop = crop_of(side=96, z=38.4)
    found = NormalEstimator(tmp_path / "points.onnx").run(crop, default_camera(640, 480))
    assert found.head is not None
    # The point is the crop's middle; the crop shows 192 frame px, of which 38.4 are a fifth.
    np.testing.assert_allclose(found.head[0, 0], [0.5, 0.5, 0.2], atol=1e-6)


def test_other_networks_are_refused_with_a_hint(tmp_path: Path) -> None:
    from onnx import TensorProto, helper

    from tests.onnx_files import save_graph

    spec = (TensorProto.FLOAT, (1, 3, 8, 8))
    nodes = [helper.make_node("Identity", ["x"], ["y"])]
    other = save_graph(tmp_path / "other.onnx", nodes, {"x": spec}, {"y": spec}, {})
    with pytest.raises(AssetError, match=r"no normal network of this program.*other\.toml"):
        NormalEstimator(other)


DESCRIPTION = """
size = 32
layout = "nchw"
output = "n"
frame = "cropview"
"""


def oval_crop() -> FaceCrop:
    """A crop whose points lie on a circle of 24 frame px around the middle."""
    crop = crop_of(side=32)
    angles = np.linspace(0, 2 * np.pi, 478, endpoint=False)
    ring = crop.landmarks + 24 * np.stack([np.cos(angles), np.sin(angles)], axis=1)
    return FaceCrop(crop.image, crop.crop_from_frame, ring.astype(np.float32), 1.0)


def test_foreign_channels_are_put_in_our_order_and_signs(tmp_path: Path) -> None:
    ours = sphere_normals(SIZE)
    # Channels: y down, z away, x right; coded 0..1, and not of unit length.
    planes = np.stack([-ours[..., 1], -ours[..., 2], ours[..., 0]]) * 0.45 + 0.5
    text = DESCRIPTION + 'channels = ["-y", "-z", "x"]\noutput_range = [0.0, 1.0]\n'
    estimator = NormalEstimator(save_foreign_net(tmp_path, text, planes.astype(np.float32)))
    found = estimator.run(oval_crop(), default_camera(640, 480))
    np.testing.assert_allclose(found.view, ours, atol=1e-5)
    assert found.head is None
    assert found.parsing is None


def test_foreign_networks_without_a_mask_get_the_faces_outline(tmp_path: Path) -> None:
    planes = np.zeros((3, SIZE, SIZE), np.float32)
    planes[2] = 1
    planes[:, 15, 15] = 0  # no normal there
    found = NormalEstimator(save_foreign_net(tmp_path, DESCRIPTION, planes)).run(
        oval_crop(), default_camera(640, 480)
    )
    # 24 frame px are 12 here: a disc of 452 px, to the rim's half pixel.
    assert abs(found.mask.sum() - np.pi * 12**2) < np.pi * 12
    assert found.mask[16, 16] == 1
    assert found.mask[0, 0] == 0
    assert found.confidence[15, 15] == 0
    assert found.confidence[16, 16] == 1


def test_foreign_mask_and_head_frame_are_taken_as_they_are(tmp_path: Path) -> None:
    planes, mask = np.zeros((3, SIZE, SIZE), np.float32), disc(SIZE) * 0.75
    planes[0] = 1
    text = DESCRIPTION.replace("cropview", "head") + 'mask_output = "m"\n'
    found = NormalEstimator(save_foreign_net(tmp_path, text, planes, mask)).run(
        crop_of(), default_camera(640, 480)
    )
    np.testing.assert_array_equal(found.mask, mask)
    assert found.view is None
    assert found.head is not None
    assert found.head[3, 4].tolist() == [1, 0, 0]


def test_foreign_view_normals_are_not_turned(tmp_path: Path) -> None:
    planes = np.zeros((3, SIZE, SIZE), np.float32)
    planes[2] = 1
    text = DESCRIPTION.replace('"cropview"', '"view"')
    # The camera looks far past the crop: normals of a crop's own view would turn.
    found = NormalEstimator(save_foreign_net(tmp_path, text, planes)).run(
        oval_crop(), default_camera(4000, 3000)
    )
    assert found.head is None
    assert found.view is not None
    assert found.view[3, 4].tolist() == [0, 0, 1]


def test_foreign_pictures_get_their_colours_and_range(tmp_path: Path) -> None:
    text = DESCRIPTION.replace('"n"', '"seen"') + (
        'colour = "bgr"\nrange = [0.0, 1.0]\nmean = [0.1, 0.2, 0.3]\nstd = [0.5, 0.5, 2.0]\n'
        'channels = ["z", "y", "x"]\n'
    )
    estimator = NormalEstimator(
        save_foreign_net(tmp_path, text, np.zeros((3, SIZE, SIZE), np.float32))
    )
    image = np.zeros((SIZE, SIZE, 3), np.uint8)
    image[:] = (255, 102, 51)
    crop = crop_of(side=SIZE)
    found = estimator.run(
        FaceCrop(image, crop.crop_from_frame, crop.landmarks, 1.0), default_camera(640, 480)
    )
    # Blue 0.2, green 0.4, red 1.0, each less its mean over its deviation, then as z, y, x.
    expected = np.array([(1.0 - 0.3) / 2.0, (0.4 - 0.2) / 0.5, (0.2 - 0.1) / 0.5])
    assert found.view is not None
    np.testing.assert_allclose(found.view[5, 5], expected / np.linalg.norm(expected), atol=1e-6)


@pytest.mark.parametrize(
    ("line", "words"),
    [
        ("sice = 3", "unknown key sice"),
        ('layout = "nwch"', "layout is 'nwch', expected 'nchw' or 'nhwc'"),
        ("size = 8", "size is 8"),
        ('output = "normals"', "no output 'normals'; there are: n, seen"),
        ("mean = [1.0, 2.0]", "mean is"),
        ("std = [1.0, 0.0, 1.0]", "std is 0"),
        ('channels = ["x", "x", "z"]', "channels is"),
        ('mask_output = "seen"', r"seen is \(1, 3, 32, 32\)"),
        ("mask_output = ''", "mask_output is ''"),
        ("frame = 3", "frame is 3"),
        ("size", "is no TOML"),
    ],
)
def test_wrong_descriptions_are_named(tmp_path: Path, line: str, words: str) -> None:
    key = line.split(" ")[0]
    kept = [old for old in DESCRIPTION.splitlines() if not old.startswith(f"{key} ")]
    path = save_foreign_net(
        tmp_path, "\n".join([*kept, line]), np.zeros((3, SIZE, SIZE), np.float32)
    )
    with pytest.raises(AssetError, match=f"foreign.toml.*{words}"):
        NormalEstimator(path)


def test_incomplete_description_is_told(tmp_path: Path) -> None:
    path = save_foreign_net(tmp_path, "size = 32\n", np.zeros((3, SIZE, SIZE), np.float32))
    with pytest.raises(AssetError, match="layout, output, frame missing"):
        NormalEstimator(path)


def test_resizing_agrees_with_opencv(net: Path) -> None:
    """Side by side with a shrunk picture given directly."""
    crop = crop_of(side=96)
    image = cv2.resize(crop.image, (SIZE, SIZE), interpolation=cv2.INTER_AREA)
    matrix = crop_matrix(FaceSquare(np.array([319.5, 239.5]), 192.0, 0.0), SIZE)
    small = FaceCrop(image, matrix, crop.landmarks, 1.0)
    estimator, camera = NormalEstimator(net), default_camera(640, 480)
    one, other = estimator.run(crop, camera), estimator.run(small, camera)
    np.testing.assert_allclose(one.crop_from_frame, other.crop_from_frame, atol=1e-12)
    np.testing.assert_array_equal(one.confidence, other.confidence)
