"""Training of N2FNet: one readable loop over the stages of its settings.

Goes on from its checkpoint where the output folder has one.
"""

import copy
import logging
import math
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import torch

from engine.errors import AssetError
from engine.flame.model import HeadModel
from engine.synth.map_files import MapStore
from engine.training.checkpoint import (
    load_checkpoint,
    load_into,
    read_weights,
    save_checkpoint,
    write_weights,
)
from engine.training.face_mesh import FaceMesh
from engine.training.launch import Alone, Launch
from engine.training.n2f_augment import mirror_map
from engine.training.n2f_batch import N2FBatch
from engine.training.n2f_data import MapFolders, N2FSource
from engine.training.n2f_losses import N2FLosses, n2f_losses
from engine.training.n2f_settings import N2FSettings
from engine.training.n2f_validate import SCORES, validate_n2fnet
from engine.training.n2f_weights import N2FNET, N2FRecipe
from engine.training.n2fnet import N2FNet
from engine.training.optimising import (
    convolutions_in,
    decay_groups,
    descend,
    learning_rate,
)
from engine.training.report import TrainReport
from engine.training.row_source import Progress
from engine.training.stop_signals import stop_signals

__all__ = ["NETWORK", "N2FPaths", "check_init", "train_n2fnet"]

log = logging.getLogger(__name__)

NETWORK = (
    "inputs", "trunk_px", "widths", "blocks", "grid_width", "hidden", "n_passes", "point_codes",
)  # fmt: skip
"""Settings that must be those of weights to go on from."""
_COLUMNS = ("loss", *N2FLosses._fields, "gradient")


@dataclass(frozen=True, slots=True)
class N2FPaths:
    """Where a training reads and writes."""

    folders: MapFolders
    out: Path  # checkpoint.pt, weights.npz, log.csv, settings.json; weights of each stage
    val: Path | None = None  # folder of val-*.npy; None: nothing is validated
    init: Path | None = None  # weights to start from: .pt or .npz


@dataclass(slots=True)
class _State:
    net: N2FNet  # the one that learns; `prepared` is it, wrapped for several processes
    ema: N2FNet
    prepared: Any
    optimiser: Any
    step: int = 0


def check_init(settings: N2FSettings, model: HeadModel, init: Path | None, out: Path) -> None:
    """See that the training can go on from the checkpoint in `out`, else from the weights.

    Raises: AssetError: if these cannot be read, or are of a network of other sizes or inputs, or if
        there are none and points, with none in any maps. ModelContractError: if they are for
        another head.
    """
    checkpoint = out / "checkpoint.pt"
    if checkpoint.exists():
        _check_same(settings, model, load_checkpoint(checkpoint, N2FNET)["settings"], checkpoint)
    elif init is not None:
        _check_same(settings, model, read_weights(init, N2FNET)[1], init)
    elif "points" in settings.inputs and not any(s.predicted or s.real for s in settings.stages):
        raise AssetError(
            f"{settings.name} looks at MediaPipe's points, which drawn maps have not; give weights "
            "with --init, or the stages a share `predicted`"
        )


def train_n2fnet(
    settings: N2FSettings,
    model: HeadModel,
    paths: N2FPaths,
    launched: Launch | None = None,
    *,
    max_minutes: float = math.inf,
) -> dict[str, float]:
    """Train through all stages, until the time is up, or SIGTERM or SIGINT comes.

    Where all steps are done already it validates once more and writes nothing.
    Returns: the scores of the last validation, see `n2f_validate.SCORES`; empty without samples.
    Raises: AssetError: if maps, weights or the checkpoint cannot be used. ModelContractError: if
        weights are for another head model. OutputError.
    """
    on = launched or Alone()
    if not settings.stages:
        raise AssetError(f"settings {settings.name} have no stages; add [[stages]] to the file")
    torch.manual_seed(settings.seed)
    recipe = N2FRecipe.of(settings, model)
    mirror = mirror_map(model) if settings.augment else None
    source = N2FSource(settings, paths.folders, model.model_id, on, mirror)
    val = _validation(paths, model)
    state = _start(recipe, model, paths, source, on)
    mesh = FaceMesh(model).to(on.device)
    report = TrainReport(recipe, paths.out, max_minutes, _COLUMNS, SCORES)
    if state.step >= settings.steps:
        log.info("%s is trained: %d steps are done", paths.out, state.step)
        if on.rank == 0 and val is not None:
            report.scores(validate_n2fnet(state.ema, val, model, settings.n_val))
        on.wait()
        return report.last_scores
    if on.rank == 0:
        report.begin()
    with stop_signals() as signals:

        def should_stop() -> bool:
            return bool(signals) or report.time_is_up()

        while state.step < settings.steps:
            batch = source.batch(state.step, lambda: False).to(on.device)
            losses = on.mean_of(_learn(state, batch, mesh, settings, on))
            stage, done = settings.stage_at(state.step)
            state.step += 1
            last = on.any_of(should_stop()) or state.step >= settings.steps
            if on.rank == 0:
                report.count(losses)
                if val is not None and (last or state.step % settings.val_every == 0):
                    report.scores(validate_n2fnet(state.ema, val, model, settings.n_val))
                if last or state.step % settings.log_every == 0:
                    report.write_row(state.step, _rate(settings, state.step - 1))
                if done + 1 == stage.steps:
                    write_weights(
                        paths.out / f"weights-{stage.name}.npz", state.ema.state_dict(), recipe
                    )
                if last or report.checkpoint_is_due():
                    _save(state, recipe, source, paths.out)
            if last:
                break
    on.wait()
    return report.last_scores


def _validation(paths: N2FPaths, model: HeadModel) -> MapStore | None:
    if paths.val is None:
        log.warning("no folder of val-*.npy: nothing to validate on")
        return None
    store = MapStore(paths.val, "val", model.model_id)
    store.refresh()
    return store


def _start(
    recipe: N2FRecipe, model: HeadModel, paths: N2FPaths, source: N2FSource, on: Launch
) -> _State:
    """A new state, from weights if there are any, or that of the checkpoint."""
    checkpoint = paths.out / "checkpoint.pt"
    resumed = load_checkpoint(checkpoint, N2FNET) if checkpoint.exists() else None
    net = recipe.make_net()
    if resumed is not None:
        _check_same(recipe.settings, model, resumed["settings"], checkpoint)
        load_into(net, resumed["net"], checkpoint)
    elif paths.init is not None:
        weights, theirs = read_weights(paths.init, N2FNET)
        _check_same(recipe.settings, model, theirs, paths.init)
        load_into(net, weights, paths.init)
    elif net.points is not None:
        source.teach_points(net.points)
    net = net.to(on.device, memory_format=torch.channels_last)
    ema = copy.deepcopy(net).eval().requires_grad_(False)
    plain = torch.optim.AdamW(decay_groups(net, recipe.settings.weight_decay))
    if resumed is not None:
        load_into(ema, resumed["ema"], checkpoint)
        plain.load_state_dict(resumed["optimiser"])
        for name, progress in resumed["progress"].items():
            source.progress[name] = Progress(progress["epoch"] + 1, progress["next_index"])
        log.info("going on from step %d of %s", resumed["step"], checkpoint)
    prepared, optimiser = on.prepare(net, plain)
    return _State(net, ema, prepared, optimiser, resumed["step"] if resumed else 0)


def _check_same(new: N2FSettings, model: HeadModel, theirs: N2FRecipe, path: Path) -> None:
    """Raises: AssetError, ModelContractError: unless a file's network is the one to be trained."""
    theirs.check_model(model, path)
    old = theirs.settings
    for name in NETWORK:
        if getattr(new, name) != getattr(old, name):
            raise AssetError(
                f"{path} has {name} {getattr(old, name)}, the settings {getattr(new, name)}; "
                "use settings of that network, other weights (--init), or another output folder"
            )


def _learn(
    state: _State, batch: N2FBatch, mesh: FaceMesh, settings: N2FSettings, on: Launch
) -> dict[str, float]:
    """One step; returns the loss, its parts and the gradient's length before clipping."""
    stage, _ = settings.stage_at(state.step)
    state.prepared.train()
    for group in state.optimiser.param_groups:
        group["lr"] = _rate(settings, state.step)
    maps = batch.maps(settings.inputs).contiguous(memory_format=torch.channels_last)
    with convolutions_in(on.device, bf16=settings.bf16):
        out = state.prepared(maps, batch.points)
    losses = n2f_losses(out, batch, mesh, stage.weights)
    loss = losses.total(stage.weights)
    gradient = descend(state, loss, on, settings.clip_norm, settings.ema_decay)
    parts = {name: float(value.detach()) for name, value in losses._asdict().items()}
    return parts | {"loss": float(loss.detach()), "gradient": gradient}


def _rate(settings: N2FSettings, step: int) -> float:
    stage, done = settings.stage_at(step)
    return learning_rate(done, stage.steps, stage.warmup_steps, stage.lr, stage.lr_end)


def _save(state: _State, recipe: N2FRecipe, source: N2FSource, out: Path) -> None:
    content = {
        "net": state.net.state_dict(),
        "ema": state.ema.state_dict(),
        "optimiser": state.optimiser.state_dict(),
        "step": state.step,
        "progress": {name: asdict(progress) for name, progress in source.progress.items()},
    }
    save_checkpoint(out / "checkpoint.pt", content, recipe, N2FNET)
    write_weights(out / "weights.npz", state.ema.state_dict(), recipe)
