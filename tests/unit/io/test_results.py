import csv
import json
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from engine.errors import AssetError, ModelContractError, OutputError
from engine.flame.model import REGIONS, HeadModel, Landmarks
from engine.io.results import (
    FitSequence,
    SummaryRow,
    load_fit_npz,
    save_fit_npz,
    save_sequence_npz,
    write_csv,
    write_summary,
)
from engine.types import Camera, FaceCrop, FlameParams, Reconstruction

N_SHAPE, N_EXPR, V = 3, 2, 5
PARAMS = ("shape", "expr", "neck", "jaw", "eyes", "eyelids", "R", "t")


def tiny_model(model_id: str = "a" * 64) -> HeadModel:
    points = Landmarks(np.zeros(68, np.int32), np.tile(np.float32([1, 0, 0]), (68, 1)))
    return HeadModel(
        name="tiny",
        licence="none",
        model_id=model_id,
        v_template=np.zeros((V, 3), np.float32),
        shapedirs=np.zeros((V, 3, N_SHAPE), np.float32),
        exprdirs=np.zeros((V, 3, N_EXPR), np.float32),
        posedirs=np.zeros((V, 3, 36), np.float32),
        J_regressor=np.zeros((5, V), np.float32),
        parents=np.array([-1, 0, 1, 1, 1], np.int32),
        lbs_weights=np.zeros((V, 5), np.float32),
        faces=np.array([[0, 1, 2], [2, 3, 4]], np.int32),
        regions={name: np.zeros(0, np.int32) for name in REGIONS},
        landmarks68=points,
        mediapipe=points,
        mediapipe_idx=np.zeros(68, np.int32),
    )


def a_fit(seed: int = 0, model_id: str = "a" * 64) -> Reconstruction:
    rng = np.random.default_rng(seed)

    def numbers(*shape: int) -> np.ndarray:
        return rng.normal(size=shape).astype(np.float32)

    quarter_about_y = np.array([[0.0, 0, 1], [0, 1, 0], [-1, 0, 0]])
    params = FlameParams(
        model_id=model_id,
        shape=numbers(N_SHAPE),
        expr=numbers(N_EXPR),
        neck=numbers(3),
        jaw=np.float32([np.pi / 6, 0, 0]),
        eyes=numbers(6),
        eyelids=numbers(2),
        R=quarter_about_y,
        t=np.array([0.01, -0.02, -0.6]),
    )
    crop = FaceCrop(
        np.zeros((8, 8, 3), np.uint8), np.zeros((2, 3)), np.zeros((478, 2), np.float32), 1.0
    )
    return Reconstruction(
        frame_index=seed,
        t_ns=seed * 40_000_000,
        params=params,
        camera=Camera(np.array([[900.0, 0, 320], [0, 900, 240], [0, 0, 1]]), 640, 480),
        vertices=numbers(V, 3),
        crop=crop,
        landmarks68_px=numbers(68, 2),
        landmark_rms=0.02,
        quality=0.9,
    )


def test_fit_of_a_picture_comes_back_bit_by_bit(tmp_path: Path) -> None:
    fit, model = a_fit(3), tiny_model()
    save_fit_npz(tmp_path / "a.npz", fit, model)
    saved = load_fit_npz(tmp_path / "a.npz", model)
    assert len(saved) == 1
    for name in PARAMS:
        np.testing.assert_array_equal(getattr(saved.params(0), name), getattr(fit.params, name))
    np.testing.assert_array_equal(saved.camera(0).K, fit.camera.K)
    assert (saved.camera(0).width, saved.camera(0).height) == (640, 480)
    np.testing.assert_array_equal(saved.arrays["vertices"][0], fit.vertices)
    np.testing.assert_array_equal(saved.faces, model.faces)


def test_npz_has_the_names_and_shapes_of_the_contract(tmp_path: Path) -> None:
    save_fit_npz(tmp_path / "a.npz", a_fit(3), tiny_model())
    with np.load(tmp_path / "a.npz", allow_pickle=False) as archive:
        shapes = {key: archive[key].shape for key in archive.files}
        assert str(archive["model_id"]) == "a" * 64
        assert archive["t_ns"] == 120_000_000
        assert archive["frame_index"] == 3
        assert np.isnan(archive["normal_residual_deg"])
        assert archive["schema"] == "n2fnet.fit/1"
        assert archive["low"] == (a_fit(3).quality < 0.5)
    assert shapes == {
        "shape": (N_SHAPE,),
        "expr": (N_EXPR,),
        "neck": (3,),
        "jaw": (3,),
        "eyes": (6,),
        "eyelids": (2,),
        "R": (3, 3),
        "t": (3,),
        "K": (3, 3),
        "image_size": (2,),
        "model_id": (),
        "vertices": (V, 3),
        "faces": (2, 3),
        "landmarks68_px": (68, 2),
        "normal_residual_deg": (),
        "quality": (),
        "landmark_rms": (),
        "frame_index": (),
        "t_ns": (),
        "low": (),
        "schema": (),
    }


def sequence_with_a_gap(*, with_vertices: bool = False) -> FitSequence:
    sequence = FitSequence(tiny_model(), with_vertices=with_vertices)
    sequence.add(0, 0, a_fit(0))
    sequence.add(1, 40_000_000, None)
    sequence.add(2, 80_000_000, a_fit(2))
    return sequence


def test_video_keeps_frames_without_a_face_as_gaps(tmp_path: Path) -> None:
    save_sequence_npz(tmp_path / "v.npz", sequence_with_a_gap())
    saved = load_fit_npz(tmp_path / "v.npz", tiny_model())
    assert saved.found.tolist() == [True, False, True]
    assert saved.arrays["t_ns"].tolist() == [0, 40_000_000, 80_000_000]
    np.testing.assert_array_equal(saved.params(2).expr, a_fit(2).params.expr)
    for name in PARAMS:
        assert np.isnan(saved.arrays[name][1]).all()
        assert np.isfinite(saved.arrays[name][[0, 2]]).all()
    assert "vertices" not in saved.arrays


def test_vertices_of_a_video_are_kept_on_request(tmp_path: Path) -> None:
    save_sequence_npz(tmp_path / "v.npz", sequence_with_a_gap(with_vertices=True))
    vertices = load_fit_npz(tmp_path / "v.npz").arrays["vertices"]
    np.testing.assert_array_equal(vertices[2], a_fit(2).vertices)
    assert np.isnan(vertices[1]).all()


def test_video_without_any_frame_has_arrays_of_length_zero(tmp_path: Path) -> None:
    save_sequence_npz(tmp_path / "v.npz", FitSequence(tiny_model()))
    saved = load_fit_npz(tmp_path / "v.npz")
    assert len(saved) == 0
    assert saved.arrays["shape"].shape == (0, N_SHAPE)


def test_parameters_of_another_model_are_refused(tmp_path: Path) -> None:
    other = tiny_model("b" * 64)
    with pytest.raises(ModelContractError, match="use the head model"):
        save_fit_npz(tmp_path / "a.npz", a_fit(), other)
    with pytest.raises(ModelContractError, match="use the head model"):
        FitSequence(other).add(0, 0, a_fit())
    save_fit_npz(tmp_path / "a.npz", a_fit(), tiny_model())
    with pytest.raises(ModelContractError, match="aaaaaaaaaaaa"):
        load_fit_npz(tmp_path / "a.npz", other)


@pytest.mark.parametrize("damage", ["missing", "empty", "text", "cut", "other"])
def test_unreadable_file_is_an_asset_error(tmp_path: Path, damage: str) -> None:
    path = tmp_path / "a.npz"
    save_fit_npz(path, a_fit(), tiny_model())
    if damage == "missing":
        path.unlink()
    elif damage == "other":
        np.savez(path, something=np.zeros(3))
    else:
        path.write_bytes({"empty": b"", "text": b"hello", "cut": path.read_bytes()[:900]}[damage])
    with pytest.raises(AssetError, match=str(path)):
        load_fit_npz(path)


def read_csv(path: Path) -> list[dict[str, str]]:
    with path.open(newline="") as file:
        return list(csv.DictReader(file))


def test_csv_has_people_s_units_and_empty_cells_without_a_face(tmp_path: Path) -> None:
    write_csv(tmp_path / "v.csv", sequence_with_a_gap())
    first, gap, last = read_csv(tmp_path / "v.csv")
    rotation = [float(first[f"rotation_{axis}_deg"]) for axis in "xyz"]
    assert rotation == pytest.approx([0, 90, 0], abs=1e-4)  # six digits
    translation = [float(first[f"translation_{axis}_mm"]) for axis in "xyz"]
    assert translation == pytest.approx([10, -20, -600])
    assert float(first["jaw_x_deg"]) == pytest.approx(30, abs=1e-4)
    assert float(last["expr_001"]) == pytest.approx(a_fit(2).params.expr[1], rel=1e-5)
    assert (last["frame"], last["time_s"], last["found"]) == ("2", "0.080000", "1")
    assert gap["found"] == "0"
    filled = ("frame", "time_s", "found", "schema")
    assert {v for k, v in gap.items() if k not in filled} == {""}
    assert {row["schema"] for row in (first, gap, last)} == {"n2fnet.fit/1"}


def test_doubtful_frames_are_marked(tmp_path: Path) -> None:
    sequence = FitSequence(tiny_model())
    sequence.add(0, 0, replace(a_fit(0), quality=0.49))
    sequence.add(1, 1, replace(a_fit(1), quality=0.5))
    write_csv(tmp_path / "v.csv", sequence)
    assert [row["low"] for row in read_csv(tmp_path / "v.csv")] == ["1", "0"]
    save_sequence_npz(tmp_path / "v.npz", sequence)
    assert load_fit_npz(tmp_path / "v.npz").arrays["low"].tolist() == [True, False]


def test_a_file_of_a_later_form_is_refused(tmp_path: Path) -> None:
    save_fit_npz(tmp_path / "a.npz", a_fit(), tiny_model())
    with np.load(tmp_path / "a.npz") as archive:
        arrays = dict(archive)
    np.savez(tmp_path / "b.npz", **(arrays | {"schema": np.array("n2fnet.fit/2")}))
    with pytest.raises(AssetError, match=r"n2fnet\.fit/2"):
        load_fit_npz(tmp_path / "b.npz")


def test_csv_tells_left_from_right_eye(tmp_path: Path) -> None:
    write_csv(tmp_path / "v.csv", sequence_with_a_gap())
    row, eyes = read_csv(tmp_path / "v.csv")[0], np.degrees(a_fit(0).params.eyes)
    assert float(row["eye_left_y_deg"]) == pytest.approx(eyes[1], rel=1e-5)
    assert float(row["eye_right_x_deg"]) == pytest.approx(eyes[3], rel=1e-5)


def test_summary_is_the_list_of_the_contract(tmp_path: Path) -> None:
    rows = [
        SummaryRow("a.jpg", "ok", stage_ms={"fit": 7.12345, "crop": float("nan")}),
        SummaryRow("b.jpg", "no-face", "no face was found in b.jpg"),
    ]
    write_summary(tmp_path / "summary.json", rows)
    assert json.loads((tmp_path / "summary.json").read_text()) == [
        {"input": "a.jpg", "status": "ok", "message": "", "stage_ms": {"fit": 7.123}},
        {
            "input": "b.jpg",
            "status": "no-face",
            "message": "no face was found in b.jpg",
            "stage_ms": {},
        },
    ]


def test_unknown_status_is_refused() -> None:
    with pytest.raises(ValueError, match="'fine', expected one of"):
        SummaryRow("a.jpg", "fine")


def test_unwritable_folder_is_an_output_error(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("in the way")
    with pytest.raises(OutputError, match="another folder"):
        save_fit_npz(tmp_path / "file" / "a.npz", a_fit(), tiny_model())
    with pytest.raises(OutputError, match="another folder"):
        write_csv(tmp_path / "file" / "a.csv", sequence_with_a_gap())
