"""A GPU with TensorRT for machines without one: it records every call and computes with ONNX Runtime.

It is as strict as the real thing where mistakes are likely: work is done late, when it is waited for; copies must stay
within what was allocated; a context can be recorded only after it has run with the same shape, and no context is
recorded with two shapes.
"""

import ctypes
import enum
import json
import sys
import types
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import onnx
import onnxruntime
import pytest

from streamaffect.runtime.bundle import Bundle
from streamaffect.runtime.tensorrt import TensorRtEngine

MARK = b"FAKE PLAN\n"
TYPES = {"tensor(float)": np.float32, "tensor(uint8)": np.uint8, "tensor(bool)": np.bool_}


class Status(enum.IntEnum):
    cudaSuccess = 0
    cudaErrorInvalidValue = 1
    cudaErrorMemoryAllocation = 2
    cudaErrorInsufficientDriver = 35
    cudaErrorNoDevice = 100
    cudaErrorStreamCaptureInvalidated = 901


class CopyKind(enum.IntEnum):
    cudaMemcpyHostToDevice = 1
    cudaMemcpyDeviceToHost = 2
    cudaMemcpyDeviceToDevice = 3


class CaptureMode(enum.IntEnum):
    cudaStreamCaptureModeThreadLocal = 1


@dataclass
class FakeGpu:
    """What the two fake modules share.

    calls:     names of all CUDA calls and executions, in order
    copies:    kind and size in bytes of every copy that was done
    broken:    status that a call gives instead of working, by the call's name
    """

    name: str = "NVIDIA Fake"
    capability: str = "9.0"
    devices: int = 1
    calls: list[str] = field(default_factory=list)
    copies: list[tuple[CopyKind, int]] = field(default_factory=list)
    broken: dict[str, Status] = field(default_factory=dict)
    memory: dict[int, Any] = field(default_factory=dict)
    networks: list["Network"] = field(default_factory=list)
    recording: "list[Callable[[], None]] | None" = None
    queued: "list[Callable[[], None]]" = field(default_factory=list)

    def allocate(self, size: int) -> int:
        block = (ctypes.c_uint8 * size)()
        address = ctypes.addressof(block)
        self.memory[address] = block
        return address

    def covers(self, address: int, size: int) -> bool:
        return any(start <= address and address + size <= start + len(block) for start, block in self.memory.items())

    def do(self, work: Callable[[], None]) -> None:
        """When it is waited for, or when the recording is launched and waited for."""
        (self.queued if self.recording is None else self.recording).append(work)

    def finish(self) -> None:
        """Do all that was queued."""
        queued, self.queued = self.queued, []
        for work in queued:
            work()

    def cudart(self) -> types.ModuleType:
        """In place of `cuda.bindings.runtime`."""
        module = types.ModuleType("cuda.bindings.runtime")
        for name in (name for name in dir(_Cudart) if name.startswith("cuda")):
            setattr(module, name, self._counted(name, getattr(_Cudart(self), name)))
        module.cudaMemcpyKind = CopyKind  # type: ignore[attr-defined]
        module.cudaStreamCaptureMode = CaptureMode  # type: ignore[attr-defined]
        module.cudaStreamNonBlocking = 1  # type: ignore[attr-defined]
        return module

    def tensorrt(self, version: str = "11.4.0.106") -> types.ModuleType:
        """In place of `tensorrt`."""
        module = types.ModuleType("tensorrt")
        module.__version__ = version  # type: ignore[attr-defined]
        for thing in (Logger, ILogger, TensorIOMode, NetworkDefinitionCreationFlag, BuilderFlag):
            setattr(module, thing.__name__, thing)
        module.Runtime = lambda logger: Runtime(self)  # type: ignore[attr-defined]
        module.Builder = lambda logger: Builder(self, logger)  # type: ignore[attr-defined]
        module.OnnxParser = lambda network, logger: OnnxParser(network)  # type: ignore[attr-defined]
        return module

    def _counted(self, name: str, function: Callable[..., Any]) -> Callable[..., Any]:
        def call(*arguments: Any) -> Any:
            self.calls.append(name)
            if name in self.broken:
                return (self.broken[name], None)
            return function(*arguments)

        return call


class _Cudart:
    """The calls of the CUDA runtime that ours makes."""

    def __init__(self, gpu: FakeGpu) -> None:
        self._gpu = gpu

    def cudaGetDeviceCount(self) -> Any:
        return Status.cudaSuccess, self._gpu.devices

    def cudaGetDeviceProperties(self, device: int) -> Any:
        major, minor = map(int, self._gpu.capability.split("."))
        name = self._gpu.name.encode() + b"\0\0"
        return Status.cudaSuccess, types.SimpleNamespace(name=name, major=major, minor=minor)

    def cudaDriverGetVersion(self) -> Any:
        return Status.cudaSuccess, 13040

    def cudaGetErrorString(self, status: Status) -> Any:
        return Status.cudaSuccess, f"the fake says {status.name}".encode()

    def cudaMalloc(self, size: int) -> Any:
        return Status.cudaSuccess, self._gpu.allocate(size)

    cudaMallocHost = cudaMalloc

    def cudaFree(self, address: int) -> Any:
        self._gpu.finish()  # as CUDA does: nothing that is still to be done loses its memory
        known = self._gpu.memory.pop(address, None)
        return (Status.cudaSuccess if known is not None else Status.cudaErrorInvalidValue,)

    cudaFreeHost = cudaFree

    def cudaStreamCreateWithFlags(self, flags: int) -> Any:
        return Status.cudaSuccess, 7

    def cudaStreamDestroy(self, stream: int) -> Any:
        return (Status.cudaSuccess,)

    def cudaStreamSynchronize(self, stream: int) -> Any:
        if self._gpu.recording is not None:
            return (Status.cudaErrorStreamCaptureInvalidated,)
        self._gpu.finish()
        return (Status.cudaSuccess,)

    def cudaMemcpyAsync(self, target: int, source: int, size: int, kind: CopyKind, stream: int) -> Any:
        if not (self._gpu.covers(int(target), size) and self._gpu.covers(int(source), size)):
            return (Status.cudaErrorInvalidValue,)

        def copy() -> None:
            self._gpu.copies.append((kind, size))
            ctypes.memmove(int(target), int(source), size)

        self._gpu.do(copy)
        return (Status.cudaSuccess,)

    def cudaStreamBeginCapture(self, stream: int, mode: CaptureMode) -> Any:
        self._gpu.recording = []
        return (Status.cudaSuccess,)

    def cudaStreamEndCapture(self, stream: int) -> Any:
        recorded, self._gpu.recording = self._gpu.recording, None
        return Status.cudaSuccess, recorded

    def cudaGraphInstantiate(self, graph: Any, flags: int) -> Any:
        return Status.cudaSuccess, graph

    def cudaGraphDestroy(self, graph: Any) -> Any:
        return (Status.cudaSuccess,)

    def cudaGraphLaunch(self, graph: Any, stream: int) -> Any:
        self._gpu.queued += graph
        return (Status.cudaSuccess,)

    def cudaGraphExecDestroy(self, graph: Any) -> Any:
        return (Status.cudaSuccess,)


class Logger:
    ERROR, WARNING = 1, 2

    def __init__(self, severity: int) -> None:
        self.severity = severity


class ILogger:
    """Has to be initialised by a subclass, as the binding has it."""

    class Severity(enum.IntEnum):
        INTERNAL_ERROR, ERROR, WARNING, INFO, VERBOSE = range(5)


class TensorIOMode(enum.IntEnum):
    NONE, INPUT, OUTPUT = 0, 1, 2


class NetworkDefinitionCreationFlag(enum.IntEnum):
    STRONGLY_TYPED = 1


class BuilderFlag(enum.IntEnum):
    TF32 = 7


class Runtime:
    def __init__(self, gpu: FakeGpu) -> None:
        self._gpu = gpu

    def deserialize_cuda_engine(self, plan: bytes) -> "ICudaEngine | None":
        return ICudaEngine(self._gpu, plan[len(MARK) :]) if plan.startswith(MARK) else None


class ICudaEngine:
    def __init__(self, gpu: FakeGpu, content: bytes) -> None:
        header, _, graph = content.partition(b"\n")
        self.max_batch = int(json.loads(header)["max_batch"])
        self.gpu = gpu
        self.session = onnxruntime.InferenceSession(graph)
        self.inputs = {value.name: value for value in self.session.get_inputs()}
        self.outputs = {value.name: value for value in self.session.get_outputs()}
        self._names = [*self.inputs, *self.outputs]

    @property
    def num_io_tensors(self) -> int:
        return len(self._names)

    def get_tensor_name(self, index: int) -> str:
        name: str = self._names[index]
        return name

    def get_tensor_mode(self, name: str) -> TensorIOMode:
        return TensorIOMode.INPUT if name in self.inputs else TensorIOMode.OUTPUT

    def create_execution_context(self) -> "IExecutionContext":
        return IExecutionContext(self)


class IExecutionContext:
    def __init__(self, engine: ICudaEngine) -> None:
        self._engine = engine
        self._shapes: dict[str, tuple[int, ...]] = {}
        self._addresses: dict[str, int] = {}
        self._ran_with: dict[str, tuple[int, ...]] | None = None
        self._recorded_with: dict[str, tuple[int, ...]] | None = None

    def set_input_shape(self, name: str, shape: tuple[int, ...]) -> bool:
        self._shapes[name] = shape
        return 1 <= shape[0] <= self._engine.max_batch

    def set_tensor_address(self, name: str, address: int) -> bool:
        self._addresses[name] = address
        return True

    def execute_async_v3(self, stream: int) -> bool:
        gpu = self._engine.gpu
        gpu.calls.append("execute_async_v3")
        is_complete = set(self._addresses) == {*self._engine.inputs, *self._engine.outputs}
        if not is_complete or set(self._shapes) != set(self._engine.inputs):
            return False
        if gpu.recording is not None:
            if self._ran_with != self._shapes or self._recorded_with not in (None, self._shapes):
                return False
            self._recorded_with = dict(self._shapes)
        shapes = dict(self._shapes)
        gpu.do(lambda: self._run(shapes))
        self._ran_with = shapes
        return True

    def _run(self, shapes: dict[str, tuple[int, ...]]) -> None:
        engine = self._engine
        inputs = {
            name: _view(self._addresses[name], shapes[name], TYPES[value.type]) for name, value in engine.inputs.items()
        }
        for name, result in zip(engine.outputs, engine.session.run(list(engine.outputs), inputs), strict=True):
            array = np.asarray(result)
            if not engine.gpu.covers(self._addresses[name], array.nbytes):
                raise AssertionError(f"{name} is written beyond its buffer")
            _view(self._addresses[name], array.shape, array.dtype)[...] = array


class Network:
    """An INetworkDefinition with what the parser has put into it."""

    def __init__(self, flags: int) -> None:
        self.flags = flags
        self.graph = b""
        self.config: Config | None = None
        self._inputs: list[Any] = []
        self._outputs: list[Any] = []

    @property
    def num_inputs(self) -> int:
        return len(self._inputs)

    def get_input(self, index: int) -> Any:
        return self._inputs[index]

    @property
    def num_outputs(self) -> int:
        return len(self._outputs)

    def get_output(self, index: int) -> Any:
        return self._outputs[index]

    def unmark_output(self, tensor: Any) -> None:
        self._outputs.remove(tensor)
        model = onnx.load_from_string(self.graph)
        kept = [value for value in model.graph.output if value.name != tensor.name]
        del model.graph.output[:]
        model.graph.output.extend(kept)
        self.graph = model.SerializeToString()

    def fill(self, graph: bytes) -> None:
        self.graph = graph
        model = onnx.load_from_string(graph)
        self._outputs += [types.SimpleNamespace(name=value.name) for value in model.graph.output]
        for value in model.graph.input:
            shape = tuple(dimension.dim_value or -1 for dimension in value.type.tensor_type.shape.dim)
            self._inputs.append(types.SimpleNamespace(name=value.name, shape=shape))


class OnnxParser:
    def __init__(self, network: Network) -> None:
        self._network = network
        self._errors: list[ParserError] = []

    @property
    def num_errors(self) -> int:
        return len(self._errors)

    def get_error(self, index: int) -> Any:
        return self._errors[index]

    def parse(self, graph: bytes) -> bool:
        self._errors = list(refusals(onnx.load_from_string(graph)))[:1]  # the real one stops at the first
        if not self._errors:
            self._network.fill(graph)
        return not self._errors


def refusals(model: onnx.ModelProto) -> "Iterator[ParserError]":
    """What TensorRT 11 refuses, in its words: recorded from the real one, see tests/integration/engines."""
    kinds = {value.name: value.type.tensor_type.elem_type for value in model.graph.input}
    kinds |= {weight.name: weight.data_type for weight in model.graph.initializer}
    unsigned, whole, long = onnx.TensorProto.UINT8, onnx.TensorProto.INT32, onnx.TensorProto.INT64
    takes = "FP8, FP4, Int4, Int8, or UInt8"
    for node in model.graph.node:
        taken = {kinds.get(name) for name in node.input}
        if node.op_type in NOT_SUPPORTED or not onnx.defs.has(node.op_type):
            yield ParserError(node, "false")
        elif unsigned in taken and node.op_type not in ("Cast", "Shape", "DequantizeLinear"):
            yield _invalid(node, "first input has type UInt8 but must have type Float, Half, BFloat16, FP8, E8M0, FP4, "
                                 "Int4, Int8, Int64, Int32, or Bool.")  # fmt: skip
        elif node.op_type == "DequantizeLinear" and kinds.get(node.input[0]) == whole:
            yield _invalid(node, f"input has type Int32 but must have type {takes}.")
        elif node.op_type == "MatMul" and long in taken:
            yield ParserError(node, "Assertion failed: status.is_success(): Found unsupported input type of INT64")


NOT_SUPPORTED = {"Det", "Unique", "StringNormalizer", "Multinomial", "Bernoulli"}


class ParserError:
    """An IParserError."""

    def __init__(self, node: onnx.NodeProto, text: str) -> None:
        self._node, self._text = node, text

    def node_name(self) -> str:
        return str(self._node.name)

    def node_operator(self) -> str:
        return str(self._node.op_type)

    def desc(self) -> str:
        return self._text


def _invalid(node: onnx.NodeProto, reason: str) -> ParserError:
    place = "In checkType at /_src/optimizer/common/nodeBase.cpp:456"
    head = f"Invalid Node - {node.name}\nITensor::getDimensions: Error Code 4: API Usage Error"
    return ParserError(node, f"{head} ({node.name}: {reason} {place})")


class Profile:
    def __init__(self) -> None:
        self.shapes: dict[str, tuple[tuple[int, ...], ...]] = {}

    def set_shape(self, name: str, least: Any, best: Any, most: Any) -> None:
        self.shapes[name] = (tuple(least), tuple(best), tuple(most))


class TimingCache:
    def __init__(self, content: bytes) -> None:
        self.content = content

    def serialize(self) -> bytes:
        return self.content + b"timed;"


class Config:
    """An IBuilderConfig."""

    def __init__(self) -> None:
        self.cleared: list[BuilderFlag] = []
        self.profiles: list[Profile] = []
        self.timings = TimingCache(b"")

    def clear_flag(self, flag: BuilderFlag) -> None:
        self.cleared.append(flag)

    def add_optimization_profile(self, profile: Profile) -> int:
        self.profiles.append(profile)
        return len(self.profiles) - 1

    def create_timing_cache(self, content: bytes) -> TimingCache:
        return TimingCache(content)

    def set_timing_cache(self, cache: TimingCache, ignore_mismatch: bool) -> bool:
        self.timings = cache
        return True

    def get_timing_cache(self) -> TimingCache:
        return self.timings


class Builder:
    def __init__(self, gpu: FakeGpu, logger: Any) -> None:
        self._gpu = gpu
        self._logger = logger

    def create_network(self, flags: int) -> Network:
        return Network(flags)

    def create_builder_config(self) -> Config:
        return Config()

    def create_optimization_profile(self) -> Profile:
        return Profile()

    def build_serialized_network(self, network: Network, config: Config) -> bytes | None:
        if self._gpu.broken.get("build"):
            self._logger.log(ILogger.Severity.ERROR, "IBuilder::buildSerializedNetwork: no memory\n")
            return None
        network.config = config
        self._gpu.networks.append(network)
        (profile,) = config.profiles
        max_batch = next(iter(profile.shapes.values()))[2][0]
        return MARK + json.dumps({"max_batch": max_batch}).encode() + b"\n" + network.graph


def install(monkeypatch: pytest.MonkeyPatch, version: str = "11.4.0.106") -> FakeGpu:
    """For the time of a test, importing CUDA and TensorRT gives the fakes."""
    gpu = FakeGpu()
    monkeypatch.setitem(sys.modules, "cuda.bindings.runtime", gpu.cudart())
    monkeypatch.setitem(sys.modules, "tensorrt", gpu.tensorrt(version))
    return gpu


def open_fake_engine(bundle: Bundle, *, max_batch: int) -> TensorRtEngine:
    """An engine of fp32 plans as the fake builder makes them."""
    graphs = bundle.manifest.graphs
    plans = {role: fake_plan(bundle.graph_path(role).read_bytes(), max_batch) for role in graphs}
    return TensorRtEngine(bundle, reason="test", precision="fp32", max_batch=max_batch, plans=plans)


def fake_plan(graph: bytes, max_batch: int) -> bytes:
    """A plan as the fake builder makes it."""
    return MARK + json.dumps({"max_batch": max_batch}).encode() + b"\n" + graph


def _view(address: int, shape: tuple[int, ...], dtype: Any) -> np.ndarray:
    size = int(np.prod(shape)) * np.dtype(dtype).itemsize
    memory = (ctypes.c_uint8 * size).from_address(address)
    return np.frombuffer(memoryview(memory), dtype).reshape(shape)
