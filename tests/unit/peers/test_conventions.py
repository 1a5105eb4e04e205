"""What codes of the peers mean: constructed heads whose pixels follow from the peers' own maths."""

from collections.abc import Callable

import numpy as np
import pytest
from scipy.spatial.transform import Rotation

from engine.flame.lbs import blend, joint_transforms, pose_feature, rest_joints, rodrigues, skin
from engine.flame.model import HeadModel
from engine.flame.posed import PosedHead
from engine.frames import camera_from_focal, default_camera, project
from engine.peers.conventions import SHEAP_FOV_DEG, PeerHead, Told
from engine.peers.crops import PeerCrop
from engine.stages.weak_perspective import face_anchor
from engine.types import N_MEDIAPIPE

BLACK = np.zeros((224, 224, 3), np.float32)
CROP = PeerCrop(BLACK, np.array([[0.9, 0.0, -120.0], [0.0, 0.9, -70.0]]))

Codes = dict[str, np.ndarray]
Make = Callable[..., Codes]


@pytest.fixture
def codes(openhead: HeadModel) -> Make:
    """Random codes of a person who grimaces, with others in their place where given."""
    random = np.random.default_rng(3)

    def make(**given: tuple[float, ...]) -> Codes:
        made = {
            "shape": random.normal(0, 0.8, openhead.n_shape),
            "expr": random.normal(0, 0.5, openhead.n_expr),
            "root": np.array([0.15, -0.4, 0.1]),
            "jaw": np.array([0.15, 0.02, -0.01]),
            "camera": np.array([7.5, 0.01, -0.02]),
        }
        made |= {name: np.array(value) for name, value in given.items()}
        return {name: value.astype(np.float32) for name, value in made.items()}

    return make


def posed_by_flame(model: HeadModel, codes: Codes, **joints: np.ndarray) -> np.ndarray:
    """(V, 3) as FLAME poses them, the root among its joints: what the peers' programs do."""
    shaped = blend(model.v_template.astype(float), model.shapedirs, codes["shape"], xp=np)
    shaped = blend(shaped, model.exprdirs, codes["expr"], xp=np)
    none = np.zeros(3)
    names = ("neck", "jaw", "eye_l", "eye_r")
    pose = np.stack([codes["root"], *(joints.get(n, codes.get(n, none)) for n in names)])
    rotations = rodrigues(pose.astype(float), xp=np)
    posed = blend(shaped, model.posedirs, pose_feature(rotations, xp=np), xp=np)
    rest = rest_joints(model.J_regressor.astype(float), shaped, xp=np)
    parents = tuple(int(p) for p in model.parents)
    transforms = joint_transforms(rotations, rest, parents, xp=np)
    return skin(posed, transforms, model.lbs_weights.astype(float), xp=np)


def decas_pixels(vertices: np.ndarray, camera: np.ndarray, crop: PeerCrop) -> np.ndarray:
    """(V, 2) frame px by DECA's own projection: add, scale, flip y, then out of the crop."""
    scale, x, y = camera.astype(float)
    normalised = scale * (vertices[:, :2] + [x, y])
    normalised[:, 1] *= -1
    in_crop = (normalised + 1) * 112
    back = np.linalg.inv(np.vstack([crop.crop_from_frame, [0, 0, 1]]))
    return in_crop @ back[:2, :2].T + back[:2, 2]


def pixels(model: HeadModel, told: Told) -> np.ndarray:
    vertices = PosedHead(model).vertices(told.params).astype(float)
    return project(vertices @ told.params.R.T + told.params.t, told.camera.K)


def test_from_afar_every_vertex_falls_where_decas_projection_has_it(
    openhead: HeadModel, codes: Make
) -> None:
    given = codes()
    far = camera_from_focal(5e5, 640, 480)  # sees as good as without perspective
    told = PeerHead(openhead).weak_perspective(given, CROP, far)
    assert told is not None
    wanted = decas_pixels(posed_by_flame(openhead, given), given["camera"], CROP)
    np.testing.assert_allclose(pixels(openhead, told), wanted, atol=0.1)
    assert np.ptp(wanted[:, 0]) > 100  # the head is of some size there


def test_a_usual_camera_has_the_middle_of_the_face_where_decas_has_it(
    openhead: HeadModel, codes: Make
) -> None:
    given = codes()
    camera = default_camera(640, 480)
    told = PeerHead(openhead).weak_perspective(given, CROP, camera)
    assert told is not None
    anchor = face_anchor(openhead)
    joint = openhead.J_regressor[0].astype(float) @ (
        openhead.v_template
        + openhead.shapedirs @ given["shape"]
        + openhead.exprdirs @ given["expr"]
    )
    R = Rotation.from_rotvec(given["root"]).as_matrix()
    wanted = decas_pixels((R @ (anchor - joint) + joint)[None], given["camera"], CROP)[0]
    found = project(told.params.R @ anchor + told.params.t, camera.K)
    np.testing.assert_allclose(found, wanted, atol=1e-6)
    assert told.params.t[2] < 0
    # 1.25 crop sides of 249 px a metre: what is 0.1 m wide there is 93 px wide.
    assert given["camera"][0] * 112 / 0.9 * 0.1 == pytest.approx(93.3, abs=0.1)
    beside = told.params.R @ anchor + told.params.t + [0.1, 0, 0]
    assert project(beside, camera.K)[0] - found[0] == pytest.approx(93.3, abs=1.0)


def test_decas_camera_moves_the_head_right_with_x_and_up_with_y(
    openhead: HeadModel, codes: Make
) -> None:
    head, camera = PeerHead(openhead), default_camera(640, 480)
    anchor = face_anchor(openhead)
    middles = []
    for place in ((7.0, 0.0, 0.0), (7.0, 0.02, 0.0), (7.0, 0.0, 0.02)):
        told = head.weak_perspective(codes(root=(0.0, 0.0, 0.0), camera=place), CROP, camera)
        assert told is not None
        middles.append(project(told.params.R @ anchor + told.params.t, camera.K))
    step = 7.0 * 0.02 * 112 / 0.9
    np.testing.assert_allclose(middles[1] - middles[0], [step, 0], atol=1e-6)
    np.testing.assert_allclose(middles[2] - middles[0], [0, -step], atol=1e-6)


def test_the_root_turns_about_joint_0_which_stays_where_it_is(
    openhead: HeadModel, codes: Make
) -> None:
    head, far = PeerHead(openhead), camera_from_focal(5e5, 640, 480)
    shape = tuple(np.zeros(openhead.n_shape))
    expr = tuple(np.zeros(openhead.n_expr))
    joint = openhead.J_regressor[0].astype(float) @ openhead.v_template
    assert np.linalg.norm(joint) > 0.01  # the origin is somewhere else
    places = []
    for root in ((0.0, 0.0, 0.0), (0.5, 0.0, 0.0), (0.0, 0.6, 0.3)):
        told = head.weak_perspective(codes(root=root, shape=shape, expr=expr), CROP, far)
        assert told is not None
        places.append(project(told.params.R @ joint + told.params.t, far.K))
    np.testing.assert_allclose(places[1:], [places[0]] * 2, atol=0.05)


def test_positive_turns_are_those_of_flames_axes(openhead: HeadModel, codes: Make) -> None:
    head, camera = PeerHead(openhead), default_camera(640, 480)
    nose = openhead.landmarks68.faces_idx[30]
    tip = openhead.v_template[openhead.faces[nose]].mean(axis=0)
    still = head.weak_perspective(codes(root=(0.0, 0.0, 0.0)), CROP, camera)
    assert still is not None
    # About y: the nose to the subject's left, image right. About x: the nose down.
    for root, axis, direction in (((0.0, 0.4, 0.0), 0, 1), ((0.4, 0.0, 0.0), 1, -1)):
        told = head.weak_perspective(codes(root=root), CROP, camera)
        assert told is not None
        moved = told.params.R @ tip - still.params.R @ tip
        assert direction * moved[axis] > 0.02


def test_a_positive_jaw_opens_the_mouth_and_goes_over_as_it_is(
    openhead: HeadModel, codes: Make
) -> None:
    head, camera = PeerHead(openhead), default_camera(640, 480)
    chins = []
    for jaw in ((0.0, 0.0, 0.0), (0.3, 0.0, 0.0)):
        told = head.weak_perspective(codes(jaw=jaw), CROP, camera)
        assert told is not None
        np.testing.assert_allclose(told.params.jaw, jaw, atol=1e-7)
        vertices = PosedHead(openhead).vertices(told.params)
        chin = openhead.faces[openhead.landmarks68.faces_idx[8]]
        chins.append(vertices[chin].mean(axis=0))
    assert chins[1][1] < chins[0][1] - 0.01


def test_lids_are_kept_where_the_model_has_them(openhead: HeadModel, codes: Make) -> None:
    told = PeerHead(openhead).weak_perspective(
        codes(eyelids=(0.25, 1.5)), CROP, default_camera(640, 480)
    )
    assert told is not None
    wanted = (0.25, 1.0) if openhead.eyelid_dirs is not None else (0.0, 0.0)
    np.testing.assert_allclose(told.params.eyelids, wanted, atol=1e-7)


def test_codes_are_filled_up_with_zeros_and_cut_to_what_the_model_has(
    openhead: HeadModel, codes: Make
) -> None:
    given = codes(shape=tuple(np.arange(1.0, 500.0)), expr=(1.0, 2.0))
    told = PeerHead(openhead).weak_perspective(given, CROP, default_camera(640, 480))
    assert told is not None
    np.testing.assert_array_equal(told.params.shape, np.arange(1.0, openhead.n_shape + 1))
    assert told.params.expr[:2].tolist() == [1.0, 2.0]
    assert not told.params.expr[2:].any()


@pytest.mark.parametrize("scale", [0.0, -7.0, float("nan")])
def test_a_camera_without_a_scale_tells_no_place(
    scale: float, openhead: HeadModel, codes: Make
) -> None:
    given = codes(camera=(scale, 0.0, 0.0))
    assert PeerHead(openhead).weak_perspective(given, CROP, default_camera(640, 480)) is None


def test_sheaps_head_falls_where_its_own_camera_has_it(openhead: HeadModel, codes: Make) -> None:
    given = codes(
        place=(0.02, -0.01, 0.1),
        neck=(0.1, 0.05, 0.0),
        eyes=(0.05, 0.1, 0.0, 0.04, 0.12, 0.0),
    )
    # Cut off on one side, so squeezed: not a similarity any more.
    crop = PeerCrop(BLACK, np.array([[1.3, 0.0, -90.0], [0.0, 0.9, -50.0]]))
    told = PeerHead(openhead).sheap(given, crop, default_camera(640, 480))
    eyes = given["eyes"].reshape(2, 3)
    world = posed_by_flame(openhead, given, eye_l=eyes[0], eye_r=eyes[1]) + given["place"]
    # Its camera stands at z = 1 and looks along -z; pixels' edges are -1..1.
    ndc = world[:, :2] / (1 - world[:, 2:]) / np.tan(np.radians(SHEAP_FOV_DEG / 2))
    in_crop = (ndc * [1, -1] + 1) * 112 - 0.5
    back = np.linalg.inv(np.vstack([crop.crop_from_frame, [0, 0, 1]]))
    wanted = in_crop @ back[:2, :2].T + back[:2, 2]
    np.testing.assert_allclose(pixels(openhead, told), wanted, atol=1e-3)
    assert np.ptp(wanted[:, 0]) > 100
    np.testing.assert_allclose(told.params.eyes, given["eyes"])


def test_micas_head_is_neutral_and_lies_on_the_points(openhead: HeadModel) -> None:
    random = np.random.default_rng(5)
    shape = random.normal(0, 1, 300).astype(np.float32)
    head, camera = PeerHead(openhead), default_camera(640, 480)
    R = Rotation.from_euler("yx", [20, -10], degrees=True).as_matrix()
    t = np.array([0.05, -0.02, -0.7])
    told = head.neutral({"shape": shape}, np.zeros((N_MEDIAPIPE, 2), np.float32), camera)
    vertices = PosedHead(openhead).vertices(told.params).astype(float)
    points = np.einsum(
        "nk,nkc->nc",
        openhead.mediapipe.bary,
        vertices[openhead.faces[openhead.mediapipe.faces_idx]],
    )
    landmarks = np.zeros((N_MEDIAPIPE, 2), np.float32)
    landmarks[openhead.mediapipe_idx] = project(points @ R.T + t, camera.K)
    told = head.neutral({"shape": shape}, landmarks, camera)
    n = min(300, openhead.n_shape)
    np.testing.assert_array_equal(told.params.shape[:n], shape[:n])
    for part in ("expr", "jaw", "neck", "eyes", "eyelids"):
        assert not getattr(told.params, part).any()
    # A closed form without perspective within the head: close, not exact.
    assert np.degrees(Rotation.from_matrix(told.params.R @ R.T).magnitude()) < 3
    np.testing.assert_allclose(told.params.t, t, atol=0.03)
