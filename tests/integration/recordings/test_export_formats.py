"""Exports for laboratories: XDF, ELAN, BORIS, decimal commas and a fixed rate, read back by other readers."""

import csv
import logging
import tracemalloc
import xml.etree.ElementTree as ET
from io import StringIO
from itertools import pairwise
from pathlib import Path
from typing import Any

import msgspec
import numpy as np
import pyarrow.parquet as pq
import pytest
import pyxdf
from pyarrow.csv import ConvertOptions, ParseOptions, read_csv

from streamaffect.cli import main
from streamaffect.errors import ConfigError
from streamaffect.messages import Event, Message
from streamaffect.recordings.export import Format, export
from streamaffect.recordings.header import RecordingHeader
from tests.support.recordings import (
    START_NS,
    estimate_at,
    file_header,
    health_of,
    live_estimate_at,
    live_header,
    meta_of,
    record,
    refined_clip,
    voice_at,
)

NO_VALUES: dict[str, Any] = {
    "status": "abstain",
    "valence": None,
    "arousal": None,
    "valence_interval": None,
    "arousal_interval": None,
    "outputs": {},
    "quality": None,
}
BORIS_8 = [
    "Observation id",
    "Observation date",
    "Description",
    "Observation duration",
    "Observation type",
    "Source",
    "Time offset (s)",
    "Media duration (s)",
    "FPS",
    "Subject",
    "Behavior",
    "Behavioral category",
    "Behavior type",
    "Time",
    "Media file name",
    "Image index",
    "Image file path",
    "Comment",
]


def live_event(time_s: float, event: Any, **fields: Any) -> Event:
    return Event(stream="webcam", t_ns=START_NS + round(time_s * 1e9), event=event, **fields)


@pytest.fixture
def session(tmp_path: Path) -> Path:
    """Four seconds of one face at 25 per second: no values from 1.2 to 1.6 s, no source from 2.4 to 2.9 s."""
    estimates = [live_estimate_at(i * 0.04, seq=i, **(NO_VALUES if 30 <= i < 40 else {})) for i in range(100)]
    sent: list[Message] = [
        live_event(-0.5, "track_born", track=3),
        *estimates[:60],
        live_event(2.4, "source_lost", detail="cable\x07 <out>"),
        live_event(2.9, "source_back", downtime_s=0.5),
        health_of("webcam"),
        *estimates[80:],
        live_event(4.0, "track_lost", track=3),
        live_event(4.1, "clock_stepped", step_s=1.5, detail="the clock was set"),
    ]
    header = RecordingHeader.of([meta_of("webcam", live=True, source="webcam")], options={})
    return record(tmp_path / "session.jsonl", sent, header)


def streams_of(path: Path) -> dict[str, Any]:
    streams, _ = pyxdf.load_xdf(path)
    return {stream["info"]["name"][0]: stream for stream in streams}


def labels_of(stream: Any) -> list[str]:
    return [channel["label"][0] for channel in stream["info"]["desc"][0]["channels"][0]["channel"]]


def test_pyxdf_reads_a_stream_for_each_face_with_labels_and_the_capture_clock(session: Path) -> None:
    export(session, session.with_suffix(".xdf"))
    face = streams_of(session.with_suffix(".xdf"))["webcam face 3"]
    labels = labels_of(face)
    info = {name: face["info"][name][0] for name in ("type", "channel_format", "nominal_srate", "channel_count")}
    assert info == {
        "type": "Affect",
        "channel_format": "double64",
        "nominal_srate": "0",  # irregular
        "channel_count": str(len(labels)),
    }
    assert {"valence", "arousal", "valence_low", "emotions_happiness", "status"} <= set(labels)
    assert face["time_series"].shape == (80, len(labels))
    wanted = START_NS / 1e9 + np.array([*range(60), *range(80, 100)]) * 0.04
    np.testing.assert_allclose(face["time_stamps"], wanted, rtol=0, atol=1e-6)
    assert face["footer"]["info"]["sample_count"] == ["80"]


def test_in_xdf_no_value_is_nan_and_a_status_is_its_code(session: Path) -> None:
    export(session, session.with_suffix(".xdf"))
    face = streams_of(session.with_suffix(".xdf"))["webcam face 3"]
    table = dict(zip(labels_of(face), face["time_series"].T, strict=True))
    without = np.isin(np.arange(80), range(30, 40))
    np.testing.assert_array_equal(np.isnan(table["valence"]), without)
    np.testing.assert_array_equal(np.isnan(table["emotions_happiness"]), without)
    np.testing.assert_array_equal(table["status"], np.where(without, 3, 0))
    assert table["valence"][0] == 0.31


def test_xdf_has_the_events_as_markers_and_the_health(session: Path) -> None:
    export(session, session.with_suffix(".xdf"))
    streams = streams_of(session.with_suffix(".xdf"))
    events, health = streams["webcam events"], streams["webcam health"]
    assert (events["info"]["type"], events["info"]["channel_format"]) == (["Markers"], ["string"])
    assert [text for (text,) in events["time_series"]] == [
        "track_born:3",
        "source_lost",
        "source_back",
        "track_lost:3",
        "clock_stepped",
    ]
    np.testing.assert_allclose(events["time_stamps"] - START_NS / 1e9, [-0.5, 2.4, 2.9, 4.0, 4.1], atol=1e-6)
    values = dict(zip(labels_of(health), health["time_series"][0], strict=True))
    assert (values["state"], values["fps_in"], values["estimates"]) == (1, 25, 25)
    assert np.isnan(values["latency_p50"])


def test_pyxdf_has_nothing_to_say_against_an_export(session: Path, caplog: pytest.LogCaptureFixture) -> None:
    export(session, session.with_suffix(".xdf"))
    with caplog.at_level(logging.WARNING):
        streams_of(session.with_suffix(".xdf"))
    assert caplog.records == []


def test_an_xdf_file_of_a_recording_read_offline_counts_from_the_start_of_the_file(tmp_path: Path) -> None:
    export(record(tmp_path / "a.jsonl", [estimate_at(i * 0.04, seq=i) for i in range(3)]), tmp_path / "a.xdf")
    np.testing.assert_allclose(streams_of(tmp_path / "a.xdf")["clip face 3"]["time_stamps"], [0, 0.04, 0.08])


def test_in_xdf_the_refined_estimate_stands_in_the_place_of_the_provisional_one(tmp_path: Path) -> None:
    exported = export(record(tmp_path / "a.jsonl", refined_clip()), tmp_path / "a.xdf")
    face = streams_of(exported.path)["clip face 3"]
    table = dict(zip(labels_of(face), face["time_series"].T, strict=True))
    np.testing.assert_allclose(face["time_stamps"], np.arange(5) * 0.04)
    assert table["lookahead_s"].tolist() == [0.08, 0.08, 0.08, 0.0, 0.0]


def test_many_chunks_of_xdf_are_read_back_whole(tmp_path: Path) -> None:
    sent = [estimate_at(i * 0.04, seq=i, track=i % 2) for i in range(2500)]
    export(record(tmp_path / "a.jsonl", sent), tmp_path / "a.xdf")
    streams = streams_of(tmp_path / "a.xdf")
    assert [len(streams[name]["time_stamps"]) for name in ("clip face 0", "clip face 1")] == [1250, 1250]


def tiers_of(path: Path) -> dict[str, list[tuple[int, int, str]]]:
    """The tiers of an EAF file, after a check of what its format asks for beyond being XML."""
    root = ET.parse(path).getroot()
    assert [element.tag for element in root if element.tag != "TIER"] == ["HEADER", "TIME_ORDER", "LINGUISTIC_TYPE"]
    slots = {slot.attrib["TIME_SLOT_ID"]: int(slot.attrib["TIME_VALUE"]) for slot in root.iter("TIME_SLOT")}
    assert list(slots.values()) == sorted(slots.values())
    types = {element.attrib["LINGUISTIC_TYPE_ID"] for element in root.iter("LINGUISTIC_TYPE")}
    ids = [element.attrib["ANNOTATION_ID"] for element in root.iter("ALIGNABLE_ANNOTATION")]
    assert len(ids) == len(set(ids))
    tiers: dict[str, list[tuple[int, int, str]]] = {}
    for tier in root.iter("TIER"):
        assert tier.attrib["LINGUISTIC_TYPE_REF"] in types
        assert tier.attrib["TIER_ID"] not in tiers
        tiers[tier.attrib["TIER_ID"]] = found = [
            (
                slots[note.attrib["TIME_SLOT_REF1"]],
                slots[note.attrib["TIME_SLOT_REF2"]],
                note.findtext("ANNOTATION_VALUE") or "",
            )
            for note in tier.iter("ALIGNABLE_ANNOTATION")
        ]
        assert all(begin < end for begin, end, _ in found)
        assert all(end <= begin for (_, end, _), (begin, _, _) in pairwise(found))
    return tiers


def test_elan_has_tiers_of_status_presence_outages_and_events(session: Path) -> None:
    tiers = tiers_of(export(session, session.with_suffix(".eaf")).path)
    assert tiers["webcam face 3 status"] == [
        (0, 1200, "ok"),
        (1200, 1600, "abstain"),
        (1600, 2360, "ok"),  # a gap longer than a clip
        (3200, 3960, "ok"),
    ]
    assert tiers["webcam face 3 present"] == [(0, 4000, "present")]
    assert tiers["webcam source_lost"] == [(2400, 2900, "source_lost: cable\ufffd <out>")]
    assert tiers["webcam events"] == [(4100, 4300, "clock_stepped: the clock was set")]


def test_elan_has_the_mean_valence_and_arousal_of_each_second(session: Path) -> None:
    tiers = tiers_of(export(session, session.with_suffix(".eaf")).path)
    assert tiers["webcam face 3 valence"] == [(i * 1000, (i + 1) * 1000, "+0.31") for i in range(4)]
    assert [text for _, _, text in tiers["webcam face 3 arousal"]] == ["-0.12"] * 4


def test_elan_links_the_file_that_was_analysed(tmp_path: Path) -> None:
    path = record(tmp_path / "a.jsonl", [estimate_at(0.0)])
    media = ET.parse(export(path, tmp_path / "a.eaf").path).getroot().find("HEADER/MEDIA_DESCRIPTOR")
    assert media is not None
    assert media.attrib == {"MEDIA_URL": "clip.mp4", "RELATIVE_MEDIA_URL": "./clip.mp4", "MIME_TYPE": "video/mp4"}


def boris_rows(path: Path) -> list[dict[str, str]]:
    with path.open(newline="", encoding="utf-8") as file:
        reader = csv.DictReader(file, delimiter="\t")
        assert reader.fieldnames == BORIS_8
        return list(reader)


def test_boris_has_states_as_start_and_stop_and_events_as_points(session: Path) -> None:
    rows = boris_rows(export(session, session.with_suffix(".tsv")).path)
    coded = [(row["Subject"], row["Behavior"], row["Behavior type"], row["Time"]) for row in rows]
    assert [entry for entry in coded if entry[1] in ("abstain", "source_lost", "present", "clock_stepped")] == [
        ("face 3", "present", "START", "0.000"),
        ("face 3", "abstain", "START", "1.200"),
        ("face 3", "abstain", "STOP", "1.600"),
        ("", "source_lost", "START", "2.400"),
        ("", "source_lost", "STOP", "2.900"),
        ("face 3", "present", "STOP", "4.000"),
        ("", "clock_stepped", "POINT", "4.100"),
    ]
    assert [float(row["Time"]) for row in rows] == sorted(float(row["Time"]) for row in rows)
    assert {row["Observation type"] for row in rows} == {"Live observation"}
    assert {row["Observation duration"] for row in rows} == {"4.100"}


def test_boris_names_the_medium_of_a_file(tmp_path: Path) -> None:
    path = record(tmp_path / "a.jsonl", [estimate_at(0.0), estimate_at(0.04, seq=1)])
    row = boris_rows(export(path, tmp_path / "a.tsv").path)[0]
    assert (row["Source"], row["Media file name"]) == ("player #1:clip.mp4", "clip.mp4")
    assert row["Observation type"] == "Media file(s)"


def test_events_of_a_file_played_live_stand_on_the_clock_of_the_file(tmp_path: Path) -> None:
    sent: list[Message] = [live_estimate_at(0.0, pts_s=12.0), live_event(1.0, "clock_stepped")]
    rows = boris_rows(export(record(tmp_path / "a.jsonl", sent, live_header()), tmp_path / "a.tsv").path)
    assert [row["Time"] for row in rows if row["Behavior"] == "clock_stepped"] == ["13.000"]


def test_decimal_commas_come_with_semicolons_and_read_back_as_the_same_table(session: Path) -> None:
    export(session, session.with_name("point.csv"))
    export(session, session.with_name("comma.csv"), decimal=",")
    point = read_csv(session.with_name("point.csv"))
    comma = read_csv(
        session.with_name("comma.csv"),
        parse_options=ParseOptions(delimiter=";"),
        convert_options=ConvertOptions(decimal_point=","),
    )
    assert comma.equals(point)
    assert session.with_name("comma.csv").read_text().count(".") == 0


def test_decimal_commas_are_for_csv_alone(session: Path) -> None:
    with pytest.raises(ConfigError, match="decimal commas: are for csv, not for xdf"):
        export(session, session.with_suffix(".xdf"), decimal=",")


def clean_rows(session: Path, rate_hz: float) -> list[dict[str, str]]:
    out = export(session, session.with_name(f"{rate_hz:g}.csv"), rate_hz=rate_hz).path
    return list(csv.DictReader(StringIO(out.read_text())))


def test_a_clean_export_has_a_row_at_each_period_with_gaps_as_gaps(session: Path) -> None:
    rows = clean_rows(session, 10)
    assert [row["timestamp"] for row in rows] == [f"{i / 10}" for i in range(40)]
    empty = [row["timestamp"] for row in rows if row["valence"] == ""]
    assert empty == ["1.2", "1.3", "1.4", "1.5", *(f"{i / 10}" for i in range(24, 32))]
    gap = next(row for row in rows if row["timestamp"] == "2.7")
    assert (gap["status"], gap["success"], gap["box_x"]) == ("", "0", "")
    assert (gap["face_id"], gap["stream"]) == ("3", "webcam")
    assert gap["t_capture_ns"] == str(START_NS + 2_700_000_000)


def test_a_clean_export_interpolates_between_estimates(tmp_path: Path) -> None:
    sent = [estimate_at(i * 0.1, seq=i, valence=i / 10, valence_interval=(i / 10 - 0.1, i / 10)) for i in range(4)]
    rows = clean_rows(record(tmp_path / "a.jsonl", sent), 40)
    assert [float(row["valence"]) for row in rows] == pytest.approx([i * 0.025 for i in range(13)])
    assert float(rows[1]["valence_low"]) == pytest.approx(-0.075)


def test_a_clean_export_keeps_faces_and_streams_apart(tmp_path: Path) -> None:
    sent: list[Message] = [
        live_estimate_at(i * 0.05, seq=i, track=track, stream=stream, valence=value)
        for i in range(5)
        for stream, track, value in (("door", 1, 0.1), ("door", 2, 0.2), ("hall", 1, 0.3))
    ]
    path = record(tmp_path / "a.jsonl", sent, live_header("door", "hall"))
    found = [(row["stream"], row["face_id"], row["valence"]) for row in clean_rows(path, 10)]
    assert sorted(found) == [("door", "1", "0.1")] * 3 + [("door", "2", "0.2")] * 3 + [("hall", "1", "0.3")] * 3


def test_a_clean_export_is_regular_in_parquet_and_xdf(session: Path) -> None:
    export(session, session.with_suffix(".parquet"), rate_hz=10)
    export(session, session.with_suffix(".xdf"), rate_hz=10)
    valence = pq.read_table(session.with_suffix(".parquet"))["valence"].to_pylist()
    face = streams_of(session.with_suffix(".xdf"))["webcam face 3"]
    assert face["info"]["nominal_srate"] == ["10"]
    assert face["info"]["effective_srate"] == pytest.approx(10)
    in_xdf = face["time_series"][:, labels_of(face).index("valence")]
    np.testing.assert_array_equal(in_xdf, [np.nan if value is None else value for value in valence])


@pytest.mark.parametrize("rate_hz", [0.0, -1.0, 1001.0, float("nan"), float("inf")])
def test_a_rate_that_is_none_is_refused(session: Path, rate_hz: float) -> None:
    with pytest.raises(ConfigError, match="give the rows per second, above 0 and up to 1000"):
        export(session, session.with_suffix(".csv"), rate_hz=rate_hz)


@pytest.mark.parametrize("suffix", [".eaf", ".tsv", ".emotionml"])
def test_a_fixed_rate_is_for_tables_and_signals(session: Path, suffix: str) -> None:
    with pytest.raises(ConfigError, match="a fixed rate: is for csv, parquet, xdf"):
        export(session, session.with_suffix(suffix), rate_hz=10)


FORMATS: tuple[Format, ...] = ("xdf", "elan", "boris")


@pytest.mark.parametrize("format", FORMATS)
def test_a_recording_without_messages_gives_a_valid_empty_export(tmp_path: Path, format: Format) -> None:
    exported = export(record(tmp_path / "a.jsonl", []), tmp_path / "out", format=format)
    assert exported.rows == 0
    if format == "xdf":
        assert pyxdf.load_xdf(exported.path)[0] == []
    elif format == "elan":
        assert tiers_of(exported.path) == {}
    else:
        assert boris_rows(exported.path) == []


@pytest.mark.parametrize("format", FORMATS)
def test_one_stream_is_exported_with_its_own_events_alone(tmp_path: Path, format: Format) -> None:
    sent: list[Message] = [live_estimate_at(i, stream=stream) for i, stream in enumerate(("door", "hall"))]
    sent += [msgspec.structs.replace(live_event(1.0, "source_ended"), stream="hall"), health_of("hall")]
    path = record(tmp_path / "a.jsonl", sent, live_header("door", "hall"))
    content = export(path, tmp_path / "door", format=format, stream="door").path.read_bytes()
    assert b"door" in content
    assert b"hall" not in content
    assert b"source_ended" not in content


def test_the_command_line_exports_and_says_what_is_in_it(session: Path, capsys: pytest.CaptureFixture[str]) -> None:
    out = session.with_name("a.csv")
    assert main(["export", str(session), str(out), "--clean", "--rate", "10", "--decimal", ","]) == 0
    assert capsys.readouterr().out == f"{out}: 40 rows\n"
    assert main(["export", str(session), str(session.with_name("a.eaf"))]) == 0
    assert "annotations" in capsys.readouterr().out


@pytest.mark.parametrize(
    ("words", "complaint"),
    [
        (["a.csv", "--clean"], "--clean and --rate HZ go together"),
        (["a.csv", "--rate", "10"], "--clean and --rate HZ go together"),
        (["a.csv", "--clean", "--rate", "0"], "above 0 and up to 1000"),
        (["a.eaf", "--clean", "--rate", "5"], "a fixed rate: is for csv, parquet, xdf, not for elan"),
        (["a.tsv", "--decimal", ","], "decimal commas: are for csv"),
    ],
)
def test_a_mistake_is_one_line_exit_2_and_no_file(
    session: Path, capsys: pytest.CaptureFixture[str], words: list[str], complaint: str
) -> None:
    assert main(["export", str(session), str(session.with_name(words[0])), *words[1:]]) == 2
    said = capsys.readouterr().err
    assert complaint in said
    assert said.count("\n") == 1
    assert list(session.parent.iterdir()) == [session]


@pytest.mark.parametrize(("suffix", "rate_hz"), [(".xdf", None), (".tsv", None), (".csv", 10.0)])
def test_memory_does_not_grow_with_the_recording(tmp_path: Path, suffix: str, rate_hz: float | None) -> None:
    def peak_bytes(estimates: int) -> int:
        path = record(tmp_path / f"{estimates}.jsonl", (estimate_at(i * 0.04, seq=i) for i in range(estimates)))
        tracemalloc.start()
        export(path, path.with_suffix(suffix), rate_hz=rate_hz)
        peak = tracemalloc.get_traced_memory()[1]
        tracemalloc.stop()
        return peak

    peak_bytes(1)  # modules that are imported by the first export stay in memory
    assert peak_bytes(8_000) < peak_bytes(4_000) * 1.2


def test_the_file_header_of_xdf_names_the_version(tmp_path: Path) -> None:
    path = record(tmp_path / "a.jsonl", [], file_header())
    _, header = pyxdf.load_xdf(export(path, tmp_path / "a.xdf").path)
    assert header["info"]["version"] == ["1.0"]


def test_what_was_heard_is_a_table_of_its_own_and_a_stream_of_xdf(tmp_path: Path) -> None:
    gone: dict[str, Any] = {"state": "gone", "activity": None, "arousal": None, "arousal_interval": None}
    sent: list[Message] = [estimate_at(0.0), voice_at(0.5, track=3), voice_at(1.0), voice_at(1.5, **gone)]
    recording = record(tmp_path / "a.jsonl", sent)
    assert main(["export", str(recording), str(tmp_path / "voice.csv"), "--voice"]) == 0
    with (tmp_path / "voice.csv").open(newline="") as file:
        rows = list(csv.DictReader(file))
    assert [(row["timestamp"], row["state"], row["arousal_high"], row["face_id"]) for row in rows] == [
        ("0.5", "heard", "0.8", "3"),
        ("1.0", "heard", "0.8", ""),
        ("1.5", "gone", "", ""),
    ]
    export(recording, tmp_path / "voice.parquet", of="voice")
    assert pq.read_table(tmp_path / "voice.parquet")["arousal"].to_pylist() == [0.25, 0.25, None]
    export(recording, tmp_path / "a.xdf")
    (voice,) = [one for one in pyxdf.load_xdf(str(tmp_path / "a.xdf"))[0] if one["info"]["type"] == ["Voice"]]
    assert voice["time_stamps"].tolist() == [0.5, 1.0, 1.5]
    np.testing.assert_array_equal(voice["time_series"][0], [0, 0.8, 0.25, -0.3, 0.8, 3])
    for name, rate_hz in (("voice.xdf", None), ("voice.csv", 25.0)):
        with pytest.raises(ConfigError, match="the voice alone: is"):
            export(recording, tmp_path / name, of="voice", overwrite=True, rate_hz=rate_hz)
