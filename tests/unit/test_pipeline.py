"""The whole way from frames to heads, on the synthetic source (truth known) and a real face."""

import subprocess
import sys

import numpy as np
import pytest
from scipy.spatial.transform import Rotation

from engine.flame.model import HeadModel
from engine.io.assets import asset_path
from engine.io.video import VideoSource
from engine.landmark_error import nme10
from engine.pipeline import LOW_QUALITY, Reconstructor
from engine.sources import SyntheticSource
from engine.types import Frame, Reconstruction

pytestmark = pytest.mark.assets


@pytest.fixture(scope="module")
def clip_fits(openhead: HeadModel) -> list[Reconstruction | None]:
    """The real face of the sample clip, a third of a second as a video."""
    source, reconstructor = VideoSource(asset_path("sample.mp4")), Reconstructor(openhead)
    fits = [reconstructor.run(f) for _ in range(10) if (f := source.read()) is not None]
    source.close()
    reconstructor.close()
    return fits


def test_real_face_is_fitted_in_every_frame(clip_fits: list[Reconstruction | None]) -> None:
    for fit in clip_fits:
        assert fit is not None
        assert nme10(fit) <= 0.04  # the project's target on photos
        assert fit.landmark_rms <= 0.03
        assert fit.quality > LOW_QUALITY
        # She looks into the camera, upright, about a metre away.
        turn = np.degrees(Rotation.from_matrix(fit.params.R).magnitude())
        assert turn < 25
        assert -3.0 < fit.params.t[2] < -0.3
        # She smiles with bare teeth and looks straight on: lids open, eyes within 25 degrees.
        assert fit.params.eyelids.max() < 0.6
        assert np.abs(fit.params.eyes).max() < np.radians(25)


def test_stages_are_timed(clip_fits: list[Reconstruction | None]) -> None:
    fit = clip_fits[-1]
    assert fit is not None
    assert set(fit.stage_ms) == {"crop", "fit", "pose"}
    assert all(ms > 0 for ms in fit.stage_ms.values())


@pytest.mark.gl
def test_pose_of_a_rendered_head_is_found(openhead: HeadModel) -> None:
    source, reconstructor = SyntheticSource(openhead, n_frames=40), Reconstructor(openhead)
    angles, depths = [], []
    while (frame := source.read()) is not None:
        fit = reconstructor.run(frame)
        if fit is None or frame.index < 10:
            continue
        truth = source.truth(frame.index)
        turn = Rotation.from_matrix(fit.params.R @ truth.R.T)
        angles.append(np.degrees(turn.magnitude()))
        depths.append(abs(fit.params.t[2] / truth.t[2] - 1))
    source.close()
    reconstructor.close()
    assert len(angles) >= 28  # of 30: MediaPipe may lose a blinking frame
    # MediaPipe's points on rendered heads are off by 2.5 % of the eyes' distance: some degrees.
    assert np.median(angles) < 5.0
    # One view does not tell a head's size from its distance; heads differ by 6 % (1 sigma).
    assert np.median(depths) < 0.15


def test_no_face_gives_nothing(openhead: HeadModel) -> None:
    reconstructor = Reconstructor(openhead, tracking=False)
    frame = Frame(image=np.full((120, 160, 3), 128, np.uint8), index=0, t_ns=0)
    assert reconstructor.run(frame) is None
    assert reconstructor.run_all(frame) == []
    reconstructor.close()


def test_focal_length_of_the_frame_is_used(openhead: HeadModel) -> None:
    source = VideoSource(asset_path("sample.mp4"))
    frame = source.read()
    source.close()
    assert frame is not None
    reconstructor = Reconstructor(openhead, tracking=False)
    far = Frame(frame.image, 0, 0, focal_px=4 * 768.0)
    near_fit, far_fit = reconstructor.run(frame), reconstructor.run(far)
    reconstructor.close()
    assert near_fit is not None
    assert far_fit is not None
    # Four times the focal length sees the same picture from about four times as far.
    assert far_fit.params.t[2] / near_fit.params.t[2] == pytest.approx(4.0, rel=0.15)


def test_unknown_method_is_refused(openhead: HeadModel) -> None:
    with pytest.raises(ValueError, match="landmarks"):
        Reconstructor(openhead, method="magic")


@pytest.mark.parametrize("module", ["app.live", "engine.pipeline", "engine.batch"])
def test_live_path_does_not_load_torch(module: str) -> None:
    code = f"import sys, {module}; sys.exit('torch' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0
