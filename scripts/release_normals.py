"""Put a trained normal network into assets/, with the figures of its evaluation.

python scripts/release_normals.py NET.onnx --weights run/weights.npz --evaluation eval/summary.json
    --settings docs/normals_sixth.toml [--int8 NET_INT8.onnx]

The evaluation must be of those very files (scripts/evaluate_normals.py). A network that is there
already is replaced only by one that is better on the validation samples, or with --replace. The one
in 8 bits must be as good as the other, to a tenth of a degree.
"""

import argparse
import json
import shutil
import sys
from collections.abc import Mapping
from pathlib import Path

from engine.errors import EngineError
from engine.files import replacing
from engine.io.assets import load_manifest, sha256_of
from engine.io.manifest_write import record_asset

ASSETS = Path("assets")
GRAPH, EIGHT_BITS, WEIGHTS = "normals.onnx", "normals_int8.onnx", "normals_weights.npz"
_AS_GOOD_DEG = 0.1
SOURCE = (
    "synthetic faces drawn by n2fnet from USC ICT Face Model Light (MIT), MakeHuman (CC0) and Poly "
    "Haven (CC0); topology of MediaPipe's face mesh (Apache-2.0)"
)
NOTICE = (
    "Trained on heads derived from ICT Face Model Light, Copyright (c) 2020 USC Institute for "
    "Creative Technologies."
)
KEPT = (
    "head_median_deg", "head_mean_deg", "view_median_deg", "view_mean_deg", "mask_iou",
    "rotation_median_deg", "n",
)  # fmt: skip


def main() -> int:
    options = _options()
    try:
        figures = _figures(options.evaluation, sha256_of(options.graph))
        known = {a.file: a for a in load_manifest(ASSETS)}
        if GRAPH in known and not options.replace:
            _check_better(known[GRAPH].figures, figures)
        released = {GRAPH: (options.graph, figures), WEIGHTS: (options.weights, {})}
        if options.int8 is not None:
            its = _figures(options.evaluation, sha256_of(options.int8))
            _check_as_good(its, figures)
            released[EIGHT_BITS] = (options.int8, its)
        for name, (file, found) in released.items():
            with replacing(ASSETS / name) as temporary:
                shutil.copyfile(file, temporary)
            record_asset(
                ASSETS / name,
                licence="CC-BY-4.0",
                source=SOURCE,
                command=_command(name, options.settings),
                notice=NOTICE,
                figures=found,
            )
    except (EngineError, ValueError, OSError) as error:
        sys.stderr.write(f"{error}\n")
        return 1
    sys.stdout.write(f"{json.dumps(figures, indent=2)}\n")
    return 0


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("graph", type=Path, help="the exported network")
    parser.add_argument("--weights", type=Path, required=True, help="what it was exported from")
    parser.add_argument("--evaluation", type=Path, required=True, help="summary.json")
    parser.add_argument("--settings", required=True, help="TOML of its last training, for others")
    parser.add_argument("--int8", type=Path, help="the same network in 8 bits")
    parser.add_argument("--replace", action="store_true", help="whatever the figures")
    return parser.parse_args()


def _command(name: str, settings: str) -> str:
    precision = " --precision int8 --data SAMPLES" if name == EIGHT_BITS else ""
    export = (
        "" if name == WEIGHTS else f"; n2f export normals run/weights.npz{precision} --out {name}"
    )
    return (
        f"n2f train normals --data SAMPLES --config {settings} --init WEIGHTS --out run{export}; "
        "samples, and the trainings before: docs/training.md"
    )


def _figures(path: Path, graph_hash: str) -> dict[str, float]:
    """The figures of the evaluated network with that hash, rounded."""
    networks = json.loads(path.read_text(encoding="utf-8"))["networks"]
    for network in networks:
        if network["sha256"] == graph_hash:
            return {name: round(float(network["all"][name]), 4) for name in KEPT}
    raise ValueError(f"{path} is not an evaluation of this graph; run scripts/evaluate_normals.py")


def _check_as_good(eight_bits: dict[str, float], full: dict[str, float]) -> None:
    for name in (name for name in KEPT if name.endswith("_deg")):
        if eight_bits[name] > full[name] + _AS_GOOD_DEG:
            raise ValueError(f"8 bits: {name} {eight_bits[name]}, in full {full[name]}")


def _check_better(old: Mapping[str, float | int | str], new: dict[str, float]) -> None:
    names = ("head_mean_deg", "view_mean_deg")
    before, after = (sum(float(f[name]) for name in names) for f in (old, new))
    if after >= before:
        raise ValueError(
            f"head and view mean errors add up to {after:.3f} deg, those in assets to "
            f"{before:.3f} deg; pass --replace to put it there all the same"
        )


if __name__ == "__main__":
    raise SystemExit(main())
