"""The wire: any bytes are a WireError or a message that can be sent on."""

import json
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from streamaffect.errors import WireError
from streamaffect.feed import wire
from streamaffect.feed.address import parse_address
from streamaffect.messages import Message
from tests.fuzz.byte_parsers import assert_one_line, check_wire
from tests.fuzz.effort import effort
from tests.fuzz.mutation import json_mutated, mutated
from tests.support.recordings import estimates, events, health_of, meta_of

GOLDEN = [path.read_bytes() for path in sorted((Path(__file__).parents[1] / "golden_messages").rglob("*.json"))]
GOLDEN_VALUES = [json.loads(payload) for payload in GOLDEN]

some_messages: st.SearchStrategy[Message] = (
    estimates
    | events
    | st.builds(health_of, st.text(), t_ns=st.integers(0, 2**62))
    | st.builds(meta_of, st.text(), live=st.booleans())
)


@pytest.mark.parametrize("payload", GOLDEN)
def test_golden_messages_can_be_sent_on(payload: bytes) -> None:
    check_wire(payload)
    assert wire.decode(payload) is not None


@effort
@given(st.sampled_from(GOLDEN).flatmap(mutated))
def test_damaged_messages_are_refused_or_can_be_sent_on(payload: bytes) -> None:
    check_wire(payload)


@effort
@given(st.sampled_from(GOLDEN_VALUES).flatmap(json_mutated))
def test_messages_with_one_wrong_value_are_refused_or_can_be_sent_on(message: object) -> None:
    check_wire(json.dumps(message).encode())


@effort
@given(some_messages)
def test_what_is_sent_is_read(message: Message) -> None:
    sent = wire.encode(message)
    assert wire.decode(sent) == message
    assert wire.decode(wire.as_repeat(sent)) == message


@effort
@given(st.text() | st.builds("{}://{}".format, st.sampled_from(["tcp", "ipc", "inproc"]), st.text()))
def test_any_address_is_refused_in_one_line_or_has_parts(text: str) -> None:
    try:
        address = parse_address(text)
    except WireError as error:
        assert_one_line(error)
        return
    assert address.path or (address.host and address.port)


@effort
@given(st.text())
def test_any_stream_name_is_refused_in_one_line_or_can_stand_in_a_topic(text: str) -> None:
    try:
        prefix = wire.topic_prefix("affect", text)
    except WireError as error:
        assert_one_line(error)
        return
    assert prefix.count(b"/") == 2
