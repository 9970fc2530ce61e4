"""The real TensorRT builder on this machine's processor: what it takes, and what it refuses in which words.

TensorRT for RTX builds plans without a GPU; under the official bindings its parser and builder are asked what TensorRT
itself is asked. A plan cannot be run here.
"""

import subprocess
import sys
from pathlib import Path

import numpy as np
import onnx
import pytest
from onnx import TensorProto, helper, numpy_helper

from benchmarks.methods.paper_size_bundle import write_paper_size
from streamaffect.runtime.bundle import default_bundle_path, load_bundle
from streamaffect.runtime.manifest import ROLES
from tests.support.bundles import replace_graph
from tests.support.conv_bundles import moving_bytes, write_conv_bundle
from tests.support.gpu.fake_gpu import refusals
from tests.support.gpu.real_tensorrt import ROOT, assert_tensorrt_takes, build_all, builder_environment

pytestmark = pytest.mark.timeout(180)


def test_every_graph_of_the_default_bundle_is_built_in_every_precision() -> None:
    assert_tensorrt_takes(default_bundle_path())


def test_every_graph_of_a_resnet_50_is_built_in_eight_bits(tmp_path: Path) -> None:
    # All its layers, each an eighth as wide; in the other precisions they are those of the default bundle.
    told = build_all(write_paper_size(tmp_path / "resnet", size=32, width=8, clip_layers=1), precisions=("int8",))
    assert {(one["role"], one.get("error")) for one in told} == {(role, None) for role in ROLES}
    assert next(one for one in told if one["role"] == "frame_encoder")["quantised"] > 50


def test_bytes_that_are_moved_before_their_cast_are_rewritten_and_built(tmp_path: Path) -> None:
    folder = write_conv_bundle(tmp_path / "older")
    replace_graph(folder, "frame_encoder", moving_bytes())
    assert list(load_bundle(folder).obstacles) == ["frame_encoder"]
    assert_tensorrt_takes(folder)


def one_node(
    node: onnx.NodeProto, kind: int, shape: list[str | int], weights: dict[str, np.ndarray]
) -> onnx.ModelProto:
    graph = helper.make_graph(
        [node],
        "one",
        [helper.make_tensor_value_info("x", kind, shape)],
        [helper.make_tensor_value_info("y", TensorProto.FLOAT, None)],
        [numpy_helper.from_array(value, name) for name, value in weights.items()],
    )
    opsets = [helper.make_opsetid("", 18), helper.make_opsetid("own", 1)]
    return helper.make_model(graph, opset_imports=opsets, ir_version=10)


REFUSED = {
    "bytes that are not cast": (
        one_node(helper.make_node("Reshape", ["x", "s"], ["y"], "r"), TensorProto.UINT8, ["N", 4],
                 {"s": np.array([-1])}),
        "Reshape r: first input has type UInt8 but must have type Float",
    ),
    "a quantised bias": (
        one_node(helper.make_node("DequantizeLinear", ["b", "s"], ["y"], "d"), TensorProto.FLOAT, ["N", 2],
                 {"b": np.array([1, 2], np.int32), "s": np.array(0.1, np.float32)}),
        "DequantizeLinear d: input has type Int32 but must have type FP8",
    ),
    "an operator that it does not know": (
        one_node(helper.make_node("Unique", ["x"], ["y"], "u"), TensorProto.FLOAT, ["N", 2], {}),
        "Unique u: this operator is not supported",
    ),
    "somebody's own operator": (
        one_node(helper.make_node("Own", ["x"], ["y"], "o", domain="own"), TensorProto.FLOAT, ["N", 2], {}),
        "Own o: this operator is not supported",
    ),
    "a product with int64 weights": (
        one_node(helper.make_node("MatMul", ["x", "w"], ["y"], "m"), TensorProto.INT64, ["N", 2],
                 {"w": np.ones((2, 2), np.int64)}),
        "MatMul m: Assertion failed: status.is_success(): Found unsupported input type of INT64",
    ),
}  # fmt: skip

BUILD = """
import sys
from pathlib import Path
from engines.tensorrt_build import _build
from streamaffect.errors import EngineError
from streamaffect.runtime.tensorrt import import_tensorrt
try:
    _build(import_tensorrt(), Path(sys.argv[1]).read_bytes(), 2, Path(sys.argv[1] + ".timings"), outputs={"y"})
except EngineError as error:
    print(error)
"""


@pytest.mark.parametrize("case", REFUSED)
def test_what_it_refuses_is_one_clear_line(case: str, tmp_path: Path) -> None:
    model, expected = REFUSED[case]
    file = tmp_path / "graph.onnx"
    onnx.save(model, file)
    child = subprocess.run(
        [sys.executable, "-c", BUILD, str(file)], cwd=ROOT, env=builder_environment(), capture_output=True, text=True,
        check=False,
    )  # fmt: skip
    (line,) = child.stdout.splitlines()
    assert line.startswith("TensorRT ")
    assert f"cannot take the graph: {expected}" in line
    assert child.stderr == ""


@pytest.mark.parametrize("case", REFUSED)
def test_the_fake_refuses_what_the_real_one_refuses(case: str) -> None:
    assert len(list(refusals(REFUSED[case][0]))) == 1


def test_the_fake_takes_what_the_real_one_takes() -> None:
    bundle = load_bundle()
    for role in bundle.manifest.graphs:  # its int8 twin is made for ONNX Runtime alone
        assert list(refusals(onnx.load(bundle.graph_path(role)))) == []
