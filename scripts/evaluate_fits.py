"""Measure methods of fitting on synthetic samples whose truth is known.

python scripts/evaluate_fits.py DATA --out eval [--methods landmarks,n2fnet,n2fnet-refined]
    [--network baseline=baseline.onnx ...]

DATA has val-*.tar of `n2f synth --split val`; samples of the head model count. Normals are
predicted, unless --true-normals is given. Distances are over the face, both directions (chamfer
distance, CD), mm, after rigid alignment and, as one picture hardly shows how large a head is, also
with the size aligned; and as `n2f bench` has them, alignment A: of points to the nearest surface,
after similarity by landmarks and rigid ICP. Angles are of the head's rotation. OUT/fits.csv has a
row for each sample and method, OUT/fits.md the table, OUT/fits.json the figures with the networks'
hashes. Networks named with --network are measured without refinement, as `n2fnet` is.
"""

import argparse
import csv
import json
import sys
import time
from collections.abc import Iterator
from itertools import chain, islice
from multiprocessing import get_context
from operator import itemgetter
from pathlib import Path

import numpy as np
from scipy.spatial.transform import Rotation
from threadpoolctl import threadpool_limits

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))

from engine.benchmark.regions import head_regions
from engine.benchmark.scoring import Scorer
from engine.benchmark.types import PredictedFace, Truth, TruthMesh
from engine.errors import AssetError, EngineError
from engine.face_fit import FaceFollower, FaceSight, NetworkFollower
from engine.files import replacing
from engine.flame.face_distance import FaceDistance
from engine.flame.model import HeadModel
from engine.flame.posed import PosedHead, surface_points
from engine.followers import Followers
from engine.head_choice import chosen_head_model
from engine.io.assets import sha256_of
from engine.methods import METHODS, method_named, network_identity
from engine.normal_choice import choose_normals
from engine.stages.flame_regressor import FlameRegressor
from engine.stages.landmark_placer import LandmarkPlacer
from engine.stages.normal_estimator import NormalEstimator
from engine.synth.sample import MASK_CLASSES, Sample, decode_normals
from engine.synth.shards import read_shard
from engine.timing import StageClock
from engine.types import F32, FaceCrop, NormalMap

COLUMNS = (
    "method", "sample", "cd_mm", "cd_sized_mm", "cd_bench_mm", "vertex_mm", "rotation_deg", "rms",
    "quality", "ms",
)  # fmt: skip
REPORT_HEAD = """# Methods in figures

Written by `scripts/evaluate_fits.py`; [training.md](training.md) tells what was done. CD: chamfer
distance over the face after rigid alignment, the mean of both directions, where points on skin that
faces elsewhere count as further away; CD sized: with the size aligned as well, which one picture
hardly shows; CD bench: as [benchmarks.md](benchmarks.md) has it, alignment A. Times are of the
method alone, on the CPU, without MediaPipe and normals.
"""
_WHOLE = np.eye(3)[:2]


def samples(data: Path, model: HeadModel) -> Iterator[Sample]:
    """Those whose parameters are the head model's."""
    for shard in sorted(data.glob("val-*.tar")):
        for sample in read_shard(shard):
            if sample.params.model_id == model.model_id:
                yield sample


def crop_of(sample: Sample) -> FaceCrop:
    """As the cropper would have cut it; the sample's camera is the crop's."""
    return FaceCrop(
        image=sample.image,
        crop_from_frame=_WHOLE,
        landmarks=np.ascontiguousarray(sample.points[:, :2]),
        score=1.0,
        landmarks_z=np.ascontiguousarray(sample.points[:, 2]),
    )


def true_maps(sample: Sample) -> NormalMap:
    """The sample's own normals."""
    mask = np.isin(sample.parsing, MASK_CLASSES).astype(np.float32)
    head = decode_normals(sample.head_normals)
    view = head @ sample.params.R.T.astype(np.float32)
    return NormalMap(head, view, mask, np.ones_like(mask), sample.parsing, _WHOLE)


def estimator_for(options: argparse.Namespace) -> NormalEstimator | None:
    """What predicts normals; None: true ones were asked for.

    Raises: AssetError: if there is no network and they were not.
    """
    if options.true_normals:
        return None
    choice = choose_normals(options.normals)
    if choice.path is None:
        raise AssetError(
            f"no normal network: {choice.reason}; give one with --normals, or ask for "
            "--true-normals"
        )
    return NormalEstimator(choice.path)


def bench_distance_mm(model: HeadModel, found: F32, true: F32) -> float:
    """Of (V, 3) metres: the benchmark's CD, alignment A."""
    regions = head_regions(model)
    marks = [
        surface_points(v, model.faces, model.landmarks68).astype(np.float64) for v in (found, true)
    ]
    mesh = TruthMesh(true.astype(np.float64), model.faces, regions, landmarks68=marks[1])
    face = PredictedFace(found.astype(np.float64), model.faces, regions, landmarks68=marks[0])
    return Scorer("mesh", "A")(Truth(mesh), face).values["cd_mm"]


def measure(
    options: argparse.Namespace, names: list[str], part: int = 0, n_parts: int = 1
) -> list[dict[str, object]]:
    """A row for each method and sample, of one in n_parts samples."""
    threadpool_limits(1, user_api="blas")
    model = chosen_head_model(options.model)
    estimator = estimator_for(options)
    distance, sized = FaceDistance(model), FaceDistance(model, scaled=True)
    head = PosedHead(model)
    followers: dict[str, FaceFollower] = {}
    for name in names:
        maker = Followers(model, options.n2fnet, tracking=False)
        maker.load(method_named(name))
        followers[name] = maker.new(method_named(name))
    placer = LandmarkPlacer(model)
    for name, path in options.networks.items():
        followers[name] = NetworkFollower(model, FlameRegressor(path, model), placer)
    rows: list[dict[str, object]] = []
    for number, sample in enumerate(islice(samples(options.data, model), options.n)):
        if number % n_parts != part:
            continue
        crop = crop_of(sample)
        seen = true_maps(sample) if estimator is None else estimator.run(crop, sample.camera)
        truth = head.vertices(sample.params).copy()
        for name, follower in followers.items():
            follower.reset()
            start = time.perf_counter()
            fit = follower.fit(FaceSight(crop, sample.camera, seen), StageClock())
            ms = 1e3 * (time.perf_counter() - start)
            found = head.vertices(fit.params)
            cd, vertex = distance(found, truth)
            turn = Rotation.from_matrix(fit.params.R @ sample.params.R.T).magnitude()
            bench = bench_distance_mm(model, found, truth)
            errors = (cd, sized(found, truth)[0], bench, vertex, np.degrees(turn))
            values = (name, number, *errors, fit.rms, fit.quality, ms)
            rows.append(dict(zip(COLUMNS, values, strict=True)))
        if number % 50 < n_parts:
            sys.stderr.write(f"sample {number}\n")
    return rows


def measured_by_all(options: argparse.Namespace, names: list[str]) -> list[dict[str, object]]:
    """What `measure` says of all samples, in their order, by as many processes as wanted."""
    n = options.workers
    if n == 1:
        return measure(options, names)
    with get_context("spawn").Pool(n) as pool:
        parts = pool.starmap(measure, [(options, names, k, n) for k in range(n)])
    return sorted(chain(*parts), key=itemgetter("sample"))


def figures(rows: list[dict[str, object]], name: str) -> dict[str, float]:
    """Of one method."""
    own = [row for row in rows if row["method"] == name]
    cd, sized, bench, turn, ms = (
        np.array([r[c] for r in own])
        for c in ("cd_mm", "cd_sized_mm", "cd_bench_mm", "rotation_deg", "ms")
    )
    return {
        "n": len(own),
        "cd_mean_mm": float(cd.mean()),
        "cd_median_mm": float(np.median(cd)),
        "cd_p95_mm": float(np.percentile(cd, 95)),
        "cd_sized_mean_mm": float(sized.mean()),
        "cd_bench_mean_mm": float(bench.mean()),
        "rotation_median_deg": float(np.median(turn)),
        "rotation_mean_deg": float(turn.mean()),
        "ms_p50": float(np.median(ms)),
    }


def table(all_figures: dict[str, dict[str, float]], note: str) -> str:
    """Markdown."""
    lines = [
        note,
        "",
        "| method | n | CD mm mean | median | 95 % under | CD sized mm mean "
        "| CD bench mm mean | rotation ° median | mean | ms p50 |",
        "|---|---|---|---|---|---|---|---|---|---|",
    ]
    for name, f in all_figures.items():
        lines.append(
            f"| `{name}` | {f['n']} | {f['cd_mean_mm']:.3f} | {f['cd_median_mm']:.3f} "
            f"| {f['cd_p95_mm']:.2f} | {f['cd_sized_mean_mm']:.3f} "
            f"| {f['cd_bench_mean_mm']:.3f} | {f['rotation_median_deg']:.2f} "
            f"| {f['rotation_mean_deg']:.2f} | {f['ms_p50']:.1f} |"
        )
    return "\n".join(lines) + "\n"


def main() -> int:
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("data", type=Path, help="folder with val-*.tar")
    parser.add_argument("--out", type=Path, required=True, help="folder for fits.csv, fits.md")
    parser.add_argument("--methods", default=",".join(METHODS), help="names, comma-separated")
    parser.add_argument("--model", type=Path, help="head model; default: the bundled one")
    parser.add_argument("--normals", help="normal network; default: the bundled one")
    parser.add_argument("--n2fnet", type=Path, help="N2FNet; default: the bundled one")
    parser.add_argument("--network", action="append", default=[], metavar="NAME=FILE")
    parser.add_argument("--report", type=Path, help="Markdown file for the table")
    parser.add_argument("--true-normals", action="store_true", help="in place of predicted ones")
    parser.add_argument("--n", type=int, default=1000, help="samples at most; default 1000")
    parser.add_argument("--workers", type=int, default=1, help="processes; times suffer by more")
    options = parser.parse_args()
    names = [name for name in options.methods.split(",") if name]
    options.networks = {n: Path(f) for n, f in (pair.split("=", 1) for pair in options.network)}
    model = chosen_head_model(options.model)
    try:
        rows = measured_by_all(options, names)
    except EngineError as error:
        sys.stderr.write(f"{error}\n")
        return 1
    kind = "true" if options.true_normals else "predicted"
    every = [*names, *options.networks]
    note = f"{len(rows) // len(every)} samples of {model.name}, {kind} normals."
    options.out.mkdir(parents=True, exist_ok=True)
    with (
        replacing(options.out / "fits.csv") as path,
        path.open("w", newline="", encoding="utf-8") as file,
    ):
        writer = csv.DictWriter(file, COLUMNS)
        writer.writeheader()
        writer.writerows(rows)
    measured = {name: figures(rows, name) for name in every}
    text = table(measured, note)
    (options.out / "fits.md").write_text(text, encoding="utf-8")
    networks = {name: network_identity(name, options.n2fnet) for name in names}
    networks |= {name: f"{p.name} {sha256_of(p)[:12]}" for name, p in options.networks.items()}
    summary = {
        "settings": {name: str(value) for name, value in vars(options).items()},
        "model_id": model.model_id,
        "networks": networks,
        "figures": measured,
    }
    (options.out / "fits.json").write_text(json.dumps(summary, indent=1), encoding="utf-8")
    if options.report is not None:
        options.report.write_text(f"{REPORT_HEAD}\n{text}", encoding="utf-8")
    sys.stdout.write(text)
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
