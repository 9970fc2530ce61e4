"""Parts of the exports by themselves: the latest word, rows at a fixed rate, states and moments."""

import xml.etree.ElementTree as ET
from collections.abc import Iterable
from io import BytesIO

import pytest
from hypothesis import given
from hypothesis import strategies as st

from streamaffect.messages import Estimate, Event, Health
from streamaffect.recordings.export.elan import write_elan
from streamaffect.recordings.export.episodes import Episode, episodes, marker_text
from streamaffect.recordings.export.latest import ROWS_HELD, latest
from streamaffect.recordings.export.medium import medium_of
from streamaffect.recordings.export.resample import resample
from streamaffect.recordings.export.table import Row, Table, rows
from streamaffect.recordings.export.xml_text import xml_text
from streamaffect.recordings.header import RecordedStream
from tests.support.recordings import START_NS, estimate_at, live_header, refined_clip


class MarkedEvent(Event, frozen=True, kw_only=True, tag="event"):
    """An event with a label, as a marker has one."""

    label: str


def rows_of(estimates: Iterable[Estimate]) -> list[Row]:
    return list(rows(estimates, None, start_ns=0))


def found_in(*happenings: Event | Health) -> list[Episode]:
    table = Table(header=live_header(), columns=(), rows=(), happenings=happenings, origins_ns={"webcam": START_NS})
    return episodes(table, table.rows)


def test_the_latest_word_keeps_the_order_of_capture() -> None:
    found = list(latest(rows_of(refined_clip())))
    assert [row.timestamp_s for row in found] == [0.0, 0.04, 0.08, 0.12, 0.16]
    assert [row.estimate.lookahead_s for row in found] == [0.08, 0.08, 0.08, 0.0, 0.0]


def test_the_latest_word_loses_no_picture_of_a_long_recording() -> None:
    count = ROWS_HELD + 100
    found = list(latest(rows_of(estimate_at(i * 0.04, seq=i) for i in range(count))))
    assert [row.estimate.seq for row in found] == list(range(count))


@given(st.lists(st.integers(1, 2000), min_size=1, max_size=40), st.sampled_from([0.5, 1.0, 10.0, 25.0, 29.97]))
def test_every_multiple_of_the_period_has_exactly_one_row(steps_ms: list[int], rate_hz: float) -> None:
    times_s = [sum(steps_ms[:count]) / 1000 for count in range(1, len(steps_ms) + 1)]
    found = list(resample(rows_of(estimate_at(time_s) for time_s in times_s), rate_hz, longest_s=0.64))
    numbers = [row.frame for row in found]
    wanted = [
        number
        for number in range(int(times_s[-1] * rate_hz) + 2)
        if times_s[0] - 1e-10 <= number / rate_hz <= times_s[-1] + 1e-10
    ]
    assert numbers == wanted
    for row in found:
        around = [time_s for time_s in times_s if abs(time_s - row.timestamp_s) <= 0.64]
        assert row.gap or around


def test_estimates_that_come_too_late_for_their_place_are_passed_over() -> None:
    sent = [estimate_at(0.0), estimate_at(0.2, seq=1), estimate_at(0.1, seq=2), estimate_at(0.3, seq=3)]
    assert [row.timestamp_s for row in resample(rows_of(sent), 10, longest_s=1.0)] == [0.0, 0.1, 0.2, 0.3]


def test_an_event_with_a_label_is_a_marker_with_that_text() -> None:
    marked = MarkedEvent(stream="webcam", t_ns=START_NS + 10**9, event="clock_stepped", label="stimulus 1")
    assert marker_text(marked) == "stimulus 1"
    assert found_in(marked) == [Episode("webcam", None, "marker", "stimulus 1", 1.0, None)]


@pytest.mark.parametrize(("track", "text"), [(None, "track_born"), (7, "track_born:7")])
def test_an_event_without_a_label_has_its_name_and_track(track: int | None, text: str) -> None:
    assert marker_text(Event(stream="webcam", t_ns=0, event="track_born", track=track)) == text


def test_a_state_that_never_ended_lasts_until_the_last_that_is_known() -> None:
    lost = Event(stream="webcam", t_ns=START_NS, event="source_lost")
    later = Event(stream="webcam", t_ns=START_NS + 3 * 10**9, event="source_ended")
    assert Episode("webcam", None, "source_lost", "source_lost", 0.0, 3.0) in found_in(lost, later)


def test_a_state_that_was_there_before_the_recording_is_left_out() -> None:
    assert found_in(Event(stream="webcam", t_ns=START_NS, event="source_back", downtime_s=1.0)) == []


def test_in_elan_a_marker_lasts_until_the_next_one() -> None:
    marks = [
        MarkedEvent(stream="webcam", t_ns=START_NS + second * 10**9, event="source_ended", label=label)
        for second, label in ((1, "stimulus 1"), (4, "stimulus 2"))
    ]
    end = Event(stream="webcam", t_ns=START_NS + 9 * 10**9, event="source_ended")
    table = Table(header=live_header(), columns=(), rows=(), happenings=[*marks, end], origins_ns={"webcam": START_NS})
    file = BytesIO()
    assert write_elan(file, table) == 3
    root = ET.fromstring(file.getvalue())
    times = {slot.attrib["TIME_SLOT_ID"]: slot.attrib["TIME_VALUE"] for slot in root.iter("TIME_SLOT")}
    found = [
        (times[note.attrib["TIME_SLOT_REF1"]], times[note.attrib["TIME_SLOT_REF2"]], note.findtext("ANNOTATION_VALUE"))
        for note in root.iterfind("TIER[@TIER_ID='webcam markers']//ALIGNABLE_ANNOTATION")
    ]
    assert found == [("1000", "4000", "stimulus 1"), ("4000", "9000", "stimulus 2")]


@pytest.mark.parametrize(
    ("source", "path"),
    [
        ("talks/a b.mp4", "talks/a b.mp4"),
        ("clip.mkv#video=1", "clip.mkv"),
        ("webcam:1", None),
        ("demo", None),
        ("rtsp://host/live.mp4", None),
        ("replay:a.jsonl", None),
    ],
)
def test_a_medium_is_a_file_that_can_be_shown(source: str, path: str | None) -> None:
    medium = medium_of(RecordedStream(stream="a", source=source, live=False))
    assert (None if medium is None else medium.path) == path


def test_what_xml_cannot_hold_is_replaced() -> None:
    assert xml_text("a\x00b\x1fc\ud800\n<&>ü😀") == "a\ufffdb\ufffdc\ufffd\n<&>ü😀"
