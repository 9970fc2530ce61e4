"""When an estimate leaves the process, on a clock that the test turns."""

from collections.abc import Iterator

import pytest

from streamaffect.clock import RECENT_S
from streamaffect.messages import Estimate, LatencySummary
from streamaffect.sinks import publishing
from streamaffect.sinks.publishing import Latencies, published
from tests.support.recordings import START_NS, estimate_at, health_of, live_estimate_at

MS = 1_000_000
S = 1_000 * MS


class Watch:
    """A monotonic clock that stands still until it is moved."""

    now_ns = 50 * S


@pytest.fixture
def watch(monkeypatch: pytest.MonkeyPatch) -> Iterator[Watch]:
    watch = Watch()
    monkeypatch.setattr(publishing, "monotonic_ns", lambda: watch.now_ns)
    yield watch


def left_after(total_ms: float, **changes: object) -> Estimate:
    return live_estimate_at(0.0, latency_ms={"total": total_ms}, **changes)


def test_a_live_estimate_gets_its_time_what_publishing_took_and_what_all_took() -> None:
    complete = live_estimate_at(0.0, t_publish_ns=0, latency_ms={"faces": 3.5, "total": 20.0})
    sent = published(complete, START_NS + 25 * MS)
    assert isinstance(sent, Estimate)
    assert sent.t_publish_ns == START_NS + 25 * MS
    assert sent.latency_ms == {"faces": 3.5, "publish": 5.0, "total": 25.0}


def test_a_clock_that_was_set_back_gives_no_negative_latency() -> None:
    sent = published(live_estimate_at(0.0, t_publish_ns=0, latency_ms={"total": 20.0}), START_NS - S)
    assert isinstance(sent, Estimate)
    assert sent.latency_ms == {"publish": 0.0, "total": 0.0}


@pytest.mark.parametrize(
    "message",
    [
        pytest.param(estimate_at(0.0), id="of a file, at its start"),
        pytest.param(estimate_at(1.5), id="of a file"),
        pytest.param(live_estimate_at(0.0), id="was published before"),
        pytest.param(health_of("webcam"), id="no estimate"),
    ],
)
def test_whatever_has_its_time_already_is_left_as_it_is(message: Estimate) -> None:
    assert published(message, START_NS + S) is message


def test_percentiles_are_the_nearest_ranks_of_the_last_seconds(watch: Watch) -> None:
    latencies = Latencies()
    latencies.note(left_after(9999.0))
    watch.now_ns += round(RECENT_S * S)
    for total_ms in range(100, 0, -1):
        latencies.note(left_after(total_ms))
    assert latencies.summary("webcam") == LatencySummary(50.0, 95.0, 99.0)
    watch.now_ns += round(RECENT_S * S)
    assert latencies.summary("webcam") is None


def test_one_latency_is_every_percentile(watch: Watch) -> None:
    latencies = Latencies()
    latencies.note(left_after(7.0))
    assert latencies.summary("webcam") == LatencySummary(7.0, 7.0, 7.0)


def test_streams_are_told_apart(watch: Watch) -> None:
    latencies = Latencies()
    latencies.note(left_after(7.0, stream="door"))
    assert latencies.summary("hall") is None


def test_what_is_late_on_purpose_or_has_no_latency_does_not_count(watch: Watch) -> None:
    latencies = Latencies()
    for message in (left_after(700.0, refines=3), estimate_at(0.0, stream="webcam"), health_of("webcam")):
        latencies.note(message)
    assert latencies.summary("webcam") is None
