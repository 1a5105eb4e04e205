"""Photos with fitted parameters: the best fits are kept, as rows like those of made samples."""

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from engine.errors import AssetError
from engine.flame.posed import PosedHead
from engine.frames import default_camera, view_from_crop
from engine.io.image import save_png
from engine.stages.weak_perspective import CropPose, face_anchor, pose_in_view
from engine.synth.map_files import MapStore
from engine.training import face_pictures
from engine.training.face_pictures import frames_of
from engine.training.real_maps import RealPlan, fit_real_maps, real_row
from engine.types import FaceCrop, FlameParams, Frame, NormalMap, Reconstruction
from tests.bad_files import make_video
from tests.bumpy_head import bumpy_head
from tests.onnx_files import disc, sphere_normals

HEAD = bumpy_head(level=2)


def made_fit(frame: Frame, residual_deg: float = 5.0) -> Reconstruction:
    height, width = frame.image.shape[:2]
    params = FlameParams.neutral(HEAD.model_id, HEAD.n_shape, HEAD.n_expr)
    crop_from_frame = np.array([[0.8, 0.2, -20.0], [-0.2, 0.8, 10.0]])
    view = sphere_normals(128)
    return Reconstruction(
        frame_index=frame.index,
        t_ns=0,
        params=params,
        camera=default_camera(width, height),
        vertices=PosedHead(HEAD).vertices(params),
        crop=FaceCrop(frame.image[:128, :128], crop_from_frame, np.zeros((478, 2), np.float32), 1),
        landmarks68_px=np.zeros((68, 2), np.float32),
        landmark_rms=0.01,
        quality=0.9,
        normal_residual_deg=residual_deg,
        normals=NormalMap(view, view, disc(128), disc(128), None, crop_from_frame),
    )


class MadeFitter:
    """Later pictures are fitted worse; every fourth shows nobody."""

    def __init__(self, breaks_at: int = 1000) -> None:
        self.n_seen, self._breaks_at = 0, breaks_at

    def run(self, frame: Frame) -> Reconstruction | None:
        self.n_seen += 1
        if self.n_seen > self._breaks_at:
            raise KeyboardInterrupt
        return None if self.n_seen % 4 == 0 else made_fit(frame, 5.0 + self.n_seen)


def random_picture() -> np.ndarray:
    return np.random.default_rng(0).integers(0, 256, (160, 200, 3), dtype=np.uint8)


@pytest.fixture
def photos(tmp_path: Path) -> list[Path]:
    picture = random_picture()
    names = [tmp_path / f"{k}.png" for k in range(5)]
    for name in names:
        save_png(name, picture)
    return names


def test_the_row_leads_back_to_the_fit():
    fit = made_fit(Frame(np.zeros((160, 200, 3), np.uint8), 0, 0))
    row = real_row(fit, face_anchor(HEAD), 64)
    lifted = np.vstack([fit.crop.crop_from_frame, [0, 0, 1]])
    camera = replace(fit.camera, K=lifted @ fit.camera.K, width=128, height=128)
    pose = CropPose(row["R"].astype(float), row["camera"].astype(float))
    R, t = pose_in_view(camera, pose, face_anchor(HEAD))
    np.testing.assert_allclose(R, fit.params.R, atol=1e-6)
    np.testing.assert_allclose(t, fit.params.t, atol=1e-6)
    turn = view_from_crop(fit.camera, fit.crop.crop_from_frame, 128)
    seen = row["view"][32, 32].astype(float) / 127.5 - 1
    np.testing.assert_allclose(turn @ seen, sphere_normals(128)[64, 64], atol=0.03)


def test_the_worst_fits_are_left_out(photos: list[Path], tmp_path: Path):
    out = tmp_path / "real"
    broken = tmp_path / "broken.png"
    broken.write_bytes(b"no picture")
    n = fit_real_maps([*photos, broken], MadeFitter(), HEAD, out, RealPlan(keep_share=0.5))
    assert n == 2  # of four: one shows nobody
    store = MapStore(out, "train", HEAD.model_id)
    assert store.refresh() == 2
    assert store.info.kind == "real"


def test_no_good_fit_is_an_error(photos: list[Path], tmp_path: Path):
    with pytest.raises(AssetError, match="no face was fitted well enough"):
        fit_real_maps(photos, MadeFitter(), HEAD, tmp_path / "real", RealPlan(least_quality=0.95))


def test_frames_of_a_video_are_a_second_apart(tmp_path: Path):
    video = tmp_path / "film.mp4"
    make_video(video, [random_picture()] * 14, [300.0 * k for k in range(14)])  # 3.9 s
    frames = list(frames_of(video))
    assert [frame.index for frame in frames] == [0, 1, 2, 3]
    assert frames[0].image.shape == (160, 200, 3)


def test_a_long_video_gives_no_more_than_its_share(tmp_path: Path, monkeypatch):
    monkeypatch.setattr(face_pictures, "MOST_FRAMES", 3)
    video = tmp_path / "film.mp4"
    pictures = [np.full((64, 64, 3), 20 * k, np.uint8) for k in range(12)]
    make_video(video, pictures, [1000.0 * k for k in range(12)])
    levels = [int(frame.image.mean()) for frame in frames_of(video)]
    assert levels == pytest.approx([0, 80, 160], abs=6)  # spread over all of it


def test_fitting_goes_on_where_it_stopped(photos: list[Path], tmp_path: Path):
    whole, broken = tmp_path / "whole", tmp_path / "broken"
    fit_real_maps(photos, MadeFitter(), HEAD, whole, RealPlan())
    with pytest.raises(KeyboardInterrupt):
        fit_real_maps(photos, MadeFitter(breaks_at=3), HEAD, broken, RealPlan())
    assert len(list((broken / "fits").iterdir())) == 3
    fitter = MadeFitter()
    assert fit_real_maps(photos, fitter, HEAD, broken, RealPlan()) == 4  # of five, 70 %
    assert fitter.n_seen == 2
    assert not (broken / "fits").exists()
    again = MadeFitter()
    assert fit_real_maps(photos, again, HEAD, broken, RealPlan()) == 4
    assert again.n_seen == 0


def test_fits_of_other_photos_are_not_taken_for_these(photos: list[Path], tmp_path: Path):
    out = tmp_path / "real"
    fit_real_maps(photos, MadeFitter(), HEAD, out, RealPlan())
    with pytest.raises(AssetError, match="fits of other pictures than the 4 given"):
        fit_real_maps(photos[1:], MadeFitter(), HEAD, out, RealPlan())
    with pytest.raises(AssetError, match="another normal network"):
        fit_real_maps(photos, MadeFitter(), HEAD, out, RealPlan(), "other")
    save_png(photos[0], random_picture()[:100])  # another picture of the same name
    with pytest.raises(AssetError, match=r"delete that folder .* --real"):
        fit_real_maps(photos, MadeFitter(), HEAD, out, RealPlan())
    (out / "pictures.json").unlink()  # fitted before lists were kept
    with pytest.raises(AssetError, match="other pictures"):
        fit_real_maps(photos, MadeFitter(), HEAD, out, RealPlan())
