import io

import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from rich.cells import cell_len
from rich.console import Console

from streamaffect.messages import NOTICE, Estimate, Event, Health, LatencySummary, Message, SoundHealth
from streamaffect.sinks.display.dashboard import render
from streamaffect.sinks.display.state import DisplayState, RunInfo
from streamaffect.types import Box
from tests.support.feeder import START_NS, Feeder
from tests.support.recordings import voice_at

SECOND_NS = 1_000_000_000
RUN = RunInfo(feed="tcp://127.0.0.1:5556", subscribe="streamaffect listen", recording="session.jsonl")


def state_after(seconds: float, *feeders: Feeder) -> DisplayState:
    state = DisplayState(RUN)
    for feeder in feeders:
        for time_s, message in feeder.messages(seconds):
            state.update(message, round(time_s * SECOND_NS))
    return state


def screen(state: DisplayState, width: int = 80, height: int = 24, *, now_s: float = 0.0) -> list[str]:
    """The lines as a terminal would show them."""
    console = Console(file=io.StringIO(), record=True, width=width, height=height, color_system=None)
    console.print(render(state, width, height, round(now_s * SECOND_NS)), end="")
    return console.export_text().split("\n")


def words(lines: list[str]) -> str:
    return " ".join(" ".join(lines).split())


@pytest.mark.parametrize("faces", [1, 3, 8])
def test_everything_that_matters_fits_an_80_by_24_terminal(faces: int) -> None:
    lines = screen(state_after(9.4, Feeder(faces=faces)), now_s=9.4)
    shown = words(lines)
    assert len(lines) == 24
    for piece in (NOTICE, "webcam (live)", "default@1.0", "onnxruntime CPU fp32", "29.8 frames/s, 1 skipped (0.4 %)"):
        assert piece in shown
    for piece in ("p50 11 ms, p95 19 ms", "tcp://127.0.0.1:5556", "session.jsonl", "excited", "calm"):
        assert piece in shown
    for track in range(1, faces + 1):
        assert any(line.startswith((f" ● {track} ", f" ○ {track} ")) for line in lines)


def test_a_row_says_values_emotion_and_status_in_words() -> None:
    lines = screen(state_after(9.6, Feeder(faces=3)), now_s=9.6)
    (first,) = [line for line in lines if line.startswith(" ● 1 ")]
    (second,) = [line for line in lines if line.startswith(" ○ 2 ")]
    (third,) = [line for line in lines if line.startswith(" ○ 3 ")]
    assert first.rstrip().endswith("ok")
    assert "%" in first
    assert second.rstrip().endswith("held")
    assert third.rstrip().endswith("abstain")


def test_a_warming_row_says_how_far_it_is() -> None:
    assert "warming 50%" in words(screen(state_after(1.62, Feeder(faces=1)), now_s=1.6))


def test_faces_without_a_row_are_counted_and_the_large_ones_have_rows() -> None:
    lines = screen(state_after(5.0, Feeder(faces=12)), now_s=5.0)
    (more,) = [line for line in lines if " more: " in line]
    assert more.strip() == "+5 more: 8, 9, 10, 11, 12"
    assert any(line.startswith(" ● 1 ") for line in lines)


def test_faces_that_are_not_followed_are_counted_beside_those_that_are() -> None:
    feeder = Feeder(faces=3)
    state = state_after(5.0, feeder)
    assert "3 faces ·" in screen(state, now_s=5.0)[0]
    state.update(msgspec.structs.replace(feeder.health(5.0), faces_left_out=4), 5 * SECOND_NS)
    assert "3 faces (+4 left out) ·" in screen(state, now_s=5.0)[0]


def test_before_the_first_frame_it_says_that_it_starts() -> None:
    assert "starting: loading" in words(screen(DisplayState(RUN)))


def test_without_a_face_it_says_that_it_looks_for_one_and_later_that_there_is_none() -> None:
    assert "looking for a face" in words(screen(state_after(3.0, Feeder(faces=0))))
    state = state_after(3.0, Feeder(faces=1))
    state.forget_stale(60 * SECOND_NS)
    assert "no face in view" in words(screen(state, now_s=60))


def test_a_lost_source_is_told_with_how_long_and_its_return_with_the_downtime() -> None:
    feeder = Feeder(faces=1, lost=(2.0, 5.0))
    assert "SOURCE LOST webcam for 2 s" in words(screen(state_after(4.5, feeder), now_s=4.5))
    back = words(screen(state_after(7.5, feeder), now_s=7.5))
    assert "SOURCE LOST" not in back
    assert "source back after 3.0 s" in back


def test_several_streams_are_named_in_the_rows_and_have_a_line_each() -> None:
    state = state_after(5.0, Feeder(faces=1), Feeder(stream="hallway", source="rtsp://camera/1", faces=1))
    lines = screen(state, 120, 40, now_s=5.0)
    assert any(line.startswith(" ● hallway/1 ") for line in lines)
    assert any(line.startswith(" ● webcam/1 ") for line in lines)
    assert "rtsp://camera/1: live, 29.8 fps" in words(lines)


def test_a_file_has_a_bar_with_the_time_it_still_needs() -> None:
    lines = screen(state_after(15.1, Feeder(faces=1, length_s=60.0)), now_s=15.0)
    assert "25 % ETA 45 s" in words(lines)


def test_a_larger_terminal_shows_more() -> None:
    state = state_after(20.0, Feeder(faces=3))
    small, large = screen(state, 80, 24, now_s=20.0), screen(state, 200, 50, now_s=20.0)
    assert "the last 30 s" not in words(small)
    assert "arousal, the last 30 s" in words(large)
    assert "".join(large).count("│") > "".join(small).count("│")


def test_a_terminal_without_unicode_gets_ascii_alone() -> None:
    raw = io.BytesIO()
    console = Console(file=io.TextIOWrapper(raw, encoding="ascii"), width=80, height=24, color_system=None)
    console.print(render(state_after(9.0, Feeder(stream="caméra")), 80, 24, 9 * SECOND_NS), end="")
    console.file.flush()
    lines = raw.getvalue().decode("ascii").split("\n")
    assert {len(line) for line in lines} == {80}
    assert "cam?ra" in lines[0]
    assert any("@" in line for line in lines)


def test_nothing_from_outside_can_send_a_control_code() -> None:
    hostile = "\x1b[2Jname\n\x07"
    state = state_after(3.0, Feeder(stream=hostile, source=hostile, faces=1))
    state.update(Event(stream=hostile, t_ns=START_NS, event="source_lost", detail=hostile), 0)
    state.note(hostile, 0)
    lines = render(state, 120, 40, 0).lines
    assert not any("\x1b" in segment.text or "\n" in segment.text for line in lines for segment in line)


UNIT = st.floats(-1.0, 1.0)
SHARE = st.floats(0.0, 1.0)
INTERVAL = st.none() | st.tuples(UNIT, UNIT).map(lambda ends: (min(ends), max(ends)))
NAMES = st.sampled_from(["a", "webcam", "門の前のカメラ", "📷 hall", "x" * 90, "é\u0301\u200d", ""]) | st.text(
    max_size=20
)


@st.composite
def estimates(draw: st.DrawFn) -> Estimate:
    return msgspec.structs.replace(
        Feeder().estimate(1, 0, 5.0),
        stream=draw(NAMES),
        track=draw(st.sampled_from([0, 1, 2, 999_999_999_999])),
        t_capture_ns=draw(st.integers(0, 2**62)),
        valence=draw(st.none() | UNIT),
        arousal=draw(st.none() | UNIT),
        valence_interval=draw(INTERVAL),
        arousal_interval=draw(INTERVAL),
        status=draw(st.sampled_from(["ok", "warming", "held", "abstain"])),
        context_fill=draw(SHARE),
        box=Box(0.0, 0.0, draw(SHARE), draw(SHARE)),
        outputs=draw(st.dictionaries(st.just("emotions"), st.dictionaries(NAMES, SHARE, max_size=3))),
    )


@st.composite
def healths(draw: st.DrawFn) -> Health:
    return msgspec.structs.replace(
        Feeder().health(5.0),
        stream=draw(NAMES),
        state=draw(st.sampled_from(["starting", "live", "lost", "ended"])),
        frames=draw(st.integers(0, 2**50)),
        skipped=draw(st.integers(0, 2**50)),
        uptime_s=draw(st.floats(0.0, 1e9)),
        progress=draw(st.none() | SHARE),
        latency_ms=draw(st.none() | st.builds(LatencySummary, *(st.floats(0, 1e7) for _ in range(3)))),
        dropped=draw(st.dictionaries(NAMES, st.integers(0, 2**40), max_size=3)),
    )


@st.composite
def metas(draw: st.DrawFn) -> Message:
    return msgspec.structs.replace(
        Feeder().meta(), stream=draw(NAMES), source=draw(NAMES), model=draw(NAMES), engine_reason=draw(NAMES)
    )


MESSAGES = st.lists(
    estimates()
    | healths()
    | metas()
    | st.builds(
        Event,
        stream=NAMES,
        t_ns=st.just(START_NS),
        event=st.sampled_from(["track_born", "track_lost", "source_lost", "source_back", "source_ended"]),
        detail=NAMES,
    ),
    max_size=12,
)


@settings(deadline=None)
@given(messages=MESSAGES, width=st.integers(1, 210), height=st.integers(1, 60), now_s=st.floats(0.0, 1e6))
def test_any_messages_give_a_picture_of_exactly_the_size_of_the_terminal(
    messages: list[Message], width: int, height: int, now_s: float
) -> None:
    state = DisplayState(RUN)
    for message in messages:
        state.update(message, 0)
    picture = render(state, width, height, round(now_s * SECOND_NS))
    assert len(picture.lines) == height
    for line in picture.lines:
        assert sum(cell_len(segment.text) for segment in line) == width


@settings(deadline=None)
@given(messages=MESSAGES, width=st.integers(30, 210), height=st.integers(8, 60))
def test_the_notice_is_never_cut(messages: list[Message], width: int, height: int) -> None:
    state = DisplayState(RUN)
    for message in messages:
        state.update(message, 0)
    assert NOTICE in words(screen(state, width, height))


@pytest.mark.parametrize(("track", "whose"), [(None, "a voice that is nobody's"), (3, "voice of face 3")])
def test_what_is_heard_is_said_with_whose_it_is_and_forgotten_when_it_is_old(track: int | None, whose: str) -> None:
    state = state_after(2.0, Feeder())
    (stream,) = state.streams.values()
    assert stream.health is not None
    sound = SoundHealth(state="heard", clock="device", level_db=-20.0, heard_share=1.0)
    state.update(msgspec.structs.replace(stream.health, sound=sound), 2 * SECOND_NS)
    state.update(voice_at(2.0, stream=stream.name, track=track), 2 * SECOND_NS)
    assert f"-20 dB, microphone; {whose}: arousal +0.25 (-0.30 to +0.80)" in words(screen(state, 170, 40, now_s=2.0))
    state.forget_stale(6 * SECOND_NS)
    assert "-20 dB, microphone" in words(screen(state, 170, 40, now_s=6.0))
    assert whose not in words(screen(state, 170, 40, now_s=6.0))
