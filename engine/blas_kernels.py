"""Which of its kernels numpy's OpenBLAS is to use, on processors newer than it knows.

Numpy's wheels bring an OpenBLAS that goes by a list of Intel's models. What is not on it runs the
kernels of 2004's Prescott, a quarter as fast, whatever the processor can do.
"""

import os
from collections.abc import MutableMapping
from typing import Final

from engine.processor import first_processor

__all__ = ["CORE_TYPE", "kernels_for", "name_kernels"]

CORE_TYPE: Final = "OPENBLAS_CORETYPE"
"""The environment variable by which OpenBLAS is told; it looks once, when numpy is imported."""

_AVX512: Final = frozenset({"avx512f", "avx512dq", "avx512bw", "avx512vl", "avx512cd"})
_AVX2: Final = frozenset({"avx2", "fma"})


def name_kernels(environment: MutableMapping[str, str] = os.environ) -> None:
    """Set CORE_TYPE where the processor's abilities are known, unless somebody has set it.

    Linux tells them; elsewhere, and on other processors than Intel's, OpenBLAS chooses.
    """
    if CORE_TYPE in environment:
        return
    kernels = kernels_for(first_processor())
    if kernels is not None:
        environment[CORE_TYPE] = kernels


def kernels_for(processor: dict[str, str]) -> str | None:
    """OpenBLAS's name of the kernels for a processor of Linux's list; None: its own choice."""
    if processor.get("vendor_id") != "GenuineIntel":
        return None
    flags = frozenset(processor.get("flags", "").split())
    if flags >= _AVX512 | _AVX2:
        return "SKYLAKEX"
    return "HASWELL" if flags >= _AVX2 else None
