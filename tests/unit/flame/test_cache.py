"""Converting a FLAME file once and finding it again."""

from pathlib import Path

import numpy as np
import pytest

from engine.errors import AssetError
from engine.flame import cache
from engine.flame.cache import import_flame, imported_heads, open_head
from engine.flame.model import HeadModel, load_head_model, save_head_model
from tests.bumpy_head import bumpy_head
from tests.flame_files import (
    Python2Pickler,
    flame_content,
    write_flame_pickle,
    write_flame_zip,
)

HALF_M = 5e-6  # our format keeps directions as float16: 0.003 m is stored to 0.001 mm


@pytest.fixture(scope="module")
def reference() -> HeadModel:
    return bumpy_head(level=3)


@pytest.fixture
def pickled(reference: HeadModel, tmp_path: Path) -> Path:
    folder = tmp_path / "downloads"
    folder.mkdir()
    return write_flame_pickle(folder / "flame2023_Open.pkl", flame_content(reference))


def test_an_imported_head_is_the_one_in_the_file(
    reference: HeadModel, pickled: Path, tmp_path: Path
) -> None:
    head = import_flame(pickled, reference, cache_dir=tmp_path / "cache")
    model = head.model
    np.testing.assert_array_equal(model.v_template, reference.v_template)
    np.testing.assert_array_equal(model.faces, reference.faces)
    np.testing.assert_array_equal(model.J_regressor, reference.J_regressor)
    np.testing.assert_array_equal(model.lbs_weights, reference.lbs_weights)
    for name in ("shapedirs", "exprdirs", "posedirs"):
        np.testing.assert_allclose(getattr(model, name), getattr(reference, name), atol=HALF_M)
    assert (model.n_shape, model.n_expr) == (6, 4)
    assert model.eyelid_dirs is None
    # The same mesh as the reference: every landmark comes back to its place.
    for points, own in (
        (model.landmarks68, reference.landmarks68),
        (model.mediapipe, reference.mediapipe),
    ):
        here = np.einsum("nk,nkd->nd", points.bary, model.v_template[model.faces[points.faces_idx]])
        there = np.einsum(
            "nk,nkd->nd", own.bary, reference.v_template[reference.faces[own.faces_idx]]
        )
        # Iris rims are put on the ball by direction, which its flat triangles bend by 0.5 mm.
        np.testing.assert_allclose(here, there, atol=5e-4)


def test_provenance_and_licence_go_with_the_head(
    reference: HeadModel, pickled: Path, tmp_path: Path
) -> None:
    head = import_flame(pickled, reference, cache_dir=tmp_path / "cache")
    assert head.model.name == "FLAME 2023 Open"
    assert head.model.licence == "Max Planck Society FLAME licence, non-commercial"
    meta = head.model.meta
    assert meta["source_file"] == "flame2023_Open.pkl"
    assert meta["source_sha256"] == meta["pickle_sha256"]
    assert meta["landmarks_from"] == reference.model_id
    assert "Tianye Li" in meta["attribution"]
    assert meta["release"]["key"] == "2023-open"
    assert meta["jaw_fixed"] is False
    assert load_head_model(head.path).model_id == head.model.model_id


def test_the_second_import_reads_the_cache(
    reference: HeadModel, pickled: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder = tmp_path / "cache"
    first = import_flame(pickled, reference, cache_dir=folder)

    def fail(*_args: object) -> None:
        raise AssertionError("converted again")

    monkeypatch.setattr(cache, "read_flame_source", fail)
    second = import_flame(pickled, reference, cache_dir=folder)
    assert (first.from_cache, second.from_cache) == (False, True)
    assert second.path == first.path
    assert second.release == first.release
    assert second.model.model_id == first.model.model_id
    assert [head.path for head in imported_heads(folder)] == [first.path]


def test_a_damaged_cache_is_made_again(reference: HeadModel, pickled: Path, tmp_path: Path) -> None:
    first = import_flame(pickled, reference, cache_dir=tmp_path / "cache")
    whole = first.path.read_bytes()
    first.path.write_bytes(whole[: len(whole) // 2])
    assert imported_heads(tmp_path / "cache") == []
    again = import_flame(pickled, reference, cache_dir=tmp_path / "cache")
    assert not again.from_cache
    assert again.path.read_bytes() == whole  # the same input gives the same bytes


def test_each_model_of_a_zip_is_kept_by_itself(reference: HeadModel, tmp_path: Path) -> None:
    content = flame_content(reference)
    larger = content | {"v_template": content["v_template"] * 1.05}
    path = write_flame_zip(
        tmp_path / "FLAME2020.zip",
        {
            "FLAME2020/generic_model.pkl": Python2Pickler().dumps(content),
            "FLAME2020/male_model.pkl": Python2Pickler().dumps(larger),
        },
    )
    generic = import_flame(path, reference, cache_dir=tmp_path / "cache")
    male = import_flame(path, reference, member="male_model", cache_dir=tmp_path / "cache")
    assert generic.release.key == male.release.key == "2020"
    assert generic.path != male.path
    np.testing.assert_allclose(
        male.model.v_template, 1.05 * generic.model.v_template, rtol=1e-6
    )  # single precision
    assert male.model.meta["source_member"] == "FLAME2020/male_model.pkl"


def test_eyelid_files_beside_the_model_are_taken(
    reference: HeadModel, pickled: Path, tmp_path: Path
) -> None:
    n_vertices = reference.n_vertices
    lids = np.random.default_rng(0).normal(0.0, 0.001, (2, n_vertices, 3))
    without = import_flame(pickled, reference, cache_dir=tmp_path / "cache")
    for name, lid in zip(("l_eyelid.npy", "r_eyelid.npy"), lids, strict=True):
        np.save(pickled.parent / name, lid)
    head = import_flame(pickled, reference, cache_dir=tmp_path / "cache")
    assert head.path != without.path
    assert head.model.eyelid_dirs is not None
    np.testing.assert_allclose(
        head.model.eyelid_dirs, np.stack([lids[0], lids[1]], axis=-1), atol=HALF_M
    )


@pytest.mark.parametrize("wrong", ["shape", "objects", "not finite", "millimetres"])
def test_eyelid_files_that_do_not_fit_are_named(
    wrong: str, reference: HeadModel, pickled: Path, tmp_path: Path
) -> None:
    right = (reference.n_vertices, 3)
    lid = {
        "shape": np.zeros((4, 3)),
        "objects": np.array([{"a": 1}], object),
        "not finite": np.full(right, np.nan),
        "millimetres": np.ones(right),
    }[wrong]
    for name in ("l_eyelid.npy", "r_eyelid.npy"):
        np.save(pickled.parent / name, lid, allow_pickle=True)
    with pytest.raises(AssetError, match=r"l_eyelid\.npy beside the model"):
        import_flame(pickled, reference, cache_dir=tmp_path / "cache")


def test_a_cache_that_cannot_be_written_is_an_error_with_a_way_out(
    reference: HeadModel, pickled: Path, tmp_path: Path
) -> None:
    blocked = tmp_path / "cache"
    blocked.write_text("a file where the folder should be")
    with pytest.raises(AssetError, match="XDG_CACHE_HOME"):
        import_flame(pickled, reference, cache_dir=blocked)


def test_open_head_takes_names_and_all_kinds_of_file(
    reference: HeadModel, pickled: Path, tmp_path: Path
) -> None:
    assert open_head("openhead", reference) is reference
    own = tmp_path / "own.npz"
    model_id = save_head_model(reference, own)
    assert open_head(own, reference).model_id == model_id
    opened = open_head(str(pickled), reference, cache_dir=tmp_path / "cache")
    assert opened.name == "FLAME 2023 Open"
    zipped = write_flame_zip(
        tmp_path / "FLAME2023Open.zip", {"flame2023_Open.pkl": pickled.read_bytes()}
    )
    assert open_head(zipped, reference, cache_dir=tmp_path / "cache").name == "FLAME 2023 Open"
    with pytest.raises(AssetError, match=r"missing\.npz cannot be read"):
        open_head(tmp_path / "missing.npz", reference)


def test_a_refused_file_leaves_nothing_in_the_cache(reference: HeadModel, tmp_path: Path) -> None:
    path = tmp_path / "generic_model.pkl"
    path.write_bytes(b"cposix\nsystem\n(S'true'\ntR.")
    with pytest.raises(AssetError, match=r"posix\.system"):
        import_flame(path, reference, cache_dir=tmp_path / "cache")
    assert not (tmp_path / "cache").exists()
