"""What the dashboard says in words: title, alarm, the run's facts, progress, the last events and the notice."""

from collections.abc import Sequence
from dataclasses import dataclass

from rich.cells import cell_len
from rich.segment import Segment

from streamaffect.messages import NOTICE, Health, SoundHealth, Voice
from streamaffect.sinks.display.lines import ALARM, BOLD, FAINT, PLAIN, Line, clean, clip, fit, line, pad, wrap
from streamaffect.sinks.display.state import DisplayState, StreamState

LABEL_WIDTH = 10


@dataclass(frozen=True, slots=True)
class Fact:
    """A labelled text of at most `max_lines` lines. The facts with the lowest rank stay when room is short."""

    rank: int
    label: str
    text: str
    max_lines: int = 1


def title_line(state: DisplayState, width: int) -> Line:
    """The program and its streams at the left, faces, frame rate and time at the right."""
    streams = list(state.streams.values())
    names = ", ".join(clean(stream.name) for stream in streams)
    right = _title_figures(state, streams)
    name = "streamaffect"
    room = width - len(name) - 3 - cell_len(right) - 2
    if room < 3:
        return fit(line(f"{name} {right}", BOLD), width)
    return [
        Segment(name, BOLD),
        Segment(f" · {pad(names, room)}  {right}" if names else pad("", room + 5) + right, PLAIN),
    ]


def alarm_text(state: DisplayState, now_ns: int) -> str | None:
    """Which sources are away, and for how long; None while all are there."""
    lost = [stream for stream in state.streams.values() if stream.lost_since_ns is not None and not stream.ended]
    if not lost:
        return None
    parts = [f"{clean(stream.name)} for {duration((now_ns - (stream.lost_since_ns or 0)) / 1e9)}" for stream in lost]
    return f"SOURCE LOST  {', '.join(parts)}; trying to reconnect"


def alarm_line(text: str, width: int) -> Line:
    """A line in reverse video over the whole width."""
    return line(pad(f"  {text}", width), ALARM)


def waiting_text(state: DisplayState) -> str:
    """What an empty list of faces waits for."""
    streams = list(state.streams.values())
    if streams and all(stream.ended for stream in streams):
        return "the source has ended"
    started = [stream for stream in streams if stream.health is not None and stream.health.state != "starting"]
    if not started:
        return "starting: loading the model and opening the source…"
    if any(stream.lost_since_ns is not None for stream in started):
        return "waiting for the source…"
    if any(stream.faces_seen for stream in started):
        return "no face in view"
    return "looking for a face…"


def fact_block(state: DisplayState, width: int, rows: int) -> list[Line]:
    """The run's facts in at most `rows` lines: the less important ones give way, the order stays."""
    facts = _facts(state)
    text_width = max(1, width - LABEL_WIDTH)
    wrapped = {fact: wrap(clean(fact.text), text_width, fact.max_lines) for fact in facts}
    room = rows
    kept: set[Fact] = set()
    for fact in sorted(facts, key=lambda fact: fact.rank):
        wrapped[fact] = wrap(clean(fact.text), text_width, min(fact.max_lines, max(0, room)))
        room -= len(wrapped[fact])
        kept.add(fact)
    return [segments for fact in facts if fact in kept for segments in _labelled(fact.label, wrapped[fact])]


def progress_line(state: DisplayState, width: int) -> Line | None:
    """A bar with the time that the slowest file still needs; None where nothing is read from a file."""
    found = [stream.health for stream in state.streams.values() if stream.health and stream.health.progress is not None]
    if not found:
        return None
    health = min(found, key=lambda health: health.progress or 0.0)
    share = min(1.0, max(0.0, health.progress or 0.0))
    words = f" {100 * share:3.0f} %  {remaining_words(health)}"
    room = max(0, width - LABEL_WIDTH - len(words))
    done = round(room * share)
    return fit(
        [
            Segment(pad("progress", LABEL_WIDTH), FAINT),
            Segment("━" * done, BOLD),
            Segment("─" * (room - done), FAINT),
            Segment(words, PLAIN),
        ],
        width,
    )


def note_lines(state: DisplayState, width: int, count: int, now_ns: int) -> list[Line]:
    """The last events, the newest first; always exactly `count` lines, so that nothing moves when one comes."""
    newest = list(state.notes)[::-1][:count]
    lines = [
        [
            Segment(pad(f"{duration((now_ns - note.at_ns) / 1e9)} ago", LABEL_WIDTH), FAINT),
            Segment(clip(clean(note.text), max(0, width - LABEL_WIDTH)), PLAIN),
        ]
        for note in newest
    ]
    return lines + [line("") for _ in range(count - len(lines))]


def notice_lines(width: int) -> list[Line]:
    """The sentence that every user interface must show, never cut."""
    return [line(text, BOLD) for text in wrap(NOTICE, width, 20)]


def remaining_words(health: Health) -> str:
    """How long a file still takes at the speed so far."""
    share = health.progress or 0.0
    if share >= 1.0:
        return "done"
    if share < 0.001 or health.uptime_s <= 0.0:
        return "ETA –"
    return f"ETA {duration(health.uptime_s * (1 - share) / share)}"


def duration(seconds: float) -> str:
    """Seconds as `7 s`, `2:04` or `1:02:03`."""
    whole = max(0, int(seconds))
    hours, minutes, rest = whole // 3600, whole // 60 % 60, whole % 60
    if hours:
        return f"{hours}:{minutes:02d}:{rest:02d}"
    return f"{minutes}:{rest:02d}" if minutes else f"{rest} s"


def speed_words(health: Health) -> str:
    """Frames per second and how many were skipped."""
    share = 100 * health.skipped / health.frames if health.frames else 0.0
    return f"{health.fps_out:.1f} frames/s, {health.skipped} skipped ({share:.1f} %)"


def latency_words(health: Health) -> str:
    """Capture to publishing in milliseconds."""
    if health.latency_ms is None:
        return "–"
    return f"p50 {health.latency_ms.p50:.0f} ms, p95 {health.latency_ms.p95:.0f} ms"


def sound_words(sound: SoundHealth) -> str:
    """What is heard, and by which clock it is placed beside the pictures."""
    if sound.state in ("lost", "absent"):
        return f"{sound.state}: {sound.detail}"
    if sound.level_db is None or sound.clock is None:
        return "waiting for sound…"
    clock = {"container": "", "sender": "", "arrival": ", placed by its arrival", "device": ", microphone"}[sound.clock]
    gaps = "" if sound.heard_share >= 1.0 else f", {100 * (1 - sound.heard_share):.0f} % missing"
    return f"{sound.level_db:.0f} dB{clock}{gaps}"


def voice_words(voice: Voice | None) -> str:
    """How aroused a voice sounds, and whose it is; empty where none is heard."""
    if voice is None or voice.arousal is None:
        return ""
    whose = "a voice that is nobody's" if voice.track is None else f"voice of face {voice.track}"
    interval = voice.arousal_interval
    between = "" if interval is None else f" ({interval[0]:+.2f} to {interval[1]:+.2f})"
    return f"; {whose}: arousal {voice.arousal:+.2f}{between}"


def _title_figures(state: DisplayState, streams: Sequence[StreamState]) -> str:
    health = [stream.health for stream in streams if stream.health is not None]
    faces = len(state.faces)
    left_out = sum(each.faces_left_out for each in health)
    more = f" (+{left_out} left out)" if left_out else ""
    parts = [f"{faces} face{'' if faces == 1 else 's'}{more}"]
    if health:
        parts.append(f"{sum(each.fps_out for each in health):.1f} fps")
        parts.append(duration(max(each.uptime_s for each in health)))
    return " · ".join(parts)


def _facts(state: DisplayState) -> list[Fact]:
    streams = list(state.streams.values())
    facts = _source_facts(streams[0]) if len(streams) == 1 else [_stream_fact(stream) for stream in streams]
    facts += _model_facts(streams)
    memory = max((stream.health.memory_mb for stream in streams if stream.health is not None), default=0.0)
    if memory:
        facts.append(Fact(7, "memory", f"{memory:.0f} MB"))
    return facts + _run_facts(state)


def _source_facts(stream: StreamState) -> list[Fact]:
    """The facts of an only stream, spelt out."""
    facts: list[Fact] = []
    if stream.meta is not None:
        facts.append(Fact(3, "source", f"{stream.meta.source} ({_state_word(stream)})", 2))
    if stream.health is not None:
        if isinstance(stream.health.advice, str):
            facts.append(Fact(0, "picture", stream.health.advice))
        facts.append(Fact(0, "speed", speed_words(stream.health)))
        facts.append(Fact(1, "latency", latency_words(stream.health)))
        if isinstance(stream.health.sound, SoundHealth):
            facts.append(Fact(2, "sound", sound_words(stream.health.sound) + voice_words(stream.voice), 2))
        if stream.health.reconnects:
            times = f"{stream.health.reconnects} reconnect{'' if stream.health.reconnects == 1 else 's'}"
            facts.append(Fact(8, "away", f"{duration(stream.health.downtime_s)} in all, {times}"))
        if dropped := {name: count for name, count in stream.health.dropped.items() if count}:
            facts.append(Fact(8, "dropped", ", ".join(f"{name} {count}" for name, count in dropped.items()), 2))
    return facts


def _stream_fact(stream: StreamState) -> Fact:
    """One stream of several, in a line."""
    source = "" if stream.meta is None or stream.meta.source == stream.name else f"{stream.meta.source}: "
    if stream.health is None:
        return Fact(2, stream.name, f"{source}{_state_word(stream)}")
    share = 100 * stream.health.skipped / stream.health.frames if stream.health.frames else 0.0
    latency = "" if stream.health.latency_ms is None else f", {stream.health.latency_ms.p95:.0f} ms p95"
    advice = f"; {stream.health.advice}" if isinstance(stream.health.advice, str) else ""
    words = f"{source}{_state_word(stream)}, {stream.health.fps_out:.1f} fps, {share:.1f} % skipped{latency}{advice}"
    words += voice_words(stream.voice)
    return Fact(2, stream.name, words, 2)


def _state_word(stream: StreamState) -> str:
    if stream.ended:
        return "ended"
    if stream.lost_since_ns is not None:
        return "lost"
    if not stream.faces_seen and (stream.health is None or stream.health.state == "starting"):
        return "starting"
    return "live" if stream.meta is None or stream.meta.live else "reading"


def _model_facts(streams: Sequence[StreamState]) -> list[Fact]:
    meta = next((stream.meta for stream in streams if stream.meta is not None), None)
    if meta is None:
        return []
    reason = f": {meta.engine_reason}" if meta.engine_reason else ""
    return [Fact(4, "model", meta.model), Fact(5, "engine", f"{meta.engine}{reason}", 3)]


def _run_facts(state: DisplayState) -> list[Fact]:
    facts = [Fact(3, label, text, 2) for label, text in state.run.facts()]
    if state.run.feed is not None:
        facts.append(Fact(6, "feed", state.run.feed, 2))
    if state.run.page is not None:
        facts.append(Fact(6, "page", state.run.page))
    if state.run.subscribe is not None:
        facts.append(Fact(9, "subscribe", state.run.subscribe, 2))
    if state.run.keys is not None:
        facts.append(Fact(6, "keys", state.run.keys))
    if state.run.recording is not None:
        facts.append(Fact(6, "recording", state.run.recording, 2))
    return facts


def _labelled(label: str, texts: Sequence[str]) -> list[Line]:
    labels = [pad(clip(clean(label), LABEL_WIDTH - 1), LABEL_WIDTH), *(" " * LABEL_WIDTH for _ in texts[1:])]
    return [[Segment(name, FAINT), Segment(text, PLAIN)] for name, text in zip(labels, texts, strict=False)]
