"""Engines and detectors that fail or hang under a running pipeline: it says so, and goes on with others."""

from collections.abc import Callable, Iterator, Sequence
from pathlib import Path

import pytest

from streamaffect.errors import EngineError, FaultError
from streamaffect.faces.detectors.detector import FaceDetector
from streamaffect.messages import Estimate, Event, Health, Message, Meta
from streamaffect.pipeline.pipeline import Pipeline
from streamaffect.pipeline.worker import Stream
from streamaffect.runtime.bundle import Bundle, load_bundle
from streamaffect.runtime.engine import EngineInfo, StreamEngine
from streamaffect.runtime.onnxruntime import OnnxRuntimeEngine
from streamaffect.settings import SourceSettings
from streamaffect.sources.supervise import Backoff
from streamaffect.types import Face
from tests.support.bundles import write_bundle
from tests.support.faulty import FaultyEngine, Hang, raising
from tests.support.scripted import FACE, ScriptedDetector, ScriptedSource, make_face_stage

AT_ONCE = Backoff(min_s=0.001, max_s=0.001)
REGULAR = [i * 0.04 for i in range(40)]
PATIENCE_S = 0.5


@pytest.fixture
def bundle(tmp_path: Path) -> Bundle:
    return load_bundle(write_bundle(tmp_path / "bundle"))


@pytest.fixture
def hang() -> Iterator[Hang]:
    hang = Hang()
    yield hang
    hang.release()


def make_stream(
    name: str,
    bundle: Bundle,
    *,
    live: bool = False,
    detector: ScriptedDetector | None = None,
    then: Callable[[], FaceDetector] | None = None,
) -> Stream:
    """Of a file, or of a camera that gives a frame each hundredth of a second for ever."""
    source = ScriptedSource([i * 0.01 for i in range(100_000)] if live else REGULAR, live=live, pace_s=0.01 * live)
    return Stream(name, source, source.open(), make_face_stage(bundle, detector or ScriptedDetector()), then)


def make_pipeline(
    streams: Sequence[Stream], bundle: Bundle, engine: StreamEngine, *then: StreamEngine | Exception
) -> Pipeline:
    """With the engines that take over, one after the other; an exception is one that cannot be opened."""
    others = list(then)

    def reopen(_failed: EngineInfo, _failures: int) -> StreamEngine:
        other = others.pop(0) if len(others) > 1 else others[0]
        if isinstance(other, Exception):
            raise other
        return other

    return Pipeline(
        streams,
        bundle,
        engine,
        settings=SourceSettings(),
        reopen=reopen if then else None,
        pauses=AT_ONCE,
        patience_s=PATIENCE_S,
    )


def events(messages: Sequence[Message], *kinds: str) -> list[Event]:
    return [message for message in messages if isinstance(message, Event) and message.event.startswith(kinds)]


def until(messages: Iterator[Message], is_wanted: Callable[[Message], bool]) -> list[Message]:
    """The messages up to the first that is wanted."""
    taken: list[Message] = []
    for message in messages:
        taken.append(message)
        if is_wanted(message):
            return taken
    raise AssertionError("it never came")


def estimates_after(messages: Iterator[Message], event: str, stream: str) -> list[Message]:
    """All up to the first estimate of the stream after that event."""
    taken = until(messages, lambda one: isinstance(one, Event) and one.event == event and one.stream == stream)
    return taken + until(messages, lambda one: isinstance(one, Estimate) and one.stream == stream)


@pytest.mark.parametrize(
    ("error", "said"),
    [
        (RuntimeError("device lost\nand more"), "RuntimeError: device lost"),
        (MemoryError(), "MemoryError"),
        (ValueError("wrong shape"), "ValueError: wrong shape"),
    ],
)
def test_a_file_loses_no_frame_when_its_engine_fails_once(bundle: Bundle, error: Exception, said: str) -> None:
    healthy = OnnxRuntimeEngine(bundle)
    faulty = FaultyEngine(healthy, {10: raising(error)})
    messages = list(make_pipeline([make_stream("file", bundle)], bundle, faulty, healthy).messages())
    made = [message for message in messages if isinstance(message, Estimate)]
    assert [one.seq for one in made] == list(range(len(REGULAR)))
    assert [one.t_capture_ns for one in made] == [round(time_s * 1e9) for time_s in REGULAR]
    lost, back = events(messages, "engine")
    assert (lost.event, lost.detail, lost.t_ns <= made[9].t_capture_ns) == ("engine_lost", said, True)
    assert (back.event, back.detail, back.t_ns <= made[9].t_capture_ns) == ("engine_back", "onnxruntime CPU fp32", True)
    assert back.downtime_s is not None
    assert made[10].status == "warming"  # what the lost engine had made is not trusted
    assert faulty.closed.wait(10)


def test_who_subscribes_learns_which_engine_has_taken_over(bundle: Bundle) -> None:
    healthy = OnnxRuntimeEngine(bundle, reason="it took over")
    faulty = FaultyEngine(OnnxRuntimeEngine(bundle), {0: raising(RuntimeError("gone"))})
    messages = list(make_pipeline([make_stream("file", bundle)], bundle, faulty, healthy).messages())
    [meta] = [message for message in messages if isinstance(message, Meta)]
    assert (meta.stream, meta.engine_reason, meta.t_ns) == ("file", "it took over", 0)


def test_an_engine_that_cannot_be_opened_is_passed_over(bundle: Bundle) -> None:
    healthy = OnnxRuntimeEngine(bundle)
    faulty = FaultyEngine(healthy, {3: raising(RuntimeError("gone"))})
    pipeline = make_pipeline([make_stream("file", bundle)], bundle, faulty, EngineError("no GPU"), healthy)
    messages = list(pipeline.messages())
    assert [event.event for event in events(messages, "engine")] == ["engine_lost", "engine_back"]
    assert len([message for message in messages if isinstance(message, Estimate)]) == len(REGULAR)


def test_a_file_ends_with_one_error_when_every_engine_fails(bundle: Bundle) -> None:
    broken = FaultyEngine(OnnxRuntimeEngine(bundle), raising(RuntimeError("wrong shape")))
    stream = make_stream("file", bundle)
    messages: list[Message] = []
    with pytest.raises(FaultError, match=r"^the engine failed 3 times in a row: RuntimeError: wrong shape$") as caught:
        messages.extend(make_pipeline([stream], bundle, broken, broken).messages())
    assert caught.value.transient
    assert [event.event for event in events(messages, "source")] == ["source_ended"]
    assert isinstance(messages[-1], Health)


def test_without_another_engine_the_first_failure_ends_the_run_and_closes_everything(bundle: Bundle) -> None:
    broken = FaultyEngine(OnnxRuntimeEngine(bundle), raising(RuntimeError("out of memory")))
    detector = ScriptedDetector()
    stream = make_stream("file", bundle, detector=detector)
    with pytest.raises(FaultError, match=r"^the engine failed: RuntimeError: out of memory$"):
        list(make_pipeline([stream], bundle, broken).messages())
    assert detector.closed.is_set()


def test_live_an_engine_that_hangs_is_left_behind(bundle: Bundle, hang: Hang) -> None:
    healthy = OnnxRuntimeEngine(bundle)
    streams = [make_stream(name, bundle, live=True) for name in ("a", "b")]
    pipeline = make_pipeline(streams, bundle, FaultyEngine(healthy, {5: hang}), healthy)
    messages = pipeline.messages()
    told = events(estimates_after(messages, "engine_back", "b"), "engine")
    assert {(event.event, event.stream) for event in told} == {
        (event, stream) for event in ("engine_lost", "engine_back") for stream in ("a", "b")
    }
    assert told[0].detail.startswith("no answer for")
    hang.release()  # the call comes back after all, to nobody
    messages.close()
    assert not pipeline.has_stuck_threads


def test_estimates_are_numbered_without_gaps_over_a_hung_engine(bundle: Bundle, hang: Hang) -> None:
    healthy = OnnxRuntimeEngine(bundle)
    pipeline = make_pipeline([make_stream("a", bundle, live=True)], bundle, FaultyEngine(healthy, {5: hang}), healthy)
    messages = pipeline.messages()
    taken = estimates_after(messages, "engine_back", "a")
    hang.release()  # the call comes back after all: nobody listens to it any more
    taken += until(messages, lambda one: isinstance(one, Estimate) and one.seq >= 60)
    messages.close()
    assert [one.seq for one in taken if isinstance(one, Estimate)] == list(range(61))


def test_health_does_not_say_live_while_the_engine_hangs(bundle: Bundle, hang: Hang) -> None:
    healthy = OnnxRuntimeEngine(bundle)
    stream = make_stream("a", bundle, live=True)
    pipeline = Pipeline(
        [stream], bundle, FaultyEngine(healthy, {5: hang}), settings=SourceSettings(), patience_s=3600.0
    )
    messages = pipeline.messages()
    report = until(messages, lambda one: isinstance(one, Health) and one.state == "stalled")[-1]
    assert isinstance(report, Health)
    assert report.fault.startswith(("the engine has not answered for", "no picture for"))
    messages.close()
    assert pipeline.has_stuck_threads


def test_a_failing_detector_is_replaced_and_other_streams_do_not_notice(bundle: Bundle) -> None:
    def fails_later(time_s: float) -> list[Face]:
        if time_s >= 0.2:
            raise ZeroDivisionError("a bug")
        return [FACE]

    bad = make_stream("bad", bundle, live=True, detector=ScriptedDetector(fails_later), then=ScriptedDetector)
    good = make_stream("good", bundle, live=True)
    pipeline = make_pipeline([bad, good], bundle, OnnxRuntimeEngine(bundle))
    messages = pipeline.messages()
    taken = estimates_after(messages, "detector_back", "bad")
    taken += until(messages, lambda one: isinstance(one, Event) and one.event == "track_lost")
    messages.close()
    assert {(event.event, event.stream) for event in events(taken, "detector")} == {
        ("detector_lost", "bad"),
        ("detector_back", "bad"),
    }
    [gone] = events(taken, "track_lost")
    assert (gone.stream, gone.track) == ("bad", 0)
    assert {one.track for one in taken if isinstance(one, Estimate) and one.stream == "bad"} == {0, 1}
    assert {one.track for one in taken if isinstance(one, Estimate) and one.stream == "good"} == {0}


def test_a_hanging_detector_is_replaced_and_other_streams_do_not_notice(bundle: Bundle, hang: Hang) -> None:
    def hangs_later(time_s: float) -> list[Face]:
        if time_s >= 0.2:
            hang()
        return [FACE]

    bad = make_stream("bad", bundle, live=True, detector=ScriptedDetector(hangs_later), then=ScriptedDetector)
    good = make_stream("good", bundle, live=True)
    pipeline = make_pipeline([bad, good], bundle, OnnxRuntimeEngine(bundle))
    messages = pipeline.messages()
    taken = until(messages, lambda one: isinstance(one, Event) and one.event == "detector_lost")
    meanwhile = [one for one in taken if isinstance(one, Estimate) and one.stream == "good"]
    taken += until(messages, lambda one: isinstance(one, Estimate) and one.stream == "bad")
    messages.close()
    assert len(meanwhile) > 20
    assert events(taken, "detector_lost")[0].detail.startswith("no answer for")
    assert isinstance(taken[-1], Estimate) and taken[-1].track == 1


def test_a_file_whose_detector_keeps_failing_ends_and_the_others_are_read_to_their_end(bundle: Bundle) -> None:
    def fails(_: float) -> list[Face]:
        raise ZeroDivisionError("a bug")

    bad = make_stream("bad", bundle, detector=ScriptedDetector(fails), then=lambda: ScriptedDetector(fails))
    good = make_stream("good", bundle)
    messages: list[Message] = []
    with pytest.raises(FaultError, match=r"^bad: the face detector failed 3 times in a row: ZeroDivisionError: a bug$"):
        messages.extend(make_pipeline([bad, good], bundle, OnnxRuntimeEngine(bundle)).messages())
    assert len([one for one in messages if isinstance(one, Estimate) and one.stream == "good"]) == len(REGULAR)
    [ended] = [event for event in events(messages, "source_ended") if event.stream == "bad"]
    assert "a bug" in ended.detail


def test_a_file_loses_no_frame_when_its_detector_fails_once(bundle: Bundle) -> None:
    def fails_once(time_s: float) -> list[Face]:
        if time_s == REGULAR[10]:
            raise ZeroDivisionError("a bug")
        return [FACE]

    stream = make_stream("file", bundle, detector=ScriptedDetector(fails_once), then=ScriptedDetector)
    messages = list(make_pipeline([stream], bundle, OnnxRuntimeEngine(bundle)).messages())
    made = [message for message in messages if isinstance(message, Estimate)]
    assert [one.t_capture_ns for one in made] == [round(time_s * 1e9) for time_s in REGULAR]
    assert [one.track for one in made] == [0] * 10 + [1] * 30
