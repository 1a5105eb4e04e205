"""Training of the normal network: one readable loop.

Goes on from its checkpoint where the output folder has one, and takes in new shards as they come.
"""

import copy
import logging
import math
from collections.abc import Callable, Iterator
from contextlib import closing
from dataclasses import asdict, dataclass, fields
from pathlib import Path
from typing import Any

import torch

from engine.errors import AssetError
from engine.training.augment import augmented
from engine.training.batch import Batch, batch_from_rows
from engine.training.checkpoint import (
    Weights,
    load_checkpoint,
    load_into,
    make_net,
    read_weights,
    save_checkpoint,
    write_weights,
)
from engine.training.fly import Fly, FlyingRows
from engine.training.launch import Alone, Launch
from engine.training.normal_losses import NormalLosses, normal_losses
from engine.training.normal_net import NormalNet
from engine.training.optimising import (
    convolutions_in,
    decay_groups,
    descend,
    learning_rate,
)
from engine.training.report import TrainReport
from engine.training.row_source import Progress, RowSource, StoredRows
from engine.training.sample_store import SampleStore
from engine.training.settings import NormalTrainSettings
from engine.training.stop_signals import stop_signals
from engine.training.validate import validate

__all__ = ["TrainPaths", "train_normals"]

log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class TrainPaths:
    """Where a training reads and writes."""

    data: Path | Fly  # folder with train-*.tar, or how samples are made instead
    out: Path  # checkpoint.pt, weights.npz, log.csv, settings.json
    val: Path | None = None  # folder with val-*.tar; None: the data folder, if there is one
    init: Path | None = None  # weights to start from: .pt or .npz
    cache: Path | None = None  # for decoded samples; None: .cache in the folders


@dataclass(slots=True)
class _State:
    """All that changes while training."""

    net: NormalNet  # the one that learns; `prepared` is it, wrapped for several processes
    ema: NormalNet
    prepared: Any
    optimiser: Any
    progress: Progress
    step: int = 0


def train_normals(
    settings: NormalTrainSettings,
    paths: TrainPaths,
    launched: Launch | None = None,
    *,
    max_minutes: float = math.inf,
) -> dict[str, float]:
    """Train until the settings' steps are done, the time is up, or SIGTERM or SIGINT comes.

    Where all steps are done already it validates once more and writes nothing.
    Args:
        max_minutes: of wall clock, of this call.
    Returns: the scores of the last validation, see `normal_metrics.summary`; empty without samples
        for it.
    Raises: AssetError: if samples, weights or the checkpoint cannot be used. OutputError.
    """
    on = launched or Alone()
    torch.manual_seed(settings.seed)
    source, val = _source(settings, paths, on), _validation(settings, paths, on)
    state = _start(settings, paths, on)
    report = TrainReport(settings, paths.out, max_minutes)
    if state.step >= settings.steps:
        log.info("%s is trained: %d steps are done", paths.out, state.step)
        if on.rank == 0 and val is not None:
            report.scores(validate(state.ema, val, settings.n_val, settings.bf16))
        on.wait()
        return report.last_scores
    if on.rank == 0:
        report.begin()
    with stop_signals() as signals, closing(source):

        def should_stop() -> bool:  # alone; several processes stop after the same step
            return on.n_ranks == 1 and (bool(signals) or report.time_is_up())

        for batch in _batches(source, settings, state, on, should_stop):
            losses = on.mean_of(_learn(state, batch, settings, on))
            state.step += 1
            stop = on.any_of(bool(signals) or report.time_is_up())
            last = stop or state.step >= settings.steps
            if on.rank == 0:
                report.count(losses)
                if val is not None and (last or state.step % settings.val_every == 0):
                    report.scores(validate(state.ema, val, settings.n_val, settings.bf16))
                if last or state.step % settings.log_every == 0:
                    report.write_row(state.step, _rate(settings, state.step))
                if last or report.checkpoint_is_due():
                    _save(state, settings, paths.out)
            if last:
                break
        else:  # stopped while it waited for samples
            report.write_row(state.step, _rate(settings, state.step))
            _save(state, settings, paths.out)
    on.wait()
    return report.last_scores


def _source(settings: NormalTrainSettings, paths: TrainPaths, on: Launch) -> RowSource:
    if isinstance(paths.data, Fly):
        return FlyingRows(paths.data, settings, on)
    size, population = settings.size_px, settings.population
    store = SampleStore(paths.data, "train", size, paths.cache, population)
    return StoredRows(store, settings.batch_size, settings.seed, on)


def _validation(settings: NormalTrainSettings, paths: TrainPaths, on: Launch) -> SampleStore | None:
    folder = paths.val or paths.data
    if isinstance(folder, Fly) or (paths.val is None and not any(folder.glob("val-*.tar"))):
        log.warning("no folder of val-*.tar: nothing to validate on")
        return None
    val = SampleStore(folder, "val", settings.size_px, paths.cache, settings.population)
    if on.rank == 0:
        val.refresh()
    return val


def _start(settings: NormalTrainSettings, paths: TrainPaths, on: Launch) -> _State:
    """A new state, from weights if there are any, or that of the checkpoint."""
    checkpoint = paths.out / "checkpoint.pt"
    resumed = load_checkpoint(checkpoint) if checkpoint.exists() else None
    net = make_net(settings)
    if resumed is not None:
        _check_same_net(settings, resumed["settings"], checkpoint)
        load_into(net, resumed["net"], checkpoint)
    elif paths.init is not None:
        load_into(net, _with_new_blocks(net, read_weights(paths.init)[0]), paths.init)
    net = net.to(on.device, memory_format=torch.channels_last)
    ema = copy.deepcopy(net).eval().requires_grad_(False)
    plain = torch.optim.AdamW(decay_groups(net, settings.weight_decay), lr=settings.lr)
    if resumed is not None:
        load_into(ema, resumed["ema"], checkpoint)
        plain.load_state_dict(resumed["optimiser"])
        log.info("going on from step %d of %s", resumed["step"], checkpoint)
    prepared, optimiser = on.prepare(net, plain)
    state = _State(net, ema, prepared, optimiser, Progress())
    if resumed is not None:
        state.step = resumed["step"]
        state.progress = Progress(resumed["epoch"] + 1, resumed.get("next_index", 0))
    return state


def _with_new_blocks(net: NormalNet, weights: Weights) -> Weights:
    """Weights of a network with fewer global blocks, or none, and those that this one adds."""
    own = net.state_dict()
    return {k: v for k, v in own.items() if k.startswith("global_blocks.")} | weights


def _check_same_net(new: NormalTrainSettings, old: NormalTrainSettings, path: Path) -> None:
    for name in ("size_px", "widths", "full_width", "use_points", "n_global", "population"):
        if getattr(new, name) != getattr(old, name):
            raise AssetError(
                f"{path} has {name} {getattr(old, name)}, the settings {getattr(new, name)}; "
                "use the same settings, or another output folder"
            )


def _batches(
    source: RowSource,
    settings: NormalTrainSettings,
    state: _State,
    on: Launch,
    should_stop: Callable[[], bool],
) -> Iterator[Batch]:
    """This process' share of batches for ever, varied; ends when it should stop while waiting."""
    for rows in source.batches(state.progress, should_stop):
        batch = batch_from_rows(rows)
        if settings.augment:
            seed = hash((settings.seed, state.step, on.rank)) % 2**63
            batch = augmented(batch, settings, torch.Generator().manual_seed(seed))
        yield batch.to(on.device)


def _learn(
    state: _State, batch: Batch, settings: NormalTrainSettings, on: Launch
) -> dict[str, float]:
    """One step; returns the loss, its parts and the gradient's length before clipping."""
    state.prepared.train()
    for group in state.optimiser.param_groups:
        group["lr"] = _rate(settings, state.step)
    image = batch.image.contiguous(memory_format=torch.channels_last)
    with convolutions_in(on.device, bf16=settings.bf16):
        out = state.prepared(image, batch.points)
    losses = normal_losses(out, batch)
    loss = losses.total(settings.pose_weight, settings.edge_weight, settings.parsing_weight)
    gradient = descend(state, loss, on, settings.clip_norm, settings.ema_decay)
    return _numbers(losses) | {"loss": float(loss.detach()), "gradient": gradient}


def _numbers(losses: NormalLosses) -> dict[str, float]:
    return {f.name: float(getattr(losses, f.name).detach()) for f in fields(losses)}


def _rate(settings: NormalTrainSettings, step: int) -> float:
    s = settings
    return learning_rate(step, s.steps, s.warmup_steps, s.lr, s.lr_end)


def _save(state: _State, settings: NormalTrainSettings, out: Path) -> None:
    content = {
        "net": state.net.state_dict(),
        "ema": state.ema.state_dict(),
        "optimiser": state.optimiser.state_dict(),
        "step": state.step,
        **asdict(state.progress),
    }
    save_checkpoint(out / "checkpoint.pt", content, settings)
    write_weights(out / "weights.npz", state.ema.state_dict(), settings)
