"""The frame encoder's spatial map as a further output of its graph, for lenses: additive, its features stay bit-equal.

Only the name of a tensor changes. A session that is not asked for the map pays nothing for it.
"""

from collections.abc import MutableSequence
from pathlib import Path

MAP = "map"
SIDE = 8  # of the map: small enough for a small head, large enough to tell brow from eye


def publish_map(file: Path, *, side: int = SIDE) -> bool:
    """Give an ONNX frame encoder the output `map` (N, C, side, side): its last rectified features of that size.

    Returns whether it has one now; a network without such features is left as it is.
    """
    import onnx

    model = onnx.load(file)
    graph = model.graph
    if any(output.name == MAP for output in graph.output):
        return True
    inferred = onnx.shape_inference.infer_shapes(model).graph.value_info
    shapes = {value.name: [axis.dim_value for axis in value.type.tensor_type.shape.dim] for value in inferred}
    rectified = [node.output[0] for node in graph.node if node.op_type == "Relu"]
    found = [name for name in rectified if shapes.get(name, [])[2:] == [side, side]]
    if not found:
        return False
    channels = shapes[found[-1]][1]
    for node in graph.node:
        _rename(node.input, found[-1])
        _rename(node.output, found[-1])
    shape = ["N", channels, side, side]
    graph.output.append(onnx.helper.make_tensor_value_info(MAP, onnx.TensorProto.FLOAT, shape))
    onnx.checker.check_model(model)
    onnx.save(model, file)
    return True


def _rename(names: MutableSequence[str], old: str) -> None:
    for i, name in enumerate(names):
        if name == old:
            names[i] = MAP
