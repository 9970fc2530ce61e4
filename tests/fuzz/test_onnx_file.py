"""What an ONNX file declares: whatever has happened to the file, it is read or refused."""

from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.fuzz.byte_parsers import check_onnx
from tests.fuzz.effort import effort
from tests.fuzz.mutation import mutated
from tests.support.bundles import SIZE, clip_encoder, context_head, frame_encoder

GRAPHS = [model.SerializeToString() for model in (frame_encoder(SIZE), clip_encoder(4), context_head(3))]
# Tags and lengths of protobuf: of every wire type, too long, and for ever.
WORDS = [
    b"\x07",
    b"\x0b",
    b"\x3a",
    b"\x3a\x00",
    b"\x3a\x7f",
    b"\xff" * 9,
    b"\xff" * 9 + b"\x01",
    b"\x80" * 12,
    b"\x22\x01\xff",
]


@effort
@given(st.sampled_from(GRAPHS).flatmap(lambda graph: mutated(graph, words=WORDS)))
def test_a_damaged_graph_is_read_or_refused_by_its_name(tmp_path_factory: pytest.TempPathFactory, data: bytes) -> None:
    check_onnx(Path(tmp_path_factory.getbasetemp()) / "graph.onnx", data)
