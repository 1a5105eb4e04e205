"""From around MakeHuman's neutral base mesh to around each population's head."""

from collections.abc import Mapping
from pathlib import Path

import numpy as np

from engine.errors import AssetError
from engine.io.npz_read import UNREADABLE_NPZ, open_npz
from engine.synth.head_warp import HeadWarp
from engine.synth.mhclo import read_obj
from engine.synth.pack import SynthHead
from engine.types import F64, I32

__all__ = ["base_warps"]

_NECK = -0.10  # metres, model frame


def base_warps(source: Path, heads: Mapping[str, SynthHead]) -> dict[str, HeadWarp]:
    """A warp for each head, by name.

    openhead: MakeHuman's topology registered to the same ICT head gives the correspondences;
    makehuman: its first vertices are those of that topology, in its order.
    Raises: AssetError: if source data is missing; ValueError: for a head of another name.
    """
    base = read_obj(source / "makehuman" / "base.obj.gz").vertices
    ids, registered = _registered(source / "registration")
    warps = {}
    for name, head in heads.items():
        if name == "openhead":
            target = registered
        elif name == "makehuman":
            target = head.model.v_template[: len(ids)].astype(np.float64)
        else:
            raise ValueError(f"head {name!r}: no correspondences; expected openhead or makehuman")
        above = registered[:, 1] > _NECK  # the registered neck's end is jagged
        warps[name] = HeadWarp(base[ids][above], target[above])
    return warps


def _registered(folder: Path) -> tuple[I32, F64]:
    """Base mesh vertices of the head's skin and where they lie on the ICT head, metres."""
    try:
        with open_npz(folder / "topology.npz") as topology:
            n_skin = int(topology["n_skin"])
            ids = topology["base_obj_vertex_ids"][:n_skin].astype(np.int32)
        with open_npz(folder / "ict_on_topology.npz") as shapes:
            return ids, shapes["neutral_m"][:n_skin].astype(np.float64)
    except UNREADABLE_NPZ as error:
        raise AssetError(f"{folder} does not hold the registered head: {error}") from error
