"""SampleStream: the same samples in the same order for any number of workers; it ends cleanly."""

import multiprocessing
import threading
from itertools import islice

import numpy as np
import pytest

from engine.errors import EngineError
from engine.synth.settings import SynthSettings
from engine.synth.stream import SampleStream
from tests.synth_fakes import CrashingMaker, FailingMaker, NoiseMaker, UnevenMaker, made_sample

SETTINGS = SynthSettings(seed=3, size_px=16)


@pytest.fixture(autouse=True)
def _nothing_left_running():
    yield
    assert multiprocessing.active_children() == []
    assert [t for t in threading.enumerate() if t.name == "sample-stream"] == []


def test_samples_come_in_order_though_workers_finish_out_of_order():
    with SampleStream(SETTINGS, 2, start_index=7, make_maker=UnevenMaker) as stream:
        samples = list(islice(stream, 9))
    assert [sample.meta["index"] for sample in samples] == list(range(7, 16))
    assert np.array_equal(samples[2].image, made_sample(SETTINGS, 9).image)


def test_a_full_queue_stops_the_workers_and_closing_then_is_clean():
    with SampleStream(SETTINGS, 1, n_ready=2, make_maker=NoiseMaker) as stream:
        assert next(stream).meta["index"] == 0
        while not stream._ready.full():
            pass
        assert stream._ready.qsize() == 2
    assert next(stream, None) is None
    stream.close()


@pytest.mark.parametrize("maker", [FailingMaker, CrashingMaker])
def test_samples_before_a_failure_come_and_then_it_is_raised(maker: type[NoiseMaker]):
    with SampleStream(SETTINGS, 1, make_maker=maker) as stream:
        assert [next(stream).meta["index"] for _ in range(5)] == list(range(5))
        with pytest.raises(EngineError, match="sample 5"):
            next(stream)
        assert next(stream, None) is None


@pytest.mark.parametrize("wrong", [{"workers": 0}, {"n_ready": 0}, {"start_index": -1}])
def test_wrong_numbers_are_refused(wrong: dict[str, int]):
    with pytest.raises(ValueError, match=next(iter(wrong))):
        SampleStream(SETTINGS, make_maker=NoiseMaker, **wrong)
