"""What may stand after --markers."""

import pytest

from streamaffect.control.markers.base import MarkerSpec, parse_markers
from streamaffect.errors import ConfigError


def test_a_stream_or_a_port_of_this_machine() -> None:
    assert parse_markers("lsl:PsychoPy Markers") == MarkerSpec("lsl", "PsychoPy Markers")
    assert parse_markers("tcp:7788") == MarkerSpec("tcp", "7788")


@pytest.mark.parametrize(
    "text", ["", "lsl", "lsl:", "lsl:a'b", "tcp:", "tcp:x", "tcp:65536", "tcp:-1", "tcp:0.0.0.0:1", "osc:1"]
)
def test_anything_else_is_refused_with_what_was_expected(text: str) -> None:
    with pytest.raises(
        ConfigError, match="expected lsl:NAME of a Lab Streaming Layer stream, or tcp:PORT of this machine"
    ):
        parse_markers(text)
