"""Official FLAME files: read right, or refused with a message that names cause and fix."""

import io
import pickle
import pickletools
import struct
import sys
import types
import zipfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from engine.errors import AssetError
from engine.flame import archive
from engine.flame.model import HeadModel
from engine.flame.pickle_loader import read_flame
from tests.bumpy_head import bumpy_head
from tests.flame_files import (
    Ch,
    Csc,
    Python2Pickler,
    Raw,
    Select,
    flame_content,
    write_flame_pickle,
    write_flame_zip,
)

# The files hold doubles and we keep singles: exact for values that were singles before.
EXACT = 0.0


@pytest.fixture(scope="module")
def head() -> HeadModel:
    return bumpy_head(level=2)


@pytest.fixture
def content(head: HeadModel) -> dict[str, Any]:
    return flame_content(head)


@pytest.fixture
def write(tmp_path: Path) -> Callable[..., Path]:
    def write(content: dict[str, Any], name: str = "generic_model.pkl", protocol: int = 2) -> Path:
        return write_flame_pickle(tmp_path / name, content, protocol=protocol)

    return write


def _assert_same(path: Path, head: HeadModel) -> None:
    found = read_flame(path)
    for name in ("v_template", "shapedirs", "exprdirs", "posedirs", "J_regressor", "lbs_weights"):
        array = getattr(found, name)
        assert array.dtype == np.float32
        np.testing.assert_allclose(array, getattr(head, name), atol=EXACT, rtol=EXACT)
    assert found.faces.dtype == np.int32
    np.testing.assert_array_equal(found.faces, head.faces)
    assert found.parents.tolist() == [-1, 0, 1, 1, 1]


@pytest.mark.parametrize("protocol", [1, 2])
def test_every_array_of_an_official_pickle_comes_out(
    protocol: int, head: HeadModel, content: dict[str, Any], write: Callable[..., Path]
) -> None:
    _assert_same(write(content, protocol=protocol), head)


def test_select_nodes_sparse_names_and_layouts_of_all_releases_come_out(
    head: HeadModel, content: dict[str, Any], write: Callable[..., Path]
) -> None:
    directions = content["shapedirs"].x
    order = np.random.default_rng(0).permutation(directions.size)
    shuffled = np.empty(directions.size)
    shuffled[order] = directions.ravel()
    content["shapedirs"] = Select(Ch(shuffled), order, directions.shape)
    content["v_template"] = Ch(np.asfortranarray(head.v_template.astype(np.float64)))
    content["J_regressor"] = Csc(content["J_regressor"].dense, module="scipy.sparse._csc")
    content["weights"] = content["weights"].astype(np.float32)
    content["posedirs"] = np.asfortranarray(content["posedirs"])
    _assert_same(write(content), head)


def test_a_dense_regressor_and_signed_kinematics_are_read_too(
    head: HeadModel, content: dict[str, Any], write: Callable[..., Path]
) -> None:
    content["J_regressor"] = content["J_regressor"].dense
    content["kintree_table"] = np.array([[-1, 0, 1, 1, 1], [0, 1, 2, 3, 4]], np.int64)
    _assert_same(write(content), head)


def test_a_file_saved_again_by_python_3_and_numpy_2_is_read(
    head: HeadModel, content: dict[str, Any], tmp_path: Path
) -> None:
    plain = {k: getattr(v, "x", getattr(v, "dense", v)) for k, v in content.items()}
    path = tmp_path / "generic_model.pkl"
    path.write_bytes(pickle.dumps(plain, protocol=4))
    _assert_same(path, head)
    path.write_bytes(Python2Pickler(numpy_core="numpy._core").dumps(plain))
    _assert_same(path, head)


def test_the_first_300_components_are_identity_and_the_rest_expression(
    content: dict[str, Any], write: Callable[..., Path]
) -> None:
    n_vertices = len(content["v_template"])
    directions = np.random.default_rng(1).normal(0.0, 0.001, (n_vertices, 3, 400))
    content["shapedirs"] = Ch(directions)
    found = read_flame(write(content))
    np.testing.assert_array_equal(found.shapedirs, directions[:, :, :300].astype(np.float32))
    np.testing.assert_array_equal(found.exprdirs, directions[:, :, 300:].astype(np.float32))


def test_our_test_files_are_what_python_reads_with_chumpy_classes_present(
    head: HeadModel, content: dict[str, Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    """The maker is checked against the standard library, numpy and scipy themselves."""
    for module, name in (("chumpy.ch", "Ch"), ("chumpy.reordering", "Select")):
        fake = types.ModuleType(module)
        setattr(fake, name, type(name, (), {}))
        monkeypatch.setitem(sys.modules, module, fake)
    monkeypatch.setitem(sys.modules, "chumpy", types.ModuleType("chumpy"))
    content["J_regressor"] = Csc(content["J_regressor"].dense, module="scipy.sparse._csc")
    content["weights"] = Select(Ch(content["weights"]), np.arange(4), (2, 2))
    for protocol in (1, 2):
        data = Python2Pickler(protocol).dumps(content)
        found = pickle.load(io.BytesIO(data), encoding="latin1")
        np.testing.assert_array_equal(found["v_template"], content["v_template"])
        np.testing.assert_array_equal(found["shapedirs"].x, content["shapedirs"].x)
        assert found["shapedirs"]._dirty_vars == {"x"}
        assert found["weights"].preferred_shape == (2, 2)
        assert found["kintree_table"][0, 0] == 2**32 - 1
        assert (found["J_regressor"].toarray() == head.J_regressor).all()


def _bad_contents(content: dict[str, Any]) -> dict[str, tuple[dict[str, Any], str]]:
    n_vertices = len(content["v_template"])
    nan = content["v_template"].copy()
    nan[3, 1] = np.nan
    huge = content["posedirs"].copy()
    huge[0, 0, 0] = 1e300
    outside = content["f"].copy()
    outside[0, 0] = n_vertices
    body = np.zeros((2, 24), np.uint32)
    swapped = np.array([[2**32 - 1, 0, 0, 1, 1], range(5)], np.uint32)
    loop = Raw(b"cchumpy.ch\nCh\n)\x81q\x63}U\x01xh\x63sb")
    csc = Csc(content["J_regressor"].dense)
    bad_csc = Python2Pickler()
    escaping = bad_csc.instance(
        "scipy.sparse.csc",
        "csc_matrix",
        {
            "_shape": (5, n_vertices),
            "data": np.ones(1),
            "indices": np.array([10**6], np.int32),
            "indptr": np.concatenate([[0], np.ones(n_vertices)]).astype(np.int32),
        },
    )
    giant = Python2Pickler().instance(
        "scipy.sparse.csc", "csc_matrix", {"_shape": (2**31 - 1, 2**31 - 1)}
    )
    select = Select(Ch(np.zeros(4)), np.array([0, 9]), (2,))
    return {
        "missing": ({k: v for k, v in content.items() if k != "posedirs"}, "posedirs missing"),
        "masks": ({"face": content["f"], "lips": content["f"]}, "it holds: face, lips"),
        "nan": (content | {"v_template": nan}, "v_template holds values that are not finite"),
        "overflow": (content | {"posedirs": huge}, "posedirs holds values that are not finite"),
        "shape": (content | {"weights": content["weights"][:, :4]}, "weights has shape"),
        "faces": (content | {"f": outside}, f"f names vertex {n_vertices} of {n_vertices}"),
        "scan": (content | {"v_template": np.ones((50_001, 3))}, "50001 vertices"),
        "millimetres": (content | {"v_template": content["v_template"] * 1000}, "metres"),
        "smpl": (content | {"kintree_table": body}, "24 joints instead of 5: an SMPL body"),
        "joints": (content | {"kintree_table": swapped}, "joints are not root, neck, jaw"),
        "weights": (content | {"weights": content["weights"] * 0.5}, "do not sum to 1"),
        "text": (content | {"shapedirs": "lots"}, "shapedirs: a str instead of an array"),
        "loop": (content | {"shapedirs": loop}, "nested too deeply"),
        "escaping": (content | {"J_regressor": Raw(escaping)}, "indices outside its shape"),
        "giant": (content | {"J_regressor": Raw(giant)}, "claims the size 2147483647"),
        "select": (content | {"posedirs": select}, "points outside its array"),
        "transposed": (content | {"posedirs": csc}, r"posedirs has shape \(5, "),
    }


_BAD = sorted(_bad_contents(flame_content(bumpy_head(level=2))))


@pytest.mark.parametrize("case", _BAD)
def test_files_with_wrong_contents_are_refused_by_cause(
    case: str, content: dict[str, Any], write: Callable[..., Path]
) -> None:
    bad, message = _bad_contents(content)[case]
    with pytest.raises(AssetError, match=message) as caught:
        read_flame(write(bad))
    assert "generic_model.pkl is not a FLAME model" in str(caught.value)
    assert archive.SITE in str(caught.value)  # what to do


def test_a_malicious_file_is_refused_by_name_and_nothing_runs(
    content: dict[str, Any], write: Callable[..., Path], tmp_path: Path
) -> None:
    canary = tmp_path / "canary"
    content["bs_type"] = Raw(f"cposix\nsystem\n(S'touch {canary}'\ntR".encode())
    with pytest.raises(AssetError, match=r"refused: it asks for the global posix\.system"):
        read_flame(write(content))
    assert not canary.exists()


def test_an_unknown_chumpy_node_is_refused_by_name(
    content: dict[str, Any], write: Callable[..., Path]
) -> None:
    content["shapedirs"] = Raw(b"cchumpy.ch_ops\nadd\n)\x81}b")
    with pytest.raises(AssetError, match=r"chumpy node of the class chumpy\.ch_ops\.add"):
        read_flame(write(content))


@pytest.mark.parametrize(
    ("data", "message"),
    [
        (b"", "is empty"),
        (b"# FLAME model\nplease register\n", "was refused"),
        (b"\n<html><body>Log in</body></html>", "is a web page instead of a model: log in"),
        (b"client = FLAME('x')\nprint(client)\n", "refused: it is no pickle, or a damaged one"),
        (bytes(range(256)) * 4, "was refused"),
        (b"\x80\x02]q\x00.", "list instead of named arrays"),
    ],
)
def test_files_that_are_no_pickles_are_refused(data: bytes, message: str, tmp_path: Path) -> None:
    path = tmp_path / "generic_model.pkl"
    path.write_bytes(data)
    with pytest.raises(AssetError, match=message):
        read_flame(path)


@pytest.mark.parametrize("part", [0.1, 0.5, 0.99])
def test_truncated_downloads_are_refused(
    part: float, content: dict[str, Any], write: Callable[..., Path]
) -> None:
    path = write(content)
    data = path.read_bytes()
    path.write_bytes(data[: int(part * len(data))])
    with pytest.raises(AssetError, match="was refused"):
        read_flame(path)


def test_missing_files_and_folders_are_named(tmp_path: Path) -> None:
    with pytest.raises(AssetError, match=r"nothing\.pkl cannot be read: No such file"):
        read_flame(tmp_path / "nothing.pkl")
    with pytest.raises(AssetError, match="is a folder"):
        read_flame(tmp_path)


def test_files_over_the_limit_are_not_read(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(archive, "_MAX_BYTES", 2**20)
    path = tmp_path / "big.pkl"
    with path.open("wb") as stream:
        stream.truncate(2**20 + 1)
    with pytest.raises(AssetError, match="too large for a FLAME model: over 1 MiB"):
        read_flame(path)


def _zipped(tmp_path: Path, names: list[str], content: dict[str, Any]) -> Path:
    members = {}
    for k, name in enumerate(names):
        template = content["v_template"] * (1.0 + 0.01 * k)
        members[name] = Python2Pickler().dumps(content | {"v_template": template})
    return write_flame_zip(tmp_path / "FLAME2020.zip", members)


@pytest.mark.parametrize(
    ("names", "member", "chosen"),
    [
        (["FLAME2020/female_model.pkl", "FLAME2020/generic_model.pkl"], None, 1),
        (["female_model.pkl", "generic_model.pkl", "male_model.pkl"], "male_model", 2),
        (["female_model.pkl", "generic_model.pkl"], "female_model.pkl", 0),
        (["flame2023_no_jaw.pkl", "flame2023.pkl"], None, 1),
        (["FLAME2023/flame2023_Open.pkl"], None, 0),
        (["FLAME_masks.pkl", "__MACOSX/._generic_model.pkl", "some_head.pkl"], None, 2),
        (["../../generic_model.pkl", "/generic_model.pkl", "a/generic_model.pkl"], None, 2),
    ],
)
def test_the_right_model_of_a_zip_is_read(
    names: list[str], member: str | None, chosen: int, content: dict[str, Any], tmp_path: Path
) -> None:
    found = read_flame(_zipped(tmp_path, names, content), member=member)
    expected = (content["v_template"] * (1.0 + 0.01 * chosen)).astype(np.float32)
    np.testing.assert_array_equal(found.v_template, expected)
    assert found.source.member == names[chosen]


def test_zips_without_a_clear_choice_say_what_they_hold(
    content: dict[str, Any], tmp_path: Path
) -> None:
    path = _zipped(tmp_path, ["female_model.pkl", "male_model.pkl"], content)
    with pytest.raises(AssetError, match=r"--member: female_model\.pkl, male_model\.pkl"):
        read_flame(path)
    with pytest.raises(AssetError, match=r"no model called 'child'; it holds: female_model\.pkl"):
        read_flame(path, member="child")
    write_flame_zip(path, {"Readme.pdf": b"x"})
    with pytest.raises(AssetError, match="holds no FLAME model"):
        read_flame(path)
    pickled = write_flame_pickle(tmp_path / "generic_model.pkl", content)
    with pytest.raises(AssetError, match="leave out --member"):
        read_flame(pickled, member="male_model")


def test_zip_bombs_and_damaged_zips_are_refused(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(archive, "_MAX_BYTES", 2**20)
    path = write_flame_zip(tmp_path / "FLAME2020.zip", {"generic_model.pkl": bytes(2**22)})
    with pytest.raises(AssetError, match=r"generic_model\.pkl\) is too large"):
        read_flame(path)
    lying = path.read_bytes().replace(struct.pack("<I", 2**22), struct.pack("<I", 1000))
    path.write_bytes(lying)  # both headers now promise 1000 bytes
    with pytest.raises(AssetError, match=r"damaged|refused"):
        read_flame(path)
    path.write_bytes(lying[: len(lying) // 2])
    with pytest.raises(AssetError, match="damaged zip"):
        read_flame(path)


def test_encrypted_members_are_refused(content: dict[str, Any], tmp_path: Path) -> None:
    path = _zipped(tmp_path, ["generic_model.pkl"], content)
    with zipfile.ZipFile(path) as archived:
        at = archived.infolist()[0].header_offset
    data = bytearray(path.read_bytes())
    directory = data.index(b"PK\x01\x02")
    data[at + 6] |= 1  # the encryption flag, in the local header and in the directory
    data[directory + 8] |= 1
    path.write_bytes(bytes(data))
    with pytest.raises(AssetError, match="encrypted; unpack it"):
        read_flame(path)


def test_scrambled_files_are_read_or_refused_but_never_crash(
    content: dict[str, Any], tmp_path: Path
) -> None:
    """Bytes around every opcode are changed, cut out or put in; numbers are left alone."""
    content["shapedirs"] = Ch(content["shapedirs"].x[:, :, :4])
    whole = Python2Pickler().dumps(content)
    starts = [position for _, _, position in pickletools.genops(whole)]
    rng = np.random.default_rng(0)
    refusals = []
    for _ in range(400):
        data = bytearray(whole)
        at = int(rng.choice(starts)) + int(rng.integers(0, 30))
        at = min(at, len(data) - 1)
        junk = rng.integers(0, 256, int(rng.integers(0, 4)), dtype=np.uint8).tobytes()
        data[at : at + int(rng.integers(0, 4))] = junk
        path = tmp_path / "generic_model.pkl"
        path.write_bytes(data)
        try:
            read_flame(path)
        except AssetError as error:
            refusals.append(str(error))
    assert len(refusals) > 200
    assert max(len(message) for message in refusals) < 1000
