"""In which type layers are computed: what the written graphs say, and what OpenVINO says of its compiled models."""

from pathlib import Path

import numpy as np
import pytest

from engines.graphs.half import to_half
from engines.graphs.layers import types_of_graph, types_of_graphs, types_of_openvino
from engines.graphs.quantise import write_int8
from streamaffect.runtime.bundle import Bundle, load_bundle
from tests.support.bundles import SIZE
from tests.support.conv_bundles import conv_encoder, write_conv_bundle

CROPS = np.random.default_rng(0).integers(0, 256, (4, SIZE, SIZE, 3), np.uint8)


@pytest.fixture
def bundle(tmp_path: Path) -> Bundle:
    return load_bundle(write_conv_bundle(tmp_path / "bundle"))


def test_fp32_and_fp16_graphs_say_so_of_every_product() -> None:
    assert types_of_graph(conv_encoder().SerializeToString()) == {"fp32": 3}
    assert types_of_graph(to_half(conv_encoder()).SerializeToString()) == {"fp16": 3}


@pytest.mark.parametrize("backend", ["onnxruntime", "tensorrt"])
def test_an_int8_graph_has_its_convolutions_in_int8_and_the_rest_in_fp32(
    bundle: Bundle, tmp_path: Path, backend: str
) -> None:
    target = tmp_path / "int8.onnx"
    write_int8(bundle.graph_path("frame_encoder"), target, CROPS, backend)  # type: ignore[arg-type]
    assert types_of_graph(target) == {"int8": 2, "fp32": 1}


def test_a_role_that_was_not_compiled_counts_the_bundles_own_graph(bundle: Bundle) -> None:
    half = to_half(conv_encoder()).SerializeToString()
    types = types_of_graphs(bundle, {"frame_encoder": half})
    assert types == {"frame_encoder": {"fp16": 3}, "clip_encoder": {}, "context_head": {"fp32": 1}}


def test_without_the_onnx_package_nothing_is_counted(bundle: Bundle, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("engines.graphs.layers.has_onnx", lambda: False)
    assert types_of_graphs(bundle, {}) == {}


def test_openvino_says_in_which_type_it_computes_each_product(bundle: Bundle, tmp_path: Path) -> None:
    pytest.importorskip("openvino", reason="OpenVINO is not installed")
    plain = types_of_openvino(bundle, "fp32", {})
    assert plain == {"frame_encoder": {"fp32": 3}, "clip_encoder": {}, "context_head": {"fp32": 1}}
    target = tmp_path / "int8.onnx"
    write_int8(bundle.graph_path("frame_encoder"), target, CROPS, "openvino")
    quantised = types_of_openvino(bundle, "int8", {"frame_encoder": target})
    assert quantised["frame_encoder"]["int8"] >= 1
    assert sum(quantised["frame_encoder"].values()) == 3
