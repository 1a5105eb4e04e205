"""Measure how the normal network errs, to set what training does to drawn maps.

python scripts/measure_degradation.py DATA [--n 200] [--normals FILE]

DATA has val-*.tar of `n2f synth --split val`, which the network was not trained on; samples of
the head model count. The settings are those of `engine.training.degradation`. Prints the mean and
the 5, 50 and 95 % over maps of what the network does to the true maps, and of what `degraded` does
to the same ones at strength 1, without covers: the same ruler (`engine.training.map_errors`) for
both. Angles are in degrees, lengths in pixels at 256 px, shares 0..1.
"""

import argparse
import sys
from dataclasses import fields, replace
from pathlib import Path

import numpy as np
import torch

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))

from evaluate_fits import samples

from engine.flame.model import HeadModel
from engine.flame.posed import PosedHead
from engine.head_choice import chosen_head_model
from engine.io.assets import asset_path, sha256_of
from engine.render.context import headless_context
from engine.render.renderer import MeshRenderer
from engine.stages.normal_network import OwnNetwork
from engine.stages.weak_perspective import face_anchor
from engine.synth.head_maps import averaged, mean_normals
from engine.synth.predicted_maps import TrueMaps, predicted_row
from engine.synth.sample import Sample
from engine.training.degradation import Degradation, degraded
from engine.training.map_errors import MapErrors, map_errors
from engine.training.n2f_batch import N2FBatch, batch_from_map_rows
from engine.types import F32

_MAP_PX = 64
_LEAST_FACE = 200  # pixels of 64 x 64, or the sample says too little


class MeanMaps:
    """The mean head's normals where a sample shows the skin."""

    def __init__(self, model: HeadModel) -> None:
        self._model, self._posed = model, PosedHead(model)
        self._normals = mean_normals(model)
        self._renderer = MeshRenderer(headless_context(), model.faces, samples=0)

    def of(self, sample: Sample) -> tuple[F32, F32]:
        """(S, S, 3) normals, zeros off the head, and the true head's own at the same places."""
        params = sample.params
        vertices = self._posed.vertices(params)
        maps = self._renderer.render_maps(sample.camera, vertices, params.R, params.t)
        return maps.interpolate(self._normals, self._model.faces), maps.head_normals


def batches(
    data: Path, n: int, normals: Path, model: HeadModel
) -> tuple[N2FBatch, N2FBatch, list[float]]:
    """What the network saw, the truth, and how far the truth's maps are off those drawn anew."""
    network = OwnNetwork(normals, threads=1, provider="cpu", may_fall_back=False)
    mean_maps, anchor, true_maps = MeanMaps(model), face_anchor(model), TrueMaps()
    seen, true, means, off = [], [], [], []
    for sample in samples(data, model):
        found = network.predict(sample.image, sample.points)
        if found.head is None or found.crop_view is None:
            raise SystemExit(f"{normals} gives no head-frame and crop-view normals")
        truth = true_maps.maps(sample)
        mean, own = mean_maps.of(sample)
        inside = (truth[2] > 0) & mean.any(-1)
        if inside.sum() < _LEAST_FACE * (len(inside) // _MAP_PX) ** 2:
            continue
        off.append(float(np.median(_angles(own, truth[0])[inside])))
        maps = (found.head, found.crop_view, found.mask, found.confidence)
        seen.append(predicted_row(sample, maps, anchor, _MAP_PX))
        true.append(predicted_row(sample, truth, anchor, _MAP_PX))
        means.append(averaged(mean, len(mean) // _MAP_PX))
        if len(seen) == n:
            break
    first, second = (batch_from_map_rows(np.stack(r), _MAP_PX, picture=False) for r in (seen, true))
    mean = torch.from_numpy(np.stack(means)).permute(0, 3, 1, 2).contiguous()
    return first, replace(second, mean=mean), off


def _angles(a: F32, b: F32) -> F32:
    cosine: F32 = np.clip((a * b).sum(-1), -1, 1)
    return np.rad2deg(np.arccos(cosine)).astype(np.float32)


def table(network: MapErrors, drawn: MapErrors) -> str:
    """Markdown: mean and 5, 50, 95 % over maps."""
    lines = ["| | network: mean | 5, 50, 95 % | degraded: mean | 5, 50, 95 % |"]
    lines.append("|---|---|---|---|---|")
    for field in fields(MapErrors):
        cells = []
        for errors in (network, drawn):
            values = getattr(errors, field.name)
            values = values[torch.isfinite(values)].numpy()
            low, middle, high = np.percentile(values, (5, 50, 95)) if len(values) else (np.nan,) * 3
            mean = values.mean() if len(values) else np.nan
            cells.append(f"{mean:.2f} | {low:.2f}, {middle:.2f}, {high:.2f}")
        lines.append(f"| {field.name} | {' | '.join(cells)} |")
    return "\n".join(lines)


def main() -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("data", type=Path)
    parser.add_argument("--n", type=int, default=200)
    parser.add_argument("--normals", type=Path, help="normal network; default: the bundled one")
    options = parser.parse_args()
    torch.set_num_threads(1)
    model = chosen_head_model(None)
    normals = options.normals or asset_path("normals.onnx")
    seen, true, off = batches(options.data, options.n, normals, model)
    random = torch.Generator().manual_seed(0)
    plain = replace(true, view=torch.einsum("bij,bjyx->biyx", true.R, true.head))
    uncovered = Degradation().uncovered()  # as the true mask is
    made = degraded(plain, uncovered, random)
    sys.stdout.write(
        f"{len(true)} maps of {_MAP_PX} px, network {sha256_of(normals)[:12]}; the truth is within "
        f"{np.median(off):.2f} degrees (median) of the head drawn anew\n\n"
    )
    sys.stdout.write(table(map_errors(seen, true), map_errors(made, plain)) + "\n")


if __name__ == "__main__":
    main()
