"""What a sample of Lab Streaming Layer holds: the columns of the exports, as numbers, with labels and units."""

from dataclasses import dataclass
from math import nan

from msgspec import UNSET

from streamaffect.messages import Estimate, HeadMeta, Meta
from streamaffect.recordings.export.table import Column, Row, columns
from streamaffect.recordings.export.xdf import STATUS_CODES, VOICE_CHANNELS

LEFT_OUT = ("frame", "timestamp", "stream", "t_capture_ns", "seq", "refines")  # what a time stamp says, or only a file
UNITS = {"face_id": "count", "lookahead_s": "seconds", "latency_ms": "milliseconds"}


Described = tuple[str, str, str]  # label, unit, type

VOICE: tuple[Described, ...] = tuple(
    (label, UNITS.get(label, "normalized") if unit == "none" else unit, kind) for label, unit, kind in VOICE_CHANNELS
)


@dataclass(frozen=True, slots=True)
class Channel:
    """One channel of a face: the column that it is in the exports, and what it is called."""

    column: Column
    described: Described


def channels_of(meta: Meta) -> tuple[Channel, ...]:
    """The channels of a stream: values, intervals, status, quality, box, all declared outputs, relative values."""
    named = [
        (head.name, str(output["name"]))
        for head in meta.heads
        for output in head.outputs
        if not (_is_affect(head) and output.get("name") in ("valence", "arousal"))
    ]
    return tuple(
        _channel(column)
        for column in columns(named, baselines=True)
        if column.name not in LEFT_OUT and (column.type != "text" or column.name == "status")
    )


def sample(channels: tuple[Channel, ...], estimate: Estimate) -> list[float]:
    """One number for each channel; NaN where the estimate has none."""
    row = Row(frame=0, timestamp_s=0.0, estimate=estimate)
    return [_number(channel.column, row) for channel in channels]


def nothing(channels: tuple[Channel, ...]) -> list[float]:
    """The sample of a place without a face."""
    return [nan] * len(channels)


def _is_affect(head: HeadMeta) -> bool:
    """Whether a head's valence and arousal are those of the estimate itself, and not further ones."""
    return head.kind == "regression" and head.lens is UNSET


def _channel(column: Column) -> Channel:
    if column.name == "status":
        return Channel(column, ("status", "code", " ".join(f"{name}={code}" for name, code in STATUS_CODES.items())))
    return Channel(column, (column.name, UNITS.get(column.name, "normalized"), "Affect"))


def _number(column: Column, row: Row) -> float:
    value = column.value(row)
    if isinstance(value, str):
        return float(STATUS_CODES.get(value, nan))
    return nan if value is None else float(value)
