"""What a stream reports about itself, on a clock that the test turns."""

from collections.abc import Iterator
from pathlib import Path

import msgspec
import numpy as np
import pytest
from msgspec import UNSET

from streamaffect.clock import RECENT_S
from streamaffect.messages import Health, LatencySummary, SourceState
from streamaffect.pipeline import stats
from streamaffect.pipeline.stats import Rate, StreamStats
from streamaffect.types import Box, Face, Frame, Light, PictureLights, Sighting, Sightings

S = 1_000_000_000
REST: tuple[Light, Light, Light] = ("good", "good", "fair")


class Watch:
    """A monotonic clock that stands still until it is moved."""

    def __init__(self) -> None:
        self.now_ns = 50 * S

    def advance(self, seconds: float) -> None:
        self.now_ns += round(seconds * S)


@pytest.fixture
def watch(monkeypatch: pytest.MonkeyPatch) -> Iterator[Watch]:
    watch = Watch()
    monkeypatch.setattr(stats, "monotonic_ns", lambda: watch.now_ns)
    yield watch


@pytest.fixture
def stream(watch: Watch) -> StreamStats:
    return StreamStats("cam", duration_s=None)


def looked_at(index: int, time_s: float = 0.0, *, visible: int = 0, hidden: int = 0, left_out: int = 0) -> Sightings:
    face = Face(Box(0, 0, 1, 1), 1.0)
    faces = [Sighting(i, face, i < visible, None, None) for i in range(visible + hidden)]
    frame = Frame(np.zeros((1, 1, 3), np.uint8), index, time_s, 0, None)
    return Sightings(frame, faces, (), (), 0, 0, left_out)


def health(stream: StreamStats) -> Health:
    return stream.health(0, dropped={}, latency_ms=None)


def test_a_rate_needs_two_notes() -> None:
    rate = Rate()
    assert rate.per_second(S, 0) == 0.0
    rate.add(S, 1)
    assert rate.per_second(S, 1) == 0.0


def test_a_rate_counts_the_events_since_the_first_note() -> None:
    rate = Rate()
    for i in range(11):
        rate.add(i * S // 10, i)
    assert rate.per_second(S, 10) == pytest.approx(10.0)


def test_a_rate_forgets_what_is_older_than_its_window() -> None:
    rate = Rate()
    for i in range(1000):
        rate.add(i * S // 100, i)  # 100 a second for ten seconds
    for i in range(100):
        rate.add(10 * S + i * S // 10, 1000 + i)  # then 10 a second
    assert rate.per_second(20 * S, 1100) == pytest.approx(10, rel=0.05)
    assert len(rate._samples) <= RECENT_S * 10 + 2


def test_a_stream_that_falls_silent_comes_to_a_rate_of_zero() -> None:
    rate = Rate()
    for i in range(100):
        rate.add(i * S // 25, i)
    last_ns = 99 * S // 25
    assert 0 < rate.per_second(last_ns + round(RECENT_S * S / 2), 99) < 25
    assert rate.per_second(last_ns + round(RECENT_S * S), 99) == 0.0


def test_a_new_stream_is_starting_with_nothing_counted(stream: StreamStats) -> None:
    report = health(stream)
    assert (report.state, report.frames, report.skipped, report.estimates, report.faces) == ("starting", 0, 0, 0, 0)
    assert (report.fps_in, report.fps_out, report.latency_ms, report.progress) == (0.0, 0.0, None, None)


def test_frames_that_nobody_looked_at_are_skipped_and_count_as_grabbed(stream: StreamStats, watch: Watch) -> None:
    for index in (0, 1, 4, 5, 9):
        stream.take_frame(looked_at(index))
        watch.advance(1.0)
    report = health(stream)
    assert (report.frames, report.skipped, stream.finished) == (10, 5, 5)
    assert report.fps_in == pytest.approx(9 / 5)
    assert report.fps_out == pytest.approx(4 / 5)


def test_frames_that_were_skipped_before_the_first_count_too(stream: StreamStats) -> None:
    stream.take_frame(looked_at(3))
    assert (health(stream).frames, health(stream).skipped) == (4, 3)


def test_faces_are_those_that_are_visible_now(stream: StreamStats) -> None:
    stream.take_frame(looked_at(0, visible=2, hidden=1))
    assert health(stream).faces == 2
    stream.take_frame(looked_at(1, hidden=3))
    assert (health(stream).faces, stream.frames_with_face) == (0, 1)


def test_the_state_follows_the_source(stream: StreamStats, watch: Watch) -> None:
    stream.take_frame(looked_at(0))
    assert health(stream).state == "live"
    stream.source_lost()
    stream.take_frame(looked_at(1))  # was grabbed before the loss
    watch.advance(3.0)
    assert (health(stream).state, health(stream).downtime_s, health(stream).reconnects) == ("lost", 3.0, 0)
    stream.source_back(downtime_s=3.5)
    stream.take_frame(looked_at(2))
    assert (health(stream).state, health(stream).downtime_s, health(stream).reconnects) == ("live", 3.5, 1)
    watch.advance(9.0)
    stream.source_ended()
    assert health(stream).state == "ended"
    assert health(stream).uptime_s == 12.0


def test_a_live_stream_without_a_frame_for_long_is_not_live(stream: StreamStats, watch: Watch) -> None:
    for index in range(25):
        stream.take_frame(looked_at(index))
        watch.advance(0.04)
    assert (health(stream).state, health(stream).fault) == ("live", "")
    watch.advance(2.0)
    assert (health(stream).state, health(stream).fault) == ("stalled", "no picture for 2.0 s")
    stream.take_frame(looked_at(25))
    assert health(stream).state == "live"


def test_a_camera_with_few_frames_is_live_between_them(stream: StreamStats, watch: Watch) -> None:
    for index in range(5):
        stream.take_frame(looked_at(index))
        watch.advance(2.0)
    assert health(stream).state == "live"


def test_a_file_is_never_silent(watch: Watch) -> None:
    stream = StreamStats("file", duration_s=10.0, is_live=False)
    stream.take_frame(looked_at(0))
    watch.advance(60.0)
    assert health(stream).state == "live"


@pytest.mark.parametrize(("before", "state"), [("starting", "starting"), ("live", "stalled"), ("lost", "lost")])
def test_a_fault_shows_in_a_live_stream_and_is_said_of_any(
    stream: StreamStats, before: SourceState, state: SourceState
) -> None:
    stream.state = before
    report = stream.health(0, dropped={}, latency_ms=None, fault="the engine failed: out of memory")
    assert (report.state, report.fault) == (state, "the engine failed: out of memory")


def test_faces_without_room_are_counted_and_said_once_all_are_seen(
    stream: StreamStats, caplog: pytest.LogCaptureFixture
) -> None:
    for index, left_out in enumerate((0, 1, 5, 3, 0, 2)):
        stream.take_frame(looked_at(index, index * 0.4, visible=8, left_out=left_out))
        assert health(stream).faces_left_out == left_out
        assert bool(caplog.records) is (index >= 4)
    stream.source_ended()
    said = "cam: 5 faces in view are left out, 8 are followed; --set tracker.max_faces=13 would follow all"
    assert [record.getMessage() for record in caplog.records] == [said]


def test_of_a_short_file_they_are_said_at_its_end(stream: StreamStats, caplog: pytest.LogCaptureFixture) -> None:
    stream.take_frame(looked_at(0, visible=1, left_out=1))
    assert not caplog.records
    stream.source_ended()
    said = "cam: 1 face in view is left out, 1 is followed; --set tracker.max_faces=2 would follow all"
    assert [record.getMessage() for record in caplog.records] == [said]


def test_estimates_are_counted(stream: StreamStats) -> None:
    for _ in range(3):
        stream.take_estimate(has_values=True)
    assert health(stream).estimates == 3


def test_what_sinks_say_is_passed_on(stream: StreamStats) -> None:
    latency_ms = LatencySummary(1.0, 2.0, 3.0)
    report = stream.health(123, dropped={"zmq": 4}, latency_ms=latency_ms)
    assert (report.dropped, report.latency_ms, report.t_ns, report.stream) == ({"zmq": 4}, latency_ms, 123, "cam")


def test_the_progress_of_a_file_goes_from_nothing_to_all_of_it(watch: Watch) -> None:
    stream = StreamStats("file", duration_s=10.0)
    assert health(stream).progress == 0.0
    for index, time_s in enumerate((2.0, 7.0)):  # a file may start at any time
        stream.take_frame(looked_at(index, time_s))
    assert health(stream).progress == 0.5
    stream.take_frame(looked_at(2, 13.0))  # and be longer than its container says
    assert health(stream).progress == 1.0


def test_a_file_that_has_ended_is_done_however_long_it_was_said_to_be() -> None:
    stream = StreamStats("file", duration_s=10.0)
    stream.take_frame(looked_at(0, 0.0))
    stream.source_ended()
    assert health(stream).progress == 1.0


@pytest.mark.skipif(not Path("/proc/self/status").exists(), reason="needs /proc")
def test_memory_is_that_of_this_process_in_mebibytes(stream: StreamStats) -> None:
    status = dict(line.split(":", 1) for line in Path("/proc/self/status").read_text().splitlines())
    peak_mb = int(status["VmHWM"].split()[0]) / 1024
    assert health(stream).memory_mb == pytest.approx(peak_mb, rel=0.2)


def test_outlets_that_reach_nobody_stand_in_the_report_and_nowhere_where_there_are_none(stream: StreamStats) -> None:
    assert health(stream).outlets is UNSET
    report = stream.health(0, dropped={}, latency_ms=None, outlets={"mqtt": "no broker listens at home:1883"})
    assert report.outlets == {"mqtt": "no broker listens at home:1883"}


def test_the_lights_are_those_of_the_largest_face_in_most_of_the_last_pictures(stream: StreamStats) -> None:
    def seen(index: int, light: Light, *, far: Light = "poor") -> Sightings:
        near_and_far = [
            Sighting(0, Face(Box(0, 0, 0.5, 0.5), 1.0), True, None, 0.9, None, PictureLights(light, *REST)),
            Sighting(1, Face(Box(0, 0, 0.1, 0.1), 1.0), True, None, 0.9, None, PictureLights(far, far, far, far)),
        ]
        return Sightings(Frame(np.zeros((1, 1, 3), np.uint8), index, index / 30, 0, None), near_and_far, (), (), 0, 0)

    for index in range(30):
        stream.take_frame(seen(index, "poor" if index % 3 == 0 else "good"))
    assert health(stream).picture == PictureLights("good", "good", "good", "fair")
    for index in range(30, 50):
        stream.take_frame(seen(index, "poor"))
    assert health(stream).picture == PictureLights("poor", "good", "good", "fair")


def test_where_most_pictures_have_no_face_there_are_no_lights(stream: StreamStats) -> None:
    for index in range(20):
        stream.take_frame(looked_at(index))
    assert health(stream).picture is msgspec.UNSET
