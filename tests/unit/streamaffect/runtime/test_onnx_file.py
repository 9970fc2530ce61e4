"""Reading what an ONNX file declares: held against `onnx` itself, and against files that are cut or altered."""

from pathlib import Path
from typing import Any

import numpy as np
import onnx
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from onnx import TensorProto, helper, numpy_helper

from streamaffect.errors import BundleError
from streamaffect.runtime.manifest import TensorSpec
from streamaffect.runtime.onnx_file import read_signature
from tests.support.bundles import SIZE, clip_encoder, context_head, frame_encoder

MODELS = {"frame_encoder": frame_encoder(SIZE), "clip_encoder": clip_encoder(4), "context_head": context_head(3)}


def save(folder: Path, data: bytes) -> Path:
    file = folder / "graph.onnx"
    file.write_bytes(data)
    return file


def outside(name: str) -> TensorProto:
    """A tensor whose data lies in another file."""
    tensor = numpy_helper.from_array(np.zeros(4, np.float32), name)
    tensor.ClearField("raw_data")
    tensor.data_location = TensorProto.EXTERNAL
    tensor.external_data.add(key="location", value="../secrets")
    return tensor


def model_with(*, nodes: list[Any] | None = None, **graph: Any) -> onnx.ModelProto:
    output = helper.make_tensor_value_info("y", TensorProto.FLOAT, [4])
    made = helper.make_graph(nodes or [], "graph", [], [output], **graph)
    return helper.make_model(made, opset_imports=[helper.make_opsetid("", 18)])


def constant(tensor: TensorProto) -> Any:
    return helper.make_node("Constant", [], ["y"], value=tensor)


def sparse(tensor: TensorProto) -> Any:
    indices = numpy_helper.from_array(np.arange(4), "indices")
    return helper.make_sparse_tensor(tensor, indices, [8])


def branch(tensor: TensorProto) -> Any:
    """A node with a sub-graph that holds the tensor."""
    output = helper.make_tensor_value_info("y", TensorProto.FLOAT, [4])
    inner = helper.make_graph([constant(tensor)], "inner", [], [output])
    return helper.make_node("If", ["condition"], ["y"], then_branch=inner, else_branch=inner)


def function(tensor: TensorProto) -> onnx.ModelProto:
    model = model_with()
    imports = [helper.make_opsetid("", 18)]
    model.functions.append(helper.make_function("local", "f", [], ["y"], [constant(tensor)], imports))
    return model


OUTSIDE = {
    "an initialiser": lambda tensor: model_with(initializer=[tensor]),
    "a sparse initialiser": lambda tensor: model_with(sparse_initializer=[sparse(tensor)]),
    "a constant": lambda tensor: model_with(nodes=[constant(tensor)]),
    "a sparse constant": lambda tensor: model_with(
        nodes=[helper.make_node("Constant", [], ["y"], sparse_value=sparse(tensor))]
    ),
    "a sub-graph": lambda tensor: model_with(nodes=[branch(tensor)]),
    "a function": function,
}


@pytest.mark.parametrize("role", MODELS)
def test_the_signature_is_what_onnx_says(tmp_path: Path, role: str) -> None:
    model = MODELS[role]
    signature = read_signature(save(tmp_path, model.SerializeToString()))
    assert [spec.name for spec in signature.inputs] == [info.name for info in model.graph.input]
    assert [spec.name for spec in signature.outputs] == [info.name for info in model.graph.output]
    assert signature.opset == 18
    assert signature.external_data is None


def test_names_shapes_and_types_are_read(tmp_path: Path) -> None:
    signature = read_signature(save(tmp_path, MODELS["context_head"].SerializeToString()))
    assert signature.inputs[1:] == [
        TensorSpec("context", ["N", 3, 3], "float32"),
        TensorSpec("valid", ["N", 3], "bool"),
    ]


@pytest.mark.parametrize("place", OUTSIDE)
def test_data_outside_the_file_is_found_wherever_it_is_named(tmp_path: Path, place: str) -> None:
    model = OUTSIDE[place](outside("weights"))
    assert read_signature(save(tmp_path, model.SerializeToString())).external_data == "weights"
    inside = OUTSIDE[place](numpy_helper.from_array(np.zeros(4, np.float32), "weights"))
    assert read_signature(save(tmp_path, inside.SerializeToString())).external_data is None


@settings(deadline=None)
@given(cut=st.integers(0, 2000), at=st.integers(0, 2000), value=st.integers(0, 255), role=st.sampled_from(list(MODELS)))
def test_a_file_that_is_cut_or_altered_is_read_or_refused(
    tmp_path_factory: pytest.TempPathFactory, cut: int, at: int, value: int, role: str
) -> None:
    data = bytearray(MODELS[role].SerializeToString())
    data[at % len(data)] = value
    file = save(tmp_path_factory.getbasetemp(), bytes(data[: cut or None]))
    try:
        read_signature(file)
    except BundleError as error:
        assert str(error).startswith(f"{file}: not an ONNX model")


@settings(deadline=None)
@given(data=st.binary(max_size=200))
def test_any_bytes_are_read_or_refused(tmp_path_factory: pytest.TempPathFactory, data: bytes) -> None:
    file = save(tmp_path_factory.getbasetemp(), data)
    try:
        read_signature(file)
    except BundleError as error:
        assert "\n" not in str(error)


def test_sub_graphs_that_never_end_are_refused(tmp_path: Path) -> None:
    def message(field: int, body: bytes) -> bytes:
        size, length = len(body), b""
        while size >= 0x80:
            length, size = length + bytes([size & 0x7F | 0x80]), size >> 7
        return bytes([field << 3 | 2]) + length + bytes([size]) + body

    graph = b""
    for _ in range(3000):  # graph → node → attribute → graph
        graph = message(1, message(5, message(6, graph)))
    model = message(8, b"\x10\x12") + message(7, graph)
    with pytest.raises(BundleError, match="not an ONNX model"):
        read_signature(save(tmp_path, model))
