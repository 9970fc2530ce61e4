"""Exports, read back with other libraries."""

import csv
import json
import stat
import subprocess
import sys
import tracemalloc
import xml.etree.ElementTree as ET
from io import StringIO
from pathlib import Path
from typing import Any, get_args

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from pyarrow.csv import ConvertOptions, read_csv
from rich.console import Console

from streamaffect.errors import ConfigError, RecordingError
from streamaffect.messages import Event, Message
from streamaffect.recordings import export as export_package
from streamaffect.recordings.export import Format, export
from streamaffect.recordings.header import encode_header
from tests.support.recordings import (
    START_NS,
    estimate_at,
    file_header,
    live_estimate_at,
    live_header,
    record,
    refined_clip,
)

FORMATS: tuple[Format, ...] = ("csv", "parquet", "emotionml")
EVERY_FORMAT: tuple[Format, ...] = get_args(Format)
TEXTS = {"stream": pa.string(), "status": pa.string()}  # as docs/recordings.md says
EMOTIONML = {"e": "http://www.w3.org/2009/10/emotionml", "sa": "urn:x-streamaffect:emotionml:1"}


@pytest.fixture
def clip(tmp_path: Path) -> Path:
    """A file with a good, a warming, an abstaining and a held estimate, and an event."""
    unknown: dict[str, Any] = {
        "valence": None,
        "arousal": None,
        "valence_interval": None,
        "arousal_interval": None,
        "outputs": {},
        "quality": None,
    }
    sent: list[Message] = [
        Event(stream="clip", t_ns=0, event="track_born", track=3),
        estimate_at(0.0, seq=0),
        estimate_at(0.04, seq=1, status="warming"),
        estimate_at(0.08, seq=2, status="abstain", **unknown),
        estimate_at(0.12, seq=3, status="held"),
    ]
    return record(tmp_path / "clip.jsonl", sent)


def rows_of(path: Path) -> list[dict[str, str]]:
    with path.open(newline="", encoding="utf-8") as file:
        return list(csv.DictReader(file))


def test_the_csv_has_the_columns_in_their_documented_order(clip: Path) -> None:
    export(clip, clip.with_suffix(".csv"))
    names = clip.with_suffix(".csv").read_text().partition("\n")[0]
    assert names == (
        "frame,face_id,timestamp,confidence,success,valence,arousal,valence_low,valence_high,arousal_low,arousal_high,"
        "status,coverage,context_fill,lookahead_s,refines,box_x,box_y,box_w,box_h,quality,"
        "emotions_neutral,emotions_happiness,emotions_sadness,stream,seq,t_capture_ns"
    )


def test_a_csv_row_holds_what_the_estimate_says(clip: Path) -> None:
    exported = export(clip, clip.with_suffix(".csv"))
    first = rows_of(exported.path)[0]
    assert first["frame"] == "1"
    assert first["face_id"] == "3"
    assert (first["valence"], first["arousal"]) == ("0.31", "-0.12")
    assert (first["valence_low"], first["arousal_high"]) == ("0.12", "0.1")
    assert (first["box_x"], first["box_h"]) == ("0.41", "0.3")
    assert first["emotions_happiness"] == "0.62"
    assert (first["stream"], first["seq"], first["refines"]) == ("clip", "0", "")


def test_success_is_1_where_the_face_was_seen_and_estimated(clip: Path) -> None:
    export(clip, clip.with_suffix(".csv"))
    rows = rows_of(clip.with_suffix(".csv"))
    assert [(row["status"], row["success"]) for row in rows] == [
        ("ok", "1"),
        ("warming", "1"),
        ("abstain", "0"),
        ("held", "0"),
    ]
    assert rows[2]["valence"] == rows[2]["emotions_neutral"] == rows[2]["quality"] == ""


def test_refined_estimates_keep_the_frame_of_the_picture_they_are_about(tmp_path: Path) -> None:
    export(record(tmp_path / "a.jsonl", refined_clip()), tmp_path / "a.csv")
    rows = rows_of(tmp_path / "a.csv")
    assert [(row["frame"], row["timestamp"]) for row in rows if row["refines"] == ""] == [
        ("1", "0.0"),
        ("2", "0.04"),
        ("3", "0.08"),
        ("4", "0.12"),
        ("5", "0.16"),
    ]
    assert [row["frame"] for row in rows if row["refines"]] == ["1", "2", "3"]


def test_live_timestamps_count_from_the_first_estimate_of_all_streams(tmp_path: Path) -> None:
    sent = [live_estimate_at(2.0, stream="door"), live_estimate_at(3.5, stream="hall")]
    path = record(tmp_path / "a.jsonl", sent, live_header("door", "hall"))
    export(path, tmp_path / "a.csv")
    rows = rows_of(tmp_path / "a.csv")
    assert [row["timestamp"] for row in rows] == ["0.0", "1.5"]
    assert rows[0]["t_capture_ns"] == str(START_NS + 2 * 10**9)


def test_the_timestamp_is_that_of_the_file_even_where_the_file_is_played_live(tmp_path: Path) -> None:
    path = record(tmp_path / "a.jsonl", [live_estimate_at(0.0, pts_s=12.0)], live_header())
    export(path, tmp_path / "a.csv")
    assert rows_of(tmp_path / "a.csv")[0]["timestamp"] == "12.0"


@pytest.mark.parametrize("format", FORMATS)
def test_one_stream_can_be_exported_alone(tmp_path: Path, format: Format) -> None:
    sent = [live_estimate_at(i, stream=stream) for i, stream in enumerate(("door", "hall", "door"))]
    path = record(tmp_path / "a.jsonl", sent, live_header("door", "hall"))
    assert export(path, tmp_path / "all", format=format).rows == 3
    assert export(path, tmp_path / "door", format=format, stream="door").rows == 2


def test_a_parquet_file_has_typed_columns_and_nulls(clip: Path) -> None:
    export(clip, clip.with_suffix(".parquet"))
    table = pq.read_table(clip.with_suffix(".parquet"))
    assert {name: str(table.schema.field(name).type) for name in ("frame", "valence", "status", "t_capture_ns")} == {
        "frame": "int64",
        "valence": "double",
        "status": "string",
        "t_capture_ns": "int64",
    }
    assert table["valence"].to_pylist() == [0.31, 0.31, None, 0.31]
    assert table["refines"].null_count == 4


def test_parquet_and_csv_hold_the_same_table(tmp_path: Path) -> None:
    path = record(tmp_path / "a.jsonl", refined_clip())
    export(path, tmp_path / "a.csv")
    export(path, tmp_path / "a.parquet")
    parquet = pq.read_table(tmp_path / "a.parquet").to_pylist()
    as_text = [{name: "" if value is None else str(value) for name, value in row.items()} for row in parquet]
    assert as_text == rows_of(tmp_path / "a.csv")


def test_a_parquet_file_carries_the_header_of_the_recording(clip: Path) -> None:
    export(clip, clip.with_suffix(".parquet"))
    metadata = pq.read_schema(clip.with_suffix(".parquet")).metadata
    assert json.loads(metadata[b"streamaffect.header"]) == json.loads(encode_header(file_header()))


def test_parquet_without_pyarrow_says_what_to_install(clip: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "pyarrow", None)
    with pytest.raises(ConfigError, match="pip install 'pyarrow>=18'"):
        export(clip, clip.with_suffix(".parquet"))
    assert [entry.name for entry in clip.parent.iterdir()] == ["clip.jsonl"]


def test_emotionml_maps_affect_to_the_scale_from_0_to_1(clip: Path) -> None:
    exported = export(clip, clip.with_suffix(".emotionml"))
    root = ET.parse(exported.path).getroot()
    assert root.tag == "{http://www.w3.org/2009/10/emotionml}emotionml"
    assert root.attrib["version"] == "1.0"
    assert root.attrib["dimension-set"] == "http://www.w3.org/TR/emotion-voc/xml#fsre-dimensions"
    dimensions = {item.attrib["name"]: item.attrib for item in root.findall("e:emotion[1]/e:dimension", EMOTIONML)}
    assert dimensions["valence"] == {"name": "valence", "value": "0.655", "confidence": "0.82"}
    assert dimensions["arousal"] == {"name": "arousal", "value": "0.44", "confidence": "0.775"}


def test_emotionml_leaves_out_estimates_without_a_value(clip: Path) -> None:
    exported = export(clip, clip.with_suffix(".emotionml"))
    found = ET.parse(exported.path).getroot().findall("e:emotion/e:info/sa:estimate", EMOTIONML)
    assert [item.attrib["seq"] for item in found] == ["0", "1", "3"]
    assert exported.rows == 3


def test_emotionml_declares_every_category_that_it_uses(clip: Path) -> None:
    export(clip, clip.with_suffix(".emotionml"))
    root = ET.parse(clip.with_suffix(".emotionml")).getroot()
    vocabulary = root.find("e:vocabulary", EMOTIONML)
    assert vocabulary is not None
    assert root.attrib["category-set"] == f"#{vocabulary.attrib['id']}"
    declared = [item.attrib["name"] for item in vocabulary]
    used = [item.attrib["name"] for item in root.findall("e:emotion[1]/e:category", EMOTIONML)]
    assert used == declared == ["neutral", "happiness", "sadness"]


def test_emotionml_places_files_by_offset_and_live_streams_by_utc(clip: Path, tmp_path: Path) -> None:
    live = record(tmp_path / "live.jsonl", [live_estimate_at(1.5)], live_header())
    export(clip, tmp_path / "clip.xml")
    export(live, tmp_path / "live.xml")
    in_file = ET.parse(tmp_path / "clip.xml").getroot().findall("e:emotion", EMOTIONML)[1]
    in_life = ET.parse(tmp_path / "live.xml").getroot().findall("e:emotion", EMOTIONML)[0]
    assert (in_file.attrib["time-ref-uri"], in_file.attrib["offset-to-start"]) == ("clip.mp4", "40")
    assert in_life.attrib["start"] == str(START_NS // 10**6 + 1500)


def test_emotionml_is_well_formed_with_names_that_xml_forbids(tmp_path: Path) -> None:
    sent = [estimate_at(0.0, stream='<"&>', outputs={"emotions": {"1 & 2": 0.5}})]
    export(record(tmp_path / "a.jsonl", sent, file_header('<"&>')), tmp_path / "a.xml")
    root = ET.parse(tmp_path / "a.xml").getroot()
    estimate, category = root.find(".//sa:estimate", EMOTIONML), root.find(".//e:category", EMOTIONML)
    assert estimate is not None and estimate.attrib["stream"] == '<"&>'
    assert category is not None and category.attrib["name"] == "_1___2"


@pytest.mark.parametrize("format", FORMATS)
def test_a_recording_without_estimates_gives_a_valid_empty_export(tmp_path: Path, format: Format) -> None:
    exported = export(record(tmp_path / "a.jsonl", []), tmp_path / "out", format=format)
    assert exported.rows == 0
    if format == "csv":
        assert rows_of(exported.path) == []
    elif format == "parquet":
        assert pq.read_table(exported.path).num_rows == 0
    else:
        assert ET.parse(exported.path).getroot().findall("e:emotion", EMOTIONML) == []


def test_a_torn_recording_is_exported_up_to_its_last_whole_line(clip: Path) -> None:
    clip.write_bytes(clip.read_bytes()[:-30])
    exported = export(clip, clip.with_suffix(".csv"))
    assert exported.torn
    assert len(rows_of(exported.path)) == exported.rows == 3


def test_a_damaged_recording_is_exported_with_what_is_missing(clip: Path) -> None:
    lines = clip.read_bytes().splitlines(keepends=True)
    clip.write_bytes(b"".join([*lines[:3], b"\n", bytes(4096) + b"\n", *lines[4:]]))
    exported = export(clip, clip.with_suffix(".csv"))
    assert exported.rows == 3
    assert exported.complaint == (
        "1 line is damaged and left out, the first is line 5, and 1 estimates are missing in all"
    )


@pytest.mark.parametrize("format", EVERY_FORMAT)
def test_of_two_recordings_in_one_file_the_one_that_is_named_is_exported(clip: Path, format: Format) -> None:
    alone = export(clip, clip.with_name("alone"), format=format)
    clip.write_bytes(clip.read_bytes() * 2)
    with pytest.raises(RecordingError, match="2 recordings were put together"):
        export(clip, clip.with_name("out"), format=format)
    assert not clip.with_name("out").exists()
    exported = export(f"{clip}#part=2", clip.with_name("out"), format=format)
    assert exported.path.read_bytes() == alone.path.read_bytes()
    with pytest.raises(ConfigError, match="is the recording itself"):
        export(f"{clip}#part=2", clip, format=format, overwrite=True)


@pytest.mark.parametrize("format", EVERY_FORMAT)
def test_a_disk_that_fills_up_leaves_no_export(clip: Path, format: Format) -> None:
    program = (
        "import resource, sys\n"
        "from streamaffect.recordings.export import export\n"
        "resource.setrlimit(resource.RLIMIT_FSIZE, (150, resource.RLIM_INFINITY))\n"
        "export(sys.argv[1], sys.argv[2], format=sys.argv[3])\n"
    )
    arguments = [sys.executable, "-c", program, str(clip), str(clip.with_name("out")), format]
    child = subprocess.run(arguments, capture_output=True, text=True, check=False)
    last_line = child.stderr.splitlines()[-1]
    assert "RecordingError" in last_line
    assert "out: cannot be written (" in last_line
    assert list(clip.parent.iterdir()) == [clip]


def test_an_existing_export_is_only_replaced_when_asked(clip: Path) -> None:
    out = clip.with_suffix(".csv")
    out.write_text("precious")
    with pytest.raises(RecordingError, match=r"already exists; choose another name, e\.g\. .*clip-2\.csv"):
        export(clip, out)
    assert out.read_text() == "precious"
    export(clip, out, overwrite=True)
    assert len(rows_of(out)) == 4


def test_a_recording_is_never_replaced_by_its_own_export(clip: Path) -> None:
    before = clip.read_bytes()
    with pytest.raises(ConfigError, match="is the recording itself"):
        export(clip, clip, format="csv", overwrite=True)
    assert clip.read_bytes() == before


def test_no_recording_is_replaced_by_an_export(clip: Path) -> None:
    other = record(clip.with_name("other.csv"), [estimate_at(0.0)])
    before = other.read_bytes()
    with pytest.raises(RecordingError, match="is a recording, and is not replaced by an export"):
        export(clip, other, overwrite=True)
    assert other.read_bytes() == before


def test_what_a_link_points_to_is_not_replaced(clip: Path) -> None:
    precious, link = clip.with_name("precious.csv"), clip.with_name("link.csv")
    precious.write_text("precious")
    link.symlink_to(precious)
    with pytest.raises(RecordingError, match="is a symbolic link"):
        export(clip, link, overwrite=True)
    assert precious.read_text() == "precious"


@pytest.mark.parametrize(
    ("out", "complaint"),
    [("-", "standard output is not possible"), ("out.csv/", "names a folder"), ("http://host/a.csv", "is an address")],
)
def test_what_is_no_file_says_what_is_wanted(clip: Path, out: str, complaint: str) -> None:
    with pytest.raises(RecordingError, match=rf"{complaint}.*an export is a file, e.g. session.csv"):
        export(clip, out)


def test_an_export_is_about_people_and_readable_by_its_owner_alone(clip: Path) -> None:
    out = export(clip, clip.with_suffix(".csv")).path
    assert stat.S_IMODE(out.stat().st_mode) == 0o600
    out.chmod(0o644)
    export(clip, out, overwrite=True)
    assert stat.S_IMODE(out.stat().st_mode) == 0o600


def test_what_a_killed_export_has_left_is_removed_by_the_next_one(clip: Path) -> None:
    dead = clip.with_name(".clip.csv.99.part")
    dead.write_text("unfinished")
    others = [clip.with_name(".clip.csv.notes.part"), clip.with_name(".other.csv.99.part"), clip.with_name("99.part")]
    for other in others:
        other.touch()
    export(clip, clip.with_suffix(".csv"))
    assert sorted(clip.parent.iterdir()) == sorted([clip, clip.with_suffix(".csv"), *others])


def test_home_may_be_written_as_a_tilde(clip: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HOME", str(clip.parent))
    assert export("~/clip.jsonl", "~/clip.csv").path == clip.with_suffix(".csv")


@pytest.mark.parametrize("name", ["007", "NA", "1e5", "true", "-3"])
@pytest.mark.parametrize("format", ["csv", "parquet"])
def test_a_stream_with_the_name_of_a_number_stays_a_text(tmp_path: Path, name: str, format: Format) -> None:
    out = export(
        record(tmp_path / "a.jsonl", [estimate_at(0.0, stream=name)], file_header(name)), tmp_path / "o", format=format
    )
    if format == "parquet":
        table = pq.read_table(out.path)
    else:
        table = read_csv(out.path, convert_options=ConvertOptions(column_types=TEXTS, strings_can_be_null=False))
    assert table["stream"].to_pylist() == [name]
    assert table["status"].to_pylist() == ["ok"]
    assert table["valence"].to_pylist() == [0.31]
    assert table["refines"].to_pylist() == [None]


def test_an_unknown_ending_names_the_known_ones(clip: Path) -> None:
    with pytest.raises(ConfigError, match=r"out\.xlsx: format unknown; let the name end in \.csv, \.parquet"):
        export(clip, clip.with_name("out.xlsx"))


def test_an_unknown_stream_names_the_known_ones(clip: Path) -> None:
    with pytest.raises(ConfigError, match=r"stream 'door': is not in .*clip\.jsonl; it has clip"):
        export(clip, clip.with_suffix(".csv"), stream="door")


def test_a_long_export_shows_its_progress(clip: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(export_package, "PROGRESS_FROM_BYTES", 1)
    screen = StringIO()
    export(clip, clip.with_suffix(".csv"), console=Console(file=screen, force_terminal=True))
    assert "reading" in screen.getvalue()
    assert "100%" in screen.getvalue()


def test_a_short_export_shows_nothing(clip: Path) -> None:
    screen = StringIO()
    export(clip, clip.with_suffix(".csv"), console=Console(file=screen, force_terminal=True))
    assert screen.getvalue() == ""


@pytest.mark.parametrize("format", ["csv", "emotionml"])
def test_memory_does_not_grow_with_the_recording(tmp_path: Path, format: Format) -> None:
    def peak_bytes(estimates: int) -> int:
        path = record(tmp_path / f"{estimates}.jsonl", (estimate_at(i * 0.04, seq=i) for i in range(estimates)))
        tracemalloc.start()
        export(path, tmp_path / f"{estimates}.out", format=format)
        peak = tracemalloc.get_traced_memory()[1]
        tracemalloc.stop()
        return peak

    peak_bytes(1)  # modules that are imported by the first export stay in memory
    assert peak_bytes(8_000) < peak_bytes(4_000) * 1.2
