"""What this machine's processor can do, as far as Linux tells."""

from pathlib import Path
from typing import Final

__all__ = ["first_processor", "multiplies_bytes"]

_LISTING: Final = Path("/proc/cpuinfo")
_BYTE_PRODUCTS: Final = frozenset({"avx512_vnni", "avx_vnni", "amx_int8"})


def multiplies_bytes(processor: dict[str, str]) -> bool:
    """Whether an entry of Linux's list has instructions for sums of products of 8 bits (VNNI).

    Without them networks in 8 bits are no faster, and may be less exact.
    """
    return bool(_BYTE_PRODUCTS & set(processor.get("flags", "").split()))


def first_processor(listing: Path = _LISTING) -> dict[str, str]:
    """The first entry of /proc/cpuinfo; empty where there is none."""
    entries: dict[str, str] = {}
    try:
        with listing.open(encoding="utf-8", errors="replace") as lines:
            for line in lines:
                name, colon, value = line.partition(":")
                if not colon:  # an empty line ends the entry
                    break
                entries[name.strip()] = value.strip()
    except OSError:
        return {}
    return entries
