"""MakeHuman's people, from files made here."""

from pathlib import Path

import numpy as np
import pytest

from engine.errors import AssetError
from engine.synth.makehuman_people import MakeHuman, draw_people, load_makehuman
from tests.unit.synth.makehuman_files import (
    ADULTS,
    BASE_SCALE,
    BASE_SHIFT,
    FIRST,
    base_ids,
    base_mesh,
    face_units,
    head_targets,
    skin,
    write_gz,
    write_makehuman,
    write_obj,
    write_targets,
)


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    return write_makehuman(tmp_path / "makehuman")


def _made(targets: dict[str, tuple[float, float, float]]) -> MakeHuman:
    """One vertex at (1, 2, 3) metres, moved by targets; adults do not move it unless given."""
    moves = dict.fromkeys(ADULTS, (0.0, 0.0, 0.0)) | targets
    return MakeHuman(
        np.array([[1.0, 2, 3]]), {name: np.array([move]) for name, move in moves.items()}, {}
    )


def _moved(targets: dict[str, tuple[float, float, float]], n: int = 1500, seed: int = 1):
    """(n, 3) metres by which people's only vertex is off the base mesh."""
    return draw_people(_made(targets), n, seed)[:, 0] - [1, 2, 3]


def test_the_base_mesh_is_read_in_metres_at_the_rows_asked_for(folder: Path) -> None:
    ids = base_ids()[[7, 3]]
    read = load_makehuman(folder, ids)
    # The file has four decimals of a decimetre.
    expected = BASE_SCALE * skin()[[7, 3]] + BASE_SHIFT
    np.testing.assert_allclose(read.vertices, expected, atol=1.1e-5)


def test_targets_move_their_vertices_in_metres_and_others_not(folder: Path) -> None:
    ids = base_ids()[::-1].astype(np.int32)
    read = load_makehuman(folder, ids)
    assert set(read.targets) == set(head_targets())
    for name in ("nose/nose-width-incr", "eyes/r-eye-down"):
        expected = np.zeros((len(ids), 3))
        for row, move in head_targets()[name].items():
            expected[list(ids).index(row)] = move
        # int16 steps of a tenth of a millimetre
        np.testing.assert_allclose(read.targets[name], expected, atol=0.51e-4)
        np.testing.assert_array_equal(read.targets[name] == 0, np.abs(expected) < 0.5e-4)


def test_vertices_of_a_target_that_are_no_part_of_the_head_are_left_out(folder: Path) -> None:
    moves = {name: {0: (1.0, 1, 1), FIRST: (0.01, 0, 0)} for name in ADULTS}
    write_targets(folder / "targets_head.npz", moves, 1e-4, "int16")
    read = load_makehuman(folder, np.array([FIRST + 1, FIRST], np.int32))
    np.testing.assert_allclose(read.targets[ADULTS[0]], [[0, 0, 0], [0.01, 0, 0]], atol=1e-9)


def test_face_units_go_by_arkit_names_and_visemes_are_left_out(folder: Path) -> None:
    read = load_makehuman(folder, base_ids().astype(np.int32))
    assert len(read.face_units) == 52
    assert {f"faceunits/{name}" for name in read.face_units} | {"visemes/aa_02"} == set(
        face_units()
    )
    for row, move in face_units()["faceunits/jawLeft"].items():
        np.testing.assert_allclose(read.face_units["jawLeft"][row - FIRST], move, atol=1e-8)


def test_the_same_seed_draws_the_same_people_and_another_seed_others(folder: Path) -> None:
    read = load_makehuman(folder, base_ids().astype(np.int32))
    people = draw_people(read, 12, 5)
    assert people.shape == (12, len(base_ids()), 3)
    np.testing.assert_array_equal(people, draw_people(read, 12, 5))
    np.testing.assert_array_equal(people[:4], draw_people(read, 4, 5))
    away = np.abs(people[:, None] - draw_people(read, 12, 6)[None]).max(axis=(2, 3))
    assert away.min() > 1e-4  # nobody is in both


def test_shares_of_race_gender_and_age_add_up_to_one_person() -> None:
    moved = _moved(dict.fromkeys(ADULTS, (0.02, 0, -0.01)), 50)
    np.testing.assert_allclose(moved, np.tile([0.02, 0, -0.01], (50, 1)), atol=1e-12)


def test_nobody_is_younger_than_young_or_quite_old() -> None:
    moved = _moved({name: (1.0, 0, 0) for name in ADULTS if name.endswith("old")})
    assert moved[:, 0].min() >= 0
    assert moved[:, 0].max() <= 0.9 + 1e-12


def test_both_genders_and_all_races_are_drawn_alike_often() -> None:
    male = _moved({name: (1.0, 0, 0) for name in ADULTS if "-male-" in name})[:, 0]
    assert abs((male > 0.5).mean() - 0.5) < 0.052  # four standard errors of 1500 draws
    for race in ("african", "asian", "caucasian"):
        share = _moved({name: (1.0, 0, 0) for name in ADULTS if f"/{race}-" in name})[:, 0]
        # Dirichlet with 0.45 each: variance 1/3 * 2/3 / 2.35, four standard errors.
        assert abs(share.mean() - 1 / 3) < 0.032


def test_muscle_moves_thin_and_strong_people_apart() -> None:
    strong = {
        f"macrodetails/universal-{g}-{a}-{m}muscle-averageweight": (sign, 0.0, 0.0)
        for g in ("female", "male")
        for a in ("young", "old")
        for m, sign in (("min", -1.0), ("max", 1.0))
    }
    x = _moved(strong)[:, 0]
    # 2 * (muscle - 1/2) of standard deviation 0.17, times what is average of the weight: under 1.
    assert abs(x.mean()) < 0.035
    assert 0.15 < x.std() < 0.34


def test_opposite_sliders_share_one_value_within_bounds() -> None:
    x, y, _ = _moved({"nose/a-incr": (1.0, 0, 0), "nose/a-decr": (0, 1.0, 0)}).T
    assert ((x == 0) | (y == 0)).all()
    value = x - y
    assert value.std() == pytest.approx(0.17, rel=0.075)
    assert abs(value.mean()) < 0.018
    assert np.abs(value).max() <= 0.6 + 1e-12


def test_a_slider_without_opposite_only_adds() -> None:
    x = _moved({"head/head-oval": (1.0, 0, 0)})[:, 0]
    assert x.min() == 0
    assert (x == 0).mean() == pytest.approx(0.5, abs=0.052)
    assert x.max() > 0.2


def test_left_and_right_sliders_go_together_but_for_a_little() -> None:
    left, right, _ = _moved(
        {
            "eyes/l-eye-up": (1.0, 0, 0), "eyes/l-eye-down": (-1.0, 0, 0),
            "eyes/r-eye-up": (0, 1.0, 0), "eyes/r-eye-down": (0, -1.0, 0),
        }
    ).T  # fmt: skip
    assert (left - right).std() == pytest.approx(0.05 * 2**0.5, rel=0.075)
    assert np.corrcoef(left, right)[0, 1] > 0.9


def test_age_of_the_skull_and_place_of_the_neck_stay() -> None:
    names = ("head/head-age-incr", "neck/neck-trans-up", "measure/neck-incr", "expression/smile")
    np.testing.assert_array_equal(_moved(dict.fromkeys(names, (1.0, 1, 1)), 50), 0)


def test_faces_are_a_little_asymmetric_both_ways() -> None:
    x = _moved({"asym/asym-nose-1-r": (1.0, 0, 0), "asym/asym-nose-1-l": (-1.0, 0, 0)})[:, 0]
    assert x.std() == pytest.approx(0.12, rel=0.075)
    assert abs(x.mean()) < 0.0125


@pytest.mark.parametrize("name", ["base.obj.gz", "targets_head.npz", "faceunits_visemes.npz"])
@pytest.mark.parametrize("damage", ["missing", "empty", "cut", "text", "zip", "folder"])
def test_a_missing_or_damaged_file_is_named(folder: Path, name: str, damage: str) -> None:
    path = folder / name
    data = path.read_bytes()
    path.unlink()
    if damage == "folder":
        path.mkdir()
    elif damage != "missing":
        contents = {"empty": b"", "cut": data[: len(data) // 2], "text": b"none", "zip": b"PK\3\4"}
        path.write_bytes(contents[damage])
    with pytest.raises(AssetError, match=rf"{name} is not a readable part.*fetch it again"):
        load_makehuman(folder, base_ids().astype(np.int32))


def test_a_flipped_byte_in_the_compressed_mesh_is_told(folder: Path) -> None:
    path = folder / "base.obj.gz"
    data = bytearray(path.read_bytes())
    data[40:60] = b"\xff" * 20
    path.write_bytes(bytes(data))
    with pytest.raises(AssetError, match=r"base\.obj\.gz is not a readable part"):
        load_makehuman(folder, base_ids().astype(np.int32))


def test_a_mesh_of_too_few_vertices_is_told(folder: Path) -> None:
    write_obj(folder / "base.obj.gz", base_mesh()[:20])
    with pytest.raises(AssetError, match=r"base\.obj\.gz.*20 vertices.*uses number 4"):
        load_makehuman(folder, base_ids().astype(np.int32))


@pytest.mark.parametrize("line", ["v 1 2\nv 1 2\nv 1 2", "v a b c", "v 1 2 3\nv 1 2"])
def test_vertex_lines_of_too_few_numbers_are_told(folder: Path, line: str) -> None:
    write_gz(folder / "base.obj.gz", f"{line}\n")
    with pytest.raises(AssetError, match=r"base\.obj\.gz is not a readable part"):
        load_makehuman(folder, np.array([0], np.int32))


def test_targets_beyond_the_base_mesh_are_told(folder: Path) -> None:
    moves = {name: {60000: (0.01, 0.0, 0.0)} for name in ADULTS}
    write_targets(folder / "targets_head.npz", moves, 1e-4, "int16")
    with pytest.raises(AssetError, match=r"targets_head\.npz is not a readable part.*60000"):
        load_makehuman(folder, base_ids().astype(np.int32))


def test_an_archive_without_its_unit_is_told(folder: Path) -> None:
    path = folder / "targets_head.npz"
    with np.load(path) as archive:
        arrays = {key: archive[key] for key in archive.files if key != "unit"}
    np.savez(path, **arrays)
    with pytest.raises(AssetError, match=r"targets_head\.npz.*unit is not a file"):
        load_makehuman(folder, base_ids().astype(np.int32))


@pytest.mark.parametrize("gone", ["macrodetails/asian-male-old", "eyes/r-eye-up"])
def test_a_target_that_every_person_needs_is_missed_on_loading(folder: Path, gone: str) -> None:
    moves = {name: rows for name, rows in head_targets().items() if name != gone}
    write_targets(folder / "targets_head.npz", moves, 1e-4, "int16")
    with pytest.raises(AssetError, match=rf"targets_head\.npz lacks 1 .*'{gone}'"):
        load_makehuman(folder, base_ids().astype(np.int32))
