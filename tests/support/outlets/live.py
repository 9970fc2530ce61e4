"""Messages of a stream that is captured now, and outlets behind their threads."""

import time
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import msgspec

from streamaffect.clock import Clock, monotonic_ns
from streamaffect.messages import Estimate, Event, EventName, Meta
from streamaffect.sinks.base import Sink
from streamaffect.sinks.thread import SinkThread
from tests.support.recordings import ESTIMATE, meta_of

CLOSE_S = 20.0


def now_ns() -> int:
    """UTC now, as captures are stamped."""
    return Clock.now().utc(monotonic_ns())


def meta(stream: str = "webcam") -> Meta:
    """What is known of a live stream."""
    return meta_of(stream, live=True)


def estimate(stream: str = "webcam", **changes: Any) -> Estimate:
    """Captured 30 ms ago, unless said otherwise."""
    live: dict[str, Any] = {
        "stream": stream,
        "t_capture_ns": now_ns() - 30_000_000,
        "pts_s": None,
        "latency_ms": {"capture": 1.5, "faces": 3.4, "total": 20.0},
    }
    return msgspec.structs.replace(ESTIMATE, **(live | changes))


def event(name: EventName, stream: str = "webcam", **changes: Any) -> Event:
    """Something that happens now."""
    return msgspec.structs.replace(Event(stream=stream, t_ns=now_ns(), event=name), **changes)


@contextmanager
def running(sink: Sink) -> Iterator[SinkThread]:
    """The sink as in a run: behind a queue and a thread; it must take all that it is given."""
    thread = SinkThread(sink, capacity=10_000, policy="wait")
    try:
        yield thread
    finally:
        assert thread.close(CLOSE_S)
    assert thread.failures == 0


def wait_until(true: Any, seconds: float = 60.0) -> None:
    """Ask again and again; fails after so long."""
    deadline_s = time.monotonic() + seconds
    while not true():
        assert time.monotonic() < deadline_s, "it did not come true"
        time.sleep(0.02)
