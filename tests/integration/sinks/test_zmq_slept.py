"""A subscriber that slept, by the example for programs that use ZeroMQ alone."""

import json
import subprocess
import sys
import time
from importlib.util import module_from_spec, spec_from_file_location
from pathlib import Path
from types import ModuleType

import pytest
import zmq

from streamaffect.feed.client import Subscriber
from tests.support.feeds import WAIT_S, publishing, received
from tests.support.recordings import estimate_at, live_estimate_at

EXAMPLE = Path(__file__).parents[3] / "docs" / "examples" / "newest.py"


@pytest.fixture
def example() -> ModuleType:
    spec = spec_from_file_location("newest", EXAMPLE)
    assert spec is not None
    assert spec.loader is not None
    module = module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def test_of_all_that_waited_the_example_takes_the_newest_of_each_face(example: ModuleType) -> None:
    with publishing(said=[estimate_at(0.0)]) as feed, zmq.Context() as context, context.socket(zmq.SUB) as sleeper:
        sleeper.setsockopt(zmq.LINGER, 0)
        sleeper.subscribe(b"affect/")
        sleeper.connect(feed.address)
        assert sleeper.poll(20_000)
        with Subscriber(feed.address) as awake:
            received(awake, 1)
            feed.put(*(estimate_at(0.0, track=seq % 3, seq=seq) for seq in range(900)))
            received(awake, 900)
        found = example.newest_of_each_topic(sleeper)
        last = {topic: json.loads(payload)["seq"] for topic, payload in found.items()}
        assert last[b"affect/clip/0/"] == 897
        assert last[b"affect/clip/1/"] == 898
        assert last[b"affect/clip/2/"] == 899
        assert not sleeper.poll(0)


def test_the_example_passes_over_what_is_too_old(example: ModuleType) -> None:
    with publishing(said=[live_estimate_at(0.0, track=1), estimate_at(0.0, track=2)]) as feed:
        feed.put(live_estimate_at(0.0, track=3, seq=1, t_capture_ns=time.time_ns() + 10**10))
        command = [sys.executable, str(EXAMPLE), feed.address]
        with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as program:
            assert program.stdout is not None
            lines = {program.stdout.readline(), program.stdout.readline()}
            program.kill()
            program.wait(WAIT_S)
    assert {line.split()[1] for line in lines} == {"2", "3"}
