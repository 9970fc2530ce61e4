"""What is said in the place of streams whose process is away."""

import msgspec

from streamaffect.fleet.ledger import Ledger
from streamaffect.messages import Event, Health, Message
from tests.support.control.desks import meta
from tests.support.recordings import health_of


def heard(*streams: str, feed: str = "ipc://one") -> Ledger:
    ledger = Ledger()
    for stream in streams:
        ledger.note(feed, meta(stream))
        ledger.note(feed, msgspec.structs.replace(health_of(stream), state="live", frames=500))
    return ledger


def kinds(messages: list[Message]) -> list[tuple[str, str]]:
    return [
        (one.stream, one.event if isinstance(one, Event) else one.state)
        for one in messages
        if isinstance(one, Event | Health)
    ]


def test_streams_belong_to_the_feed_that_spoke_of_them_last() -> None:
    ledger = heard("a", "b")
    ledger.note("ipc://two", meta("b"))
    assert ledger.streams("ipc://one") == {"a"}
    assert ledger.streams("ipc://two") == {"b"}


def test_health_of_a_lost_stream_keeps_its_totals_and_has_no_faces() -> None:
    (_, health) = heard("a").lost(["a"], "it has died", 10.0)
    assert isinstance(health, Health)
    assert (health.state, health.fault, health.frames, health.faces, health.fps_out) == (
        "lost",
        "it has died",
        500,
        0,
        0,
    )


def test_it_is_said_once_that_a_stream_is_lost_and_each_second_how_it_is() -> None:
    ledger = heard("a")
    assert kinds(ledger.lost(["a"], "one", 10.0)) == [("a", "source_lost"), ("a", "lost")]
    assert kinds(ledger.lost(["a"], "two", 10.2)) == []
    assert kinds(ledger.due(10.9)) == []
    (health,) = ledger.due(11.0)
    assert isinstance(health, Health)
    assert health.fault == "two"


def test_a_stream_is_back_when_a_new_feed_speaks_of_it() -> None:
    ledger = heard("a")
    ledger.lost(["a"], "x", 10.0)
    ledger.note("ipc://two", meta("a"))
    (back,) = ledger.due(12.5)
    assert isinstance(back, Event)
    assert (back.event, back.downtime_s) == ("source_back", 2.5)
    assert ledger.due(20.0) == []


def test_a_stream_that_never_came_is_told_as_lost_too() -> None:
    assert kinds(Ledger().lost(["a"], "no such file", 1.0)) == [("a", "source_lost"), ("a", "lost")]


def test_streams_are_reported_as_a_run_reports_them() -> None:
    ledger = heard("b", "a")
    ledger.note("", Event(stream="b", t_ns=1, event="source_ended"))
    assert [(one.stream, one.state) for one in ledger.reports()] == [("a", "live"), ("b", "ended")]
    ledger.lost(["b"], "x", 1.0)
    ledger.note("", Event(stream="a", t_ns=1, event="stream_removed"))
    assert [(one.stream, one.state) for one in ledger.reports()] == [("b", "live")]
