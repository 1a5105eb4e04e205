"""What a training runs on."""

import torch

from engine.training.launch import Alone, launch


def test_a_launch_makes_subnormal_numbers_zero_which_cpus_are_slow_at():
    on = launch()
    assert isinstance(on, Alone)
    assert float(torch.tensor([1e-39]) * 1.0) == 0.0
    torch.set_flush_denormal(False)  # as other tests expect it
    assert float(torch.tensor([1e-39]) * 1.0) > 0.0
