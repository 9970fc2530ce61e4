"""Streams that are added to a live run and removed from it, while the others go on as if nothing had happened."""

import threading
from collections.abc import Callable, Iterator

import msgspec
import numpy as np
import pytest

from streamaffect.errors import ControlError, SourceOpenError
from streamaffect.feed.wire import encode
from streamaffect.messages import Estimate, Event, Message, Meta
from streamaffect.pipeline.pipeline import Pipeline
from streamaffect.pipeline.worker import Stream
from streamaffect.runtime.bundle import Bundle, load_bundle
from streamaffect.runtime.onnxruntime import OnnxRuntimeEngine
from streamaffect.settings import SourceSettings
from tests.support.bundles import write_bundle
from tests.support.scripted import ScriptedDetector, ScriptedSource, make_stream

SOON_S = 30.0
TIMES: list[float] = [i * 0.04 for i in range(60)]


@pytest.fixture(scope="module")
def bundle(tmp_path_factory: pytest.TempPathFactory) -> Bundle:
    return load_bundle(write_bundle(tmp_path_factory.mktemp("bundle") / "b", frames=4, past=2))


class Running:
    """A pipeline whose messages are collected in a thread."""

    def __init__(self, bundle: Bundle, *streams: Stream, open_stream: Callable[[str], Stream]) -> None:
        self.messages: list[Message] = []
        self.changed = threading.Condition()
        self.pipeline = Pipeline(
            streams, bundle, OnnxRuntimeEngine(bundle), settings=SourceSettings(), open_stream=open_stream
        )
        self._thread = threading.Thread(target=self._run, daemon=True)

    def start(self) -> None:
        self._thread.start()

    def wait_for(self, what: Callable[[list[Message]], bool]) -> None:
        with self.changed:
            assert self.changed.wait_for(lambda: what(self.messages), SOON_S)

    def end(self) -> None:
        self.pipeline.stop()
        self._thread.join(SOON_S)
        assert not self._thread.is_alive()

    def of(self, stream: str) -> list[Message]:
        return [message for message in self.messages if message.stream == stream]

    def _run(self) -> None:
        for message in self.pipeline.messages():
            with self.changed:
                self.messages.append(message)
                self.changed.notify_all()


def estimates(messages: list[Message], stream: str) -> list[Estimate]:
    return [message for message in messages if isinstance(message, Estimate) and message.stream == stream]


def count(stream: str, at_least: int) -> Callable[[list[Message]], bool]:
    return lambda messages: len(estimates(messages, stream)) >= at_least


def has_event(stream: str, event: str) -> Callable[[list[Message]], bool]:
    return lambda messages: any(
        isinstance(one, Event) and (one.stream, one.event) == (stream, event) for one in messages
    )


class Steps:
    """A live source that gives its next frame once its last one was estimated, and passes no frame before its gate."""

    def __init__(self) -> None:
        self.gate = threading.Event()
        self.running: Running | None = None

    def __call__(self, index: int) -> None:
        if self.running is not None:
            self.running.wait_for(count("steady", index))
        if index == 20:
            assert self.gate.wait(SOON_S)

    def source(self) -> ScriptedSource:
        return ScriptedSource(TIMES, live=True, before=self, blocks_at_end=True)


def alone(bundle: Bundle) -> list[Estimate]:
    """What the steady stream says where nobody comes or goes."""
    steps = Steps()
    steps.gate.set()
    running = steps.running = Running(bundle, make_stream("steady", steps.source(), bundle), open_stream=refuse)
    running.start()
    running.wait_for(count("steady", len(TIMES)))
    running.end()
    return estimates(running.messages, "steady")


def but_for_values(estimate: Estimate) -> bytes:
    """An estimate as it goes out, without its values and without how long it took."""
    nothing = dict.fromkeys(("valence", "arousal", "valence_interval", "arousal_interval"))
    return encode(msgspec.structs.replace(estimate, latency_ms={}, outputs={}, **nothing))


def values(found: list[Estimate]) -> list[tuple[float | None, float | None]]:
    return [(one.valence, one.arousal) for one in found]


def refuse(source: str) -> Stream:
    raise AssertionError(source)


def test_a_stream_comes_and_goes_and_the_other_says_the_same(bundle: Bundle) -> None:
    detector, passing = (
        ScriptedDetector(),
        ScriptedSource([i * 0.04 for i in range(10_000)], live=True, seed=1, pace_s=0.005),
    )
    steps = Steps()
    running = steps.running = Running(
        bundle,
        make_stream("steady", steps.source(), bundle),
        open_stream=lambda _: make_stream("guest", passing, bundle, detector),
    )
    running.start()
    running.wait_for(count("steady", 20))
    assert running.pipeline.add("guest=synthetic") == "guest"
    assert [meta.stream for meta in running.pipeline.metas] == ["steady", "guest"]
    running.wait_for(count("guest", 20))
    steps.gate.set()  # both run side by side from here on
    running.wait_for(count("steady", 35))
    running.pipeline.remove("guest")
    running.wait_for(has_event("guest", "stream_removed"))
    running.wait_for(count("steady", len(TIMES)))
    assert passing.closed.is_set()
    assert detector.closed.wait(SOON_S)
    running.end()
    steady, expected = estimates(running.messages, "steady"), alone(bundle)
    assert [but_for_values(one) for one in steady] == [but_for_values(one) for one in expected]
    # Faces share the batches of the graphs, whose sums may then differ in the last digits of a float32.
    assert np.array(values(steady)) == pytest.approx(np.array(values(expected)), abs=1e-5)
    said = running.of("guest")
    assert isinstance(said[0], Meta)
    assert [one.event for one in said if isinstance(one, Event)] == [
        "stream_added",
        "track_born",
        "source_ended",
        "stream_removed",
    ]
    assert isinstance(said[-1], Event), "nothing more is said of it, no health either"
    numbers = [one.seq for one in estimates(running.messages, "guest")]
    assert numbers == list(range(len(numbers)))


@pytest.fixture
def running(bundle: Bundle) -> Iterator[Running]:
    """A live stream, and guests of any name that have no frames yet."""

    def open_guest(source: str) -> Stream:
        if "away" in source:
            raise SourceOpenError(f"{source}: is not there")
        return make_stream(source.partition("=")[0], ScriptedSource([0.0], live=True, blocks_at_end=True), bundle)

    steady = make_stream("steady", ScriptedSource([0.0, 0.1], live=True, blocks_at_end=True), bundle)
    made = Running(bundle, steady, open_stream=open_guest)
    made.start()
    made.wait_for(count("steady", 1))
    yield made
    made.end()


def test_a_name_is_used_once_and_one_that_did_not_open_is_free_again(running: Running) -> None:
    for name in ("steady", "guest"):
        if name == "guest":
            running.pipeline.add("guest=synthetic")
            running.pipeline.remove("guest")
        with pytest.raises(ControlError, match="choose another name"):
            running.pipeline.add(f"{name}=synthetic")
    with pytest.raises(SourceOpenError, match="is not there"):
        running.pipeline.add("door=http://away/")
    assert running.pipeline.add("door=synthetic") == "door"


def test_the_only_stream_and_one_that_is_not_there_are_not_removed(running: Running) -> None:
    with pytest.raises(ControlError, match="the only one that runs"):
        running.pipeline.remove("steady")
    with pytest.raises(ControlError, match="'nobody': there is none; there are steady"):
        running.pipeline.remove("nobody")


def test_what_was_removed_is_forgotten_and_twenty_guests_leave_nothing_behind(running: Running) -> None:
    for number in range(20):
        running.pipeline.add(f"guest{number}=synthetic")
        running.pipeline.remove(f"guest{number}")
    running.wait_for(has_event("guest19", "stream_removed"))
    running.wait_for(lambda _: list(running.pipeline.stats) == ["steady"])
    assert not any(thread.name.startswith(("capture-guest", "faces-guest")) for thread in threading.enumerate())


def test_files_that_are_read_offline_get_no_further_stream(bundle: Bundle) -> None:
    pipeline = Pipeline(
        [make_stream("file", ScriptedSource(TIMES), bundle)],
        bundle,
        OnnxRuntimeEngine(bundle),
        settings=SourceSettings(),
        open_stream=refuse,
    )
    with pytest.raises(ControlError, match="have their streams from the start"):
        pipeline.add("guest=synthetic")
    assert len(list(pipeline.messages())) > len(TIMES)


def test_a_run_that_ends_takes_in_nobody_and_closes_what_was_opened(bundle: Bundle) -> None:
    guest = ScriptedSource([0.0], live=True)
    pipeline = Pipeline(
        [make_stream("steady", ScriptedSource([0.0], live=True), bundle)],
        bundle,
        OnnxRuntimeEngine(bundle),
        settings=SourceSettings(),
        open_stream=lambda _: make_stream("guest", guest, bundle),
    )

    def open_late(source: str) -> Stream:
        pipeline.close()
        return make_stream("guest", guest, bundle)

    pipeline._open_stream = open_late
    with pytest.raises(ControlError, match="about to end"):
        pipeline.add("guest=synthetic")
    assert guest.closed.is_set()
