"""What a run says to Prometheus. Labels name streams, stages and sinks, and never a face."""

from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass
from itertools import accumulate
from typing import TYPE_CHECKING, Final

from streamaffect.messages import Health, Meta
from streamaffect.sinks.publishing import BOUNDS_S, Distribution

if TYPE_CHECKING:
    from prometheus_client.core import Metric

Reading = tuple[str, str, Callable[[Health], float]]  # a metric's name, what it is, its value

COUNTERS: Final[tuple[Reading, ...]] = (
    ("estimates", "Estimates made", lambda health: health.estimates),
    ("reconnects", "How often the source came back", lambda health: health.reconnects),
    ("downtime_seconds", "Time without a source", lambda health: health.downtime_s),
)
GAUGES: Final[tuple[Reading, ...]] = (
    ("fps_in", "Frames grabbed per second, lately", lambda health: health.fps_in),
    ("fps_out", "Frames finished per second, lately", lambda health: health.fps_out),
    ("faces", "Faces in view that are followed", lambda health: health.faces),
    ("faces_left_out", "Faces in view for which there is no room", lambda health: health.faces_left_out),
    ("uptime_seconds", "Time since the start", lambda health: health.uptime_s),
)
STATES: Final = ("starting", "live", "stalled", "lost", "ended")


@dataclass(frozen=True, slots=True)
class Instruments:
    """What the sinks of a run can be asked at any time, from any thread.

    latencies:   by stream, from capture to publishing
    subscribers: of the feed
    queued:      messages that wait, by sink; dropped: those that it did not get
    faults:      outlets that reach nobody, and why
    """

    latencies: Callable[[], Mapping[str, Distribution]]
    subscribers: Callable[[], int]
    queued: Callable[[], Mapping[str, int]]
    dropped: Callable[[], Mapping[str, int]]
    faults: Callable[[], Mapping[str, str]]


@dataclass(frozen=True, slots=True)
class Counted:
    """What has been counted of one stream's estimates: how many by status, how long each stage took."""

    statuses: Mapping[str, int]
    stages: Mapping[str, Distribution]


def families(
    metas: Iterable[Meta], healths: Iterable[Health], counted: Mapping[str, Counted], instruments: Instruments
) -> "Iterator[Metric]":
    """Everything, as of now."""
    yield _information(list(metas))
    healths = list(healths)
    yield from _frames(healths)
    yield from _states(healths)
    yield from _estimates(counted)
    yield from _deliveries(instruments)


def _information(metas: "list[Meta]") -> "Metric":
    from prometheus_client.core import GaugeMetricFamily

    family = GaugeMetricFamily(
        "streamaffect_stream_info",
        "1 for each stream: what it is estimated with",
        labels=["stream", "model", "engine", "software"],
    )
    for meta in metas:
        family.add_metric([meta.stream, meta.model, meta.engine, meta.software], 1.0)
    return family


def _frames(healths: list[Health]) -> "Iterator[Metric]":
    from prometheus_client.core import CounterMetricFamily

    frames = CounterMetricFamily(
        "streamaffect_frames", "Frames by outcome, and of those skipped why", labels=["stream", "outcome", "reason"]
    )
    for health in healths:
        frames.add_metric([health.stream, "finished", ""], health.frames - health.skipped)
        for reason, count in (health.skipped_why or {}).items():
            frames.add_metric([health.stream, "skipped", reason], count)
    yield frames
    for name, text, value in COUNTERS:
        family = CounterMetricFamily(f"streamaffect_{name}", text, labels=["stream"])
        for health in healths:
            family.add_metric([health.stream], value(health))
        yield family


def _states(healths: list[Health]) -> "Iterator[Metric]":
    from prometheus_client.core import GaugeMetricFamily

    states = GaugeMetricFamily(
        "streamaffect_stream_state", "1 for the state in which the stream is", labels=["stream", "state"]
    )
    for health in healths:
        for state in STATES:
            states.add_metric([health.stream, state], float(health.state == state))
    yield states
    for name, text, value in GAUGES:
        family = GaugeMetricFamily(f"streamaffect_{name}", text, labels=["stream"])
        for health in healths:
            family.add_metric([health.stream], value(health))
        yield family
    memory = GaugeMetricFamily("streamaffect_peak_memory_bytes", "Highest resident memory of the process")
    memory.add_metric([], max((health.memory_mb for health in healths), default=0.0) * 2**20)
    yield memory


def _estimates(counted: Mapping[str, Counted]) -> "Iterator[Metric]":
    from prometheus_client.core import CounterMetricFamily, HistogramMetricFamily

    statuses = CounterMetricFamily(
        "streamaffect_estimates_by_status", "Estimates that were sent, by status", labels=["stream", "status"]
    )
    stages = HistogramMetricFamily(
        "streamaffect_stage_seconds", "Time that a frame spends in each stage", labels=["stream", "stage"]
    )
    for stream, counts in counted.items():
        for status, count in counts.statuses.items():
            statuses.add_metric([stream, status], count)
        for stage, distribution in counts.stages.items():
            stages.add_metric([stream, stage], *_buckets(distribution))
    yield statuses
    yield stages


def _deliveries(instruments: Instruments) -> "Iterator[Metric]":
    from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily, HistogramMetricFamily

    latency = HistogramMetricFamily(
        "streamaffect_latency_seconds", "From the capture of a frame to its estimate in the feed", labels=["stream"]
    )
    for stream, distribution in instruments.latencies().items():
        latency.add_metric([stream], *_buckets(distribution))
    yield latency
    subscribers = GaugeMetricFamily("streamaffect_subscribers", "Subscribers of the feed")
    subscribers.add_metric([], instruments.subscribers())
    yield subscribers
    queued, dropped, faults = instruments.queued(), instruments.dropped(), instruments.faults()
    depth = GaugeMetricFamily("streamaffect_queue_depth", "Messages that wait for a sink", labels=["sink"])
    lost = CounterMetricFamily("streamaffect_dropped", "Messages that a sink did not get or pass on", labels=["sink"])
    reaches = GaugeMetricFamily(
        "streamaffect_sink_up", "1 where what a sink sends reaches somebody, as far as it knows", labels=["sink"]
    )
    for sink, count in queued.items():
        depth.add_metric([sink], count)
        lost.add_metric([sink], dropped.get(sink, 0))
        reaches.add_metric([sink], float(sink not in faults))
    yield from (depth, lost, reaches)


def _buckets(distribution: Distribution) -> tuple[list[tuple[str, float]], float]:
    """Cumulative, as Prometheus has them, and the sum."""
    bounds = [*map(str, BOUNDS_S), "+Inf"]
    return list(zip(bounds, map(float, accumulate(distribution.counts)), strict=True)), distribution.sum_s
