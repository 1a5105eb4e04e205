"""The moving glTF head, played by a reader of its own, against the head model itself."""

from pathlib import Path

import numpy as np
import pygltflib
import pytest
import trimesh

from engine.errors import OutputError
from engine.flame.model import HeadModel, load_head_model
from engine.flame.morph_rig import MorphRig
from engine.flame.posed import PosedHead
from engine.frames import default_camera
from engine.io.glb_rig import RigFrame, write_rig_glb
from engine.types import FlameParams
from tests.glb_reader import Glb

pytestmark = pytest.mark.assets

CAMERA = default_camera(640, 480)
N = 5


@pytest.fixture(scope="module")
def openhead() -> HeadModel:
    return load_head_model(Path(__file__).parents[3] / "assets" / "openhead.npz")


def params_of_frames(model: HeadModel) -> list[FlameParams]:
    """One person, strong expressions, everything that can turn turned."""
    rng = np.random.default_rng(2)
    shape = rng.normal(size=model.n_shape).astype(np.float32)
    frames = []
    for k in range(N):
        turn = 2.5 * k  # radians in all: past where quaternions change their sign
        frames.append(
            FlameParams.neutral(model.model_id, model.n_shape, model.n_expr).with_values(
                shape=shape,
                expr=rng.normal(size=model.n_expr).astype(np.float32),
                neck=np.float32([0.1, 0.1 * k, 0]),
                jaw=np.float32([0.1 * k, 0.03, 0.01]),
                eyes=rng.normal(0, 0.2, 6).astype(np.float32),
                eyelids=np.float32([0.2 * k, 0.5]),
                R=np.array(
                    [[np.cos(turn), 0, np.sin(turn)], [0, 1, 0], [-np.sin(turn), 0, np.cos(turn)]]
                ),
                t=np.array([0.01 * k, 0.02, -0.6 - 0.01 * k]),
            )
        )
    return frames


@pytest.fixture(scope="module")
def film(openhead: HeadModel, tmp_path_factory: pytest.TempPathFactory) -> Path:
    frames = params_of_frames(openhead)
    rig = MorphRig(openhead, frames[0].shape)
    path = tmp_path_factory.mktemp("glb") / "a.glb"
    poses = [rig.pose(params) for params in frames]
    write_rig_glb(
        path,
        rig,
        openhead.lbs_weights,
        openhead.faces,
        [RigFrame(7_000 + 40_000_000 * k, pose, 0.3 + 0.1 * k) for k, pose in enumerate(poses)],
        CAMERA,
        shown=3,
    )
    return path


def in_view(model: HeadModel, params: FlameParams) -> np.ndarray:
    return PosedHead(model).vertices(params) @ params.R.T + params.t


def test_every_key_shows_the_head_where_the_model_puts_it(openhead: HeadModel, film: Path):
    glb = Glb(film)
    for key, params in enumerate(params_of_frames(openhead)):
        # float32 all along, in metres: a micrometre.
        np.testing.assert_allclose(glb.vertices(key), in_view(openhead, params), atol=1e-6)


def test_the_file_stands_as_in_the_frame_that_is_shown(openhead: HeadModel, film: Path):
    shown = params_of_frames(openhead)[3]
    np.testing.assert_allclose(Glb(film).vertices(), in_view(openhead, shown), atol=1e-6)


def test_times_quality_and_names_are_in_the_file(openhead: HeadModel, film: Path):
    glb = Glb(film)
    time = glb.array(glb.tree["animations"][0]["samplers"][0]["input"])
    np.testing.assert_allclose(time, 0.04 * np.arange(N), atol=1e-7)
    notes = glb.tree["scenes"][0]["extras"]
    assert notes["schema"] == "n2fnet.head/1"
    assert notes["low"] == [True, True, False, False, False]
    names = glb.mesh["extras"]["targetNames"]
    assert names[: openhead.n_expr] == [f"expression_{i:03d}" for i in range(openhead.n_expr)]
    assert names[openhead.n_expr :][:2] == ["eyelid_left", "eyelid_right"]
    assert len(names) == len(glb.mesh["weights"]) == len(glb.mesh["primitives"][0]["targets"])


def test_neighbouring_rotations_lie_on_the_same_side(film: Path):
    glb = Glb(film)
    for channel in glb.tree["animations"][0]["channels"]:
        if channel["target"]["path"] == "rotation":
            sampler = glb.tree["animations"][0]["samplers"][channel["sampler"]]
            turns = glb.array(sampler["output"])
            assert ((turns[1:] * turns[:-1]).sum(axis=1) >= 0).all()
            np.testing.assert_allclose(np.linalg.norm(turns, axis=1), 1.0, atol=1e-6)


def test_the_camera_sees_as_wide_as_ours(film: Path):
    lens = Glb(film).tree["cameras"][0]["perspective"]
    assert np.tan(lens["yfov"] / 2) == pytest.approx(CAMERA.height / 2 / CAMERA.K[1, 1])
    assert lens["aspectRatio"] == pytest.approx(640 / 480)


def test_trimesh_and_pygltflib_read_the_person_at_rest(openhead: HeadModel, film: Path):
    person = MorphRig(openhead, params_of_frames(openhead)[0].shape)
    mesh = trimesh.load(film, process=False).geometry["head"]
    np.testing.assert_allclose(mesh.vertices, person.vertices, atol=1e-7)
    np.testing.assert_array_equal(mesh.faces, openhead.faces)
    read = pygltflib.GLTF2().load_binary(film)
    assert len(read.skins[0].joints) == 5
    accessor = read.accessors[read.meshes[0].primitives[0].targets[4]["POSITION"]]
    view = read.bufferViews[accessor.bufferView]
    blob = read.binary_blob()[view.byteOffset :]
    moved = np.frombuffer(blob, "<f4", accessor.count * 3).reshape(-1, 3)
    np.testing.assert_array_equal(moved, openhead.exprdirs[:, :, 4])


def test_normals_are_unit_and_follow_the_targets(openhead: HeadModel, film: Path):
    primitive = Glb(film).mesh["primitives"][0]
    normals = Glb(film).array(primitive["attributes"]["NORMAL"])
    np.testing.assert_allclose(np.linalg.norm(normals, axis=1), 1.0, atol=1e-5)
    turned = Glb(film).array(primitive["targets"][0]["NORMAL"])
    person = MorphRig(openhead, params_of_frames(openhead)[0].shape)
    moved = trimesh.Trimesh(
        person.vertices + openhead.exprdirs[:, :, 0], openhead.faces, process=False
    )
    agree = (moved.vertex_normals * (normals + turned)).sum(axis=1)
    # trimesh weighs triangles by their angles, we by their area.
    assert np.median(agree) > 0.999


def test_one_frame_has_no_animation_and_none_is_refused(openhead: HeadModel, tmp_path: Path):
    (params, *_) = params_of_frames(openhead)
    rig = MorphRig(openhead, params.shape)
    rest = (rig, openhead.lbs_weights, openhead.faces)
    write_rig_glb(tmp_path / "a.glb", *rest, [RigFrame(0, rig.pose(params), 1.0)], CAMERA)
    glb = Glb(tmp_path / "a.glb")
    assert "animations" not in glb.tree or not glb.tree["animations"]
    np.testing.assert_allclose(glb.vertices(), in_view(openhead, params), atol=1e-6)
    with pytest.raises(ValueError, match="at least one"):
        write_rig_glb(tmp_path / "b.glb", *rest, [], CAMERA)
    (tmp_path / "file").write_text("in the way")
    with pytest.raises(OutputError, match="another folder"):
        write_rig_glb(
            tmp_path / "file" / "a.glb", *rest, [RigFrame(0, rig.pose(params), 1.0)], CAMERA
        )
