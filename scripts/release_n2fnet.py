"""Put trained networks of parameters into assets/, with the figures of their evaluation.

python scripts/release_n2fnet.py --evaluation eval/fits.json --weights run/weights.npz \\
    n2fnet.onnx=finetuned.onnx n2fnet_noseg.onnx=noseg.onnx n2fnet_rgb.onnx=rgb.onnx

The evaluation (scripts/evaluate_fits.py) must be of those very files. The weights are N2FNet's, for
others to go on from.
"""

import argparse
import json
import shutil
import sys
from pathlib import Path

from release_normals import ASSETS, NOTICE, SOURCE

from engine.errors import EngineError
from engine.files import replacing
from engine.io.assets import sha256_of
from engine.io.manifest_write import record_asset
from engine.stages.onnx_session import OnnxSession
from engine.training.checkpoint import read_weights
from engine.training.n2f_weights import N2FNET

WEIGHTS = "n2fnet_weights.npz"
SEEN = "; fine-tuned on maps of 500 public-domain portraits"


def main() -> int:
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("files", nargs="+", metavar="ASSET=FILE", help="exported networks")
    parser.add_argument("--weights", type=Path, required=True, help="what n2fnet.onnx is from")
    parser.add_argument("--evaluation", type=Path, required=True, help="fits.json")
    parser.add_argument("--source", default=SOURCE, help="what they were trained on")
    options = parser.parse_args()
    pairs = [pair.split("=", 1) for pair in options.files]
    try:
        for name, file in [*pairs, (WEIGHTS, str(options.weights))]:
            found = {} if name == WEIGHTS else _figures(options.evaluation, Path(file))
            with replacing(ASSETS / name) as temporary:
                shutil.copyfile(file, temporary)
            is_tuned = name in ("n2fnet.onnx", WEIGHTS)
            record_asset(
                ASSETS / name,
                licence="CC-BY-4.0",
                source=options.source + (SEEN if is_tuned else ""),
                command=_command(name, Path(file)),
                notice=NOTICE,
                figures=found,
            )
    except (EngineError, ValueError, OSError) as error:
        sys.stderr.write(f"{error}\n")
        return 1
    return 0


COMMANDS = {
    "finetuned": "--config finetuned --stage finetune --init WEIGHTS --data PHOTOS --drawn DRAWN "
    "--predicted PREDICTED",
    "with-points": "--config docs/n2fnet_fifth.toml --shards SAMPLES --drawn DRAWN --init WEIGHTS",
    "rgb": "--config docs/n2fnet_rgb_fifth.toml --predicted PREDICTED --init WEIGHTS",
}
"""The last training of configurations that had several; docs/training.md has all."""


def _command(name: str, file: Path) -> str:
    if name == WEIGHTS:
        configuration, export = read_weights(file, N2FNET)[1].settings.name, ""
    else:
        configuration = OnnxSession(file).metadata["configuration"]
        export = f"; n2f export n2fnet run/weights.npz --out {name}"
    options = COMMANDS.get(configuration, f"--config {configuration} --shards SAMPLES --scale 0.03")
    return (
        f"n2f train n2fnet {options} --out run{export}; samples, and the trainings before: "
        "docs/training.md"
    )


def _figures(path: Path, graph: Path) -> dict[str, float]:
    """The figures of the evaluated network with that hash, rounded."""
    summary = json.loads(path.read_text(encoding="utf-8"))
    found: dict[str, float] = {}
    for name, identity in summary["networks"].items():
        if identity.endswith(sha256_of(graph)[:12]):
            kept = ("n", "cd_mean_mm", "cd_median_mm", "rotation_median_deg")
            refined = "refined_" if name.endswith("-refined") else ""
            found |= {refined + k: round(summary["figures"][name][k], 4) for k in kept}
    if not found:
        raise ValueError(f"{path} is not an evaluation of {graph}; run scripts/evaluate_fits.py")
    return found


if __name__ == "__main__":
    raise SystemExit(main())
