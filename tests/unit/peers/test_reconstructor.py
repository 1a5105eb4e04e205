"""Peers from a frame to a fitted head: a real face, a FLAME file, networks of made weights."""

import json
import logging
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch

from app.__main__ import main
from engine.errors import AssetError, ModelContractError
from engine.flame.cache import import_flame
from engine.flame.model import HeadModel
from engine.frames import project
from engine.io.assets import asset_path
from engine.io.video import VideoSource
from engine.peers import reconstructor
from engine.peers.conventions import Codes
from engine.peers.crops import PeerCrop, smirk_crop
from engine.peers.export import convert_checkpoint
from engine.peers.reconstructor import PeerReconstructor, open_peer
from engine.stages.weak_perspective import face_anchor
from engine.types import Frame, Reconstruction
from engine.video_fit import Fitter
from tests.flame_files import flame_content, write_flame_pickle
from tests.peer_files import deca_tables, placed_smirk, save_sheap, smirk_table

pytestmark = pytest.mark.assets


@pytest.fixture(scope="module")
def frame() -> Frame:
    """The real face of the sample clip."""
    source = VideoSource(asset_path("sample.mp4"))
    frame = source.read()
    source.close()
    assert frame is not None
    return frame


@pytest.fixture(scope="module")
def flame_file(openhead: HeadModel, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """openhead as a FLAME file of unknown release."""
    folder = tmp_path_factory.mktemp("flame")
    return write_flame_pickle(folder / "generic_model.pkl", flame_content(openhead))


@pytest.fixture(scope="module")
def flame(flame_file: Path, openhead: HeadModel) -> HeadModel:
    return import_flame(flame_file, openhead, cache_dir=flame_file.parent / "n2fnet").model


@pytest.fixture(scope="module")
def smirk_file(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("smirk") / "SMIRK_em1.pt"
    torch.save(smirk_table(placed_smirk()), path)
    return path


class Says:
    """A network that gives the same codes for every crop, and keeps the crop."""

    def __init__(self, **codes: list[float]) -> None:
        self.codes = {name: np.array(row, np.float32) for name, row in codes.items()}
        self.crop: PeerCrop | None = None

    def run(self, crop: PeerCrop) -> Codes:
        self.crop = crop
        return self.codes


def fitted(frame: Frame, model: HeadModel, name: str, network: object) -> list[Reconstruction]:
    fitter: Fitter = PeerReconstructor(model, name, network, tracking=False)
    try:
        return fitter.run_all(frame)
    finally:
        fitter.close()


def test_a_head_comes_to_lie_where_the_camera_of_the_peer_has_it(
    frame: Frame, flame: HeadModel
) -> None:
    network = Says(shape=[0.5], expr=[0.0], root=[0.0] * 3, jaw=[0.1, 0, 0], camera=[8.0, 0, 0])
    (fit,) = fitted(frame, flame, "smirk", network)
    assert fit.params.model_id == flame.model_id
    assert fit.params.shape[0] == 0.5
    assert fit.params.jaw.tolist() == pytest.approx([0.1, 0, 0])
    # The crop that the network saw is SMIRK's, cut from the frame around the face.
    wanted = smirk_crop(frame.image, fit.crop.landmarks)
    np.testing.assert_array_equal(network.crop.image, wanted.image)
    anchor = face_anchor(flame)
    in_crop = 112 * (1 + 8.0 * anchor[:2] * [1, -1])
    pixel = project(fit.params.R @ anchor + fit.params.t, fit.camera.K)
    found = wanted.crop_from_frame[:, :2] @ pixel + wanted.crop_from_frame[:, 2]
    np.testing.assert_allclose(found, in_crop, atol=1e-4)
    # The rest follows as for all fits.
    assert (fit.frame_index, fit.t_ns) == (frame.index, frame.t_ns)
    assert set(fit.stage_ms) == {"crop", "peer crop", "smirk", "pose"}
    lips = fit.landmarks68_px[48:].mean(axis=0) - fit.landmarks68_px[36:48].mean(axis=0)
    assert lips[1] > abs(lips[0])  # the mouth below the eyes
    assert 0 < fit.landmark_rms < 0.5


def test_the_better_the_head_meets_the_landmarks_the_better_its_quality(
    frame: Frame, flame: HeadModel
) -> None:
    (fit,) = fitted(frame, flame, "mica", Says(shape=[0.0]))
    assert fit.landmark_rms < 0.15  # the mean head, laid on the points
    (far,) = fitted(
        frame,
        flame,
        "deca",
        Says(shape=[0.0], expr=[0.0], root=[0.0] * 3, jaw=[0.0] * 3, camera=[2.0, 0, 0]),
    )
    assert far.quality == 0.0
    assert far.landmark_rms > fit.landmark_rms


def test_a_peer_that_tells_no_place_gives_no_head_and_says_so(
    frame: Frame, flame: HeadModel, caplog: pytest.LogCaptureFixture
) -> None:
    network = Says(shape=[0.0], expr=[0.0], root=[0.0] * 3, jaw=[0.0] * 3, camera=[-1.0, 0, 0])
    with caplog.at_level(logging.WARNING):
        assert fitted(frame, flame, "deca", network) == []
    assert "frame 0: DECA tells no place of the face" in caplog.text


def test_an_empty_picture_shows_no_face(frame: Frame, flame: HeadModel) -> None:
    empty = Frame(np.full_like(frame.image, 90), 0, 0)
    assert fitted(empty, flame, "mica", Says(shape=[0.0])) == []


def test_a_checkpoint_and_its_conversion_give_the_same_head(
    frame: Frame, flame: HeadModel, smirk_file: Path, tmp_path: Path
) -> None:
    (fit,) = fitted(frame, flame, "smirk", smirk_file)
    converted = tmp_path / "smirk.safetensors"
    convert_checkpoint(smirk_file, converted)
    (again,) = fitted(frame, flame, "smirk", converted)
    np.testing.assert_array_equal(fit.vertices, again.vertices)
    np.testing.assert_array_equal(fit.params.R, again.params.R)
    # The camera's scale was set to 7: a crop of 224 px shows 0.286 m.
    cut = smirk_crop(frame.image, fit.crop.landmarks)
    middle = fit.params.R @ face_anchor(flame) + fit.params.t
    apart = project(middle + np.array([0.01, 0, 0]), fit.camera.K) - project(middle, fit.camera.K)
    assert apart[0] * cut.crop_from_frame[0, 0] == pytest.approx(7.0 * 112 * 0.01, rel=0.02)


def test_decas_file_runs(frame: Frame, flame: HeadModel, tmp_path: Path) -> None:
    from engine.peers.architectures import random_network

    net = random_network("deca")
    last = net.E_flame.layers[2]
    last.bias.data[206] = 7.0  # the camera's scale
    torch.save(deca_tables(net), tmp_path / "deca_model.tar")
    (fit,) = fitted(frame, flame, "deca", tmp_path / "deca_model.tar")
    assert np.isfinite(fit.vertices).all()
    assert fit.params.t[2] < 0


def test_sheaps_file_runs_where_it_is_trusted(
    frame: Frame, flame: HeadModel, tmp_path: Path
) -> None:
    path = save_sheap(tmp_path / "model_paper.pt", jaw=0.2, place=(0.01, -0.02, 0.03))
    fitter = PeerReconstructor(flame, "sheap", path, tracking=False, trust=True)
    (fit,) = fitter.run_all(frame)
    fitter.close()
    assert fit.params.jaw.tolist() == pytest.approx([0.2, 0, 0])
    assert fit.params.eyes.tolist() == pytest.approx([0.1] * 3 + [-0.1] * 3)
    np.testing.assert_allclose(fit.params.t, [0.01, -0.02, -0.97], atol=1e-6)
    np.testing.assert_array_equal(fit.params.R, np.eye(3))


def test_a_fitter_of_one_peer_takes_no_other_method(flame: HeadModel) -> None:
    fitter = PeerReconstructor(flame, "mica", Says(shape=[0.0]))
    fitter.use("mica")
    with pytest.raises(ValueError, match="by mica alone, not by landmarks"):
        fitter.use("landmarks")
    fitter.reset()
    fitter.close()


def test_only_flame_will_do(
    openhead: HeadModel, flame: HeadModel, smirk_file: Path, caplog: pytest.LogCaptureFixture
) -> None:
    with pytest.raises(ModelContractError, match=r"FLAME 2020.*--model"):
        PeerReconstructor(openhead, "smirk", smirk_file)
    with pytest.raises(AssetError, match=r"SMIRK needs checkpoint: SMIRK_em1\.pt"):
        PeerReconstructor(openhead, "smirk", None)
    with pytest.raises(ValueError, match="'3ddfa' does not exist; choose from deca"):
        PeerReconstructor(flame, "3ddfa", None)
    assert not caplog.messages


def test_another_release_than_the_codes_is_warned_of(
    flame: HeadModel, smirk_file: Path, caplog: pytest.LogCaptureFixture
) -> None:
    release = {**flame.meta["release"], "key": "2023"}
    other = replace(flame, name="FLAME 2023", meta={**flame.meta, "release": release})
    with caplog.at_level(logging.WARNING, reconstructor.__name__):
        open_peer(flame, "smirk", smirk_file)
        assert not caplog.messages
        open_peer(other, "smirk", smirk_file)
    assert "with FLAME 2023 expressions mean something else" in caplog.text


# The command line.


def run(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], *arguments: object
) -> tuple[int, str, str]:
    monkeypatch.setattr("sys.argv", ["n2f", *map(str, arguments)])
    with pytest.raises(SystemExit) as ended:
        main()
    printed = capsys.readouterr()
    return int(ended.value.code or 0), printed.out, printed.err


def test_fit_by_a_peer_writes_parameters_of_the_users_flame(
    frame: Frame,
    flame: HeadModel,
    flame_file: Path,
    smirk_file: Path,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    from engine.io.image import save_png

    save_png(tmp_path / "face.png", frame.image)
    monkeypatch.setenv("XDG_CACHE_HOME", str(flame_file.parent))  # where `flame` was converted
    out = tmp_path / "out"
    code, printed, _ = run(
        monkeypatch, capsys, "fit", tmp_path / "face.png", "--out", out, "--method", "smirk",
        "--checkpoint", smirk_file, "--model", flame_file, "--json",
    )  # fmt: skip
    assert code == 0
    (row,) = json.loads(printed)
    assert row["status"] in ("ok", "low")
    assert "smirk" in row["stage_ms"]
    with np.load(out / "face.npz", allow_pickle=False) as arrays:
        assert arrays["shape"].shape[-1] == flame.n_shape
        assert np.isfinite(arrays["vertices"]).all()


def test_what_does_not_go_together_is_wrong_usage(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    start = ("fit", "x.png", "--out", tmp_path / "out")
    for wrong, said in (
        (("--checkpoint", "f.pt"), "go with --method"),
        (("--method", "smirk", "--checkpoint", "f.pt", "--trust"), "--trust"),
        (("--method", "deca", "--export", "normals"), "sees none"),
        (("--method", "3ddfa"), "choose from"),
    ):
        code, _, error = run(monkeypatch, capsys, *start, *wrong)
        assert code == 2
        assert said in error
    code, _, error = run(monkeypatch, capsys, *start, "--method", "mica")
    assert code == 1
    assert "mica needs checkpoint: mica.tar, from https://github.com/Zielon/MICA" in error


def test_peers_are_listed_and_converted(
    smirk_file: Path,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    code, printed, _ = run(monkeypatch, capsys, "peers", "list", "--json")
    assert code == 0
    assert [peer["name"] for peer in json.loads(printed)] == [
        "deca", "emoca", "smirk", "sheap", "mica"
    ]  # fmt: skip
    out = tmp_path / "smirk.safetensors"
    code, printed, _ = run(monkeypatch, capsys, "peers", "convert", smirk_file, "--out", out)
    assert code == 0
    assert "smirk, 762 tensors used" in printed
    assert "not used: smirk_generator.* (1)" in printed
    assert out.is_file()
    code, _, error = run(monkeypatch, capsys, "peers", "convert", smirk_file, "--out", "x.pt")
    assert code == 2
    assert "expected the ending .safetensors" in error
