"""The wire, schema v1: messages to topics and JSON payloads, and back.

docs/wire-protocol.md describes it for other languages. Changes within v1 are additive: a
reader ignores fields and kinds that it does not know. Numbers are always finite.
"""

import math
from functools import lru_cache
from typing import Any, TypeAlias

import msgspec
from msgspec import UNSET, UnsetType

from streamaffect.errors import WireError
from streamaffect.messages import Estimate, Event, Health, Message, Meta, Voice
from streamaffect.types import Box, Square

REPEAT_MARK = b',"repeat":true}'
SCHEMA = 1
DECIMALS = 6
MAX_STREAM_NAME = 64
_MILLION = 1e6  # 10 ** DECIMALS
_CLEAR = 0.499  # so far from the middle of two decimals, the product's own rounding cannot choose the wrong one
_LARGEST = 1e9  # millionths, up to which this holds


class Envelope(msgspec.Struct, frozen=True, kw_only=True):
    """What every payload has, whatever its kind.

    repeat: True on the copy of a topic's last message that is sent again because somebody has just subscribed
    """

    v: int
    kind: str
    repeat: bool = False


_KIND: dict[type, str] = {Estimate: "affect", Voice: "voice", Health: "health", Event: "event", Meta: "meta"}
KINDS = tuple(_KIND.values())

MALFORMED = (msgspec.DecodeError, UnicodeDecodeError, RecursionError)

OutputIntervals: TypeAlias = dict[str, dict[str, tuple[float, float]]] | UnsetType

_encoder = msgspec.json.Encoder()
_decoder: msgspec.json.Decoder[Message] = msgspec.json.Decoder(Message)
_envelope_decoder = msgspec.json.Decoder(Envelope)


def safe_stream_name(text: str) -> str:
    """The text as a name that can stand in a topic: no slash, blank or control character, at most 64 characters.

    Raises WireError where nothing is left.
    """
    words = "".join(c if c.isprintable() and c != "/" else " " for c in text).split()
    name = "-".join(words)[:MAX_STREAM_NAME]
    if not name:
        raise WireError(
            f"stream name {text!r}: expected at least one visible character; name the stream as name=SOURCE"
        )
    return name


def topic_prefix(kind: str, stream: str | None = None) -> bytes:
    """What to subscribe to for one kind of message: of one stream, or of all of them."""
    return f"{kind}/".encode() if stream is None else f"{kind}/{_checked(stream)}/".encode()


def topic_of(message: Message) -> bytes:
    """The message's topic, with a slash at its end: `affect/<stream>/<track>/`, `health/<stream>/`, …

    Raises WireError where the stream's name is not safe.
    """
    prefix = topic_prefix(_KIND[type(message)], message.stream)
    return prefix + b"%d/" % message.track if isinstance(message, Estimate) else prefix


def encode(message: Message) -> bytes:
    """UTF-8 JSON with numbers rounded to six decimals, finer than any value or clock in it.

    Raises WireError that names the field where a number is NaN or infinite.
    """
    if type(message) is Estimate:
        try:
            return _encoder.encode(_rounded_estimate(message))
        except (ValueError, OverflowError, TypeError):
            pass  # a number that is not finite: the thorough way names its field
    return _encoder.encode(_rounded(msgspec.to_builtins(message), path=""))


def decode(payload: bytes) -> Message | None:
    """The message in a payload; None for a kind that a later release of schema v1 has added.

    Raises WireError for anything but JSON, for another schema, and for a field that is missing or of the wrong type.
    """
    envelope = read_envelope(payload)
    if envelope.kind not in KINDS:
        return None
    try:
        return _decoder.decode(payload)
    except MALFORMED as error:
        raise WireError(f"{envelope.kind} message: {error}; the sender does not keep to schema v{SCHEMA}") from error


def read_envelope(payload: bytes) -> Envelope:
    """Schema, kind and repeat flag of a payload. Raises WireError for anything that is not a message of schema v1."""
    try:
        envelope = _envelope_decoder.decode(payload)
    except MALFORMED as error:
        raise WireError(f"payload {payload[:40]!r}: {error}; expected JSON of the streamaffect feed") from error
    if envelope.v != SCHEMA:
        raise WireError(
            f"message of schema v{envelope.v}: this release reads v{SCHEMA}; install a newer streamaffect to read it"
        )
    return envelope


def as_repeat(payload: bytes) -> bytes:
    """The same payload, marked as one that was sent before."""
    return payload[:-1] + REPEAT_MARK


def without_repeat(payload: bytes) -> bytes:
    """The payload as it was before `as_repeat`."""
    return payload.removesuffix(REPEAT_MARK) + b"}" if payload.endswith(REPEAT_MARK) else payload


@lru_cache(maxsize=1024)  # asked for every message, of a few names
def _checked(stream: str) -> str:
    if safe_stream_name(stream) != stream:
        raise WireError(
            f"stream name {stream!r}: expected up to {MAX_STREAM_NAME} visible characters without '/' and blanks; "
            f"use {safe_stream_name(stream)!r}"
        )
    return stream


def _rounded_estimate(estimate: Estimate) -> Estimate:
    """What `_rounded` makes of an estimate, in a sixth of the time: these come by the thousand, the other kinds don't.

    Raises ValueError or OverflowError where a number is not finite.
    """
    valence, arousal = estimate.valence, estimate.arousal
    valence_interval, arousal_interval = estimate.valence_interval, estimate.arousal_interval
    x, y, w, h = estimate.box
    return Estimate(
        v=estimate.v,
        stream=estimate.stream,
        track=estimate.track,
        seq=estimate.seq,
        t_capture_ns=estimate.t_capture_ns,
        t_publish_ns=estimate.t_publish_ns,
        pts_s=None if estimate.pts_s is None else _round(estimate.pts_s),
        valence=None if valence is None else _round(valence),
        arousal=None if arousal is None else _round(arousal),
        valence_interval=None if valence_interval is None else _round_both(valence_interval),
        arousal_interval=None if arousal_interval is None else _round_both(arousal_interval),
        status=estimate.status,
        coverage=_round(estimate.coverage),
        context_fill=_round(estimate.context_fill),
        lookahead_s=_round(estimate.lookahead_s),
        refines=estimate.refines,
        box=Box(_round(x), _round(y), _round(w), _round(h)),
        face_score=_round(estimate.face_score),
        quality=None if estimate.quality is None else _round(estimate.quality),
        outputs={head: _round_all(values) for head, values in estimate.outputs.items()},
        output_intervals=_round_intervals(estimate.output_intervals),
        square=_round_square(estimate.square),
        latency_ms=_round_all(estimate.latency_ms),
        model=estimate.model,
        baseline=estimate.baseline,
        valence_relative=_round_known(estimate.valence_relative),
        arousal_relative=_round_known(estimate.arousal_relative),
        valence_relative_interval=_round_known_both(estimate.valence_relative_interval),
        arousal_relative_interval=_round_known_both(estimate.arousal_relative_interval),
        description=estimate.description,
    )


def _round_known(value: float | UnsetType | None) -> float | UnsetType | None:
    return value if value is UNSET or value is None else _round(value)


def _round_known_both(interval: tuple[float, float] | UnsetType | None) -> tuple[float, float] | UnsetType | None:
    return interval if interval is UNSET or interval is None else _round_both(interval)


def _round_both(interval: tuple[float, float]) -> tuple[float, float]:
    low, high = interval
    return _round(low), _round(high)


def _round_intervals(intervals: OutputIntervals) -> OutputIntervals:
    if isinstance(intervals, UnsetType):
        return intervals
    return {
        lens: {name: _round_both(interval) for name, interval in named.items()} for lens, named in intervals.items()
    }


def _round_square(square: Square | UnsetType) -> Square | UnsetType:
    return square if isinstance(square, UnsetType) else Square(*map(_round_both, square))


def _round_all(values: dict[str, float]) -> dict[str, float]:
    return {name: _round(value) for name, value in values.items()}


def _round(value: float) -> float:
    """`round(value, DECIMALS) + 0.0`, four times as fast where the answer is clear without looking at every digit."""
    if type(value) is not float:  # a whole number stays one
        return round(value, DECIMALS)
    scaled = value * _MILLION
    whole: int = round(scaled)
    if -_CLEAR < scaled - whole < _CLEAR and -_LARGEST < scaled < _LARGEST:
        return whole / _MILLION
    return round(value, DECIMALS) + 0.0


def _rounded(value: Any, path: str) -> Any:
    """The value with every float rounded; `path` is where it stands in the message."""
    if isinstance(value, float):
        if not math.isfinite(value):
            raise WireError(f"{path} is {value}: only finite numbers may be sent; send null where there is no value")
        return round(value, DECIMALS) + 0.0  # -0.0 becomes 0.0
    if isinstance(value, dict):
        return {key: _rounded(item, f"{path}.{key}" if path else str(key)) for key, item in value.items()}
    if isinstance(value, list | tuple):
        return [_rounded(item, f"{path}[{i}]") for i, item in enumerate(value)]
    return value
