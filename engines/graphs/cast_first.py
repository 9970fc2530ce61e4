"""Graphs that begin with the cast of their bytes: TensorRT takes a `uint8` input only where it goes straight into one.

Bundles of schema 1 that were exported before that was known reshape and transpose bytes first. Moving the cast to the
front changes no number: what stands between only moves values.
"""

from typing import Any

from streamaffect.errors import EngineError
from streamaffect.runtime.onnx_file import TAKES_BYTES

# Operators that move values and compute nothing: the same on bytes and on floats.
MOVES = {"Expand", "Flatten", "Gather", "Identity", "Reshape", "Slice", "Squeeze", "Transpose", "Unsqueeze"}


def cast_first(model: Any) -> Any:
    """A copy of an ONNX model whose `uint8` inputs go straight into a cast to float32; the model itself if they do.

    Raises EngineError where something is computed with bytes, which floats would do otherwise.
    """
    import onnx
    from onnx import TensorProto, helper

    late = [name for name in _byte_inputs(model) if _takers(model, name) - TAKES_BYTES]
    if not late:
        return model
    moved = onnx.ModelProto()
    moved.CopyFrom(model)
    for name in late:
        floats = f"{name}__float"
        _as_floats(moved, name, floats)
        moved.graph.node.insert(0, helper.make_node("Cast", [name], [floats], f"{name}__cast", to=TensorProto.FLOAT))
    del moved.graph.value_info[:]  # the types of what was moved
    onnx.checker.check_model(moved)
    return moved


def _byte_inputs(model: Any) -> list[str]:
    from onnx import TensorProto

    return [value.name for value in model.graph.input if value.type.tensor_type.elem_type == TensorProto.UINT8]


def _takers(model: Any, name: str) -> set[str]:
    return {node.op_type for node in model.graph.node if name in node.input}


def _as_floats(model: Any, name: str, floats: str) -> None:
    """Let all that takes the bytes `name` take `floats`, and drop the casts to float32 that come later."""
    from onnx import TensorProto

    bytes_now, names, kept = {name}, {name: floats}, []
    for node in model.graph.node:
        is_cast = node.op_type == "Cast" and node.input[0] in bytes_now
        if is_cast and node.attribute[0].i == TensorProto.FLOAT:
            names[node.output[0]] = names.get(node.input[0], node.input[0])
            continue
        taken = bytes_now & set(node.input)
        if taken and node.op_type in MOVES:
            bytes_now.update(node.output)
        elif taken and not is_cast and node.op_type != "Shape":
            raise EngineError(f"{node.op_type} {node.name} computes with the bytes of {name}; TensorRT can't, and as "
                              "floats they would give other numbers; export the bundle again")  # fmt: skip
        node.input[:] = [names.get(one, one) for one in node.input]
        kept.append(node)
    del model.graph.node[:]
    model.graph.node.extend(kept)
    for output in model.graph.output:
        if output.name in names:
            raise EngineError(f"the output {output.name} is the bytes of {name} themselves; export the bundle again")
