"""On what a training runs: this process alone, or several by Lightning Fabric where installed."""

import importlib
from datetime import timedelta
from typing import Any, Protocol

import torch
from torch import Tensor, nn

from engine.errors import ProviderError

__all__ = ["Alone", "Launch", "WithFabric", "launch"]

_PATIENCE = timedelta(days=2)
"""For which processes wait while the first one draws and fits; torch's own is half an hour."""


class Launch(Protocol):
    """One of the processes of a training."""

    rank: int  # 0 writes files and logs
    n_ranks: int
    device: torch.device

    def prepare(self, net: nn.Module, optimiser: torch.optim.Optimizer) -> tuple[Any, Any]:
        """Both, ready to be used on the device; the network's gradients become the mean of all."""

    def backward(self, loss: Tensor) -> None:
        """Gradients of a loss."""

    def wait(self) -> None:
        """Until all processes are here."""

    def any_of(self, flag: bool) -> bool:
        """Whether a flag is set in any process."""

    def mean_of(self, values: dict[str, float]) -> dict[str, float]:
        """Means over the processes, which all have the same names in the same order."""


class Alone:
    """This process on the CPU."""

    rank, n_ranks, device = 0, 1, torch.device("cpu")

    def prepare(self, net: nn.Module, optimiser: torch.optim.Optimizer) -> tuple[Any, Any]:
        return net, optimiser

    def backward(self, loss: Tensor) -> None:
        loss.backward()

    def wait(self) -> None:
        return

    def any_of(self, flag: bool) -> bool:
        return flag

    def mean_of(self, values: dict[str, float]) -> dict[str, float]:
        return values


class WithFabric:
    """One of several processes, or this one on a graphics card."""

    def __init__(self, devices: int, strategy: str, accelerator: str) -> None:
        try:
            module = importlib.import_module("lightning_fabric")
        except ImportError as error:
            raise ProviderError(
                f"Lightning Fabric cannot be imported ({error}); install n2fnet[train], or train "
                "on the CPU with --devices 1"
            ) from error
        try:
            chosen: Any = strategy
            if strategy == "ddp" or (strategy == "auto" and devices > 1):
                strategies = importlib.import_module("lightning_fabric.strategies")
                chosen = strategies.DDPStrategy(timeout=_PATIENCE)
            self._fabric = module.Fabric(accelerator=accelerator, devices=devices, strategy=chosen)
            self._fabric.launch()
        except (RuntimeError, ValueError) as error:
            raise ProviderError(
                f"{devices} x {accelerator} by {strategy} cannot be used: {error}"
            ) from error
        self.rank = int(self._fabric.global_rank)
        self.n_ranks = int(self._fabric.world_size)
        self.device = self._fabric.device

    def prepare(self, net: nn.Module, optimiser: torch.optim.Optimizer) -> tuple[Any, Any]:
        if self.n_ranks > 1 and self.device.type == "cuda":  # torch has none for the CPU
            net = nn.SyncBatchNorm.convert_sync_batchnorm(net)
        prepared: tuple[Any, Any] = self._fabric.setup(net, optimiser)
        return prepared

    def backward(self, loss: Tensor) -> None:
        self._fabric.backward(loss)

    def wait(self) -> None:
        self._fabric.barrier()

    def any_of(self, flag: bool) -> bool:
        total = self._fabric.all_reduce(torch.tensor(float(flag)), reduce_op="sum")
        return bool(total > 0)

    def mean_of(self, values: dict[str, float]) -> dict[str, float]:
        own = torch.tensor(list(values.values()))
        means = self._fabric.all_reduce(own, reduce_op="mean").tolist()
        return dict(zip(values, means, strict=True))


def launch(
    devices: int = 1,
    strategy: str = "auto",
    accelerator: str = "cpu",
    threads: int | None = None,
) -> Launch:
    """Start what was asked for; one CPU process needs nothing installed.

    Args:
        devices: processes, or graphics cards.
        strategy: "auto", or one of Fabric's, such as "ddp".
        accelerator: "cpu", "cuda" or "mps".
        threads: of each process on the CPU; None: one for each core.
    Raises: ProviderError: if Fabric is needed and missing, or the devices are not there.
    """
    # Gaussians' tails are subnormal numbers, which CPUs multiply a hundred times as slowly; threads
    # inherit this from the one that starts them.
    torch.set_flush_denormal(True)
    if threads is not None:
        torch.set_num_threads(threads)
    if devices == 1 and accelerator == "cpu" and strategy == "auto":
        return Alone()
    return WithFabric(devices, strategy, accelerator)
