"""Providers, measured: on a small network with ONNX Runtime's own, and on made ones."""

from pathlib import Path
from typing import ClassVar

import numpy as np
import pytest

from engine import provider_speed
from engine.errors import ProviderError
from engine.provider_speed import ProviderSpeed, fastest, machine_key, measure_providers
from engine.stages.onnx_session import OnnxSession
from tests.onnx_files import save_normal_net


class Made:
    """An OnnxSession that takes a known time, on a clock of its own, and may answer wrongly."""

    ms: ClassVar = {"cpu": 30.0, "cuda": 4.0, "openvino": 20.0}
    wrong: tuple[str, ...] = ()
    clock_s = 0.0

    def __init__(self, path: Path, *, provider: str = "cpu") -> None:
        if provider not in self.ms:
            raise ProviderError(f"{provider} does not start; its libraries are missing")
        self._real, self._provider = OnnxSession(path), provider
        self.inputs = self._real.inputs

    def run(self, feed: dict[str, np.ndarray]) -> dict[str, np.ndarray]:
        Made.clock_s += self.ms[self._provider] / 1e3
        answer = self._real.run(feed)
        if self._provider in self.wrong:
            answer["head"] = answer["head"] + 0.5
        return answer


@pytest.fixture
def made(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(provider_speed, "OnnxSession", Made)
    monkeypatch.setattr(provider_speed, "time", ClockOfMade)
    names = dict.fromkeys(("auto", "cuda", "tensorrt", "cpu", "openvino", "coreml"), "")
    monkeypatch.setattr(provider_speed, "available_providers", lambda: names)
    monkeypatch.setattr(Made, "wrong", ())


class ClockOfMade:
    @staticmethod
    def perf_counter() -> float:
        return Made.clock_s

    monotonic = perf_counter


@pytest.fixture
def network(tmp_path: Path) -> Path:
    return save_normal_net(tmp_path / "made.onnx")


def test_the_cpu_is_measured_here(network: Path) -> None:
    told: list[str] = []
    speeds = measure_providers([network], seconds=0.05, tell=told.append)
    assert told[0] == "cpu"
    by_name = {speed.provider: speed for speed in speeds}
    assert by_name["cpu"].ms is not None
    assert 0.0 < by_name["cpu"].ms < 1000.0
    assert by_name["cpu"].problem == ""


@pytest.mark.usefixtures("made")
def test_the_quickest_that_works_is_chosen_and_others_say_why_not(network: Path) -> None:
    speeds = measure_providers([network, network])
    by_name = {speed.provider: speed for speed in speeds}
    assert by_name["cuda"].ms == pytest.approx(8.0)  # both networks
    assert by_name["cpu"].ms == pytest.approx(60.0)
    assert by_name["coreml"].ms is None
    assert "libraries are missing" in by_name["coreml"].problem
    assert "builds for minutes" in by_name["tensorrt"].problem
    assert fastest(speeds) == "cuda"


@pytest.mark.usefixtures("made")
def test_a_provider_that_answers_otherwise_than_the_cpu_is_not_used(
    network: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(Made, "wrong", ("cuda",))
    speeds = measure_providers([network])
    by_name = {speed.provider: speed for speed in speeds}
    assert "its answers differ from the CPU's by 50 %" in by_name["cuda"].problem
    assert fastest(speeds) == "openvino"


@pytest.mark.usefixtures("made")
def test_it_can_be_stopped_between_providers(network: Path) -> None:
    told: list[str] = []
    speeds = measure_providers([network], tell=told.append, stopped=lambda: len(told) == 2)
    assert [speed.provider for speed in speeds] == told
    assert len(told) == 2


def test_without_figures_it_is_the_cpu() -> None:
    assert fastest([]) == "cpu"
    assert fastest([ProviderSpeed("cuda", None, "no driver")]) == "cpu"


def test_figures_belong_to_versions_and_networks(network: Path) -> None:
    key = machine_key([network])
    assert key.startswith("onnxruntime ")
    assert "made.onnx " in key
    network.write_bytes(network.read_bytes() + b"\0")
    assert machine_key([network]) != key
