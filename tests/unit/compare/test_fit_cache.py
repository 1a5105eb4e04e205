"""Fits on disk: the same fit comes back, and only for what it was made from."""

import os
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from engine.compare.fit_cache import FitCache, frame_key
from engine.compare.side_fit import SideFit
from engine.errors import OutputError
from tests.compare_fakes import IDENTITY, moved_head, no_face, noisy_frame, steps

FRAME = noisy_frame(3)
KEY = frame_key(FRAME, IDENTITY)


def test_a_fit_comes_back_as_it_was_and_says_where_from(tmp_path: Path):
    fit = moved_head(FRAME)
    FitCache(tmp_path).save(KEY, SideFit(fit, 23.4, steps()))
    same_picture = replace(FRAME, index=9, t_ns=77)
    found = FitCache(tmp_path).load(KEY, same_picture)
    assert found is not None
    assert (found.seconds, found.from_cache, found.curve) == (23.4, True, steps())
    assert found.fit is not None
    assert (found.fit.frame_index, found.fit.t_ns) == (9, 77)
    assert np.array_equal(found.fit.vertices, fit.vertices)
    assert np.array_equal(found.fit.camera.K, fit.camera.K)
    assert np.array_equal(found.fit.crop.landmarks, fit.crop.landmarks)
    for name in ("shape", "expr", "neck", "jaw", "eyes", "eyelids", "R", "t", "model_id"):
        assert np.array_equal(getattr(found.fit.params, name), getattr(fit.params, name)), name
    for name in ("quality", "landmark_rms", "normal_residual_deg"):
        assert getattr(found.fit, name) == getattr(fit, name), name


def test_that_there_is_no_face_is_remembered_too(tmp_path: Path):
    FitCache(tmp_path).save(KEY, no_face(1.5))
    found = FitCache(tmp_path).load(KEY, FRAME)
    assert found is not None
    assert (found.fit, found.seconds, found.from_cache) == (None, 1.5, True)


def test_the_key_knows_pixels_camera_and_way_of_fitting():
    pixel = FRAME.image.copy()
    pixel[5, 5, 1] ^= 1
    others = [
        frame_key(replace(FRAME, image=pixel), IDENTITY),
        frame_key(replace(FRAME, focal_px=900.0), IDENTITY),
        frame_key(replace(FRAME, image=FRAME.image.reshape(64, 48, 3)), IDENTITY),
        frame_key(FRAME, IDENTITY + "!"),
    ]
    assert KEY not in others
    assert len(set(others)) == 4
    assert frame_key(replace(FRAME, index=0, t_ns=0), IDENTITY) == KEY


@pytest.mark.parametrize("damage", [b"", b"PK\x03\x04 no zip", "half"])
def test_a_damaged_file_is_as_good_as_none(tmp_path: Path, damage: bytes | str):
    cache = FitCache(tmp_path)
    cache.save(KEY, SideFit(moved_head(FRAME), 1.0))
    (file,) = tmp_path.iterdir()
    whole = file.read_bytes()
    file.write_bytes(whole[: len(whole) // 2] if damage == "half" else damage)
    assert cache.load(KEY, FRAME) is None
    cache.save(KEY, no_face())
    assert cache.load(KEY, FRAME) is not None


def test_those_unused_for_longest_go_first(tmp_path: Path):
    frames = [noisy_frame(i) for i in range(3)]
    keys = [frame_key(frame, IDENTITY) for frame in frames]
    one = len_of_one(tmp_path / "one")
    cache = FitCache(tmp_path / "all", max_bytes=int(2.5 * one))
    for age, (key, frame) in enumerate(zip(keys[:2], frames[:2], strict=True)):
        cache.save(key, SideFit(moved_head(frame), 1.0))
        os.utime(tmp_path / "all" / f"{key}.npz", ns=(10**9 * (age + 1),) * 2)
    assert cache.load(keys[0], frames[0]) is not None  # used just now: the second is older
    cache.save(keys[2], SideFit(moved_head(frames[2]), 1.0))
    left = [cache.load(key, frame) is not None for key, frame in zip(keys, frames, strict=True)]
    assert left == [True, False, True]


def len_of_one(folder: Path) -> int:
    FitCache(folder).save(KEY, SideFit(moved_head(FRAME), 1.0))
    return sum(file.stat().st_size for file in folder.iterdir())


def test_nothing_half_written_stays(tmp_path: Path):
    FitCache(tmp_path).save(KEY, no_face())
    assert [file.name for file in tmp_path.iterdir()] == [f"{KEY}.npz"]


def test_a_folder_that_cannot_be_written_is_told(tmp_path: Path):
    (tmp_path / "file").touch()
    with pytest.raises(OutputError, match="cannot be written"):
        FitCache(tmp_path / "file").save(KEY, no_face())
