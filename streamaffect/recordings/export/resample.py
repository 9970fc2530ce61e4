"""Rows at a fixed rate: what a statistic or a filter expects, with gaps as gaps.

Every face has a row at each multiple of the period between its first estimate and its last. Values are interpolated
linearly between the two estimates around it; what cannot be interpolated is that of the nearer one. Where these are
further apart than a clip, or one of them has no value, there is none: nothing is made up across a gap.
"""

import math
from collections.abc import Iterable, Iterator, Mapping

import msgspec
from msgspec import UNSET, UnsetType

from streamaffect.errors import ConfigError
from streamaffect.messages import Estimate
from streamaffect.recordings.export.table import Column, Row, known
from streamaffect.types import Box

MAX_RATE_HZ = 1000.0
DECIMALS = 6
EPSILON = 1e-9

RELATIVE = ("valence_relative", "arousal_relative")
RELATIVE_INTERVALS = ("valence_relative_interval", "arousal_relative_interval")
MEANINGLESS = ("frame", "refines", "seq")
ALWAYS_KNOWN = ("face_id", "timestamp", "success", "stream", "t_capture_ns", "marker")

Interval = tuple[float, float]


def check_rate(rate_hz: float) -> float:
    """The rate. Raises ConfigError where it is none."""
    if not 0.0 < rate_hz <= MAX_RATE_HZ:
        raise ConfigError(f"rate {rate_hz:g}: give the rows per second, above 0 and up to {MAX_RATE_HZ:g}, e.g. 25")
    return rate_hz


def resampled_columns(columns: Iterable[Column]) -> tuple[Column, ...]:
    """The columns that rows at a fixed rate have."""
    return tuple(_empty_in_gaps(column) for column in columns if column.name not in MEANINGLESS)


def resample(rows: Iterable[Row], rate_hz: float, *, longest_s: float) -> Iterator[Row]:
    """Rows at the times k / rate_hz, each face by itself.

    rows:      one for each picture of a face, in the order of capture
    longest_s: estimates further apart than this have a gap between them
    """
    previous: dict[tuple[str, int], Row] = {}
    for row in rows:
        face = (row.estimate.stream, row.estimate.track)
        before = previous.get(face)
        if before is not None and row.timestamp_s <= before.timestamp_s:
            continue
        previous[face] = row
        yield from _between(before, row, rate_hz, longest_s)


def _between(before: Row | None, after: Row, rate_hz: float, longest_s: float) -> Iterator[Row]:
    """The rows after `before`, up to and with `after`."""
    last = math.floor(after.timestamp_s * rate_hz + EPSILON)
    if before is None:
        if abs(last - after.timestamp_s * rate_hz) <= EPSILON:
            yield _at(last, rate_hz, after, after, 1.0)
        return
    span_s = after.timestamp_s - before.timestamp_s
    for number in range(math.floor(before.timestamp_s * rate_hz + EPSILON) + 1, last + 1):
        share = (number / rate_hz - before.timestamp_s) / span_s
        share = 1.0 if share > 1.0 - EPSILON else share
        if span_s > longest_s and share < 1.0:
            yield _gap(number, rate_hz, before)
        else:
            yield _at(number, rate_hz, before, after, share)


def _at(number: int, rate_hz: float, before: Row, after: Row, share: float) -> Row:
    a, b = before.estimate, after.estimate
    nearer = before if share < 0.5 else after
    blended: dict[str, object] = {
        name: _number(known(getattr(a, name)), known(getattr(b, name)), share)
        for name in ("valence", "arousal", "coverage", "context_fill", "face_score", "quality", *RELATIVE)
    }
    return _placed(
        number,
        rate_hz,
        nearer,
        blended
        | {
            "valence_interval": _interval(a.valence_interval, b.valence_interval, share),
            "arousal_interval": _interval(a.arousal_interval, b.arousal_interval, share),
            **{
                f"{name}_interval": _interval(
                    known(getattr(a, f"{name}_interval")), known(getattr(b, f"{name}_interval")), share
                )
                for name in RELATIVE
            },
            "box": Box(*(a_side + (b_side - a_side) * share for a_side, b_side in zip(a.box, b.box, strict=True))),
            "outputs": _outputs(a, b, share),
            "output_intervals": _output_intervals(a, b, share),
        },
    )


def _gap(number: int, rate_hz: float, before: Row) -> Row:
    nothing: dict[str, object] = dict.fromkeys(
        ("valence", "arousal", "valence_interval", "arousal_interval", "quality", *RELATIVE, *RELATIVE_INTERVALS), None
    )
    return _placed(number, rate_hz, before, nothing | {"outputs": {}, "output_intervals": UNSET}, gap=True)


def _placed(number: int, rate_hz: float, row: Row, changes: dict[str, object], *, gap: bool = False) -> Row:
    """The row with these changes, at its place on the scale of time."""
    timestamp_s = number / rate_hz
    captured_ns = row.estimate.t_capture_ns + round((timestamp_s - row.timestamp_s) * 1e9)
    estimate = msgspec.structs.replace(row.estimate, t_capture_ns=captured_ns, **changes)
    return Row(frame=number, timestamp_s=round(timestamp_s, DECIMALS), estimate=estimate, gap=gap)


def _number(before: float | None, after: float | None, share: float) -> float | None:
    if share >= 1.0:
        return after
    if before is None or after is None:
        return None
    return round(before + (after - before) * share, DECIMALS)


def _interval(before: Interval | None, after: Interval | None, share: float) -> Interval | None:
    ends = [_number(a, b, share) for a, b in zip(before or (None, None), after or (None, None), strict=True)]
    low, high = ends
    return None if low is None or high is None else (low, high)


def _outputs(before: Estimate, after: Estimate, share: float) -> Mapping[str, Mapping[str, float]]:
    """The further outputs that both have; those of a head that one lacks are left out."""
    blended: dict[str, dict[str, float]] = {}
    for head, values in after.outputs.items():
        others = before.outputs.get(head, {})
        pairs = {name: _number(others.get(name), value, share) for name, value in values.items()}
        blended[head] = {name: value for name, value in pairs.items() if value is not None}
    return blended


def _output_intervals(before: Estimate, after: Estimate, share: float) -> object:
    a, b = before.output_intervals, after.output_intervals
    if isinstance(a, UnsetType) or isinstance(b, UnsetType):
        return b if share >= 1.0 else UNSET
    blended = {
        lens: {name: _interval(a.get(lens, {}).get(name), interval, share) for name, interval in named.items()}
        for lens, named in b.items()
    }
    known = {lens: {name: one for name, one in named.items() if one is not None} for lens, named in blended.items()}
    return known or UNSET


def _empty_in_gaps(column: Column) -> Column:
    if column.name in ALWAYS_KNOWN:
        return column
    return Column(column.name, column.type, lambda row: None if row.gap else column.value(row))
