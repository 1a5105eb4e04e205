"""What a training runs on."""

import json
import os
import subprocess
import sys
from pathlib import Path
from types import SimpleNamespace

import pytest
import torch
from torch import nn

import engine.training.launch
from engine.training.launch import Alone, WithFabric, launch


def test_a_launch_makes_subnormal_numbers_zero_which_cpus_are_slow_at():
    on = launch()
    assert isinstance(on, Alone)
    assert float(torch.tensor([1e-39]) * 1.0) == 0.0
    torch.set_flush_denormal(False)  # as other tests expect it
    assert float(torch.tensor([1e-39]) * 1.0) > 0.0


_TWO = """
import json
from pathlib import Path
from engine.training.launch import launch

on = launch(2, "ddp", threads=1)
means = on.mean_of({"loss": 1.0 + 2 * on.rank, "head": 10.0 * on.rank})
any_of = [on.any_of(on.rank == 1), on.any_of(False)]
Path(__file__).with_name(f"{on.rank}.json").write_text(json.dumps([means, any_of]))
"""


@pytest.mark.slow
def test_two_processes_know_the_means_of_their_losses(tmp_path: Path):
    pytest.importorskip("lightning_fabric")
    script = tmp_path / "two.py"
    script.write_text(_TWO)
    root = Path(engine.__file__).parent.parent
    environment = {**os.environ, "OMP_NUM_THREADS": "1", "PYTHONPATH": str(root)}
    subprocess.run([sys.executable, script], check=True, timeout=180, env=environment)
    for rank in (0, 1):
        means, any_of = json.loads((tmp_path / f"{rank}.json").read_text())
        assert means == {"loss": 2.0, "head": 5.0}
        assert any_of == [True, False]


class _MadeFabric:
    """Stands for Lightning Fabric on two devices."""

    global_rank, world_size = 0, 2

    def __init__(self, accelerator: str, **_: object) -> None:
        self.device = torch.device(accelerator)

    def launch(self) -> None:
        return

    def setup(self, net: nn.Module, optimiser: object) -> tuple[nn.Module, object]:
        return net, optimiser


@pytest.mark.parametrize(("accelerator", "shared"), [("cuda", True), ("cpu", False)])
def test_graphics_cards_share_the_norms_statistics(
    accelerator: str, shared: bool, monkeypatch: pytest.MonkeyPatch
):
    waits = []
    module = SimpleNamespace(
        Fabric=_MadeFabric, DDPStrategy=lambda timeout: waits.append(timeout.total_seconds())
    )
    monkeypatch.setattr(engine.training.launch.importlib, "import_module", lambda _: module)
    net = nn.Sequential(nn.Conv2d(3, 4, 1), nn.BatchNorm2d(4))
    optimiser = torch.optim.SGD(net.parameters(), lr=1.0)
    names = list(net.state_dict())
    prepared, _ = WithFabric(2, "ddp", accelerator).prepare(net, optimiser)
    assert min(waits) > 12 * 3600  # one of them may draw and fit for hours first
    assert isinstance(prepared[1], nn.SyncBatchNorm) == shared
    assert prepared is net  # weights are saved, and followed, by the network that was given
    assert list(net.state_dict()) == names
    learned = optimiser.param_groups[0]["params"]
    assert all(a is b for a, b in zip(learned, net.parameters(), strict=True))
