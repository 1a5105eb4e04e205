"""The reader of pickles: right on data, and deaf to everything else."""

import pickle
import struct
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from engine.flame.pickle_machine import read_pickle
from engine.flame.pickle_nodes import PickledArray

# Threads that ran a network take numbers below 1e-308 for zero (engine.stages.onnx_session).
_FLOATS = st.floats(allow_nan=False, allow_subnormal=False)
_LEAVES = st.none() | st.booleans() | st.integers() | _FLOATS | st.text()
_DATA = st.recursive(
    _LEAVES,
    lambda inner: (
        st.lists(inner, max_size=4)
        | st.lists(inner, max_size=4).map(tuple)
        | st.dictionaries(st.text(), inner, max_size=4)
    ),
    max_leaves=12,
)


@given(value=_DATA, protocol=st.integers(0, 5))
def test_data_comes_out_as_from_the_standard_library(value: object, protocol: int) -> None:
    assert read_pickle(pickle.dumps(value, protocol)) == value


@pytest.mark.parametrize("protocol", range(5))
@pytest.mark.parametrize("dtype", ["<f8", ">f4", "<u4", "|i1", "<i8", "|b1", "<f2"])
def test_numpy_arrays_come_out_bit_for_bit(protocol: int, dtype: str) -> None:
    array = np.arange(24).reshape(2, 3, 4).astype(dtype)
    for layout in (array, np.asfortranarray(array)):
        found = read_pickle(pickle.dumps(layout, protocol))
        assert isinstance(found, PickledArray)
        np.testing.assert_array_equal(found.array(), array)
        assert found.array().dtype == array.dtype


def test_numpy_scalars_come_out_as_numbers() -> None:
    assert read_pickle(pickle.dumps([np.float64(2.5), np.int32(-7)], 2)) == [2.5, -7]


def _attacks(canary: Path) -> list[tuple[bytes, str]]:
    """Pickles that would create the canary if anything of them ran, and what must be named."""
    touch = f"touch {canary}".encode()
    python = f"open({str(canary)!r}, 'w')".encode()
    name = str(canary).encode()
    short = b"\x8c" + bytes([len(b"posix")]) + b"posix\x8c\x06system"
    text = b"\x8c" + bytes([len(touch)]) + touch
    system = b"cposix\nsystem\n(S'" + touch + b"'\ntR."
    getattr_chain = (
        b"c__builtin__\ngetattr\n(c__builtin__\n__import__\n(S'os'\ntRS'system'\ntR(S'"
        + touch
        + b"'\ntR."
    )
    return [
        (system, "posix.system"),
        (b"cos\nsystem\n(S'" + touch + b"'\ntR.", "os.system"),
        (b"\x80\x04" + short + b"\x93" + text + b"\x85R.", "posix.system"),
        (b'cbuiltins\neval\n(S"' + python + b'"\ntR.', "builtins.eval"),
        (b'c__builtin__\neval\n(S"' + python + b'"\ntR.', "__builtin__.eval"),
        (getattr_chain, "__builtin__.getattr"),
        (b"(S'" + touch + b"'\niposix\nsystem\n.", "posix.system"),
        (b"(cposix\nsystem\nS'" + touch + b"'\no.", "posix.system"),
        (b"csubprocess\nPopen\n(S'" + touch + b"'\ntR.", "subprocess.Popen"),
        (b"cnumpy\nload\n(S'" + name + b"'\nNI01\ntR.", "numpy.load"),
        (b"cnumpy.core.multiarray\nfromfile\n(S'" + name + b"'\ntR.", "multiarray.fromfile"),
        (b"\x80\x04\x8c\x05numpy\x8c\x0endarray.tofile\x93.", "numpy.ndarray.tofile"),
        (b"\x80\x04\x8c\x05numpy\x8c\x13core.multiarray.sys\x93.", "numpy.core.multiarray.sys"),
        (b"ccopy_reg\n_reconstructor\n(csite\nQuitter\nc__builtin__\nobject\nNtR.", "site.Quitter"),
        (b"cchumpy.ch\nChLambda\n)\x81.", "chumpy.ch.ChLambda"),
        (b"ccodecs\nopen\n(S'" + name + b"'\nS'w'\ntR.", "codecs.open"),
        (b"\x82\x01.", "EXT1"),
        (b"Pname\n.", "PERSID"),
        (b"N\x51.", "BINPERSID"),
    ]


@pytest.mark.parametrize("number", range(len(_attacks(Path("canary")))))
def test_hostile_pickles_run_nothing_and_are_named(number: int, tmp_path: Path) -> None:
    canary = tmp_path / "canary"
    data, named = _attacks(canary)[number]
    with pytest.raises(ValueError, match=named.replace(".", r"\.")):
        read_pickle(data)
    assert not canary.exists()


def test_the_canary_test_would_notice(tmp_path: Path) -> None:
    """The same bytes do run in the standard library: the attacks above are live."""
    canary = tmp_path / "canary"
    with pytest.raises(TypeError):  # what comes after the call does not add up
        pickle.loads(_attacks(canary)[0][0][:-1] + b"(tR.")
    assert canary.exists()


_ALLOWED_MISUSE = {
    "object arrays": b"cnumpy\ndtype\n(S'O8'\nI0\nI1\ntR.",
    "structured arrays": b"cnumpy\ndtype\n((lS'a'\natR.",
    "another array class": b"cnumpy.core.multiarray\n_reconstruct\n"
    b"(c__builtin__\nobject\n(tS'b'\ntR.",
    "calling a class": b"cchumpy.ch\nCh\n(tR.",
    "calling a number": b"I1\n(tR.",
    "arguments for a class": b"cchumpy.ch\nCh\n(I1\nt\x81.",
    "changing a global": b"ccopy_reg\n_reconstructor\n}b.",
    "changing a class": b"cchumpy.ch\nCh\n(N}(S'__init__'\nNutb.",
    "another base": b"ccopy_reg\n_reconstructor\n(cchumpy.ch\nCh\ncchumpy.ch\nCh\nNtR.",
    "a scalar of objects": b"cnumpy.core.multiarray\nscalar\n(NS'x'\ntR.",
    "codecs with another encoding": b"c_codecs\nencode\n(S'x'\nS'zlib'\ntR.",
    "keys that are no strings": b"}(I1\nI2\nu.",
    "appending to a global": b"cnumpy\nndarray\nI1\na.",
    "an unknown memo": b"h\x07.",
    "an empty stack": b".",
    "a stray mark": b"(.",
    "odd items": b"}(S'a'\nu.",
    "a frozen set": b"\x80\x04(\x91.",
    "duplicating": b"I1\n2.",
}


@pytest.mark.parametrize("misuse", _ALLOWED_MISUSE)
def test_allowed_names_cannot_be_misused(misuse: str) -> None:
    with pytest.raises(ValueError):  # noqa: PT011  (many messages; none of another type)
        read_pickle(_ALLOWED_MISUSE[misuse])


def _array_pickle(shape: bytes, data: bytes) -> bytes:
    made = b"cnumpy.core.multiarray\n_reconstruct\n(cnumpy\nndarray\n(I0\ntS'b'\ntR(I1\n"
    dtype = b"cnumpy\ndtype\n(S'f8'\nI0\nI1\ntR(I3\nS'<'\nNNNI-1\nI-1\nI0\ntb"
    return made + shape + dtype + b"I00\nS'" + data + b"'\ntb."


def test_an_array_that_claims_terabytes_is_refused_without_allocating() -> None:
    found = read_pickle(_array_pickle(b"(L1000000000000L\nt", b"abcdefgh"))
    assert isinstance(found, PickledArray)
    with pytest.raises(ValueError, match="claims 8000000000000 bytes but holds 8"):
        found.array()


@pytest.mark.parametrize("shape", [b"(I-1\nt", b"(S'a'\nt", b"I1\n", b"(L9" + b"0" * 40 + b"L\nt"])
def test_shapes_that_are_none_are_refused(shape: bytes) -> None:
    found = read_pickle(_array_pickle(shape, b"abcdefgh"))
    assert isinstance(found, PickledArray)
    with pytest.raises(ValueError, match="shape"):
        found.array()


def test_a_huge_memo_index_costs_nothing() -> None:
    """The standard library's unpickler would allocate a table of that many entries."""
    assert read_pickle(b"I5\nr" + struct.pack("<I", 2**32 - 1) + b".") == 5


def test_nested_tuples_as_keys_cannot_hang_the_hash() -> None:
    nest = b")" + b"q\x00" + b"".join(b"0h\x00h\x00\x86q\x00" for _ in range(200))
    with pytest.raises(ValueError, match="keys that are no strings"):
        read_pickle(b"}" + nest + b"Ns.")


@pytest.mark.parametrize("cut", [1, 5, 20, 60, 100])
def test_truncated_pickles_are_refused(cut: int) -> None:
    whole = pickle.dumps({"a": np.arange(10.0)}, 2)
    with pytest.raises(ValueError):  # noqa: PT011  (the message depends on where it was cut)
        read_pickle(whole[:-cut])
