import logging
import threading
from collections.abc import Callable
from dataclasses import dataclass, field

import pytest

from streamaffect.errors import RecordingError
from streamaffect.messages import Estimate, Message
from streamaffect.sinks.thread import SinkThread
from tests.support.recordings import estimate_at

WAIT_S = 10.0


@dataclass
class Shelf:
    """A sink that keeps what it gets and waits, before each message, until its gate is open."""

    name: str = "shelf"
    gate: threading.Event = field(default_factory=threading.Event)
    busy: threading.Event = field(default_factory=threading.Event)
    closed: threading.Event = field(default_factory=threading.Event)
    fails: Callable[[int], Exception | None] = lambda seq: None
    kept: list[int] = field(default_factory=list)

    def send(self, message: Message) -> None:
        self.busy.set()
        assert self.gate.wait(WAIT_S)
        assert isinstance(message, Estimate)
        error = self.fails(message.seq)
        if error is not None:
            raise error
        self.kept.append(message.seq)

    def close(self) -> None:
        self.closed.set()


@pytest.fixture
def shelf() -> Shelf:
    return Shelf()


def put(thread: SinkThread, *seqs: int) -> None:
    for seq in seqs:
        thread.put(estimate_at(0.0, seq=seq))


def test_close_delivers_what_is_queued_in_order_and_closes_the_sink(shelf: Shelf) -> None:
    thread = SinkThread(shelf, capacity=10, policy="drop_oldest")
    put(thread, 0, 1, 2)
    shelf.gate.set()
    assert thread.close(WAIT_S)
    assert shelf.kept == [0, 1, 2]
    assert shelf.closed.is_set()
    assert thread.dropped == 0


def test_a_live_sink_that_is_slow_loses_the_oldest_messages_and_they_are_counted(shelf: Shelf) -> None:
    thread = SinkThread(shelf, capacity=2, policy="drop_oldest")
    put(thread, 0)
    assert shelf.busy.wait(WAIT_S)  # 0 has left the queue
    put(thread, 1, 2, 3, 4)
    shelf.gate.set()
    assert thread.close(WAIT_S)
    assert shelf.kept == [0, 3, 4]
    assert thread.dropped == 2


def test_offline_the_caller_waits_and_nothing_is_lost(shelf: Shelf) -> None:
    thread = SinkThread(shelf, capacity=2, policy="wait")
    producer = threading.Thread(target=put, args=(thread, *range(50)))
    producer.start()
    assert shelf.busy.wait(WAIT_S)
    shelf.gate.set()
    producer.join(WAIT_S)
    assert thread.close(WAIT_S)
    assert shelf.kept == list(range(50))
    assert thread.dropped == 0


def test_what_is_left_at_the_deadline_is_dropped_and_counted(shelf: Shelf) -> None:
    thread = SinkThread(shelf, capacity=10, policy="wait")
    put(thread, 0)
    assert shelf.busy.wait(WAIT_S)
    put(thread, 1, 2)
    assert not thread.close(0.01)
    assert thread.dropped == 2
    shelf.gate.set()
    assert shelf.closed.wait(WAIT_S)
    assert shelf.kept == [0]


def test_a_message_after_close_is_dropped_and_counted(shelf: Shelf) -> None:
    thread = SinkThread(shelf, capacity=10, policy="wait")
    assert thread.close(WAIT_S)
    put(thread, 0)
    assert thread.dropped == 1


def test_a_failing_sink_is_logged_once_and_goes_on(caplog: pytest.LogCaptureFixture) -> None:
    shelf = Shelf(fails=lambda seq: ValueError(f"bad {seq}") if seq < 3 else None)
    shelf.gate.set()
    thread = SinkThread(shelf, capacity=10, policy="wait")
    with caplog.at_level(logging.ERROR):
        put(thread, 0, 1, 2, 3)
        assert thread.close(WAIT_S)
    assert shelf.kept == [3]
    assert (thread.failures, thread.has_failed) == (3, False)
    assert [record.message for record in caplog.records] == ["shelf: ValueError: bad 0 (logged once)"]


def test_a_recording_that_fails_ends_its_sink_and_is_reported_but_never_blocks_the_pipeline(
    caplog: pytest.LogCaptureFixture,
) -> None:
    full = RecordingError("disk full")
    shelf = Shelf(fails=lambda seq: full if seq == 1 else None)
    thread = SinkThread(shelf, capacity=1, policy="wait")
    shelf.gate.set()
    put(thread, *range(20))
    assert thread.close(WAIT_S)
    assert shelf.kept == [0]
    assert shelf.closed.is_set()
    assert thread.has_failed
    assert [record.message for record in caplog.records] == ["shelf has ended: disk full"]
    assert thread.dropped == 18


def test_a_sink_that_ends_with_an_error_has_failed(caplog: pytest.LogCaptureFixture) -> None:
    class Lacking(Shelf):
        def close(self) -> None:
            raise RecordingError("12 messages are missing")

    shelf = Lacking()
    shelf.gate.set()
    thread = SinkThread(shelf, capacity=10, policy="wait")
    put(thread, 0)
    assert thread.close(WAIT_S)
    assert thread.has_failed
    assert [record.message for record in caplog.records] == ["shelf has ended: 12 messages are missing"]


def test_the_trace_of_a_failure_is_shown_to_those_alone_who_look_for_faults(caplog: pytest.LogCaptureFixture) -> None:
    for level, shown in ((logging.INFO, False), (logging.DEBUG, True)):
        caplog.clear()
        shelf = Shelf(fails=lambda seq: ValueError("bad"))
        shelf.gate.set()
        thread = SinkThread(shelf, capacity=10, policy="wait")
        with caplog.at_level(level):
            put(thread, 0)
            assert thread.close(WAIT_S)
        assert ("Traceback" in caplog.text) is shown


def test_a_sink_with_work_of_its_own_is_called_while_no_message_comes() -> None:
    class Clock(Shelf):
        idle_s = 0.001
        ticked = threading.Event()

        def idle(self) -> None:
            self.ticked.set()

    clock = Clock()
    thread = SinkThread(clock, capacity=1, policy="wait")
    assert clock.ticked.wait(WAIT_S)
    assert thread.close(WAIT_S)


def test_a_slow_sink_does_not_hold_up_another_one(shelf: Shelf) -> None:
    quick = Shelf(name="quick")
    quick.gate.set()
    threads = [SinkThread(sink, capacity=1, policy="drop_oldest") for sink in (shelf, quick)]
    put(threads[0], *range(100))
    put(threads[1], 0)
    assert threads[1].close(WAIT_S)
    assert quick.kept == [0]
    shelf.gate.set()
    assert threads[0].close(WAIT_S)
