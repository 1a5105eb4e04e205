"""Fills a folder with shards of synthetic samples, on one machine or many.

A broken-off production goes on where it stopped. Whole shards are the unit of work; workers send
their bytes back and this process alone writes, so that a folder's content does not depend on who
made what.
"""

import hashlib
import logging
from collections import deque
from collections.abc import Callable, Iterator, Mapping
from contextlib import closing
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, Final

from engine.errors import AssetError, OutputError
from engine.files import remove_leftovers, replacing
from engine.synth.manifest import (
    Manifest,
    ShardEntry,
    manifest_path,
    read_manifest,
    shard_name,
)
from engine.synth.settings import SynthSettings
from engine.synth.shards import shard_bytes
from engine.synth.workers import (
    MakeMaker,
    Maker,
    Pool,
    Report,
    WorkerPool,
    cpu_count,
    default_maker,
)

__all__ = ["SAMPLES_PER_SHARD", "Progress", "ShardTask", "make_shard", "produce"]

logger = logging.getLogger(__name__)

SAMPLES_PER_SHARD: Final = 500
"""About 45 MB at 128 px."""


@dataclass(frozen=True, slots=True)
class Progress:
    """How far a production is."""

    n: int  # samples asked for
    n_kept: int  # of an earlier run
    n_made: int  # in this run, those of unfinished shards included


@dataclass(frozen=True, slots=True)
class ShardTask:
    """A shard to make."""

    name: str
    start: int  # index of its first sample
    count: int

    def __str__(self) -> str:
        return f"{self.name} (samples {self.start} to {self.start + self.count - 1})"


def produce(
    settings: SynthSettings,
    out: Path,
    n: int,
    workers: int | None = None,
    *,
    samples_per_shard: int = SAMPLES_PER_SHARD,
    ray_address: str | None = None,
    progress: Callable[[Progress], None] = lambda progress: None,
    make_maker: MakeMaker = default_maker,
) -> Manifest:
    """Make samples 0..n-1 into DIR/SPLIT-000000.tar ... and DIR/manifest-SPLIT.json.

    Shards of an earlier run that are whole are kept; a larger n goes on from there.

    Args:
        settings: of the samples; the folder must have no others of this split.
        out: the folder; made where it is not there.
        workers: processes, each making whole shards. None: one for each processor.
        samples_per_shard: all but the last shard have so many.
        ray_address: of a Ray cluster that does the work instead ("auto": the one of this machine,
            "local": one for this run); n2fnet must be installed on its machines, the pack is sent.
        progress: told from time to time.
        make_maker: what makes the samples; a top-level function or class.
    Returns: the finished manifest.
    Raises: ValueError: if n, workers or samples_per_shard is below 1. OutputError: if the folder
        cannot be written or holds other samples. AssetError: if the pack cannot be read.
        EngineError: if a worker failed, naming the shard.
    """
    for name, value in (("n", n), ("workers", workers), ("samples_per_shard", samples_per_shard)):
        if value is not None and value < 1:
            raise ValueError(f"{name} {value}, expected at least 1")
    asked = Manifest(
        split=settings.split,
        seed=settings.seed,
        size_px=settings.size_px,
        n=n,
        samples_per_shard=samples_per_shard,
        settings=_identity(settings),
    )
    tasks = list(_tasks(asked))
    manifest = replace(asked, shards=_kept(out, asked, tasks))
    manifest.write(out)
    remove_leftovers(out)
    todo = deque(task for task in tasks if task.name not in manifest.shards)
    progress(Progress(n, manifest.n_done, 0))
    if not todo:
        return manifest
    with closing(_pool(settings, len(todo), workers, ray_address, make_maker)) as pool:
        return _fill(out, manifest, pool, todo, progress)


def make_shard(maker: Maker, task: ShardTask, report: Report) -> tuple[bytes, ShardEntry]:
    """A worker's job: the shard's file content."""
    return shard_bytes(_samples(maker, task, report))


def _samples(maker: Maker, task: ShardTask, report: Report) -> Iterator[Any]:
    for n_done, index in enumerate(range(task.start, task.start + task.count), start=1):
        yield maker.make(index)
        report(n_done)


def _fill(
    out: Path,
    manifest: Manifest,
    pool: Pool,
    todo: deque[ShardTask],
    progress: Callable[[Progress], None],
) -> Manifest:
    n_kept, running = manifest.n_done, dict[str, int]()
    while todo or running:
        while todo and pool.n_idle:
            running[todo[0].name] = 0
            pool.submit(todo.popleft())
        for message in pool.wait(1.0):
            name = message.task.name
            if message.kind == "progress":
                running[name] = message.value
                continue
            data, entry = message.value
            with replacing(out / name) as temporary:
                temporary.write_bytes(data)
            manifest = manifest.with_shard(name, entry)
            manifest.write(out)
            del running[name]
        made = manifest.n_done - n_kept + sum(running.values())
        progress(Progress(manifest.n, n_kept, made))
    return manifest


def _pool(
    settings: SynthSettings,
    n_tasks: int,
    workers: int | None,
    ray_address: str | None,
    make_maker: MakeMaker,
) -> Pool:
    if ray_address is not None:
        from engine.synth.ray_pool import RayPool  # an extra, and slow to load

        return RayPool(ray_address, workers, n_tasks, settings, make_maker, make_shard)
    return WorkerPool(min(workers or cpu_count(), n_tasks), settings, make_maker, make_shard)


def _tasks(manifest: Manifest) -> Iterator[ShardTask]:
    step = manifest.samples_per_shard
    for shard, start in enumerate(range(0, manifest.n, step)):
        yield ShardTask(shard_name(manifest.split, shard), start, min(step, manifest.n - start))


def _identity(settings: SynthSettings) -> dict[str, Any]:
    """The settings that samples depend on; of the pack its content, wherever it lies."""
    return settings.to_dict() | {
        "pack": settings.pack and _pack_hash(settings.pack),
        "varied": settings.varied and settings.split == "train",
    }


def _pack_hash(pack: Path) -> str:
    try:
        return _file_hash(pack)
    except OSError as error:
        raise AssetError(
            f"pack {pack} cannot be read: {error.strerror or error}; make one with "
            "python -m engine.synth.build_pack, or leave it out for built-in looks"
        ) from error


def _file_hash(path: Path) -> str:
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def _kept(out: Path, asked: Manifest, tasks: list[ShardTask]) -> Mapping[str, ShardEntry]:
    """What an earlier run with these settings left that is whole."""
    if not manifest_path(out, asked.split).exists():
        return {}
    found = read_manifest(out, asked.split)
    _refuse_others(out, asked, found)
    counts = {task.name: task.count for task in tasks}
    kept = {}
    for name, entry in found.shards.items():
        if counts.get(name) != entry.count:
            continue  # the last one of a smaller n: made again, longer
        if _is_whole(out / name, entry.sha256):
            kept[name] = entry
        else:
            logger.warning("%s is missing or damaged; making it again", out / name)
    return kept


def _is_whole(path: Path, sha256: str) -> bool:
    try:
        return _file_hash(path) == sha256
    except OSError:
        return False


def _refuse_others(out: Path, asked: Manifest, found: Manifest) -> None:
    before = {"varied": False, **found.settings, "samples_per_shard": found.samples_per_shard}
    now = {**asked.settings, "samples_per_shard": asked.samples_per_shard}
    names = sorted(k for k in before.keys() | now.keys() if before.get(k) != now.get(k))
    if names:
        told = ", ".join(f"{k} {before.get(k)} there, {now.get(k)} asked for" for k in names)
        raise OutputError(
            f"{out} holds {asked.split} samples by other settings ({told}); "
            "choose another folder, or the same settings to go on"
        )
    if found.n > asked.n:
        raise OutputError(
            f"{out} holds {found.n} {asked.split} samples, more than the {asked.n} asked for; "
            "choose another folder, or ask for at least as many"
        )
