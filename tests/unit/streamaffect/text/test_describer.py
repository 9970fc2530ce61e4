"""Sentences and classes in a stream of messages: when they come, of whom, and that nothing else changes."""

import threading
from contextlib import ExitStack
from pathlib import Path

import msgspec
import pytest
from msgspec import UNSET

from streamaffect.errors import ConfigError
from streamaffect.feed.wire import decode, encode
from streamaffect.messages import Estimate, Event, Message
from streamaffect.settings import DescribeSettings
from streamaffect.text.classifier import Answers
from streamaffect.text.describer import Describer, Reader
from streamaffect.text.opening import open_describer
from streamaffect.text.transcript import Cue, Transcript
from tests.support.recordings import estimate_at

WORDS = Transcript(Path("a.vtt"), (Cue(0.5, 1.5, "Hello."), Cue(2.5, 9.0, "Still here.")))


def stream(seconds: float, *, track: int = 3, fps: int = 25, begin: int = 0) -> list[Message]:
    return [estimate_at(i / fps, seq=i, track=track) for i in range(begin, round(seconds * fps) + 1)]


def sentences(found: list[Message]) -> list[tuple[float | None, str]]:
    return [(one.pts_s, one.description) for one in found if isinstance(one, Estimate) and one.description is not UNSET]


def test_once_a_second_an_estimate_has_a_sentence_and_is_else_what_it_was() -> None:
    sent = stream(3)
    found = list(Describer(period_s=1.0).apply(sent))
    assert [at for at, _ in sentences(found)] == [1.0, 2.0, 3.0]
    assert [msgspec.structs.replace(one, description=UNSET) for one in found if isinstance(one, Estimate)] == sent
    assert decode(encode(found[25])) == found[25]


def test_words_stand_in_the_sentence_of_the_second_in_which_they_begin() -> None:
    found = list(Describer(period_s=1.0, transcripts={"clip": WORDS}).apply(stream(4)))
    assert [at for at, text in sentences(found) if "Hello." in text] == [1.0]
    assert [at for at, text in sentences(found) if "Still here." in text] == [3.0]


def test_each_face_has_its_own_seconds_and_a_lost_one_begins_anew() -> None:
    lost = Event(stream="clip", t_ns=0, event="track_lost", track=3)
    sent = [*stream(0.8), *stream(1.2, track=4), lost, *stream(1.9, begin=25)]
    assert [at for at, _ in sentences(list(Describer(period_s=1.0).apply(sent)))] == [1.0]


def test_refinements_and_other_messages_pass() -> None:
    sent = [estimate_at(i, seq=i, refines=0) for i in range(9)]
    assert list(Describer(period_s=1.0).apply(sent)) == sent


def test_the_classifier_reads_what_was_seen_and_said_and_its_answer_stays() -> None:
    texts: list[str] = []

    def classify(text: str) -> dict[str, float]:
        texts.append(text)
        return {"mixed": 0.75, "plain": 0.25}

    reader = Reader(Answers(classify, waits=True), period_s=2.0)
    found = list(Describer(period_s=1.0, transcripts={"clip": WORDS}, reader=reader).apply(stream(4.5)))
    assert len(texts) == 2
    assert texts[0].startswith("Transcript: Hello.; Facial expressions: happiness, neutral, sadness;")
    said = [one.outputs.get("text") for one in found if isinstance(one, Estimate)]
    assert said[:50] == [None] * 50
    assert said[50:] == [{"mixed": 0.75, "plain": 0.25}] * (len(said) - 50)


def test_live_nobody_waits_for_the_classifier_and_the_newest_text_of_a_face_counts() -> None:
    begun, go = threading.Event(), threading.Event()
    done = threading.Semaphore(0)
    texts: list[str] = []

    def classify(text: str) -> dict[str, float]:
        begun.set()
        assert go.wait(30)
        texts.append(text)
        done.release()
        return {text: 1.0}

    answers = Answers(classify, waits=False)
    answers.ask("face", "one")
    assert begun.wait(30)
    answers.ask("face", "two")
    answers.ask("face", "three")
    assert answers.newest("face") is None
    go.set()
    assert done.acquire(timeout=30) and done.acquire(timeout=30)
    answers.close()
    assert texts == ["one", "three"]


def test_a_classifier_that_fails_is_said_once_and_the_stream_goes_on(caplog: pytest.LogCaptureFixture) -> None:
    def classify(text: str) -> dict[str, float]:
        raise ValueError(f"no such thing as {text[:4]}\nsecond line")

    reader = Reader(Answers(classify, waits=True), period_s=0.5)
    found = list(Describer(period_s=1.0, reader=reader).apply(stream(3)))
    assert len(sentences(found)) == 3
    assert [record.getMessage() for record in caplog.records] == [
        "the text classifier has failed and is left out from now on: no such thing as Faci"
    ]


def opened(settings: DescribeSettings, *streams: str, length_s: float = 60.0) -> Describer | None:
    with ExitStack() as stack:
        return open_describer(settings, streams, {"clip": length_s}, stack, is_live=False)


def test_nothing_is_described_unless_it_is_asked_for() -> None:
    assert opened(DescribeSettings(), "clip") is None
    with pytest.raises(ConfigError, match="--transcript: belongs to the description in words; add --describe"):
        opened(DescribeSettings(transcripts=["a.vtt"]), "clip")
    with pytest.raises(ConfigError, match="--llm: "):
        opened(DescribeSettings(llm="folder"), "clip")


def test_with_several_streams_a_transcript_needs_the_name_of_one(tmp_path: Path) -> None:
    path = tmp_path / "a.srt"
    path.write_text("1\n00:00:01,000 --> 00:00:02,000\nhi\n")
    with pytest.raises(ConfigError, match="Expected NAME=FILE with one of clip, other"):
        opened(DescribeSettings(enabled=True, transcripts=[str(path)]), "clip", "other")
    twice = DescribeSettings(enabled=True, transcripts=[f"clip={path}", f"clip={path}"])
    with pytest.raises(ConfigError, match="clip has a transcript already"):
        opened(twice, "clip", "other")
    assert opened(DescribeSettings(enabled=True, transcripts=[f"clip={path}"]), "clip", "other") is not None


def test_a_transcript_of_a_longer_film_is_a_warning(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    path = tmp_path / "a.srt"
    path.write_text("1\n00:50:00,000 --> 00:50:02,000\nhi\n")
    assert opened(DescribeSettings(enabled=True, transcripts=[str(path)]), "clip") is not None
    (record,) = caplog.records
    assert "ends at 50:02, the film at 1:00, with 0 of 1 cues; is it another film's?" in record.getMessage()
