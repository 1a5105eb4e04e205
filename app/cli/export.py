"""`n2f export`: trained networks as the files that the program runs."""

from enum import StrEnum
from pathlib import Path
from typing import Annotated

import typer

from app.cli.options import ModelOption

__all__ = ["Precision", "export_app"]


class Precision(StrEnum):
    """In what form weights are kept; as `engine.training.graph_precision.Precision`."""

    FP32 = "fp32"
    FP16 = "fp16"
    INT8 = "int8"


export_app = typer.Typer(
    help="Write trained networks as ONNX (needs n2fnet[train]).", no_args_is_help=True
)


@export_app.callback()
def _group() -> None:
    """Its commands' common parent."""


@export_app.command()
def normals(
    checkpoint: Annotated[
        Path, typer.Argument(metavar="CHECKPOINT", help="checkpoint.pt or weights.npz.")
    ],
    out: Annotated[Path, typer.Option(metavar="FILE.onnx", help="Where the network goes.")],
    precision: Annotated[
        Precision,
        typer.Option(
            help="fp32; fp16: weights in half precision, the same arithmetic; int8: convolutions "
            "in 8 bits, needs --data."
        ),
    ] = Precision.FP32,
    data: Annotated[
        Path | None,
        typer.Option(metavar="DIR", help="Folder of train-*.tar, for int8's ranges of values."),
    ] = None,
    n_samples: Annotated[
        int, typer.Option(min=8, max=2000, help="Samples of it that int8 looks at.")
    ] = 128,
) -> None:
    """Write the normal network, and check it in ONNX Runtime against torch.

    Nothing is written where the two differ. How good an int8 network is must be measured:
    scripts/evaluate_normals.py.
    """
    from dataclasses import asdict

    from engine.errors import ProviderError
    from engine.io.assets import asset_path, sha256_of

    if precision is Precision.INT8 and data is None:
        raise typer.BadParameter("int8 needs samples; add --data DIR", param_hint="--data")
    try:
        from engine.training.evaluate_normals import spread_samples
        from engine.training.export_normals import export_normals
    except ModuleNotFoundError as error:
        raise ProviderError(f"{error.name} is missing; install n2fnet[train]") from error
    samples = spread_samples(data, "train", n_samples) if data is not None else ()
    model_id = sha256_of(asset_path("openhead.npz"))
    parity = export_normals(checkpoint, out, model_id, precision.value, samples)
    if precision is Precision.INT8:
        typer.echo(
            f"{out}: made from a graph of full precision that differs from torch by "
            f"{asdict(parity)}; what 8 bits change is not in that: measure it with "
            "scripts/evaluate_normals.py"
        )
        return
    typer.echo(f"{out}: {asdict(parity)}")


@export_app.command()
def n2fnet(
    checkpoint: Annotated[
        Path, typer.Argument(metavar="CHECKPOINT", help="checkpoint.pt or weights.npz.")
    ],
    out: Annotated[Path, typer.Option(metavar="FILE.onnx", help="Where the network goes.")],
    model: ModelOption = None,
) -> None:
    """Write N2FNet, and check it in ONNX Runtime against torch.

    Nothing is written where the two differ, or where the weights are for another head model.
    """
    from dataclasses import asdict

    from engine.errors import ProviderError
    from engine.head_choice import chosen_head_model

    try:
        from engine.training.export_n2fnet import export_n2fnet
    except ModuleNotFoundError as error:
        raise ProviderError(f"{error.name} is missing; install n2fnet[train]") from error
    parity = export_n2fnet(checkpoint, out, chosen_head_model(model))
    typer.echo(f"{out}: {asdict(parity)}")


@export_app.command()
def pixel3dmm(
    checkpoint: Annotated[
        Path,
        typer.Option(
            metavar="FILE", help="normals.ckpt or uv.ckpt of Pixel3DMM, or a .safetensors of it."
        ),
    ],
    out: Annotated[
        Path,
        typer.Option(
            metavar="FILE", help="FILE.onnx, or FILE.safetensors for the weights without any code."
        ),
    ],
    mirror: Annotated[
        bool,
        typer.Option(
            help="Average with the mirrored picture, as Pixel3DMM does; without, it takes half "
            "the time."
        ),
    ] = True,
) -> None:
    """Write an official Pixel3DMM network as ONNX, and check it in ONNX Runtime against torch.

    The checkpoint is read without running anything in it. With normals comes FILE.toml, and then
    `n2f live --normals FILE.onnx` uses it. The weights stay under their authors' licence.
    """
    from engine.errors import ProviderError

    try:
        from engine.peers.pixel3dmm_checkpoint import read_checkpoint, write_safetensors
        from engine.peers.pixel3dmm_export import export_pixel3dmm
    except ModuleNotFoundError as error:
        raise ProviderError(f"{error.name} is missing; install n2fnet[train]") from error
    found = read_checkpoint(checkpoint)
    if out.suffix == ".safetensors":
        write_safetensors(found, out)
        typer.echo(f"{out}: {len(found.tensors)} tensors")
        return
    made = export_pixel3dmm(found, out, mirror=mirror)
    typer.echo(f"{out}: {made.output}, differs from torch by {made.largest_difference:.1e}")
    if made.description is not None:
        typer.echo(f"{made.description}: its description")
    if made.keys.unused:
        typer.echo(f"not needed: {', '.join(made.keys.unused)}")
