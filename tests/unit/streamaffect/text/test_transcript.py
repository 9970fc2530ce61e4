"""Transcripts: the two formats, their quirks, and one line for each way in which a file can be wrong."""

import tempfile
from contextlib import suppress
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from streamaffect.errors import TranscriptError
from streamaffect.text.transcript import Cue, Transcript, read_transcript

VTT = """WEBVTT - made up

STYLE
::cue { color: red }

NOTE --- a note

intro
00:01.000 --> 00:02.500 align:start position:10%
<v Ann>It is <i>late</i> &amp;
cold.

01:00:00.000 --> 01:00:01.000
Much later.
"""
SRT = "\ufeff1\r\n00:00:01,000 --> 00:00:02,500\r\n{\\an8}It is late\r\n\r\n2\r\n00:00:02,5 --> 00:00:04,000\r\n\r\n"


def written(folder: Path, text: str | bytes, name: str = "a.vtt") -> Path:
    path = folder / name
    path.write_bytes(text if isinstance(text, bytes) else text.encode())
    return path


def test_a_vtt_file_is_read_without_notes_styles_and_markup(tmp_path: Path) -> None:
    found = read_transcript(written(tmp_path, VTT))
    assert found.cues == (Cue(1.0, 2.5, "It is late & cold."), Cue(3600.0, 3601.0, "Much later."))
    assert found.end_s == 3601.0


def test_an_srt_file_is_read_and_empty_cues_are_not(tmp_path: Path) -> None:
    assert read_transcript(written(tmp_path, SRT, "a.srt")).cues == (Cue(1.0, 2.5, "It is late"),)


def test_words_are_those_that_begin_in_a_stretch_or_touch_it(tmp_path: Path) -> None:
    found = read_transcript(written(tmp_path, VTT))
    assert found.begun(0.0, 1.0) == ""
    assert found.begun(1.0, 2.0) == "It is late & cold."
    assert found.begun(2.0, 3.0) == ""
    assert found.during(2.0, 3.0) == "It is late & cold."
    assert found.during(2.5, 3.0) == ""


@pytest.mark.parametrize(
    ("text", "complaint"),
    [
        ("hello\n00:01.000 --> 00:02.000\nhi", "line 1 is 'hello', expected WEBVTT"),
        ("WEBVTT\n\n00:01.000 --> later\nhi", "line 3: '00:01.000 --> later' is no time; expected 00:00:01.000"),
        ("WEBVTT\n\n00:61.000 --> 00:62.000\nhi", "line 3: .* is no time"),
        ("WEBVTT\n\n00:01.000 -->\nhi", "line 3: .* is no time"),
        ("WEBVTT\n\n00:05.000 --> 00:02.000\nhi", "line 3: .* ends before it begins"),
        ("WEBVTT\n\nnothing here", "no words with a time"),
        ("WEBVTT\n\n00:01.000 --> 00:02.000\n\n", "no words with a time"),
        (b"WEBVTT\n\xe9", "not UTF-8 .byte 7.; save it as UTF-8"),
        ("", "line 1 is '', expected WEBVTT"),
    ],
)
def test_what_is_broken_is_said_in_one_line_with_its_place(tmp_path: Path, text: str | bytes, complaint: str) -> None:
    path = written(tmp_path, text)
    with pytest.raises(TranscriptError, match=complaint) as raised:
        read_transcript(path)
    assert str(raised.value).startswith(str(path)) and "\n" not in str(raised.value)


def test_a_file_that_is_not_there_is_said(tmp_path: Path) -> None:
    with pytest.raises(TranscriptError, match="cannot be read"):
        read_transcript(tmp_path / "none.srt")


@given(st.binary(max_size=200))
def test_bytes_of_any_kind_are_a_transcript_or_an_error(raw: bytes) -> None:
    with tempfile.TemporaryDirectory() as folder, suppress(TranscriptError):
        read_transcript(written(Path(folder), raw, "a.srt"))


def transcript(*times: tuple[float, float]) -> Transcript:
    return Transcript(Path("film.vtt"), tuple(Cue(start, end, "hi") for start, end in times))


def test_a_transcript_of_another_film_is_noticed_by_its_length() -> None:
    assert transcript((0, 2), (8, 10)).complaint(10.0) is None
    assert transcript((0, 2), (8, 11.5)).complaint(10.0) is None
    longer = transcript((0, 2), (3000, 3002)).complaint(20.0)
    assert longer is not None
    assert longer.startswith("film.vtt: ends at 50:02, the film at 0:20, with 1 of 2 cues; is it another film's?")
    shorter = transcript((0, 2), (20, 30)).complaint(5400.0)
    assert shorter == "film.vtt: ends at 0:30, the film at 1:30:00; is it another film's?"
