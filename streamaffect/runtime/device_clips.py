"""The three graphs chained on the GPU: features and clip vectors stay in its memory, only crops and heads travel.

The caller decides what belongs together, by row numbers: where a feature is kept, which features make a clip, which
clips are its context. All of a step is queued at once and waited for once.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from streamaffect.errors import EngineError
from streamaffect.runtime.bundle import Bundle
from streamaffect.runtime.cuda import DeviceBuffer, PinnedArray, Stream
from streamaffect.runtime.manifest import CLIP_ENCODER, CONTEXT_HEAD, FRAME_ENCODER
from streamaffect.runtime.tensorrt import PlanRunner, TensorRtEngine
from streamaffect.types import BoolArray, FloatArray, ImageArray


@dataclass(frozen=True, slots=True)
class Step:
    """What one step does, for N faces.

    crops:        (N, S, S, 3) uint8 RGB
    feature_rows: N rows of the feature ring that take the crops' features
    clips:        (N, T) rows of the feature ring, oldest first
    clip_rows:    N rows of the clip ring that take the clip vectors
    contexts:     (N, K) rows of the clip ring; query: which of the K is the clip itself
    valid:        (N, K)
    """

    crops: ImageArray
    feature_rows: Sequence[int]
    clips: Sequence[Sequence[int]]
    clip_rows: Sequence[int]
    contexts: Sequence[Sequence[int]]
    query: int
    valid: BoolArray


class DeviceClips:
    """A ring of features and a ring of clip vectors in the GPU's memory, beside an engine that fills and reads them."""

    def __init__(self, engine: TensorRtEngine, bundle: Bundle, *, feature_rows: int, clip_rows: int) -> None:
        self._engine = engine
        self._stream = engine.stream
        self._frame, self._clip, self._head = (
            engine.graphs[role] for role in (FRAME_ENCODER, CLIP_ENCODER, CONTEXT_HEAD)
        )
        self._features = _Ring(feature_rows, bundle.feature_dim, engine.stream)
        self._vectors = _Ring(clip_rows, bundle.clip_dim, engine.stream)
        self._heads = [head.name for head in bundle.manifest.heads if head.input == "context"]
        batch = engine.max_batch
        self._host_in = {
            tensor.name: PinnedArray((batch, *tensor.row), tensor.dtype)
            for runner in (self._frame, self._head)
            for tensor in runner.inputs
            if tensor.name in ("crops", "valid")
        }
        self._host_out = {tensor.name: PinnedArray((batch, *tensor.row), tensor.dtype) for tensor in self._head.outputs}

    def run(self, step: Step) -> dict[str, FloatArray]:
        """One (N, L) array per head. Raises EngineError where N is more than the engine's largest batch."""
        count = len(step.crops)
        if count > self._engine.max_batch:
            raise EngineError(f"{count} faces in one step, the engine takes {self._engine.max_batch}; split the step")
        self._upload("crops", step.crops, self._frame)
        self._frame.enqueue(count)
        self._features.take(self._frame, "features", step.feature_rows)
        self._features.give(self._clip, "features", step.clips)
        self._clip.enqueue(count)
        self._vectors.take(self._clip, "clip", step.clip_rows)
        self._vectors.give(self._head, "context", step.contexts)
        self._vectors.give(self._head, "clip", [[context[step.query]] for context in step.contexts])
        self._upload("valid", step.valid, self._head)
        self._head.enqueue(count)
        for tensor in self._head.outputs:
            target, source = self._host_out[tensor.name], self._head.device[tensor.name]
            self._stream.download(target.address, source.address, count * tensor.row_bytes)
        self._stream.wait()
        return {name: self._host_out[name].array[:count].copy() for name in self._heads}

    def close(self) -> None:
        """Free the rings and the host's buffers; the engine stays open."""
        self._features.close()
        self._vectors.close()
        for array in (*self._host_in.values(), *self._host_out.values()):
            array.close()

    def _upload(self, name: str, rows: np.ndarray, runner: PlanRunner) -> None:
        host = self._host_in[name]
        host.array[: len(rows)] = rows
        self._stream.upload(runner.device[name].address, host.address, rows.nbytes)


class _Ring:
    """Rows of float32 vectors in the GPU's memory."""

    def __init__(self, rows: int, width: int, stream: Stream) -> None:
        self._row_bytes = 4 * width
        self._buffer = DeviceBuffer(rows * self._row_bytes)
        self._stream = stream

    def take(self, runner: PlanRunner, output: str, rows: Sequence[int]) -> None:
        """Copy the rows of an output into these rows."""
        source = int(runner.device[output].address)
        for place, row in enumerate(rows):
            self._stream.copy(self._address(row), source + place * self._row_bytes, self._row_bytes)

    def give(self, runner: PlanRunner, name: str, rows: Sequence[Sequence[int]]) -> None:
        """Copy these rows, sequence after sequence, into an input."""
        target = int(runner.device[name].address)
        for place, row in enumerate(row for sequence in rows for row in sequence):
            self._stream.copy(target + place * self._row_bytes, self._address(row), self._row_bytes)

    def close(self) -> None:
        self._buffer.close()

    def _address(self, row: int) -> int:
        return int(self._buffer.address) + row * self._row_bytes
