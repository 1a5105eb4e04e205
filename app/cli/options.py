"""Flags that several commands have."""

from pathlib import Path
from typing import Annotated

import typer

__all__ = [
    "METHODS_SAID",
    "InitOption",
    "ItersOption",
    "JointOption",
    "MethodOption",
    "MethodOrPeerOption",
    "ModelOption",
    "N2FNetOption",
    "NormalsOption",
    "OptimizerOption",
    "PackOption",
    "TrustOption",
    "UvCheckpointOption",
    "UvCoordsOption",
    "announced_pack",
]

ModelOption = Annotated[
    Path | None,
    typer.Option(help="Head model (.npz, FLAME .pkl or .zip). Default: the bundled one."),
]

NormalsOption = Annotated[
    str | None,
    typer.Option(
        metavar="FILE|none",
        help="Network that sees normals (.onnx; one of others needs a .toml beside it). "
        "Default: the bundled one, if there is one.",
    ),
]

METHODS_SAID = (
    "n2fnet-refined, n2fnet, n2fnet-noseg, two-stage, baseline, rgb, landmarks-refined, landmarks"
)
"""Said here, as looking them up would import the engine for --help."""

MethodOption = Annotated[
    str | None,
    typer.Option(
        help=f"How the head is fitted: {METHODS_SAID}, or, not live, pixel3dmm. Default: "
        "n2fnet-refined where it can be used.",
    ),
]

MethodOrPeerOption = Annotated[
    str | None,
    typer.Option(
        help=f"How the head is fitted: {METHODS_SAID}; by the optimiser, pixel3dmm; or by a peer "
        "with a checkpoint of yours: deca, emoca, smirk, sheap, mica or pixel3dmm-net (Pixel3DMM's "
        "network in the place of ours). Default: n2fnet-refined where it can be used.",
    ),
]

N2FNetOption = Annotated[
    Path | None,
    typer.Option(
        "--n2fnet",
        metavar="FILE",
        help="N2FNet for the head model (.onnx of n2f export n2fnet). Default: the bundled one.",
    ),
]

OptimizerOption = Annotated[
    str | None,
    typer.Option(
        metavar="adam|gn",
        help="Of pixel3dmm: adam as published, or gn, Gauss-Newton on the same energy, some "
        "ten times as fast. Default: adam.",
    ),
]

InitOption = Annotated[
    str | None,
    typer.Option(
        metavar="neutral|n2fnet",
        help="Where pixel3dmm begins: the mean head, or what N2FNet says. Default: neutral.",
    ),
]

ItersOption = Annotated[
    int | None,
    typer.Option(min=1, help="Iterations of pixel3dmm's Adam for a first frame. Default: 800."),
]

JointOption = Annotated[
    bool | None,
    typer.Option(
        "--joint/--no-joint",
        help="Of pixel3dmm, for videos: after each frame by itself, optimise all of them together, "
        "with one shape; 5000 iterations of Adam, or ten steps of gn. Default: do.",
    ),
]

TrustOption = Annotated[
    bool,
    typer.Option("--trust", help="Run the code that SHeaP's checkpoint brings (TorchScript)."),
]

UvCheckpointOption = Annotated[
    Path | None,
    typer.Option(
        "--uv-checkpoint",
        metavar="FILE",
        help="For pixel3dmm-net: uv.ckpt of Pixel3DMM's authors, so that the optimiser knows where "
        "in FLAME's texture each pixel lies. Needs --model FLAME. Default: MediaPipe's points do.",
    ),
]

UvCoordsOption = Annotated[
    Path | None,
    typer.Option(
        "--uv-coords",
        metavar="FILE",
        help="For --uv-checkpoint: flame_uv_coords.npy of Pixel3DMM's authors. Default: the one "
        "beside uv.ckpt.",
    ),
]

PackOption = Annotated[
    Path | None,
    typer.Option(
        metavar="FILE",
        help="Heads, skins, hair and lights, from python -m engine.synth.build_pack. Default: "
        "synth_pack.npz in the user's data folder, else openhead with built-in looks.",
    ),
]


def announced_pack(path: Path | None, population: str) -> Path | None:
    """The pack that is there; tells where there is none, so that looks are built in."""
    from engine.synth.pack_choice import chosen_pack, user_pack_path

    pack = chosen_pack(path)
    if pack is None:
        if population == "makehuman":
            raise typer.BadParameter(
                f"--population makehuman needs a pack: give --pack, or put it at {user_pack_path()}"
            )
        typer.echo(
            f"no pack given and none at {user_pack_path()}: openhead alone, with built-in looks",
            err=True,
        )
    return pack
