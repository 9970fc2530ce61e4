import io

import msgspec
import pytest
from rich.console import Console

from streamaffect.messages import NOTICE
from streamaffect.sinks.display.choice import make_display
from streamaffect.sinks.display.progress import PlainProgress, summary
from streamaffect.sinks.display.state import DisplayState, RunInfo
from tests.support.feeder import Feeder


def plain_output(feeder: Feeder, seconds: float) -> list[str]:
    file = io.StringIO()
    sink = make_display("plain", run=RunInfo(recording="session.jsonl"), console=Console(file=file, width=40))
    for _, message in feeder.messages(seconds):
        sink.send(message)
    sink.close()
    return file.getvalue().splitlines()


def test_a_file_has_a_plain_line_at_each_tenth_and_a_summary() -> None:
    lines = plain_output(Feeder(faces=1, length_s=60.0), 61.0)
    shares = [line.split(" %")[0].rsplit(" ", 1)[-1] for line in lines if "ETA" in line]
    assert shares == ["2", "10", "20", "30", "40", "50", "60", "70", "80", "90"]
    assert lines[-2].startswith("webcam: 1800 frames in 1:00, 1 face,")
    assert lines[-1] == "recorded to session.jsonl"


def test_a_plain_line_tells_frames_rate_faces_and_the_present_estimate_in_ascii() -> None:
    line = plain_output(Feeder(faces=2, length_s=60.0), 7.0)[2]
    assert line.isascii()
    for piece in ("180 frames", "29.8 fps", "2 faces", "valence -0.77 arousal -0.20", "p95 19 ms", "ETA 54 s"):
        assert piece in line


def test_a_live_source_gets_a_line_every_five_seconds() -> None:
    file = io.StringIO()
    now_s = 0.0
    sink = PlainProgress(Console(file=file), run=RunInfo(), clock=lambda: round(now_s * 1e9))
    for now_s, message in Feeder(faces=1).messages(16.5):  # noqa: B007  (the clock reads it)
        sink.send(message)
    frames = [line.split()[1] for line in file.getvalue().splitlines()[1:]]
    assert frames == ["30", "180", "330", "480"]


def test_the_notice_comes_first_and_once() -> None:
    lines = plain_output(Feeder(faces=1, length_s=60.0), 30.0)
    assert [i for i, line in enumerate(lines) if line == NOTICE] == [0]


def test_a_lost_source_is_said_in_the_plain_line() -> None:
    assert any("source lost" in line for line in plain_output(Feeder(faces=1, lost=(0.5, 9.0), length_s=20.0), 5.0))


def test_the_summary_says_that_no_face_was_seen() -> None:
    state = DisplayState()
    for _, message in Feeder(faces=0).messages(3.0):
        state.update(message, 0)
    assert "no face was seen" in summary(state)[0]


def test_the_file_bar_shows_share_time_and_estimate() -> None:
    file = io.StringIO()
    console = Console(file=file, width=100, force_terminal=True, color_system=None, _environ={"TERM": "xterm"})
    sink = make_display("progress", run=RunInfo(), console=console)
    for _, message in Feeder(faces=1, length_s=20.0).messages(10.1):
        sink.send(message)
    sink.close()
    written = file.getvalue()
    assert "50%" in written
    assert "ETA 10 s" in written
    assert "valence" in written
    assert "webcam: 300 frames in 10 s, 1 face," in written.splitlines()[-1]


@pytest.mark.parametrize(("seconds", "words"), [(0.43, "13 frames in 0.4 s"), (9.97, "in 9 s"), (75.0, "in 1:15")])
def test_the_summary_says_how_long_a_short_clip_has_taken(seconds: float, words: str) -> None:
    state = DisplayState()
    for _, message in Feeder(faces=1).messages(seconds):
        state.update(message, 0)
    health = next(iter(state.streams.values())).health
    assert health is not None
    state.update(msgspec.structs.replace(health, uptime_s=seconds, frames=13), 0)
    assert words in summary(state)[0]
