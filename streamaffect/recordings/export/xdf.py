"""A recording as XDF 1.0, the format of Lab Streaming Layer's LabRecorder, readable by pyxdf, MNE, EEGLAB and MoBILAB.

One stream of numbers for each face (type `Affect`), one of texts for each stream's events (`Markers`), one for its
health (`Health`), one for what was heard beside it (`Voice`). Times are those of the capture clock in seconds, as they
were recorded, for all streams alike: UTC where the source was live, from the start of the file where it was read
offline. Where there is no value it is NaN.

A file is a sequence of chunks: the length of a length, the length, a tag, the content. Numbers are little-endian.
"""

import struct
import xml.etree.ElementTree as ET
from collections.abc import Sequence
from math import nan
from typing import BinaryIO, Literal

from streamaffect.messages import Event, Health, Voice
from streamaffect.recordings.export.episodes import marker_text
from streamaffect.recordings.export.table import Column, Row, Table
from streamaffect.recordings.export.xml_text import xml_text
from streamaffect.recordings.header import RecordingHeader

MAGIC = b"XDF:"
FILE_HEADER, STREAM_HEADER, SAMPLES, CLOCK_OFFSET, STREAM_FOOTER = 1, 2, 3, 4, 6
SAMPLES_PER_CHUNK = 512

STATUS_CODES = {"ok": 0, "warming": 1, "held": 2, "abstain": 3}
VOICE_CODES = {"heard": 0, "quiet": 1, "gone": 2}
STATE_CODES = {"starting": 0, "live": 1, "stalled": 2, "lost": 3, "ended": 4}
UNITS = {"timestamp": "seconds", "lookahead_s": "seconds"}
OF_THE_STREAM = (
    "face_id",
    "stream",
    "t_capture_ns",
    "marker",
    "baseline",
)  # what the streams or their time stamps already say

Channel = tuple[str, str, str]  # label, unit, type
Sample = Sequence[float] | Sequence[str]

HEALTH_CHANNELS: tuple[Channel, ...] = (
    ("state", "code", "starting=0 live=1 stalled=2 lost=3 ended=4"),
    ("fps_in", "hertz", "Rate"),
    ("fps_out", "hertz", "Rate"),
    ("frames", "count", "Total"),
    ("skipped", "count", "Total"),
    ("dropped", "count", "Total"),
    ("faces", "count", "Faces"),
    ("faces_left_out", "count", "Faces"),
    ("estimates", "count", "Total"),
    ("latency_p50", "milliseconds", "Latency"),
    ("latency_p95", "milliseconds", "Latency"),
    ("latency_p99", "milliseconds", "Latency"),
    ("reconnects", "count", "Total"),
    ("downtime", "seconds", "Total"),
    ("memory", "mebibytes", "Memory"),
)

VOICE_CHANNELS: tuple[Channel, ...] = (
    ("state", "code", "heard=0 quiet=1 gone=2"),
    ("activity", "none", "Voice"),
    ("arousal", "none", "Voice"),
    ("arousal_low", "none", "Voice"),
    ("arousal_high", "none", "Voice"),
    ("face_id", "none", "Voice"),
)


def write_xdf(file: BinaryIO, table: Table) -> int:
    """Write all streams, in chunks as they fill, and return the number of estimates."""
    streams = _Streams(file, table.header)
    file.write(MAGIC)
    _write_chunk(file, FILE_HEADER, _xml(_file_header(table.header)))
    channels = [column for column in table.columns if column.name not in OF_THE_STREAM]
    labels = tuple(map(_channel, channels))
    written = 0
    for row in table.rows:
        stream, track = row.estimate.stream, row.estimate.track
        target = streams.get(stream, f"face {track}", "Affect", labels, rate_hz=table.rate_hz or 0.0)
        target.add(row.estimate.t_capture_ns / 1e9, [_numeric(column, row) for column in channels])
        written += 1
    for happening in table.happenings:
        if isinstance(happening, Voice):
            voice = streams.get(happening.stream, "voice", "Voice", VOICE_CHANNELS)
            voice.add(happening.t_capture_ns / 1e9, voice_sample(happening))
            continue
        at_s = happening.t_ns / 1e9
        if isinstance(happening, Event):
            markers = streams.get(happening.stream, "events", "Markers", (("event", "none", "Marker"),), form="string")
            markers.add(at_s, [marker_text(happening)])
        else:
            health = streams.get(happening.stream, "health", "Health", HEALTH_CHANNELS)
            health.add(at_s, _health(happening))
    streams.finish()
    return written


def voice_sample(voice: Voice) -> list[float]:
    """One number for each of `VOICE_CHANNELS`; NaN where there is none."""
    values = (voice.activity, voice.arousal, *(voice.arousal_interval or (None, None)), voice.track)
    return [float(VOICE_CODES[voice.state]), *(nan if value is None else float(value) for value in values)]


class _Streams:
    """The streams of one file, each opened when it is first named."""

    def __init__(self, file: BinaryIO, header: RecordingHeader) -> None:
        self._file = file
        self._header = header
        self._streams: dict[tuple[str, str], _Stream] = {}

    def get(
        self,
        stream: str,
        part: str,
        type: str,
        channels: tuple[Channel, ...],
        *,
        rate_hz: float = 0.0,
        form: Literal["double64", "string"] = "double64",
    ) -> "_Stream":
        """The stream of this part of a stream; its header is written where it is new."""
        key = (stream, part)
        if key not in self._streams:
            number = len(self._streams) + 1
            info = _stream_header(f"{stream} {part}", type, channels, rate_hz=rate_hz, form=form)
            info.append(_description(channels, self._header))
            self._streams[key] = _Stream(self._file, number, form, info)
        return self._streams[key]

    def finish(self) -> None:
        """Write what is left, and the footers."""
        for stream in self._streams.values():
            stream.finish()


class _Stream:
    """One stream: its header at once, its samples in chunks, its footer at the end."""

    def __init__(self, file: BinaryIO, number: int, form: Literal["double64", "string"], info: ET.Element) -> None:
        self._file = file
        self._id = struct.pack("<I", number)
        self._encode = _texts if form == "string" else _numbers
        self._pending: list[bytes] = []
        self._count = 0
        self._first_s = self._last_s = 0.0
        _write_chunk(file, STREAM_HEADER, self._id + _xml(info))

    def add(self, at_s: float, values: Sample) -> None:
        """One sample, with one value for each channel."""
        if self._count == 0:
            self._first_s = at_s
            _write_chunk(self._file, CLOCK_OFFSET, self._id + struct.pack("<2d", at_s, 0.0))  # all have one clock
        self._last_s = at_s
        self._count += 1
        self._pending.append(struct.pack("<Bd", 8, at_s) + self._encode(values))
        if len(self._pending) == SAMPLES_PER_CHUNK:
            self._flush()

    def finish(self) -> None:
        """Write the samples that wait, and the footer."""
        if self._pending:
            self._flush()
        info = ET.Element("info")
        span_s = self._last_s - self._first_s
        for name, value in (
            ("first_timestamp", repr(self._first_s)),
            ("last_timestamp", repr(self._last_s)),
            ("sample_count", str(self._count)),
            ("measured_srate", repr((self._count - 1) / span_s) if span_s > 0 else "0"),
        ):
            ET.SubElement(info, name).text = value
        _write_chunk(self._file, STREAM_FOOTER, self._id + _xml(info))

    def _flush(self) -> None:
        count = struct.pack("<BI", 4, len(self._pending))
        _write_chunk(self._file, SAMPLES, self._id + count + b"".join(self._pending))
        self._pending.clear()


def _write_chunk(file: BinaryIO, tag: int, content: bytes) -> None:
    file.write(struct.pack("<BIH", 4, len(content) + 2, tag) + content)


def _numbers(values: Sample) -> bytes:
    return struct.pack(f"<{len(values)}d", *values)


def _texts(values: Sample) -> bytes:
    encoded = [str(value).encode("utf-8", "replace") for value in values]
    return b"".join(struct.pack("<BI", 4, len(text)) + text for text in encoded)


def _xml(element: ET.Element) -> bytes:
    text: bytes = ET.tostring(element, encoding="utf-8", xml_declaration=True)
    return text


def _file_header(header: RecordingHeader) -> ET.Element:
    info = ET.Element("info")
    ET.SubElement(info, "version").text = "1.0"
    if header.created is not None:
        ET.SubElement(info, "datetime").text = header.created
    return info


def _stream_header(name: str, type: str, channels: Sequence[Channel], *, rate_hz: float, form: str) -> ET.Element:
    info = ET.Element("info")
    for key, value in (
        ("name", name),
        ("type", type),
        ("channel_count", str(len(channels))),
        ("nominal_srate", f"{rate_hz:.12g}"),
        ("channel_format", form),
        ("source_id", f"streamaffect {name}"),
        ("version", "1.0"),
    ):
        ET.SubElement(info, key).text = xml_text(value)
    return info


def _description(channels: Sequence[Channel], header: RecordingHeader) -> ET.Element:
    desc = ET.Element("desc")
    all_channels = ET.SubElement(desc, "channels")
    for label, unit, type in channels:
        channel = ET.SubElement(all_channels, "channel")
        for key, value in (("label", label), ("unit", unit), ("type", type)):
            ET.SubElement(channel, key).text = xml_text(value)
    acquisition = ET.SubElement(desc, "acquisition")
    for key, value in (
        ("manufacturer", header.software),
        ("model", header.model),
        ("bundle_sha256", header.bundle_sha256),
        ("notice", header.notice),
    ):
        ET.SubElement(acquisition, key).text = xml_text(value)
    return desc


def _channel(column: Column) -> Channel:
    if column.name == "status":
        return column.name, "code", " ".join(f"{name}={code}" for name, code in STATUS_CODES.items())
    return column.name, UNITS.get(column.name, "none"), "Affect"


def _numeric(column: Column, row: Row) -> float:
    value = column.value(row)
    if value is None:
        return nan
    return float(STATUS_CODES[value] if isinstance(value, str) else value)


def _health(health: Health) -> list[float]:
    latency = health.latency_ms
    return [
        float(STATE_CODES[health.state]),
        health.fps_in,
        health.fps_out,
        float(health.frames),
        float(health.skipped),
        float(sum(health.dropped.values())),
        float(health.faces),
        float(health.faces_left_out),
        float(health.estimates),
        *((nan, nan, nan) if latency is None else (latency.p50, latency.p95, latency.p99)),
        float(health.reconnects),
        health.downtime_s,
        health.memory_mb,
    ]
