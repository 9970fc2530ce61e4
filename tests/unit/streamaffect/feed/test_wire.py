import json
import math
from collections.abc import Callable
from pathlib import Path
from typing import Any

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from streamaffect.errors import WireError
from streamaffect.feed.wire import (
    MAX_STREAM_NAME,
    as_repeat,
    decode,
    encode,
    read_envelope,
    safe_stream_name,
    topic_of,
    topic_prefix,
)
from streamaffect.messages import Estimate, Message
from streamaffect.types import Box, Square
from tests.support.recordings import ESTIMATE, estimates, events, health_of, meta_of

GOLDEN = sorted((Path(__file__).parents[3] / "golden_messages" / "v1").glob("*.json"))
UNKNOWN_FIELDS = {"repeat", "head_pose", "dominance"}


@pytest.mark.parametrize("path", GOLDEN, ids=lambda path: path.stem)
def test_every_golden_message_decodes_to_all_that_it_says(path: Path) -> None:
    golden = json.loads(path.read_text(encoding="utf-8"))
    message = decode(path.read_bytes())
    assert message is not None
    read = json.loads(msgspec.json.encode(message))
    assert {key: read.get(key) for key in golden if key not in UNKNOWN_FIELDS} == {
        key: value for key, value in golden.items() if key not in UNKNOWN_FIELDS
    }


def test_there_is_a_golden_message_of_every_kind() -> None:
    assert {json.loads(path.read_text(encoding="utf-8"))["kind"] for path in GOLDEN} == {
        "affect",
        "health",
        "event",
        "meta",
        "voice",
    }


@given(estimates | events)
def test_a_message_with_six_decimals_survives_the_wire_unchanged(message: Message) -> None:
    assert decode(encode(message)) == message


@given(st.floats(-1, 1))
def test_a_value_changes_by_half_a_millionth_at_most(valence: float) -> None:
    message = decode(encode(msgspec.structs.replace(ESTIMATE, valence=valence)))
    assert isinstance(message, Estimate)
    assert message.valence is not None
    assert math.isclose(message.valence, valence, abs_tol=0.51e-6)


_ANY = (
    st.floats(allow_nan=False, allow_infinity=False)
    | st.floats(-2, 2)
    | st.integers(-(10**7), 10**7).map(lambda half_millionths: half_millionths / 2e6)
)


@given(
    st.tuples(*(_ANY,) * 16),
    st.dictionaries(st.text(max_size=3), _ANY, max_size=3),
    st.sampled_from([None, 0, 1, 0.25]),
)
def test_every_number_of_an_estimate_is_the_decimal_that_lies_nearest(
    values: tuple[float, ...], more: dict[str, float], whole: float | None
) -> None:
    names = ("valence", "arousal", "coverage", "context_fill", "lookahead_s", "face_score", "quality")
    changes: dict[str, Any] = dict(zip(names, values, strict=False))
    changes |= {"valence_interval": values[7:9], "arousal_interval": values[9:11], "box": values[11:15]}
    estimate = msgspec.structs.replace(ESTIMATE, **changes, outputs={"head": more}, latency_ms=more, pts_s=whole)

    def nearest(value: Any) -> Any:
        if isinstance(value, float):
            return round(value, 6) + 0.0
        if isinstance(value, dict):
            return {key: nearest(item) for key, item in value.items()}
        return [nearest(item) for item in value] if isinstance(value, list | tuple) else value

    assert encode(estimate) == msgspec.json.encode(nearest(msgspec.to_builtins(estimate)))


_OTHER_THAN_DEFAULT: dict[str, Any] = {
    "v": 7,
    "stream": "door",
    "track": 5,
    "seq": 12,
    "t_capture_ns": 1763660000123456789,
    "t_publish_ns": 1763660000143456789,
    "pts_s": 1.25,
    "valence": 0.5,
    "arousal": -0.5,
    "valence_interval": (0.25, 0.75),
    "arousal_interval": (-0.75, -0.25),
    "status": "held",
    "coverage": 0.125,
    "context_fill": 0.375,
    "lookahead_s": 0.64,
    "refines": 4,
    "box": Box(0.125, 0.25, 0.375, 0.5),
    "face_score": 0.625,
    "quality": 0.875,
    "outputs": {"units": {"AU12": 0.8}},
    "output_intervals": {"units": {"AU12": (0.7, 0.9)}},
    "latency_ms": {"total": 21.5},
    "model": "other@2.0",
    "baseline": "taken",
    "valence_relative": 0.1,
    "arousal_relative": -0.1,
    "valence_relative_interval": (-0.1, 0.3),
    "arousal_relative_interval": (-0.3, 0.1),
    "description": "A smile",
    "square": Square((0.125, 0.25), (0.5, 0.25), (0.125, 0.75)),
}


@pytest.mark.parametrize("field", Estimate.__struct_fields__)
def test_every_field_of_an_estimate_survives_the_wire(field: str) -> None:
    """A new field needs a value above, and a place wherever estimates are written out field by field."""
    changed = msgspec.structs.replace(ESTIMATE, **{field: _OTHER_THAN_DEFAULT[field]})
    assert getattr(changed, field) != getattr(ESTIMATE, field)
    assert msgspec.json.decode(encode(changed)) == msgspec.json.decode(msgspec.json.encode(changed))


def test_nanoseconds_keep_every_digit() -> None:
    message = decode(encode(msgspec.structs.replace(ESTIMATE, t_capture_ns=1763660000123456789)))
    assert isinstance(message, Estimate)
    assert message.t_capture_ns == 1763660000123456789


def test_there_is_no_negative_zero_on_the_wire() -> None:
    assert b"-0.0" not in encode(msgspec.structs.replace(ESTIMATE, valence=-1e-9))


@pytest.mark.parametrize(
    ("changes", "field"),
    [
        ({"valence": math.nan}, "valence"),
        ({"arousal_interval": (0.0, math.inf)}, "arousal_interval[1]"),
        ({"outputs": {"emotions": {"happiness": -math.inf}}}, "outputs.emotions.happiness"),
        ({"box": (0.0, 0.0, math.nan, 1.0)}, "box[2]"),
    ],
)
def test_a_number_that_is_not_finite_is_refused_by_its_name(changes: dict[str, Any], field: str) -> None:
    with pytest.raises(WireError) as error:
        encode(msgspec.structs.replace(ESTIMATE, **changes))
    assert str(error.value).startswith(f"{field} is ")


def _changed(**changes: Any) -> bytes:
    return json.dumps(json.loads(encode(ESTIMATE)) | changes).encode()


def _without(key: str) -> bytes:
    fields = json.loads(encode(ESTIMATE))
    del fields[key]
    return json.dumps(fields).encode()


@pytest.mark.parametrize(
    ("payload", "says"),
    [
        (b"", "JSON"),
        (b"not json", "JSON"),
        (b"[1]", "JSON"),
        (b'{"v":1,"kind":"affect","stream":"\xff"}', "utf-8"),
        (b"[" * 100_000, "JSON"),
        (_changed(valence="high"), r"\$.valence"),
        (_changed(valence=1.5), r"\$.valence"),
        (_changed(track=1.5), r"\$.track"),
        (_changed(status="asleep"), r"\$.status"),
        (_changed(box=[0, 0, 1]), r"\$.box"),
        (_without("seq"), "`seq`"),
        (_without("v"), "`v`"),
        (_changed(v=2), "schema v2.*newer streamaffect"),
        (_changed(v=2, valence="of another form"), "schema v2.*newer streamaffect"),
        (_changed(v="1"), r"\$.v"),
    ],
)
def test_what_is_no_message_of_schema_v1_is_refused_with_the_reason(payload: bytes, says: str) -> None:
    with pytest.raises(WireError, match=says):
        decode(payload)


@given(st.binary(max_size=60) | st.recursive(st.none() | st.text() | st.integers(), st.lists).map(repr).map(str.encode))
def test_arbitrary_bytes_are_a_wire_error_and_nothing_else(payload: bytes) -> None:
    with pytest.raises(WireError):
        decode(payload)


def test_a_kind_that_a_later_release_has_added_is_ignored() -> None:
    assert decode(b'{"v":1,"kind":"gaze","stream":"webcam","yaw":0.2}') is None


def test_a_repeat_is_the_same_message_with_a_mark() -> None:
    payload = as_repeat(encode(ESTIMATE))
    assert decode(payload) == ESTIMATE
    assert read_envelope(payload).repeat
    assert not read_envelope(encode(ESTIMATE)).repeat


@pytest.mark.parametrize(
    ("message", "topic"),
    [
        (ESTIMATE, b"affect/clip/3/"),
        (health_of("webcam"), b"health/webcam/"),
        (meta_of("bühne", live=True), "meta/bühne/".encode()),
    ],
)
def test_a_topic_names_kind_stream_and_track(message: Message, topic: bytes) -> None:
    assert topic_of(message) == topic


def test_a_prefix_of_one_track_does_not_match_another_that_begins_with_its_digits() -> None:
    one, twelve = (topic_of(msgspec.structs.replace(ESTIMATE, track=track)) for track in (1, 12))
    assert not twelve.startswith(one)
    assert twelve.startswith(topic_prefix("affect", "clip"))
    assert twelve.startswith(topic_prefix("affect"))


@pytest.mark.parametrize(
    ("text", "name"),
    [
        ("webcam", "webcam"),
        ("/dev/video0", "dev-video0"),
        ("my holiday.mp4", "my-holiday.mp4"),
        ("a\x00b\nc", "a-b-c"),
        ("Bühne 1", "Bühne-1"),
        ("x" * 100, "x" * MAX_STREAM_NAME),
    ],
)
def test_any_text_becomes_a_name_that_can_stand_in_a_topic(text: str, name: str) -> None:
    assert safe_stream_name(text) == name


@given(st.text())
def test_a_safe_name_is_safe(text: str) -> None:
    try:
        name = safe_stream_name(text)
    except WireError:
        return
    assert safe_stream_name(name) == name
    assert topic_prefix("affect", name).decode().count("/") == 2


@pytest.mark.parametrize(
    "use", [safe_stream_name, lambda name: topic_of(msgspec.structs.replace(ESTIMATE, stream=name))]
)
@pytest.mark.parametrize("name", ["", " ", "//", "\x00"])
def test_an_empty_stream_name_is_refused(use: Callable[[str], object], name: str) -> None:
    with pytest.raises(WireError, match="name=SOURCE"):
        use(name)


def test_a_topic_with_an_unsafe_stream_name_is_refused_and_a_safe_one_is_offered() -> None:
    with pytest.raises(WireError, match="use 'a-b'"):
        topic_of(msgspec.structs.replace(ESTIMATE, stream="a/b"))
