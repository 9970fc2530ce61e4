"""A recording as courses to be drawn, and what is shown of it as CSV."""

import csv
import io
import math
from pathlib import Path

import pytest
from msgspec.structs import replace

from streamaffect.errors import RecordingError
from streamaffect.messages import Event, HeadMeta, Message
from streamaffect.recordings.courses import SQUARE, VALUES, read_courses
from streamaffect.recordings.export.shown import Selection, write_shown
from streamaffect.recordings.voices import VOICE_VALUES
from streamaffect.types import Square
from tests.support.recordings import (
    estimate_at,
    file_header,
    live_estimate_at,
    live_header,
    record,
    refined_clip,
    voice_at,
)


def marker(time_s: float, label: str) -> Event:
    return Event(stream="clip", t_ns=round(time_s * 1e9), event="marker", label=label, origin="ctl")


def shown(path: Path, selection: Selection, decimal: str = ".") -> list[dict[str, str]]:
    file = io.BytesIO()
    count = write_shown(file, path, selection, decimal="," if decimal == "," else ".")
    found = list(csv.DictReader(io.StringIO(file.getvalue().decode()), delimiter=";" if decimal == "," else ","))
    assert len(found) == count
    return found


@pytest.fixture
def two_faces(tmp_path: Path) -> Path:
    """Two faces, four pictures a second for five seconds; the second abstains at 2 s. Markers at 1.1 and 3 s."""
    messages: list[object] = []
    for i in range(20):
        poor: dict[str, object] = {
            "valence": None,
            "arousal": None,
            "valence_interval": None,
            "arousal_interval": None,
            "outputs": {},
        }
        messages += [
            estimate_at(i / 4, track=1, seq=2 * i),
            estimate_at(i / 4, track=2, seq=2 * i + 1, **({"status": "abstain", **poor} if i == 8 else {})),
        ]
    messages += [marker(1.1, "one"), marker(3.0, "two")]
    return record(tmp_path / "two.jsonl", messages)  # type: ignore[arg-type]


def test_each_face_has_a_course_with_its_values_and_nothing_where_it_abstained(two_faces: Path) -> None:
    courses = read_courses(two_faces)
    assert courses.estimates == 40
    assert courses.names == (*VALUES, "emotions/neutral", "emotions/happiness", "emotions/sadness")
    one, other = courses.courses
    assert (one.track, other.track) == (1, 2)
    assert list(one.seconds) == [i / 4 for i in range(20)]
    named = dict(zip(courses.names, other.columns, strict=True))
    assert named["valence"][7] == pytest.approx(0.31)
    assert math.isnan(named["valence"][8])
    assert math.isnan(named["emotions/happiness"][8])
    assert list(named["status"][7:10]) == [0, 3, 0]
    assert [(moment.seconds, moment.label) for moment in courses.moments] == [(1.1, "one"), (3.0, "two")]


def test_outputs_of_lenses_have_columns_and_so_have_the_ends_of_their_intervals(tmp_path: Path) -> None:
    said = {"units": {"AU12": 0.5}, "prompts": {"a / b": 0.25}}
    ends = {"units": {"AU12": (0.25, 0.75)}}
    messages = [
        estimate_at(0, seq=0),
        estimate_at(1, seq=1, outputs=said, output_intervals=ends, description="Looks happy."),
    ]
    courses = read_courses(record(tmp_path / "lenses.jsonl", messages))
    assert courses.outputs[3:] == (
        ("units", "AU12", "value"),
        ("units", "AU12", "low"),
        ("units", "AU12", "high"),
        ("prompts", "a / b", "value"),
    )
    assert courses.courses[0].descriptions == [(1.0, "Looks happy.")]
    columns = courses.courses[0].columns[len(VALUES) + 3 :]
    assert [column[1] for column in columns] == [0.5, 0.25, 0.75, 0.25]
    assert all(math.isnan(column[0]) for column in columns)


def test_where_maps_lie_is_kept_of_recordings_that_have_some(tmp_path: Path) -> None:
    header = file_header()
    heads = [*header.heads, HeadMeta(name="map", kind="map", outputs=[{"name": "y0x0"}])]
    square = Square((0.5, 0.25), (1.0, 0.25), (0.5, 0.75))
    messages = [estimate_at(0, seq=0), estimate_at(1, seq=1, outputs={"map": {"y0x0": 0.5}}, square=square)]
    courses = read_courses(record(tmp_path / "map.jsonl", messages, replace(header, heads=heads)))
    assert courses.names[len(VALUES) :] == (*SQUARE, *courses.names[len(VALUES) + len(SQUARE) :])
    named = dict(zip(courses.names, courses.courses[0].columns, strict=True))
    assert [named[name][1] for name in SQUARE] == [0.5, 0.25, 1.0, 0.25, 0.5, 0.75]
    assert all(math.isnan(named[name][0]) for name in SQUARE)
    assert named["map/y0x0"][1] == 0.5


def test_of_a_refined_picture_the_latest_word_is_drawn(tmp_path: Path) -> None:
    (course,) = read_courses(record(tmp_path / "refined.jsonl", refined_clip())).courses
    assert list(course.seconds) == pytest.approx([0, 0.04, 0.08, 0.12, 0.16])


def test_a_live_recording_begins_at_its_first_estimate(tmp_path: Path) -> None:
    path = record(tmp_path / "live.jsonl", [live_estimate_at(1, seq=0), live_estimate_at(2.5, seq=1)], live_header())
    (course,) = read_courses(path).courses
    assert list(course.seconds) == pytest.approx([0, 1.5])


def test_a_voice_has_a_course_of_its_own_with_nothing_where_nobody_is_heard(tmp_path: Path) -> None:
    quiet = voice_at(1.0, state="quiet", arousal=None, arousal_interval=None)
    messages: list[Message] = [voice_at(0.5, track=2), estimate_at(0.6, seq=0), quiet, voice_at(1.5, stream="other")]
    one, other = read_courses(record(tmp_path / "talk.jsonl", messages)).voices
    assert (one.stream, list(one.seconds)) == ("clip", [0.5, 1.0])
    assert (other.stream, list(other.seconds)) == ("other", [1.5])
    named = dict(zip(VOICE_VALUES, one.columns, strict=True))
    assert [named[name][0] for name in VOICE_VALUES] == pytest.approx([0.25, -0.3, 0.8, 0.8, 2])
    assert math.isnan(named["arousal"][1]) and math.isnan(named["track"][1])


def test_a_voice_without_a_face_begins_a_live_recording(tmp_path: Path) -> None:
    messages = [voice_at(100 + i / 2, stream="webcam", pts_s=None) for i in range(3)]
    (voice,) = read_courses(record(tmp_path / "radio.jsonl", messages, live_header())).voices
    assert list(voice.seconds) == [0.0, 0.5, 1.0]


def test_a_recording_without_faces_has_no_course(tmp_path: Path) -> None:
    assert read_courses(record(tmp_path / "empty.jsonl", [])).courses == []


def test_what_is_no_recording_is_said(tmp_path: Path) -> None:
    (tmp_path / "text.jsonl").write_text("hello\n")
    with pytest.raises(RecordingError, match="is not a streamaffect recording"):
        read_courses(tmp_path / "text.jsonl")


def test_the_csv_has_the_faces_and_times_that_are_shown_and_nothing_that_is_left_out(two_faces: Path) -> None:
    faces = frozenset({("clip", 2)})
    rows = shown(two_faces, Selection(faces, within=(1.0, 4.0), without=((1.9, 2.1), (3.25, 9.0))))
    assert {row["face_id"] for row in rows} == {"2"}
    assert [float(row["timestamp"]) for row in rows] == [1.0, 1.25, 1.5, 1.75, 2.25, 2.5, 2.75, 3.0]
    assert [row["marker"] for row in rows] == ["", "one", "", "", "", "", "", "two"]


def test_a_marker_in_what_is_left_out_is_left_out_with_it(two_faces: Path) -> None:
    rows = shown(two_faces, Selection(frozenset({("clip", 1)}), within=(0.0, 2.0), without=((1.0, 1.2),)))
    assert "marker" not in rows[0]
    assert [float(row["timestamp"]) for row in rows] == [0, 0.25, 0.5, 0.75, 1.25, 1.5, 1.75, 2.0]


def test_decimal_commas_are_written_where_they_are_asked_for(two_faces: Path) -> None:
    rows = shown(two_faces, Selection(frozenset({("clip", 1)}), within=(0.25, 0.25)), decimal=",")
    assert [row["timestamp"] for row in rows] == ["0,25"]
