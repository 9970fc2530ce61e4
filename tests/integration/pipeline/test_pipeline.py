"""The running pipeline on real threads: order, loss, failures, stopping and determinism."""

import gc
import itertools
import threading
import weakref
from collections.abc import Iterator, Sequence
from contextlib import closing, contextmanager
from pathlib import Path

import numpy as np
import pytest
from msgspec import UNSET

from streamaffect.config import load_config
from streamaffect.errors import SourceOpenError, SourceStalledError
from streamaffect.feed.wire import encode
from streamaffect.messages import Estimate, Event, Health, LatencySummary, Message
from streamaffect.pipeline.opening import open_streams
from streamaffect.pipeline.pipeline import Pipeline
from streamaffect.pipeline.stats import Deliveries
from streamaffect.pipeline.worker import Stream
from streamaffect.runtime.bundle import Bundle, load_bundle
from streamaffect.runtime.engine import Engine
from streamaffect.runtime.onnxruntime import OnnxRuntimeEngine
from streamaffect.settings import SourceSettings
from streamaffect.sources.demo import DEMO_CLIP
from streamaffect.types import Face, FloatArray, ImageArray
from tests.support.bundles import write_bundle
from tests.support.gpu.engines import CountingEngine
from tests.support.scripted import FACE, ScriptedDetector, ScriptedSource, make_stream

SOON_S = 20.0
AT_ONCE = SourceSettings(backoff_min_s=0.001, backoff_max_s=0.001)
REGULAR = [i * 0.04 for i in range(40)]
IRREGULAR = np.cumsum(np.random.default_rng(5).uniform(0.01, 0.1, 60)).tolist()


@pytest.fixture
def bundle(tmp_path: Path) -> Bundle:
    return load_bundle(write_bundle(tmp_path / "bundle", past=1, future=1))


def make_pipeline(
    streams: Sequence[Stream], bundle: Bundle, *, engine: Engine | None = None, max_seconds: float | None = None
) -> Pipeline:
    return Pipeline(streams, bundle, engine or OnnxRuntimeEngine(bundle), settings=AT_ONCE, max_seconds=max_seconds)


def run(*streams: Stream, bundle: Bundle, max_seconds: float | None = None) -> list[Message]:
    return list(make_pipeline(streams, bundle, max_seconds=max_seconds).messages())


def estimates(messages: Sequence[Message], stream: str) -> list[Estimate]:
    return [message for message in messages if isinstance(message, Estimate) and message.stream == stream]


def provisional(messages: Sequence[Message], stream: str) -> list[Estimate]:
    return [estimate for estimate in estimates(messages, stream) if estimate.refines is None]


def capture_times(messages: Sequence[Message], stream: str) -> list[int]:
    return [estimate.t_capture_ns for estimate in provisional(messages, stream)]


def events(messages: Sequence[Message], stream: str) -> list[str]:
    return [message.event for message in messages if isinstance(message, Event) and message.stream == stream]


def last_health(messages: Sequence[Message], stream: str) -> Health:
    return [message for message in messages if isinstance(message, Health) and message.stream == stream][-1]


def nanoseconds(times_s: Sequence[float]) -> list[int]:
    return [round(time_s * 1e9) for time_s in times_s]


class GatedEngine(CountingEngine):
    """Encodes nothing until the gate opens."""

    def __init__(self, engine: Engine) -> None:
        super().__init__(engine)
        self.gate = threading.Event()
        self.entered = threading.Event()

    def encode_frames(self, crops: ImageArray) -> FloatArray:
        self.entered.set()
        assert self.gate.wait(SOON_S)
        return super().encode_frames(crops)


def capped(bundle: Bundle, source: ScriptedSource, cap_fps: float) -> list[Message]:
    streams = [make_stream("a", source, bundle)]
    return list(Pipeline(streams, bundle, OnnxRuntimeEngine(bundle), settings=AT_ONCE, cap_fps=cap_fps).messages())


def test_a_cap_leaves_out_every_second_frame_of_a_file_and_health_says_why(bundle: Bundle) -> None:
    messages = capped(bundle, ScriptedSource(REGULAR), 12.5)
    assert capture_times(messages, "a") == nanoseconds(REGULAR[::2])
    health = last_health(messages, "a")
    assert (health.analysis_fps, health.skipped, health.skipped_why) == (12.5, 19, {"cap": 19})
    assert [encode(one) for one in estimates(messages, "a")] == [
        encode(one) for one in estimates(capped(bundle, ScriptedSource(REGULAR), 12.5), "a")
    ]


def test_each_frame_that_a_live_stream_skips_has_a_reason(bundle: Bundle) -> None:
    engine = GatedEngine(OnnxRuntimeEngine(bundle))

    def let_go(index: int) -> None:
        if index == 30:
            engine.gate.set()

    source = ScriptedSource([i * 0.04 for i in range(60)], live=True, before=let_go, pace_s=0.005)
    health = last_health(list(make_pipeline([make_stream("a", source, bundle)], bundle, engine=engine).messages()), "a")
    assert health.skipped > 0
    assert health.skipped_why == {"late": health.skipped}
    assert health.analysis_fps is UNSET


def test_without_skipped_frames_health_speaks_of_none(bundle: Bundle) -> None:
    health = last_health(run(make_stream("a", ScriptedSource(REGULAR), bundle), bundle=bundle), "a")
    assert (health.analysis_fps, health.skipped_why) == (UNSET, UNSET)
    assert b"skipped_why" not in encode(health)


def test_offline_every_frame_is_estimated_in_order(bundle: Bundle) -> None:
    messages = run(make_stream("file", ScriptedSource(IRREGULAR), bundle), bundle=bundle)
    assert capture_times(messages, "file") == nanoseconds(IRREGULAR)
    assert [estimate.seq for estimate in estimates(messages, "file")] == list(range(len(estimates(messages, "file"))))
    assert events(messages, "file") == ["track_born", "source_ended"]
    report = last_health(messages, "file")
    assert (report.frames, report.skipped, report.state, report.progress) == (60, 0, "ended", 1.0)
    assert report.estimates == len(estimates(messages, "file"))


def test_refinements_refer_to_the_provisional_estimate_of_the_same_time(bundle: Bundle) -> None:
    made = estimates(run(make_stream("file", ScriptedSource(REGULAR), bundle), bundle=bundle), "file")
    by_seq = {estimate.seq: estimate for estimate in made}
    refined = [estimate for estimate in made if estimate.refines is not None]
    assert [estimate.t_capture_ns for estimate in refined] == nanoseconds(REGULAR)[:32]  # 0.32 s before the end
    for estimate in refined:
        assert estimate.refines is not None
        assert by_seq[estimate.refines].t_capture_ns == estimate.t_capture_ns
        assert by_seq[estimate.refines].refines is None
        assert estimate.lookahead_s == pytest.approx(0.32)


def test_offline_streams_take_turns_until_the_shorter_one_ends(bundle: Bundle) -> None:
    streams = [
        make_stream("a", ScriptedSource(REGULAR[:5]), bundle),
        make_stream("b", ScriptedSource(REGULAR[:9]), bundle),
    ]
    order = [
        message.stream
        for message in run(*streams, bundle=bundle)
        if isinstance(message, Estimate) and message.refines is None
    ]
    assert order == ["a", "b"] * 5 + ["b"] * 4


def test_a_health_message_carries_what_the_sinks_say(bundle: Bundle) -> None:
    said = {"a": LatencySummary(1.0, 2.0, 3.0), "b": None}
    streams = [make_stream(name, ScriptedSource(REGULAR[:3]), bundle) for name in said]
    deliveries = Deliveries(dropped=lambda: {"zmq": 5}, latency=said.__getitem__)
    engine = OnnxRuntimeEngine(bundle)
    messages = list(Pipeline(streams, bundle, engine, settings=AT_ONCE, deliveries=deliveries).messages())
    assert {stream: last_health(messages, stream).latency_ms for stream in said} == said
    assert last_health(messages, "a").dropped == {"zmq": 5}


def test_a_stream_that_showed_no_face_is_remarked_on(bundle: Bundle) -> None:
    blind = ScriptedDetector(lambda _: [])
    streams = [
        make_stream("empty", ScriptedSource(REGULAR[:3]), bundle, blind),
        make_stream("full", ScriptedSource(REGULAR[:3]), bundle),
    ]
    pipeline = make_pipeline(streams, bundle)
    list(pipeline.messages())
    assert list(pipeline.remarks) == ["empty: no face was found in 3 frames: none was seen"]


def test_every_source_and_detector_is_closed_at_the_end(bundle: Bundle) -> None:
    sources = [ScriptedSource(REGULAR[:3], seed=i) for i in range(2)]
    detectors = [ScriptedDetector(), ScriptedDetector()]
    streams = [make_stream(f"s{i}", sources[i], bundle, detectors[i]) for i in range(2)]
    run(*streams, bundle=bundle)
    assert all(source.closed.is_set() for source in sources)
    assert all(detector.closed.is_set() for detector in detectors)


def test_an_abandoned_run_closes_its_parts_and_ends_its_threads(bundle: Bundle) -> None:
    source, detector = ScriptedSource(REGULAR, live=True, blocks_at_end=True), ScriptedDetector()
    messages = make_pipeline([make_stream("cam", source, bundle, detector)], bundle).messages()
    next(messages)
    messages.close()
    assert source.closed.is_set()
    assert detector.closed.is_set()
    assert not [thread for thread in threading.enumerate() if thread.name.endswith("-cam")]


def test_an_abandoned_run_does_not_wait_for_a_lost_source(bundle: Bundle) -> None:
    source = ScriptedSource(REGULAR, live=True, errors={1: SourceStalledError("cam: silent")})
    slowly = SourceSettings(backoff_min_s=3600.0, backoff_max_s=3600.0)
    pipeline = Pipeline([make_stream("cam", source, bundle)], bundle, OnnxRuntimeEngine(bundle), settings=slowly)
    messages = pipeline.messages()
    assert next(m for m in messages if isinstance(m, Event) and m.event == "source_lost").detail == "cam: silent"
    messages.close()
    assert not [thread for thread in threading.enumerate() if thread.name.endswith("-cam")]


def test_live_the_newest_frame_wins_and_the_others_are_counted_as_skipped(bundle: Bundle) -> None:
    """The first frame keeps the engine busy while 100 further ones come: all but the last few are skipped."""
    times_s = [i * 0.001 for i in range(101)]
    engine = GatedEngine(OnnxRuntimeEngine(bundle))

    def wait_until_the_engine_is_busy(index: int) -> None:
        if index == 1:
            assert engine.entered.wait(SOON_S)

    source = ScriptedSource(times_s, live=True, before=wait_until_the_engine_is_busy)

    def open_gate() -> None:
        if source.exhausted.wait(SOON_S):
            engine.gate.set()

    opener = threading.Thread(target=open_gate)
    opener.start()
    messages = list(make_pipeline([make_stream("cam", source, bundle)], bundle, engine=engine).messages())
    opener.join()
    times = capture_times(messages, "cam")
    assert times[0] == 0
    assert times[-1] == nanoseconds(times_s)[-1]
    # One in the engine, and the newest one, which waits for it.
    assert len(times) == 2
    assert times == sorted(times)
    report = last_health(messages, "cam")
    assert (report.frames, report.skipped) == (101, 101 - len(times))


def test_under_overload_every_stream_gets_its_share(bundle: Bundle) -> None:
    class SlowEngine(CountingEngine):
        def encode_frames(self, crops: ImageArray) -> FloatArray:
            threading.Event().wait(0.005 * len(crops))
            return super().encode_frames(crops)

    names = [f"cam{i}" for i in range(8)]
    streams = [
        make_stream(name, ScriptedSource([i * 0.004 for i in range(100_000)], live=True, pace_s=0.004), bundle)
        for name in names
    ]
    messages = make_pipeline(streams, bundle, engine=SlowEngine(OnnxRuntimeEngine(bundle))).messages()
    counts = dict.fromkeys(names, 0)
    for estimate in itertools.islice((one for one in messages if isinstance(one, Estimate)), 400):
        counts[estimate.stream] += 1
    messages.close()
    assert min(counts.values()) > 0.6 * max(counts.values())


def test_a_live_stream_never_waits_for_one_that_gives_nothing(bundle: Bundle) -> None:
    silent = ScriptedSource([], live=True, blocks_at_end=True)
    talking = ScriptedSource(REGULAR[:1], live=True, blocks_at_end=True)
    streams = [make_stream("silent", silent, bundle), make_stream("talking", talking, bundle)]
    messages = make_pipeline(streams, bundle).messages()
    assert next(message for message in messages if isinstance(message, Estimate)).stream == "talking"
    messages.close()


def test_a_source_that_fails_ends_its_stream_with_an_event_and_the_others_go_on(bundle: Bundle) -> None:
    broken = ScriptedSource(REGULAR, errors={5: SourceOpenError("b: the plug was pulled; plug it in")})
    whole = ScriptedSource(REGULAR, seed=1)
    messages = run(make_stream("b", broken, bundle), make_stream("w", whole, bundle), bundle=bundle)
    assert capture_times(messages, "b") == nanoseconds(REGULAR[:5])
    assert capture_times(messages, "w") == nanoseconds(REGULAR)
    [ended] = [m for m in messages if isinstance(m, Event) and m.stream == "b" and m.event == "source_ended"]
    assert ended.detail == "b: the plug was pulled; plug it in"
    assert broken.closed.is_set()


def test_a_live_source_that_is_lost_comes_back_with_events_and_the_same_numbering(bundle: Bundle) -> None:
    source = ScriptedSource(REGULAR[:10], live=True, errors={4: SourceStalledError("cam: silent for 5 s")})
    messages = run(make_stream("cam", source, bundle), bundle=bundle)
    told = [message for message in messages if isinstance(message, Event) and message.event.startswith("source")]
    assert [event.event for event in told] == ["source_lost", "source_back", "source_ended"]
    assert told[0].detail == "cam: silent for 5 s"
    assert told[1].downtime_s is not None
    assert [estimate.seq for estimate in estimates(messages, "cam")] == list(range(len(estimates(messages, "cam"))))
    assert last_health(messages, "cam").reconnects == 1


@pytest.mark.parametrize("live", [False, True])
def test_stop_from_another_thread_ends_the_messages(bundle: Bundle, live: bool) -> None:
    source = ScriptedSource([i * 0.01 for i in range(100_000)], live=live)
    pipeline = make_pipeline([make_stream("s", source, bundle)], bundle)
    messages: list[Message] = []
    started, ended = threading.Event(), threading.Event()

    def consume() -> None:
        for message in pipeline.messages():
            messages.append(message)
            started.set()
        ended.set()

    consumer = threading.Thread(target=consume)
    consumer.start()
    assert started.wait(SOON_S)
    pipeline.stop()
    assert ended.wait(SOON_S)
    consumer.join()
    assert source.closed.is_set()
    assert events(messages, "s")[-1] == "source_ended"
    assert isinstance(messages[-1], Health)


def test_stop_reaches_a_source_that_is_silent(bundle: Bundle) -> None:
    source = ScriptedSource([0.0], live=True, blocks_at_end=True)
    pipeline = make_pipeline([make_stream("s", source, bundle)], bundle)
    messages = pipeline.messages()
    next(message for message in messages if isinstance(message, Estimate))
    pipeline.stop()
    assert events(list(messages), "s") == ["source_ended"]
    assert source.closed.is_set()


def test_stopping_before_the_start_gives_only_the_end(bundle: Bundle) -> None:
    pipeline = make_pipeline([make_stream("s", ScriptedSource(REGULAR), bundle)], bundle)
    pipeline.stop()
    messages = list(pipeline.messages())
    assert estimates(messages, "s") == []
    assert events(messages, "s") == ["source_ended"]


def test_a_file_is_cut_at_max_seconds_of_its_own_time(bundle: Bundle) -> None:
    times_s = [10 + time_s for time_s in REGULAR]
    messages = run(make_stream("file", ScriptedSource(times_s), bundle), bundle=bundle, max_seconds=0.4)
    assert capture_times(messages, "file") == nanoseconds(times_s[:10])


def test_a_live_run_ends_after_max_seconds(bundle: Bundle) -> None:
    source = ScriptedSource([0.0], live=True, blocks_at_end=True)
    messages = run(make_stream("cam", source, bundle), bundle=bundle, max_seconds=0.05)
    assert events(messages, "cam")[-1] == "source_ended"


@contextmanager
def busy_processor() -> Iterator[None]:
    """Threads that fight for the interpreter."""
    done = threading.Event()

    def spin() -> None:
        for i in itertools.count():
            if done.is_set():
                return
            sum(range(i % 2000))

    spinners = [threading.Thread(target=spin) for _ in range(3)]
    for spinner in spinners:
        spinner.start()
    try:
        yield
    finally:
        done.set()
        for spinner in spinners:
            spinner.join()


def recorded(bundle: Bundle, *, pauses: bool) -> list[bytes]:
    """What a run of two files says, but for the health messages, which speak of the machine."""
    rng = np.random.default_rng(11)

    def pause(_: int) -> None:
        if pauses:
            threading.Event().wait(float(rng.uniform(0, 0.003)))

    def comes_and_goes(time_s: float) -> list[Face]:
        return [FACE] if time_s % 1.0 < 0.6 else []

    streams = [
        make_stream("a", ScriptedSource(IRREGULAR, before=pause), bundle, ScriptedDetector(comes_and_goes)),
        make_stream("b", ScriptedSource(REGULAR, seed=1), bundle),
    ]
    return [encode(message) for message in run(*streams, bundle=bundle) if not isinstance(message, Health)]


def test_the_same_files_give_the_same_bytes_whatever_the_load(bundle: Bundle) -> None:
    calm = recorded(bundle, pauses=False)
    with busy_processor():
        loaded = recorded(bundle, pauses=True)
    assert calm == loaded
    assert len(calm) > 150


@pytest.mark.skipif(not DEMO_CLIP.exists(), reason="the demo clip is not in this checkout")
def test_the_shipped_clip_gives_one_estimate_per_frame_and_face(tmp_path: Path) -> None:
    bundle = load_bundle(write_bundle(tmp_path / "real"))
    messages = run(*open_streams([f"clip={DEMO_CLIP}"], load_config(), bundle), bundle=bundle)
    made = estimates(messages, "clip")
    report = last_health(messages, "clip")
    assert (report.skipped, report.state) == (0, "ended")
    assert report.estimates == len(made) > 0.8 * report.frames
    assert {estimate.track for estimate in made} == {0}
    assert {estimate.status for estimate in made} <= {"ok", "warming", "held"}
    assert made[-1].status == "ok"
    assert all(estimate.pts_s is not None and -1 <= (estimate.valence or 0) <= 1 for estimate in made)


@pytest.mark.parametrize("messages", [1, None], ids=["abandoned", "run to its end"])
def test_a_pipeline_that_is_over_frees_its_engine_at_once(tmp_path: Path, messages: int | None) -> None:
    bundle = load_bundle(write_bundle(tmp_path / "freed"))
    engine = OnnxRuntimeEngine(bundle)
    alive = weakref.ref(engine)
    config = load_config()
    streams = open_streams([str(DEMO_CLIP)], config, bundle)
    pipeline = Pipeline(streams, bundle, engine, settings=config.source, max_seconds=0.5)
    gc.disable()
    try:
        with closing(pipeline.messages()) as running:
            for _ in itertools.islice(running, messages):
                pass
        del pipeline, engine, running
        assert alive() is None
    finally:
        gc.enable()
