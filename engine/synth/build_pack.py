"""Make a synthesis pack: python -m engine.synth.build_pack --source DATA --out FILE.npz"""

import argparse
import sys
from collections.abc import Mapping
from pathlib import Path

import numpy as np
from threadpoolctl import threadpool_limits

from engine.errors import AssetError, EngineError, OutputError
from engine.flame.model import HeadModel
from engine.synth.head_labels import face_classes, face_parts
from engine.synth.makehuman_head import build_makehuman_head
from engine.synth.natural_faces import natural_faces
from engine.synth.openhead_full import build_openhead_full
from engine.synth.pack import SynthHead, SynthPack
from engine.synth.pack_assets import build_assets
from engine.synth.pack_file import save_pack
from engine.synth.skins import crop_uv
from engine.types import F32

__all__ = ["build_heads", "main"]

_FACES = 600
_SHIPPED = Path("assets/openhead.npz")
_SOURCE = ("ict_facekit", "makehuman", "registration", "hdri")


def build_heads(source: Path, shipped: Path = _SHIPPED) -> Mapping[str, SynthHead]:
    """Both populations from the data pack; shipped: openhead as the program uses it."""
    openhead = build_openhead_full(source, shipped)
    makehuman, people, others = build_makehuman_head(source, openhead)
    return {
        "openhead": _synth_head("openhead", openhead, None, None, seed=11),
        "makehuman": _synth_head("makehuman", makehuman, people, others, seed=12),
    }


def _synth_head(
    name: str, model: HeadModel, people: F32 | None, others: F32 | None, seed: int
) -> SynthHead:
    if model.uv is None or model.uv_faces is None or model.arkit is None:
        raise ValueError(f"{name}: texture coordinates and the ARKit map are needed")
    return SynthHead(
        name=name,
        model=model,
        face_class=face_classes(model),
        part=face_parts(model),
        uv=crop_uv(model.uv.astype(np.float64)).astype(np.float32),
        uv_faces=model.uv_faces,
        shape_samples=people,
        val_shape_samples=others,
        expr_samples=natural_faces(model.arkit, _FACES, seed),
    )


def _check_paths(source: Path, out: Path) -> None:
    """Fail at once rather than after minutes of work."""
    if missing := [name for name in _SOURCE if not (source / name).is_dir()]:
        raise AssetError(
            f"{source} has no folder {', '.join(missing)}; give the data pack's folder, which "
            f"holds {', '.join(_SOURCE)}"
        )
    if out.is_dir():
        raise OutputError(f"{out} is a folder; name a file in it to write, {out / 'pack.npz'} say")


def main(arguments: list[str] | None = None) -> int:
    """Build and write a pack. Returns: 0, or 1 after a message of cause and fix on stderr."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--source", type=Path, required=True, help="folder of the data pack")
    parser.add_argument("--out", type=Path, required=True, help="the pack to write (.npz)")
    options = parser.parse_args(arguments)
    try:
        _build(options.source, options.out)
    except EngineError as error:
        sys.stderr.write(f"Error: {error}\n")
        return 1
    sys.stdout.write(f"{options.out}: {options.out.stat().st_size / 2**20:.0f} MiB\n")
    return 0


def _build(source: Path, out: Path) -> None:
    _check_paths(source, out)
    with threadpool_limits(1):
        heads = build_heads(source)
        skins, skin_masks, attachments, lights, held_back = build_assets(source, heads)
    save_pack(SynthPack(heads, skins, skin_masks, attachments, lights, held_back), out)


if __name__ == "__main__":
    raise SystemExit(main())
