"""Messages and recordings to test with, as values and as hypothesis strategies."""

from collections.abc import Iterable, Iterator
from contextlib import closing
from pathlib import Path
from typing import Any

import msgspec
from hypothesis import strategies as st

from streamaffect.messages import NOTICE, Estimate, Event, HeadMeta, Health, Message, Meta, Voice
from streamaffect.recordings.header import RecordingHeader
from streamaffect.sinks.recorder import Recorder
from streamaffect.types import Box

START_NS = 1_763_660_000_000_000_000
EMOTIONS = ("neutral", "happiness", "sadness")

ESTIMATE = Estimate(
    stream="clip",
    track=3,
    seq=0,
    t_capture_ns=0,
    t_publish_ns=0,
    pts_s=0.0,
    valence=0.31,
    arousal=-0.12,
    valence_interval=(0.12, 0.48),
    arousal_interval=(-0.35, 0.1),
    status="ok",
    coverage=0.94,
    context_fill=0.8,
    lookahead_s=0.0,
    refines=None,
    box=Box(0.41, 0.22, 0.18, 0.3),
    face_score=0.93,
    quality=0.7,
    outputs={"emotions": {"neutral": 0.3, "happiness": 0.62, "sadness": 0.08}},
    model="default@1.0",
)


VOICE = Voice(
    stream="clip",
    t_capture_ns=0,
    t_publish_ns=0,
    pts_s=0.0,
    state="heard",
    activity=0.8,
    arousal=0.25,
    arousal_interval=(-0.3, 0.8),
    track=None,
    model="voice@1.0",
)


def voice_at(time_s: float, **changes: Any) -> Voice:
    """What was heard in a file up to this timestamp."""
    time_ns = round(time_s * 1e9)
    at_time: dict[str, Any] = {"t_capture_ns": time_ns, "t_publish_ns": time_ns, "pts_s": time_s}
    return msgspec.structs.replace(VOICE, **(at_time | changes))


def estimate_at(time_s: float, **changes: Any) -> Estimate:
    """An estimate of a file at this timestamp."""
    time_ns = round(time_s * 1e9)
    at_time: dict[str, Any] = {"t_capture_ns": time_ns, "t_publish_ns": time_ns, "pts_s": time_s}
    return msgspec.structs.replace(ESTIMATE, **(at_time | changes))


def live_estimate_at(time_s: float, **changes: Any) -> Estimate:
    """An estimate of the stream `webcam`, so many seconds after `START_NS`, published 20 ms after its capture."""
    captured_ns = START_NS + round(time_s * 1e9)
    live: dict[str, Any] = {
        "stream": "webcam",
        "t_capture_ns": captured_ns,
        "t_publish_ns": captured_ns + 20_000_000,
        "pts_s": None,
        "latency_ms": {"faces": 3.4, "total": 20.0},
    }
    return msgspec.structs.replace(ESTIMATE, **(live | changes))


def health_of(stream: str, *, t_ns: int = START_NS) -> Health:
    """A health message."""
    return Health(
        stream=stream,
        t_ns=t_ns,
        state="live",
        uptime_s=1.0,
        fps_in=25.0,
        fps_out=25.0,
        frames=25,
        skipped=0,
        faces=1,
        estimates=25,
    )


def meta_of(stream: str, *, live: bool, source: str | None = None) -> Meta:
    """What is known of a stream whose model has valence, arousal and three emotions."""
    return Meta(
        stream=stream,
        t_ns=START_NS + 123,
        source=source or f"{stream}.mp4",
        live=live,
        model="default@1.0",
        bundle_sha256="ab" * 32,
        heads=[
            HeadMeta(name="affect", kind="regression", outputs=[{"name": "valence"}, {"name": "arousal"}]),
            HeadMeta(name="emotions", kind="classification", outputs=[{"name": name} for name in EMOTIONS]),
        ],
        clip_s=0.64,
        context_s=3.2,
        engine="onnxruntime CPUExecutionProvider fp32",
        engine_reason="named by the user",
        software="streamaffect 0.1.0",
        notice=NOTICE,
    )


def file_header(*streams: str) -> RecordingHeader:
    """The header of files read offline; one named `clip` where none is given."""
    return RecordingHeader.of([meta_of(stream, live=False) for stream in streams or ("clip",)], options={})


def live_header(*streams: str) -> RecordingHeader:
    """The header of live streams; one named `webcam` where none is given."""
    return RecordingHeader.of([meta_of(stream, live=True) for stream in streams or ("webcam",)], options={})


def record(path: Path, messages: Iterable[Message], header: RecordingHeader | None = None) -> Path:
    """Write a recording as a run does."""
    with closing(Recorder(path, header or file_header())) as recorder:
        for message in messages:
            recorder.send(message)
    return path


def refined_clip() -> Iterator[Estimate]:
    """Five pictures of one face, 40 ms apart; the first three are refined 80 ms later."""
    seq = 0
    for picture in range(5):
        yield estimate_at(picture * 0.04, seq=seq)
        if picture >= 2:
            yield estimate_at(
                (picture - 2) * 0.04, seq=seq + 1, refines=max(0, 2 * (picture - 2) - 2), lookahead_s=0.08
            )
        seq += 2 if picture >= 2 else 1


def numbers(low: float, high: float) -> st.SearchStrategy[float]:
    """Numbers with at most six decimals, as the wire has them."""
    return st.integers(round(low * 1e6), round(high * 1e6)).map(lambda millionths: millionths / 1e6)


_NAMES = st.text(st.characters(codec="utf-8"), min_size=1, max_size=8)
_AFFECT = st.none() | numbers(-1, 1)
_INTERVALS = st.none() | st.tuples(numbers(-1, 1), numbers(-1, 1)).map(lambda pair: (min(pair), max(pair)))
_TIMES_NS = st.integers(0, 2**62)

estimates: st.SearchStrategy[Estimate] = st.builds(
    Estimate,
    v=st.just(1),
    stream=st.sampled_from(["clip", "übung"]),
    track=st.integers(0, 99),
    seq=st.integers(0, 2**53),
    t_capture_ns=_TIMES_NS,
    t_publish_ns=st.integers(1, 2**62),  # at 0, a live one is not published yet
    pts_s=st.none() | numbers(0, 1e5),
    valence=_AFFECT,
    arousal=_AFFECT,
    valence_interval=_INTERVALS,
    arousal_interval=_INTERVALS,
    status=st.sampled_from(["ok", "warming", "held", "abstain"]),
    coverage=numbers(0, 1),
    context_fill=numbers(0, 1),
    lookahead_s=numbers(0, 10),
    refines=st.none() | st.integers(0, 2**53),
    box=st.builds(Box, *(numbers(-1, 2),) * 4),
    face_score=numbers(0, 1),
    quality=st.none() | numbers(0, 1),
    outputs=st.dictionaries(_NAMES, st.dictionaries(_NAMES, numbers(-10, 10), max_size=3), max_size=2),
    latency_ms=st.dictionaries(_NAMES, numbers(0, 1000), max_size=3),
    model=_NAMES,
)
events: st.SearchStrategy[Event] = st.builds(
    Event,
    v=st.just(1),
    stream=st.sampled_from(["clip", "übung"]),
    t_ns=_TIMES_NS,
    event=st.sampled_from(["track_born", "track_lost", "source_lost", "source_back", "source_ended"]),
    track=st.none() | st.integers(0, 99),
    downtime_s=st.none() | numbers(0, 1e5),
    detail=st.text(st.characters(codec="utf-8"), max_size=20),
)
messages: st.SearchStrategy[list[Message]] = st.lists(estimates | events, max_size=12)
