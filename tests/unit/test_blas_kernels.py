"""Which OpenBLAS kernels are named for which processor."""

import os
import subprocess
import sys

import pytest

from engine.blas_kernels import CORE_TYPE, kernels_for, name_kernels

AVX2 = "fpu sse2 avx fma avx2"
AVX512 = f"{AVX2} avx512f avx512dq avx512cd avx512bw avx512vl"


@pytest.mark.parametrize(
    ("vendor", "flags", "kernels"),
    [
        ("GenuineIntel", AVX512, "SKYLAKEX"),
        ("GenuineIntel", AVX2, "HASWELL"),
        ("GenuineIntel", f"{AVX2} avx512f", "HASWELL"),  # as on Xeon Phi: not all that is used
        ("GenuineIntel", "fpu sse2 avx", None),
        ("AuthenticAMD", AVX512, None),  # OpenBLAS goes by their abilities, not by models
    ],
)
def test_kernels_follow_from_what_an_intel_processor_can_do(vendor, flags, kernels):
    assert kernels_for({"vendor_id": vendor, "flags": flags}) == kernels


def test_an_unknown_processor_is_left_to_openblas():
    assert kernels_for({}) is None


def test_what_is_set_stays():
    environment = {CORE_TYPE: "ZEN"}
    name_kernels(environment)
    assert environment == {CORE_TYPE: "ZEN"}


def test_numpy_takes_the_kernels_that_were_named():
    named: dict[str, str] = {}
    name_kernels(named)
    if not named:
        pytest.skip("OpenBLAS chooses on this processor")
    code = (
        "import engine.types\n"
        "from threadpoolctl import threadpool_info\n"
        "print(*(p['architecture'] for p in threadpool_info() if p['internal_api'] == 'openblas'))"
    )
    clean = {name: value for name, value in os.environ.items() if name != CORE_TYPE}
    found = subprocess.run(
        [sys.executable, "-c", code], env=clean, capture_output=True, text=True, check=True
    )
    kernels = found.stdout.split()
    assert kernels
    assert {k.upper() for k in kernels} == set(named.values())
