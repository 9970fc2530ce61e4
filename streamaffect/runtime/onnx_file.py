"""What an ONNX file declares: inputs, outputs, opset, and whether it points to data outside itself.

Reads the few fields that matter straight from the protobuf encoding, so that a bundle can be checked before any
backend opens it, and without the `onnx` package. Field numbers are those of onnx.proto3 (ONNX IR).
"""

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from streamaffect.errors import BundleError
from streamaffect.runtime.manifest import TensorSpec

Value = int | memoryview

_ELEMENT_TYPES = {
    1: "float32",
    2: "uint8",
    3: "int8",
    6: "int32",
    7: "int64",
    9: "bool",
    10: "float16",
    11: "float64",
    16: "bfloat16",
}
_EXTERNAL = 1


@dataclass(frozen=True, slots=True)
class GraphSignature:
    """The outside of a graph. `external_data` names the first tensor that is stored in another file, if any."""

    inputs: list[TensorSpec]
    outputs: list[TensorSpec]
    opset: int
    external_data: str | None


def read_signature(path: Path) -> GraphSignature:
    """Parse the file's declarations; raises BundleError where it is no ONNX model."""
    data = memoryview(path.read_bytes())
    try:
        return _model(data)
    except (IndexError, ValueError, UnicodeDecodeError) as error:
        message = f"{path}: not an ONNX model ({error}); export the bundle again"
        raise BundleError(message) from error


def _model(data: memoryview) -> GraphSignature:
    graph: memoryview | None = None
    opset = 0
    for field, value in _fields(data):
        if field == 7:
            graph = _bytes(value)
        elif field == 8:
            opset = max(opset, _default_domain_version(_bytes(value)))
    if graph is None or opset == 0:
        raise ValueError("no graph inside")
    initialised = {_text(tensor, 8) for tensor in _messages(graph, 5)}
    inputs = [_tensor_spec(info) for info in _messages(graph, 11)]
    return GraphSignature(
        inputs=[spec for spec in inputs if spec.name not in initialised],
        outputs=[_tensor_spec(info) for info in _messages(graph, 12)],
        opset=opset,
        external_data=_external_tensor(graph),
    )


def _default_domain_version(opset_import: memoryview) -> int:
    fields = dict(_fields(opset_import))
    is_default = not bytes(_bytes(fields.get(1, memoryview(b""))))
    version = fields.get(2, 0)
    return version if is_default and isinstance(version, int) else 0


def _tensor_spec(value_info: memoryview) -> TensorSpec:
    tensor = _first(_first(value_info, 2), 1)
    element = next((value for field, value in _fields(tensor) if field == 1), 0)
    shape = [_dimension(dimension) for dimension in _messages(_first(tensor, 2), 1)]
    return TensorSpec(_text(value_info, 1), shape, _ELEMENT_TYPES.get(int(element), f"type {element}"))


def _dimension(dimension: memoryview) -> int | str:
    for field, value in _fields(dimension):
        if field == 1 and isinstance(value, int):
            return value
        if field == 2:
            return str(_bytes(value), "utf-8")
    return "?"


def _external_tensor(graph: memoryview) -> str | None:
    """The first tensor stored outside the file: among the initialisers, the nodes' attributes and their sub-graphs."""
    tensors = list(_messages(graph, 5))
    subgraphs = []
    for node in _messages(graph, 1):
        for attribute in _messages(node, 5):
            tensors += [*_messages(attribute, 5), *_messages(attribute, 10)]
            subgraphs += [*_messages(attribute, 6), *_messages(attribute, 11)]
    for tensor in tensors:
        fields = list(_fields(tensor))
        if any(field == 13 or (field == 14 and value == _EXTERNAL) for field, value in fields):
            return _text(tensor, 8) or "unnamed"
    return next((found for found in map(_external_tensor, subgraphs) if found), None)


def _messages(data: memoryview, number: int) -> Iterator[memoryview]:
    return (_bytes(value) for field, value in _fields(data) if field == number)


def _first(data: memoryview, number: int) -> memoryview:
    return next(_messages(data, number), memoryview(b""))


def _text(data: memoryview, number: int) -> str:
    return str(_first(data, number), "utf-8")


def _bytes(value: Value) -> memoryview:
    if isinstance(value, int):
        raise ValueError("a number where a message was expected")
    return value


def _fields(data: memoryview) -> Iterator[tuple[int, Value]]:
    """Field number and value of one protobuf message, in file order (varints as int, the rest as bytes)."""
    at = 0
    while at < len(data):
        key, at = _varint(data, at)
        number, wire_type = key >> 3, key & 7
        if wire_type == 0:
            value, at = _varint(data, at)
            yield number, value
            continue
        if wire_type == 2:
            size, at = _varint(data, at)
        elif wire_type in (1, 5):
            size = 8 if wire_type == 1 else 4
        else:
            raise ValueError(f"wire type {wire_type}")
        if at + size > len(data):
            raise ValueError("cut off")
        yield number, data[at : at + size]
        at += size


def _varint(data: memoryview, at: int) -> tuple[int, int]:
    result = shift = 0
    while True:
        byte = data[at]
        at += 1
        result |= (byte & 0x7F) << shift
        if byte < 0x80:
            return result, at
        shift += 7
        if shift > 63:
            raise ValueError("a number that never ends")
