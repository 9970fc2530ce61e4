"""Every message to every sink, whatever another sink does."""

import threading
import time
from collections.abc import Iterator
from dataclasses import dataclass, field

import pytest

from streamaffect.errors import RecordingError
from streamaffect.messages import Estimate, Event, Message
from streamaffect.sinks.fan_out import QUEUE, FanOut
from tests.support.recordings import estimate_at, meta_of

WAIT_S = 10.0


@dataclass
class Shelf:
    """A sink that keeps the numbers of what it gets, from when its gate is open; `full` ends it with that number."""

    name: str
    full: int | None = None
    gate: threading.Event = field(default_factory=threading.Event)
    kept: list[int] = field(default_factory=list)
    closed: threading.Event = field(default_factory=threading.Event)

    def send(self, message: Message) -> None:
        assert self.gate.wait(WAIT_S)
        assert isinstance(message, Estimate)
        if message.seq == self.full:
            raise RecordingError("the disk is full")
        self.kept.append(message.seq)

    def close(self) -> None:
        self.closed.set()


def open_shelf(name: str, *, full: int | None = None) -> Shelf:
    shelf = Shelf(name, full)
    shelf.gate.set()
    return shelf


def numbered(count: int) -> Iterator[Message]:
    return (estimate_at(0.0, seq=seq) for seq in range(count))


def test_every_sink_gets_every_message_and_is_closed_at_the_end() -> None:
    shelves = [open_shelf("one"), open_shelf("two")]
    sinks = FanOut()
    for shelf in shelves:
        sinks.add(shelf, "wait")
    sinks.feed(numbered(1000))
    assert [shelf.kept for shelf in shelves] == [list(range(1000))] * 2
    assert all(shelf.closed.is_set() for shelf in shelves)
    assert (sinks.dropped(), sinks.has_failed) == ({}, False)


def test_a_sink_that_ends_with_an_error_is_told_and_the_others_go_on() -> None:
    broken, whole = open_shelf("broken", full=3), open_shelf("whole")
    sinks = FanOut()
    sinks.add(broken, "wait")
    sinks.add(whole, "wait")
    sinks.feed(numbered(QUEUE * 2))
    assert broken.kept == [0, 1, 2]
    assert whole.kept == list(range(QUEUE * 2))
    assert sinks.has_failed


def test_a_batch_of_any_size_reaches_a_live_sink_that_is_busy_for_a_moment() -> None:
    shelf = Shelf("shelf")
    sinks = FanOut()
    sinks.add(shelf, "drop_oldest", keep_s=WAIT_S)

    def messages() -> Iterator[Message]:
        yield from numbered(20 * QUEUE)
        shelf.gate.set()

    sinks.feed(messages())
    assert shelf.kept == list(range(20 * QUEUE))
    assert (sinks.dropped(), sinks.has_failed) == ({}, False)


def test_what_waits_for_a_slow_live_sink_for_too_long_is_dropped_and_counted_under_its_name() -> None:
    slow, quick = Shelf("slow"), open_shelf("quick")
    sinks = FanOut()
    sinks.add(slow, "drop_oldest", keep_s=0.0)
    sinks.add(quick, "wait")

    def messages() -> Iterator[Message]:
        yield from numbered(100)
        slow.gate.set()

    sinks.feed(messages())
    assert quick.kept == list(range(100))
    assert sinks.dropped() == {"slow": 100 - len(slow.kept)}
    assert slow.kept[-1] == 99
    assert len(slow.kept) <= 2
    assert not sinks.has_failed


def test_a_recording_that_lacks_messages_is_a_failure_and_said(caplog: pytest.LogCaptureFixture) -> None:
    slow = Shelf("recorder")
    sinks = FanOut()
    sinks.add(slow, "drop_oldest", keep_s=0.0, must_have_all=True)

    def messages() -> Iterator[Message]:
        yield from numbered(100)
        slow.gate.set()

    sinks.feed(messages())
    assert sinks.has_failed
    assert f"recorder: lacks {100 - len(slow.kept)} messages" in caplog.text


def test_a_run_that_is_to_end_waits_for_no_sink(caplog: pytest.LogCaptureFixture) -> None:
    stuck = Shelf("stuck")
    sinks = FanOut()
    sinks.add(stuck, "wait")

    def messages() -> Iterator[Message]:
        yield from numbered(QUEUE)
        threading.Timer(0.05, sinks.hurry).start()
        yield from numbered(QUEUE)

    sinks.feed(messages())
    stuck.gate.set()
    assert sinks.dropped()["stuck"] >= QUEUE - 1
    assert "did not deliver all of its messages" in caplog.text


def test_no_sink_is_told_a_password_or_what_utf_8_has_not() -> None:
    told: list[Message] = []

    class Ear(Shelf):
        def send(self, message: Message) -> None:
            told.append(message)

    sinks = FanOut()
    sinks.add(Ear("ear"), "wait")
    lost = Event(stream="cam", t_ns=0, event="source_lost", detail="rtsp://ann:secret@cam/1: refused")
    sinks.feed([lost, meta_of("clip", live=False, source="clip-\udce9.mp4")])
    assert [getattr(message, "detail", getattr(message, "source", "")) for message in told] == [
        "rtsp://***@cam/1: refused",
        "clip-?.mp4",
    ]


def test_a_failure_of_what_gives_the_messages_closes_the_sinks_too() -> None:
    def messages() -> Iterator[Message]:
        yield estimate_at(0.0)
        raise ZeroDivisionError("a bug")

    shelf = open_shelf("shelf")
    sinks = FanOut()
    sinks.add(shelf, "wait")
    with pytest.raises(ZeroDivisionError, match="a bug"):
        sinks.feed(messages())
    assert (shelf.kept, shelf.closed.is_set()) == ([0], True)


@dataclass
class Line(Shelf):
    """A sink whose receiver may be away."""

    fault: str = ""
    lost: int = 0


def test_a_sink_whose_receiver_is_away_says_so_and_what_it_lost_counts_as_dropped() -> None:
    sinks, line = FanOut(), Line("line", fault="nobody listens", lost=4)
    sinks.add(line, "wait")
    sinks.add(open_shelf("shelf"), "wait")
    assert sinks.faults() == {"line": "nobody listens"}
    assert sinks.dropped() == {"line": 4}
    line.gate.set()
    sinks.feed([])


def test_what_waits_for_each_sink_can_be_asked() -> None:
    sinks, shut, shelf = FanOut(), Shelf("shut"), open_shelf("open")
    sinks.add(shut, "wait")
    sinks.add(shelf, "wait")
    seen: list[dict[str, int]] = []

    def messages() -> Iterator[Message]:
        yield from numbered(10)
        deadline_s = time.monotonic() + WAIT_S
        while sinks.queued() != {"shut": 9, "open": 0} and time.monotonic() < deadline_s:
            time.sleep(0.01)
        seen.append(sinks.queued())
        shut.gate.set()

    sinks.feed(messages())
    assert seen == [{"shut": 9, "open": 0}]
