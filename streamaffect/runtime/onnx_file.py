"""What an ONNX file declares: inputs, outputs, opset, and whether it points to data outside itself; and its check.

Reads the few fields that matter straight from the protobuf encoding, so that a bundle can be checked before any
backend opens it, and without the `onnx` package. Field numbers are those of onnx.proto3 (ONNX IR).
"""

import hashlib
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from itertools import chain
from pathlib import Path

from streamaffect.errors import BundleError
from streamaffect.runtime.manifest import GraphSpec, TensorSpec

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
TAKES_BYTES = frozenset({"Cast", "Shape"})  # the operators to which TensorRT gives a uint8 input


@dataclass(frozen=True, slots=True)
class GraphSignature:
    """The outside of a graph.

    external_data: the first tensor that is stored in another file, None where there is none
    uncast:        what keeps TensorRT from taking the graph: a node that takes bytes and is no `Cast`; None where all
                   `uint8` inputs go straight into casts
    """

    inputs: list[TensorSpec]
    outputs: list[TensorSpec]
    opset: int
    external_data: str | None
    uncast: str | None = None


def read_signature(path: Path) -> GraphSignature:
    """Parse the file's declarations; raises BundleError where it cannot be read or is no ONNX model."""
    try:
        return _model(memoryview(read_content(path)))
    except (IndexError, ValueError, RecursionError) as error:
        message = f"{path}: not an ONNX model ({error}); export the bundle again"
        raise BundleError(message) from error


def read_content(file: Path) -> bytes:
    """All of a bundle's file; raises BundleError where it cannot be read."""
    try:
        return file.read_bytes()
    except OSError as error:
        raise BundleError(f"{file}: cannot be read ({error.strerror}); check its permissions") from None


def read_graph(folder: Path, listing: str, role: str, graph: GraphSpec) -> GraphSignature:
    """The outside of a graph that `listing`, a file of the folder, names in `graphs`.

    Raises BundleError where the file is missing, altered, no ONNX model, or points to data outside itself.
    """
    if Path(graph.file).name != graph.file:
        raise BundleError(
            f"{folder / listing}: graphs.{role}.file is {graph.file!r}, expected a name in the same folder"
        )
    file = folder / graph.file
    if not file.is_file():
        raise BundleError(
            f"{file}: missing, though {listing} names it as graphs.{role}; copy or export the bundle again"
        )
    found = hashlib.sha256(read_content(file)).hexdigest()
    if found != graph.sha256:
        raise BundleError(
            f"{file}: sha256 is {found[:12]}…, the manifest says {graph.sha256[:12]}…: "
            "the file was altered or cut; copy or export the bundle again"
        )
    signature = read_signature(file)
    if signature.external_data is not None:
        raise BundleError(f"{file}: tensor {signature.external_data!r} is stored outside the file, which is refused; "
                          "export with the data inside")  # fmt: skip
    return signature


def compare_tensors(file: Path, side: str, expected: Sequence[TensorSpec], found: Sequence[TensorSpec]) -> None:
    """Raise BundleError where the file's inputs or outputs lack one that is expected, or have it in another shape."""
    by_name = {spec.name: spec for spec in found}
    for spec in expected:
        actual = by_name.get(spec.name)
        if actual is None or actual.dtype != spec.dtype or not _fits(spec.shape, actual.shape):
            raise BundleError(
                f"{file}: {side} {spec.name!r} must be {_describe(spec)}, "
                f"found {_describe(actual) if actual else sorted(by_name)}; export the bundle again"
            )


def _fits(expected: list[int | str], found: list[int | str]) -> bool:
    """Named axes are dynamic and must be so in the graph; numbers must be equal."""
    return len(expected) == len(found) and all(
        isinstance(b, str) if isinstance(a, str) else a == b for a, b in zip(expected, found, strict=True)
    )


def _describe(spec: TensorSpec) -> str:
    return f"{spec.dtype} ({', '.join(map(str, spec.shape))})"


def _model(data: memoryview) -> GraphSignature:
    graph: memoryview | None = None
    functions: list[memoryview] = []
    opset = 0
    for field, value in _fields(data):
        if field == 7:
            graph = _bytes(value)
        elif field == 8:
            opset = max(opset, _default_domain_version(_bytes(value)))
        elif field == 25:
            functions.append(_bytes(value))
    if graph is None or opset == 0:
        raise ValueError("no graph inside")
    initialised = {_text(tensor, 8) for tensor in _messages(graph, 5)}
    inputs = [_tensor_spec(info) for info in _messages(graph, 11)]
    tensors = chain(_graph_tensors(graph), *(_node_tensors(_messages(function, 7)) for function in functions))
    inputs = [spec for spec in inputs if spec.name not in initialised]
    return GraphSignature(
        inputs=inputs,
        outputs=[_tensor_spec(info) for info in _messages(graph, 12)],
        opset=opset,
        external_data=next((_text(tensor, 8) or "unnamed" for tensor in tensors if _is_external(tensor)), None),
        uncast=_uncast(graph, {spec.name for spec in inputs if spec.dtype == "uint8"}),
    )


def _uncast(graph: memoryview, byte_inputs: set[str]) -> str | None:
    """The first node that takes the values of one of these inputs and is no `Cast`, in words."""
    for node in _messages(graph, 1) if byte_inputs else ():
        kind = _text(node, 4)
        if kind not in TAKES_BYTES:
            for taken in byte_inputs & {str(name, "utf-8") for name in _messages(node, 1)}:
                return f"{kind} {_text(node, 3) or '(unnamed)'} takes the uint8 input {taken}, which only a Cast may"
    return None


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


def _graph_tensors(graph: memoryview) -> Iterator[memoryview]:
    """All tensors of a graph: its initialisers, and those of its nodes."""
    yield from _messages(graph, 5)
    yield from _sparse_parts(graph, 15)
    yield from _node_tensors(_messages(graph, 1))


def _node_tensors(nodes: Iterable[memoryview]) -> Iterator[memoryview]:
    """The tensors among the nodes' attributes, and in their sub-graphs."""
    for node in nodes:
        for attribute in _messages(node, 5):
            yield from chain(_messages(attribute, 5), _messages(attribute, 10))
            yield from chain(_sparse_parts(attribute, 22), _sparse_parts(attribute, 23))
            for subgraph in chain(_messages(attribute, 6), _messages(attribute, 11)):
                yield from _graph_tensors(subgraph)


def _sparse_parts(data: memoryview, number: int) -> Iterator[memoryview]:
    """Values and indices of sparse tensors, which are tensors themselves."""
    for sparse in _messages(data, number):
        yield from chain(_messages(sparse, 1), _messages(sparse, 2))


def _is_external(tensor: memoryview) -> bool:
    return any(field == 13 or (field == 14 and value == _EXTERNAL) for field, value in _fields(tensor))


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
