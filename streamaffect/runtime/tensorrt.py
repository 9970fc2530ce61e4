"""The TensorRT backend: plans that were built for exactly this GPU and TensorRT version (10.16 and later, 11).

Each graph has pinned and device buffers of its largest batch from the start, and one execution context and CUDA graph
per batch size that has occurred: what a call costs beyond the GPU's work is one launch and one wait.
"""

import importlib
import subprocess
import sys
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from typing import Any

import numpy as np

from streamaffect.errors import EngineError
from streamaffect.runtime.bundle import Bundle
from streamaffect.runtime.cuda import INSTALL, CudaStream, DeviceBuffer, PinnedArray, RecordedWork, device_name
from streamaffect.runtime.engine import EngineInfo
from streamaffect.runtime.engine_record import Precision
from streamaffect.runtime.machine import backend_version
from streamaffect.runtime.manifest import CLIP_ENCODER, CONTEXT_HEAD, FRAME_ENCODER
from streamaffect.runtime.tensorrt_log import make_logger
from streamaffect.runtime.warm_up import first_line, warm_up
from streamaffect.types import BoolArray, FloatArray, ImageArray

OLDEST = (10, 16)
PROBE_TIMEOUT_S = 60

_PROBE = "import tensorrt as t; r = t.Runtime(t.Logger(t.Logger.ERROR)); print('sound' if r is not None else '')"


class TensorRtEngine:
    """The three graphs as TensorRT plans. Batches above `max_batch` are run in parts.

    plans: serialised engine by role, from the user's own cache
    """

    def __init__(
        self, bundle: Bundle, *, reason: str, precision: Precision, max_batch: int, plans: Mapping[str, bytes]
    ) -> None:
        device_name()  # raises where TensorRT would end the process
        trt = import_tensorrt()
        self._info = EngineInfo("tensorrt", "CUDA", precision, reason)
        self.max_batch = max_batch
        self._head_names = [head.name for head in bundle.manifest.heads if head.input == "context"]
        self.stream = CudaStream()
        self.graphs: dict[str, PlanRunner] = {}
        logger = make_logger(trt)
        runtime = trt.Runtime(logger)
        try:
            for role in (FRAME_ENCODER, CLIP_ENCODER, CONTEXT_HEAD):
                engine = runtime.deserialize_cuda_engine(plans[role])
                if engine is None:
                    reason = logger.last_error or "it gives no reason"
                    raise EngineError(
                        f"{role}: TensorRT {trt.__version__} refuses this plan; build it again ({reason})"
                    )
                self.graphs[role] = PlanRunner(engine, trt, _tensors(bundle, role), max_batch, self.stream)
            warm_up(self, bundle)
        except BaseException:
            self.close()
            raise

    @property
    def info(self) -> EngineInfo:
        """Backend, provider, precision and the reason for the choice."""
        return self._info

    def encode_frames(self, crops: ImageArray) -> FloatArray:
        """crops (N, S, S, 3) uint8 RGB → features (N, D) float32."""
        return self._run(FRAME_ENCODER, {"crops": crops})["features"]

    def encode_clips(self, features: FloatArray) -> FloatArray:
        """features (N, T, D) float32, oldest first → clip vectors (N, C) float32."""
        return self._run(CLIP_ENCODER, {"features": features})["clip"]

    def run_heads(self, clip: FloatArray, context: FloatArray, valid: BoolArray) -> dict[str, FloatArray]:
        """clip (N, C), context (N, K, C), valid (N, K) → one (N, L) float32 array per head."""
        outputs = self._run(CONTEXT_HEAD, {"clip": clip, "context": context, "valid": valid})
        return {name: outputs[name] for name in self._head_names}

    def close(self) -> None:
        """Release contexts, buffers and the stream. Calling it again does nothing."""
        for graph in self.graphs.values():
            graph.close()
        self.graphs = {}
        self.stream.close()

    def _run(self, role: str, inputs: Mapping[str, np.ndarray]) -> dict[str, FloatArray]:
        runner = self.graphs[role]
        rows = len(next(iter(inputs.values())))
        parts = [
            runner.run({name: array[start : start + self.max_batch] for name, array in inputs.items()})
            for start in range(0, rows, self.max_batch)
        ]
        if len(parts) == 1:
            return parts[0]
        return {name: np.concatenate([part[name] for part in parts]) for name in parts[0]}


@dataclass(frozen=True, slots=True)
class Tensor:
    """An input or output of a plan: its name, the shape of one row, and its type."""

    name: str
    row: tuple[int, ...]
    dtype: np.dtype[Any]

    @property
    def row_bytes(self) -> int:
        """Size of one row."""
        return int(np.prod(self.row)) * self.dtype.itemsize


@dataclass(frozen=True, slots=True)
class _Batch:
    """What is kept for a batch size. Each recording has a context of its own, as TensorRT wants it."""

    context: Any
    work: RecordedWork


class PlanRunner:
    """One plan with its buffers: rows in pinned memory → GPU → rows in pinned memory."""

    def __init__(
        self, engine: Any, trt: Any, tensors: tuple[list[Tensor], list[Tensor]], max_batch: int, stream: CudaStream
    ) -> None:
        self.inputs, self.outputs = tensors
        self._engine = engine
        self._stream = stream
        self._check_names(trt)
        self.device: dict[str, DeviceBuffer] = {}
        self._host: dict[str, PinnedArray] = {}
        self._batches: dict[int, _Batch] = {}
        self._on_device: dict[int, _Batch] = {}
        try:
            for tensor in (*self.inputs, *self.outputs):
                self.device[tensor.name] = DeviceBuffer(max_batch * tensor.row_bytes)
                self._host[tensor.name] = PinnedArray((max_batch, *tensor.row), tensor.dtype)
        except EngineError:
            self.close()
            raise

    def run(self, inputs: Mapping[str, np.ndarray]) -> dict[str, FloatArray]:
        """Copies of the outputs (n, …) for inputs (n, …), n ≤ max_batch."""
        rows = len(next(iter(inputs.values())))
        for tensor in self.inputs:
            self._host[tensor.name].array[:rows] = inputs[tensor.name]
        if rows not in self._batches:
            self._batches[rows] = self._record(rows, partial(self._queue, rows=rows))
        self._batches[rows].work.launch(self._stream)
        self._stream.wait()
        return {tensor.name: self._host[tensor.name].array[:rows].copy() for tensor in self.outputs}

    def enqueue(self, rows: int) -> None:
        """Queue the plan on what will lie in the device buffers: no copies, and a wait only for a new batch size."""
        if rows not in self._on_device:
            self._on_device[rows] = self._record(rows, self._execute)
        self._on_device[rows].work.launch(self._stream)

    def address(self, name: str) -> int:
        """Where an input or output lies in the GPU's memory."""
        return int(self.device[name].address)

    def close(self) -> None:
        """Free recordings, contexts and buffers. Calling it again does nothing."""
        for batch in (*self._batches.values(), *self._on_device.values()):
            batch.work.close()
        self._batches, self._on_device = {}, {}
        for memory in self.device.values():
            memory.close()
        for array in self._host.values():
            array.close()

    def _record(self, rows: int, queue: Callable[[Any], None]) -> _Batch:
        """Record what `queue` does with a context for this batch size, after one run of it: the first run allocates."""
        context = self._make_context(rows)
        queue(context)
        self._stream.wait()
        with self._stream.recording() as recorded:
            queue(context)
        return _Batch(context, recorded[0])

    def _make_context(self, rows: int) -> Any:
        context = self._engine.create_execution_context()
        if context is None:
            raise EngineError(f"TensorRT: no memory on the GPU for a batch of {rows}; close other programs that use it")
        for tensor in self.inputs:
            if not context.set_input_shape(tensor.name, (rows, *tensor.row)):
                raise EngineError(f"TensorRT: {tensor.name} {(rows, *tensor.row)} does not fit the plan; rebuild it")
        for name, buffer in self.device.items():
            context.set_tensor_address(name, int(buffer.address))
        return context

    def _queue(self, context: Any, *, rows: int) -> None:
        """Upload, execution and download."""
        for tensor in self.inputs:
            host, device = self._host[tensor.name], self.device[tensor.name]
            self._stream.upload(device.address, host.address, rows * tensor.row_bytes)
        self._execute(context)
        for tensor in self.outputs:
            host, device = self._host[tensor.name], self.device[tensor.name]
            self._stream.download(host.address, device.address, rows * tensor.row_bytes)

    def _execute(self, context: Any) -> None:
        if not context.execute_async_v3(int(self._stream.handle)):
            raise EngineError("TensorRT could not start the plan; its log above says why")

    def _check_names(self, trt: Any) -> None:
        names = [self._engine.get_tensor_name(i) for i in range(self._engine.num_io_tensors)]
        for tensors, mode in ((self.inputs, trt.TensorIOMode.INPUT), (self.outputs, trt.TensorIOMode.OUTPUT)):
            found = {name for name in names if self._engine.get_tensor_mode(name) == mode}
            expected = {tensor.name for tensor in tensors}
            if not expected <= found:
                raise EngineError(f"TensorRT: the plan has {sorted(found)}, not {sorted(expected)}; build it again")


def import_tensorrt() -> Any:
    """TensorRT's bindings; raises EngineError where they are missing or too old. Ask `device_name` first."""
    try:
        trt = importlib.import_module("tensorrt")
    except (ImportError, OSError, RuntimeError) as error:
        raise EngineError(f"TensorRT cannot be loaded ({first_line(error)}); {INSTALL}") from error
    version = tuple(int(part) for part in trt.__version__.split(".")[:2])
    if version < OLDEST:
        wanted = ".".join(map(str, OLDEST))
        raise EngineError(f"TensorRT {trt.__version__} is too old, {wanted} is the first that works; {INSTALL}")
    return trt


def probe() -> str:
    """Make sure that TensorRT can be used here, and name the GPU. Raises EngineError that says what is missing.

    In a safe order: what is installed, then the driver and the GPU, then TensorRT itself in a process of its own,
    since a library that doesn't fit the driver ends the process that asks it.
    """
    if backend_version("tensorrt") is None:
        raise EngineError(f"tensorrt is not installed; {INSTALL}")
    name = device_name()
    try:
        command = [sys.executable, "-c", _PROBE]
        child = subprocess.run(command, capture_output=True, text=True, timeout=PROBE_TIMEOUT_S, check=False)
    except subprocess.TimeoutExpired:
        raise EngineError(f"TensorRT does not answer within {PROBE_TIMEOUT_S} s; reinstall it") from None
    if child.returncode != 0 or "sound" not in child.stdout:
        last = child.stderr.strip().splitlines()[-1:] or [f"ended with status {child.returncode}"]
        raise EngineError(f"TensorRT does not start on {name} ({last[0][:200]}); {INSTALL} with a driver that fits it")
    return name


def _tensors(bundle: Bundle, role: str) -> tuple[list[Tensor], list[Tensor]]:
    """Inputs and outputs of a role; a row is everything but the batch."""
    graph, used = bundle.manifest.graphs[role], used_outputs(bundle, role)
    return _rows(graph.inputs), _rows([spec for spec in graph.outputs if spec.name in used])


def used_outputs(bundle: Bundle, role: str) -> set[str]:
    """Of what a graph gives, what the stream reads; a plan is built without the rest."""
    heads = {head.name for head in bundle.manifest.heads if head.input == "context"}
    return {FRAME_ENCODER: {"features"}, CLIP_ENCODER: {"clip"}, CONTEXT_HEAD: heads}[role]


def _rows(specs: Sequence[Any]) -> list[Tensor]:
    return [Tensor(spec.name, tuple(int(axis) for axis in spec.shape[1:]), np.dtype(spec.dtype)) for spec in specs]
