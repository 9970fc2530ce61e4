"""What `inspect` counts, against counts by hand."""

from pathlib import Path

from engines.inspection import count_multiply_adds, inspect_bundle
from streamaffect.runtime.bundle import load_bundle
from tests.support.bundles import DIM, context_head
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
    assert encoder.inputs == ["crops uint8 (N, 32, 32, 3)"]


def test_counting_leaves_the_model_as_it_is() -> None:
    model = conv_encoder()
    count_multiply_adds(model)
    assert model == conv_encoder()
