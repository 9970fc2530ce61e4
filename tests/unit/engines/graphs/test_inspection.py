"""What `inspect` counts, against counts by hand."""

from pathlib import Path

import pytest

from engines.graphs.inspection import count_multiply_adds, graphs_beside, inspect_bundle
from streamaffect.runtime.bundle import load_bundle
from tests.support.bundles import DIM, add_attention_graph, context_head, edit_manifest, write_bundle
from tests.support.conv_bundles import CHANNELS, conv_encoder, write_conv_bundle


def test_multiply_adds_of_convolutions_and_products_are_counted_at_batch_one() -> None:
    first = 16 * 16 * CHANNELS * 3 * 9
    second = 8 * 8 * CHANNELS * CHANNELS * 9
    last = CHANNELS * DIM
    assert count_multiply_adds(conv_encoder()) == first + second + last
    assert count_multiply_adds(context_head(3)) == DIM * 2


def test_parameters_bytes_and_types_are_those_of_the_weights(tmp_path: Path) -> None:
    facts = inspect_bundle(load_bundle(write_conv_bundle(tmp_path / "bundle")))
    encoder = facts.graphs[0]
    parameters = 1 + CHANNELS * 3 * 9 + CHANNELS + CHANNELS * CHANNELS * 9 + CHANNELS * DIM + DIM
    assert encoder.parameters == parameters
    assert encoder.bytes == 4 * parameters + 2 * 8
    assert encoder.types == {"float": parameters, "int64": 2}
    assert encoder.operators["Conv"] == 2
    assert encoder.flops == 2 * count_multiply_adds(conv_encoder())
    assert encoder.inputs == ["crops uint8 (N, 32, 32, 3)"]


def test_counting_leaves_the_model_as_it_is() -> None:
    model = conv_encoder()
    count_multiply_adds(model)
    assert model == conv_encoder()


@pytest.fixture
def with_map(tmp_path: Path) -> Path:
    folder = write_bundle(tmp_path / "with map")
    add_attention_graph(folder)
    return folder


def test_graphs_and_heads_beside_the_stream_are_shown_as_such(with_map: Path) -> None:
    facts = inspect_bundle(load_bundle(with_map))
    assert [graph.role for graph in facts.graphs] == ["frame_encoder", "clip_encoder", "context_head", "attention_map"]
    assert facts.lines()[3:] == [
        "attention_map: crops uint8 (N, 32, 32, 3) → attention float32 (N, 32, 32); beside the stream",
        "head affect: regression, 2 outputs from the context",
        "head affect_spread: regression, 2 outputs from the context",
        "head emotions: classification, 3 outputs from the context",
        "head attention: map, 1 output from the frame; beside the stream",
    ]


def test_a_graph_beside_the_stream_whose_file_is_gone_is_said(with_map: Path) -> None:
    (with_map / "attention_map.onnx").unlink()
    facts = inspect_bundle(load_bundle(with_map))
    assert facts.absent == ["attention_map"]
    assert "attention_map: its file is not in the bundle; beside the stream" in facts.lines()


def test_nothing_is_read_outside_of_the_bundle(with_map: Path) -> None:
    (with_map / "attention_map.onnx").rename(with_map.parent / "attention_map.onnx")
    edit_manifest(with_map, lambda manifest: manifest["graphs"]["attention_map"].update(file="../attention_map.onnx"))
    bundle = load_bundle(with_map)
    assert graphs_beside(bundle) == []
    assert len(inspect_bundle(bundle).graphs) == 3
