"""What stands beside a compiled engine: what it is, whether its answers were found right, and how fast it was.

Three JSON files in the engine's folder: `engine.json`, `verify.json` and `bench.json`. The engine tool writes them, the
automatic choice reads them. A report names the SHA-256 of the `engine.json` it was made for, and counts for no other.
"""

import hashlib
from typing import Literal

import msgspec

from streamaffect.version import SOFTWARE

SCHEMA = 1
TARGETS = "targets"
ENGINE_FILE, VERIFY_FILE, BENCH_FILE = "engine.json", "verify.json", "bench.json"

Backend = Literal["onnxruntime", "openvino", "tensorrt", "tensorrt_rtx"]
Precision = Literal["fp32", "fp16", "bf16", "int8"]
Provider = Literal["CPU", "CUDA"]


class EngineKey(msgspec.Struct, frozen=True):
    """All that an engine depends on. Its hash names the engine's folder, so another machine or version finds nothing.

    bundle_sha256:   of the manifest, which holds the hashes of all graphs
    backend_version: that the engine was built with
    device:          processor or GPU, see `streamaffect.runtime.machine`; for TensorRT for RTX with its driver's
                     version; of an engine that was built ahead of time, all that it is meant for
    max_batch:       largest batch of an optimisation profile; 0 where any batch runs
    software:        the version of streamaffect, which decides how graphs are run
    flags:           what else changes the result, such as the hash of the calibration crops
    """

    bundle_sha256: str
    backend: Backend
    backend_version: str
    precision: Precision
    provider: Provider
    device: str
    max_batch: int = 0
    software: str = SOFTWARE
    flags: dict[str, str] = {}

    @property
    def digest(self) -> str:
        """The name of the folder: 128 bits of the SHA-256 of this key."""
        return hashlib.sha256(msgspec.json.encode(self, order="deterministic")).hexdigest()[:32]

    @property
    def title(self) -> str:
        """E.g. "openvino CPU bf16", or "tensorrt_rtx CUDA fp16 for 8.6, 12.0"."""
        targets = f" for {', '.join(self.targets)}" if self.targets else ""
        return f"{self.backend} {self.provider} {self.precision}{targets}"

    @property
    def targets(self) -> tuple[str, ...]:
        """Compute capabilities that an engine was built for ahead of time, e.g. ("8.6", "12.0"); else none."""
        return tuple(self.flags[TARGETS].split(",")) if TARGETS in self.flags else ()


class CompiledGraph(msgspec.Struct, frozen=True):
    """A file of the engine's folder that replaces one graph of the bundle."""

    file: str
    sha256: str


class EngineRecord(msgspec.Struct, frozen=True):
    """`engine.json`. A role without a compiled graph runs the bundle's own.

    bundle:      the model's label, e.g. default@1.0
    created:     UTC, ISO 8601
    calibration: where the crops for int8 came from
    layers:      how many convolutions and matrix products are computed in which type, by role
    """

    schema: int
    key: EngineKey
    bundle: str
    created: str
    build_s: float
    graphs: dict[str, CompiledGraph] = {}
    calibration: str | None = None
    layers: dict[str, dict[str, int]] = {}


class Deviation(msgspec.Struct, frozen=True):
    """|candidate − reference| of one output over all samples, in the output's unit."""

    max: float
    mean: float
    p99: float


class OutputCheck(msgspec.Struct, frozen=True):
    """One published number: how far the candidate is off, and what that does to its agreement.

    ccc_change: 1 − CCC of candidate and reference; null where the reference hardly varies on these clips
    """

    head: str
    output: str
    deviation: Deviation
    ccc_change: float | None


class VerifyReport(msgspec.Struct, frozen=True):
    """`verify.json`: the same clips through ONNX Runtime fp32 and the candidate.

    steps:    predictions that were compared
    graphs:   |Δ| of each graph's output, given the same input
    failures: one sentence for each limit that is passed; empty where the engine is verified
    device:   where this was seen, of an engine that was built ahead of time for several devices; else empty
    """

    schema: int
    engine_sha256: str
    created: str
    clips: str
    steps: int
    ccc_limit: float
    p99_limit: float
    graphs: dict[str, Deviation]
    outputs: list[OutputCheck]
    failures: list[str]
    device: str = ""

    @property
    def passed(self) -> bool:
        """Whether the engine may be chosen."""
        return not self.failures


class Timing(msgspec.Struct, frozen=True):
    """Times of one graph at one batch size and thread count, in milliseconds per call.

    role:   of the graph, or "frame" for what one new frame of one face costs: all three graphs, batch 1
    cpu_ms: median of the processor time of all threads; equal to p50_ms on one thread of an idle machine
    """

    role: str
    batch: int
    threads: int
    calls: int
    p50_ms: float
    p95_ms: float
    p99_ms: float
    cpu_ms: float

    @property
    def per_second(self) -> float:
        """Rows per second at the median."""
        return self.batch * 1000 / self.p50_ms


class ColdStart(msgspec.Struct, frozen=True):
    """A fresh process: loading and warming up the engine, and the memory that this takes."""

    load_ms: float
    first_frame_ms: float
    memory_mib: float


class BenchReport(msgspec.Struct, frozen=True):
    """`bench.json`: times of the engine, and of ONNX Runtime fp32 measured in turns with it.

    frame_ms:           cost of one new frame of one face on one thread: processor time where the processor computes,
                        since other programs hardly change that, else the median of the time that passes
    reference_frame_ms: the same of ONNX Runtime fp32
    cold:               null where it was not measured; reference_cold: the same of ONNX Runtime fp32
    device:             where this was measured, of an engine that was built ahead of time; else empty
    """

    schema: int
    engine_sha256: str
    created: str
    machine: str
    frame_ms: float
    reference_frame_ms: float
    timings: list[Timing]
    reference_timings: list[Timing]
    cold: ColdStart | None = None
    reference_cold: ColdStart | None = None
    device: str = ""

    @property
    def speedup(self) -> float:
        """How many times faster than ONNX Runtime fp32 a frame is."""
        return self.reference_frame_ms / self.frame_ms
