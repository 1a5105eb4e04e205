"""A video through the optimiser: its frames by themselves, then together, in parts."""

import csv
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from engine.fitting.curve import CurvePoint
from engine.fitting.reconstructor import OptimisingReconstructor
from engine.fitting.settings import FitSettings
from engine.flame.model import HeadModel
from engine.io.assets import asset_path
from engine.io.recorder import VideoRecorder
from engine.io.video import VideoSource
from engine.normal_choice import choose_normals
from engine.stages.normal_estimator import SeesNormals
from engine.video_fit import FittedVideo, fit_video

pytestmark = [pytest.mark.assets, pytest.mark.gl, pytest.mark.slow]

N = 4
QUICK = {"optimizer": "gn", "gn_steps": 3, "global_gn_steps": 2}


@pytest.fixture(scope="module")
def clip(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The first frames of the bundled clip."""
    path = tmp_path_factory.mktemp("clip") / "clip.mp4"
    source = VideoSource(asset_path("sample.mp4"))
    with VideoRecorder(path, source.width, source.height) as recorder:
        for _ in range(N):
            frame = source.read()
            assert frame is not None
            recorder.write(frame.image, frame.t_ns)
    source.close()
    return path


@pytest.fixture(scope="module")
def normals() -> SeesNormals:
    estimator = choose_normals(None).load()
    assert estimator is not None
    return estimator


def fitted(
    model: HeadModel,
    normals: SeesNormals,
    clip: Path,
    settings: FitSettings,
    on_joint: Callable[[CurvePoint, int], bool] = lambda point, n: True,
) -> FittedVideo:
    fitter = OptimisingReconstructor(model, normals=normals, settings=settings, on_joint=on_joint)
    counted: list[int] = []
    found = fit_video(
        VideoSource(clip), fitter, model, on_frame=counted.append, again=lambda: VideoSource(clip)
    )
    fitter.close()
    assert counted == [*range(1, N + 1)]
    return found


def test_a_video_in_parts_keeps_one_shape_and_meets_its_pictures(
    openhead: HeadModel, normals: SeesNormals, clip: Path
) -> None:
    steps = []

    def watch(point: CurvePoint, n: int) -> bool:
        steps.append((point.iteration, n))
        return True

    settings = FitSettings(joint_frames=N - 1, **QUICK)
    found = fitted(openhead, normals, clip, settings, watch)
    arrays = found.sequences[0].arrays()
    assert arrays["found"].all()
    assert (np.ptp(arrays["shape"], axis=0) == 0).all()
    assert arrays["frame_index"].tolist() == [*range(N)]
    assert found.best is not None
    frame, fits = found.best
    assert fits[0].frame_index == frame.index
    assert frame.image.shape[0] > 100
    assert steps == [(0, 2), (1, 2)] * 2  # a part of three frames, and one of the last


def test_the_way_of_each_stage_is_written_and_a_stop_keeps_the_frames_until_then(
    openhead: HeadModel, normals: SeesNormals, clip: Path, tmp_path: Path
) -> None:
    seen: list[int] = []
    fitter = OptimisingReconstructor(openhead, normals=normals, settings=FitSettings(**QUICK))
    found = fit_video(
        VideoSource(clip),
        fitter,
        openhead,
        on_frame=seen.append,
        again=lambda: VideoSource(clip),
        stopped=lambda: len(seen) == 2,
    )
    assert found.n_frames == found.n_found == 2
    fitter.write_curve(tmp_path / "curve.csv", next(iter(found.sequences)))
    fitter.close()
    with (tmp_path / "curve.csv").open() as file:
        rows = list(csv.DictReader(file))
    assert list(dict.fromkeys(row["stage"] for row in rows)) == ["frame 0", "frame 1", "together"]
    for row in rows:
        terms = [float(row[name]) for name in list(row)[4:] if row[name]]
        assert sum(terms) == pytest.approx(float(row["energy"]), rel=1e-3)


def test_without_the_joint_stage_frames_are_fitted_by_themselves(
    openhead: HeadModel, normals: SeesNormals, clip: Path
) -> None:
    def never(point: CurvePoint, n: int) -> bool:
        raise AssertionError("nothing is to be fitted together")

    alone = fitted(openhead, normals, clip, FitSettings(joint=False, **QUICK), never)
    assert alone.n_found == N
