"""The few CUDA calls that running an engine on a GPU takes, through cuda.bindings, with errors that say what failed.

cuda.bindings raises cleanly where there is no driver or no GPU, while TensorRT ends the process there: whatever wants
to use TensorRT asks `device_name` first.
"""

import ctypes
import importlib
import re
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from streamaffect.errors import EngineError

INSTALL = "pip install 'streamaffect[tensorrt]'"
DRIVER_FACTS = Path("/proc/driver/nvidia/version")  # not there in WSL


def cudart() -> Any:
    """The CUDA runtime's bindings; raises EngineError where they are not installed."""
    try:
        return importlib.import_module("cuda.bindings.runtime")
    except (ImportError, RuntimeError) as error:
        raise EngineError(f"cuda.bindings cannot be loaded ({error}); {INSTALL}") from error


@dataclass(frozen=True, slots=True)
class Gpu:
    """A GPU by its name and compute capability, such as "9.0"."""

    name: str
    capability: str

    def __str__(self) -> str:
        return f"{self.name} ({self.capability})"


def device_name() -> str:
    """The first GPU and its compute capability, e.g. "NVIDIA H200 (9.0)"; raises EngineError where there is none."""
    return str(first_gpu())


def first_gpu() -> Gpu:
    """The GPU that engines run on; raises EngineError where there is none."""
    runtime = cudart()
    try:
        (count,) = check(runtime.cudaGetDeviceCount())
    except EngineError as error:
        raise EngineError(f"no usable NVIDIA GPU: {error}; install or update its driver") from None
    if count == 0:
        raise EngineError("no NVIDIA GPU in this machine; use --engine auto")
    (properties,) = check(runtime.cudaGetDeviceProperties(0))
    name = properties.name.split(b"\0", 1)[0].decode()
    return Gpu(name, f"{properties.major}.{properties.minor}")


def driver_version() -> str:
    """The version of NVIDIA's driver, e.g. "580.95.05", or the newest CUDA that it knows; raises EngineError."""
    try:
        facts = DRIVER_FACTS.read_text(encoding="utf-8", errors="replace")
    except OSError:
        facts = ""
    if found := re.search(r"\b\d{3,}\.\d+(\.\d+)?\b", facts):
        return found.group()
    (version,) = check(cudart().cudaDriverGetVersion())
    return f"CUDA {version // 1000}.{version % 1000 // 10}"


def check(result: Sequence[Any]) -> tuple[Any, ...]:
    """The values of a CUDA call without its status; raises EngineError with CUDA's own words."""
    status, *values = result
    if int(status) != 0:
        _, text = cudart().cudaGetErrorString(status)
        raise EngineError(f"CUDA: {text.decode()} ({status.name})")
    return tuple(values)


class DeviceBuffer:
    """Memory of the GPU that lives until `close`."""

    def __init__(self, size_bytes: int) -> None:
        (self.address,) = check(cudart().cudaMalloc(size_bytes))
        self.size_bytes = size_bytes

    def close(self) -> None:
        """Free it. Calling it again does nothing."""
        if self.address:
            check(cudart().cudaFree(self.address))
            self.address = 0


class PinnedArray:
    """An array in memory that the GPU reads and writes by itself; `array` must not be used after `close`."""

    def __init__(self, shape: tuple[int, ...], dtype: np.dtype[Any]) -> None:
        size_bytes = max(1, int(np.prod(shape)) * dtype.itemsize)
        (self.address,) = check(cudart().cudaMallocHost(size_bytes))
        memory = (ctypes.c_uint8 * size_bytes).from_address(int(self.address))
        self.array: np.ndarray = np.frombuffer(memoryview(memory), dtype, count=int(np.prod(shape))).reshape(shape)

    def close(self) -> None:
        """Free it. Calling it again does nothing."""
        if self.address:
            check(cudart().cudaFreeHost(self.address))
            self.address = 0


class CudaStream:
    """Work that the GPU does in order."""

    def __init__(self) -> None:
        runtime = cudart()
        (self.handle,) = check(runtime.cudaStreamCreateWithFlags(runtime.cudaStreamNonBlocking))
        self._kinds = runtime.cudaMemcpyKind

    def upload(self, device_address: int, host_address: int, size_bytes: int) -> None:
        """Queue a copy from pinned memory to the GPU."""
        kind = self._kinds.cudaMemcpyHostToDevice
        check(cudart().cudaMemcpyAsync(device_address, host_address, size_bytes, kind, self.handle))

    def download(self, host_address: int, device_address: int, size_bytes: int) -> None:
        """Queue a copy from the GPU to pinned memory."""
        kind = self._kinds.cudaMemcpyDeviceToHost
        check(cudart().cudaMemcpyAsync(host_address, device_address, size_bytes, kind, self.handle))

    def copy(self, target_address: int, source_address: int, size_bytes: int) -> None:
        """Queue a copy within the GPU."""
        kind = self._kinds.cudaMemcpyDeviceToDevice
        check(cudart().cudaMemcpyAsync(target_address, source_address, size_bytes, kind, self.handle))

    def wait(self) -> None:
        """Return when all that was queued is done."""
        check(cudart().cudaStreamSynchronize(self.handle))

    @contextmanager
    def recording(self) -> "Iterator[list[RecordedWork]]":
        """What is queued within is not done but recorded; the list holds the recording when the block has ended."""
        runtime = cudart()
        mode = runtime.cudaStreamCaptureMode.cudaStreamCaptureModeThreadLocal
        recorded: list[RecordedWork] = []
        check(runtime.cudaStreamBeginCapture(self.handle, mode))
        try:
            yield recorded
        except BaseException:
            runtime.cudaStreamEndCapture(self.handle)  # invalidated by what went wrong; that is what is reported
            raise
        (graph,) = check(runtime.cudaStreamEndCapture(self.handle))
        recorded.append(RecordedWork(graph))

    def close(self) -> None:
        """Give the stream back. Calling it again does nothing."""
        if self.handle is not None:
            check(cudart().cudaStreamDestroy(self.handle))
            self.handle = None


class RecordedWork:
    """A CUDA graph: a sequence of work that is launched with one call."""

    def __init__(self, graph: Any) -> None:
        runtime = cudart()
        try:
            (self._executable,) = check(runtime.cudaGraphInstantiate(graph, 0))
        finally:
            runtime.cudaGraphDestroy(graph)

    def launch(self, stream: CudaStream) -> None:
        """Queue all of it."""
        check(cudart().cudaGraphLaunch(self._executable, stream.handle))

    def close(self) -> None:
        """Free it. Calling it again does nothing."""
        if self._executable is not None:
            check(cudart().cudaGraphExecDestroy(self._executable))
            self._executable = None
