"""Metrics over HTTP, read back by Prometheus' own parser."""

import socket
import urllib.error
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager

import msgspec
import pytest
from prometheus_client.openmetrics.parser import text_string_to_metric_families as parse_openmetrics
from prometheus_client.parser import text_string_to_metric_families

from streamaffect.errors import OutletError
from streamaffect.settings import MetricsSettings
from streamaffect.sinks.outlets.metrics import outlet as metrics_outlet
from streamaffect.sinks.outlets.metrics.families import Instruments
from streamaffect.sinks.outlets.metrics.outlet import MetricsOutlet
from streamaffect.sinks.publishing import Distribution
from streamaffect.sinks.thread import SinkThread
from tests.support.outlets.live import estimate, meta, running, wait_until
from tests.support.recordings import health_of

Labels = frozenset[tuple[str, str]]


def instruments() -> Instruments:
    latency = Distribution()
    for seconds in (0.004, 0.03, 9.0):
        latency.add(seconds)
    return Instruments(
        latencies=lambda: {"webcam": latency},
        subscribers=lambda: 3,
        queued=lambda: {"zmq": 0, "mqtt": 5},
        dropped=lambda: {"mqtt": 7},
        faults=lambda: {"mqtt": "no broker"},
    )


@contextmanager
def serving() -> Iterator[tuple[SinkThread, str]]:
    outlet = MetricsOutlet(MetricsSettings(bind="127.0.0.1:0"), instruments())
    with running(outlet) as sink:
        yield sink, f"http://{outlet.address}"


def get(url: str, accept: str = "*/*") -> tuple[int, str]:
    try:
        with urllib.request.urlopen(urllib.request.Request(url, headers={"Accept": accept}), timeout=30) as answer:
            return answer.status, answer.read().decode()
    except urllib.error.HTTPError as error:
        with error:
            return error.code, error.read().decode()


def values(text: str) -> dict[tuple[str, Labels], float]:
    return {
        (sample.name, frozenset(sample.labels.items())): sample.value
        for family in text_string_to_metric_families(text)
        for sample in family.samples
    }


def named(**labels: str) -> Labels:
    return frozenset(labels.items())


def test_prometheus_reads_frames_by_reason_stages_latency_and_deliveries() -> None:
    with serving() as (sink, url):
        sink.put(meta())
        first = estimate(track=1)
        sink.put(first)
        sink.put(msgspec.structs.replace(first, track=2, status="held"))  # of the same picture
        sink.put(estimate(track=1))
        health = msgspec.structs.replace(
            health_of("webcam"), frames=100, skipped=7, skipped_why={"late": 5, "engine": 2}, reconnects=4
        )
        sink.put(health)
        wait_until(lambda: "streamaffect_reconnects_total" in get(f"{url}/metrics")[1] and not sink.queued)
        wait_until(lambda: ("streamaffect_faces", named(stream="webcam")) in values(get(f"{url}/metrics")[1]))
        found = values(get(f"{url}/metrics")[1])
        openmetrics = get(f"{url}/metrics", "application/openmetrics-text")[1]
    frames = {labels: value for (name, labels), value in found.items() if name == "streamaffect_frames_total"}
    assert frames == {
        named(stream="webcam", outcome="finished", reason=""): 93,
        named(stream="webcam", outcome="skipped", reason="late"): 5,
        named(stream="webcam", outcome="skipped", reason="engine"): 2,
    }
    assert found["streamaffect_reconnects_total", named(stream="webcam")] == 4
    assert found["streamaffect_estimates_by_status_total", named(stream="webcam", status="ok")] == 2
    assert found["streamaffect_stage_seconds_count", named(stream="webcam", stage="faces")] == 2
    assert found["streamaffect_stage_seconds_sum", named(stream="webcam", stage="faces")] == pytest.approx(0.0068)
    assert found["streamaffect_latency_seconds_bucket", named(stream="webcam", le="0.03")] == 2
    assert found["streamaffect_latency_seconds_bucket", named(stream="webcam", le="+Inf")] == 3
    assert found["streamaffect_subscribers", named()] == 3
    assert found["streamaffect_queue_depth", named(sink="mqtt")] == 5
    assert found["streamaffect_dropped_total", named(sink="mqtt")] == 7
    assert found["streamaffect_sink_up", named(sink="mqtt")] == 0
    assert found["streamaffect_sink_up", named(sink="zmq")] == 1
    assert found["streamaffect_stream_state", named(stream="webcam", state="live")] == 1
    assert "streamaffect_stage_seconds" in {family.name for family in parse_openmetrics(openmetrics)}  # type: ignore[no-untyped-call]


def test_no_label_tells_one_face_from_another() -> None:
    with serving() as (sink, url):
        for track in range(50):
            sink.put(estimate(track=track))
        wait_until(lambda: 'status="ok",stream="webcam"} 50.0' in get(f"{url}/metrics")[1])
        found = values(get(f"{url}/metrics")[1])
    assert {name for _, labels in found for name, _ in labels} <= {
        *("stream", "stage", "status", "le", "sink", "outcome", "reason", "state", "model", "engine", "software"),
    }


def test_a_run_is_ready_once_a_stream_gives_estimates_and_alive_while_it_says_something(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    with serving() as (sink, url):
        assert get(f"{url}/livez") == (200, "ok\n")
        assert get(f"{url}/readyz") == (503, "starting\n")
        sink.put(msgspec.structs.replace(health_of("door"), state="lost"))
        wait_until(lambda: get(f"{url}/readyz") == (503, "door: lost\n"))
        sink.put(health_of("webcam"))
        wait_until(lambda: get(f"{url}/readyz") == (200, "ok\n"))
        monkeypatch.setattr(metrics_outlet, "ALIVE_S", 0.0)
        for path in ("livez", "readyz"):
            status, text = get(f"{url}/{path}")
            assert (status, text[:14]) == (503, "no message for")
        assert get(f"{url}/else") == (404, "/metrics, /livez or /readyz\n")


def test_connections_that_ask_nothing_keep_nobody_out() -> None:
    with serving() as (_, url):
        host, port = url.removeprefix("http://").split(":")
        idle = [socket.create_connection((host, int(port))) for _ in range(40)]
        for connection in idle:
            connection.close()

        def is_answered() -> bool:
            try:
                return get(f"{url}/livez")[0] == 200
            except OSError:
                return False

        wait_until(is_answered)


def test_an_address_in_use_or_open_to_others_is_refused_and_the_second_may_be_asked_for() -> None:
    with serving() as (_, url):
        taken = url.removeprefix("http://")
        with pytest.raises(OutletError, match=f"metrics.bind {taken}: the address is in use"):
            MetricsOutlet(MetricsSettings(bind=taken), instruments())
    with pytest.raises(OutletError, match="can be reached from other machines"):
        MetricsOutlet(MetricsSettings(bind="0.0.0.0:0"), instruments())
    for settings, insecure in (
        (MetricsSettings(bind="0.0.0.0:0"), True),
        (MetricsSettings(bind="0.0.0.0:0", insecure_bind=True), False),
    ):
        MetricsOutlet(settings, instruments(), insecure=insecure).close()
    with pytest.raises(OutletError, match=r"metrics\.bind 'here': expected HOST:PORT, for instance 127\.0\.0\.1:9464"):
        MetricsOutlet(MetricsSettings(bind="here"), instruments())
