"""The three graphs chained on the GPU: features and clip vectors stay in its memory, only crops and heads travel.

The estimator decides what belongs together, by row numbers. All work of a step is queued and waited for once, where its
heads come back; a step with more faces than the engine takes at once waits once more for each further part of it.
"""

from collections.abc import Iterator
from contextlib import ExitStack
from dataclasses import replace

import numpy as np

from streamaffect.runtime.bundle import Bundle
from streamaffect.runtime.cuda import PinnedArray
from streamaffect.runtime.device_rows import FIRST_ROWS, DeviceRows
from streamaffect.runtime.engine import EngineInfo
from streamaffect.runtime.manifest import CLIP_ENCODER, CONTEXT_HEAD, FRAME_ENCODER
from streamaffect.runtime.tensorrt import PlanRunner, TensorRtEngine
from streamaffect.types import BoolArray, FloatArray, ImageArray, RowArray


class DeviceClips:
    """A `RowEngine`: a TensorRT engine with features and clip vectors in the GPU's memory. It closes that engine too.

    first_rows: room for so many features and clip vectors at first; it grows with the faces that are followed

    Raises EngineError where the GPU has no room; the engine then stays open.
    """

    def __init__(self, engine: TensorRtEngine, bundle: Bundle, *, first_rows: int = FIRST_ROWS) -> None:
        self._engine = engine
        self._stream = engine.stream
        self._info = replace(engine.info, reason=f"{engine.info.reason}; features and clips stay in the GPU's memory")
        self._head_names = [head.name for head in bundle.manifest.heads if head.input == "context"]
        self._frame, self._clip, self._head = (
            engine.graphs[role] for role in (FRAME_ENCODER, CLIP_ENCODER, CONTEXT_HEAD)
        )
        self._uploading: set[str] = set()
        with ExitStack() as memory:
            self._features = DeviceRows(bundle.feature_dim, engine.stream, rows=first_rows)
            memory.callback(self._features.close)
            self._clips = DeviceRows(bundle.clip_dim, engine.stream, rows=first_rows)
            memory.callback(self._clips.close)
            self._host: dict[str, PinnedArray] = {}
            for tensor in (*self._frame.inputs, *self._head.inputs, *self._head.outputs):
                if tensor.name not in ("clip", "context"):  # these two never travel
                    self._host[tensor.name] = PinnedArray((engine.max_batch, *tensor.row), tensor.dtype)
                    memory.callback(self._host[tensor.name].close)
            self._memory = memory.pop_all()

    @property
    def info(self) -> EngineInfo:
        """Backend, provider, precision and the reason for the choice."""
        return self._info

    def encode_frames(self, crops: ImageArray) -> RowArray:
        """crops (N, S, S, 3) uint8 RGB → rows (N, 1) of their features."""
        parts: list[RowArray] = []
        for part in self._parts(len(crops)):
            rows = len(crops[part])
            self._upload(self._frame, "crops", crops[part])
            self._frame.enqueue(rows)
            parts.append(self._features.keep(self._frame.address("features"), rows))
        return np.concatenate(parts)

    def encode_clips(self, features: RowArray) -> RowArray:
        """features (N, T, 1), oldest first → rows (N, 1) of the clip vectors."""
        parts: list[RowArray] = []
        for part in self._parts(len(features)):
            rows = len(features[part])
            self._features.gather(self._clip.address("features"), features[part])
            self._clip.enqueue(rows)
            parts.append(self._clips.keep(self._clip.address("clip"), rows))
        return np.concatenate(parts)

    def run_heads(self, clip: RowArray, context: RowArray, valid: BoolArray) -> dict[str, FloatArray]:
        """clip (N, 1), context (N, K, 1), valid (N, K) → one (N, L) float32 array per head. All queued work is done."""
        parts: list[dict[str, FloatArray]] = []
        for part in self._parts(len(clip)):
            rows = len(clip[part])
            self._clips.gather(self._head.address("clip"), clip[part])
            self._clips.gather(self._head.address("context"), context[part])
            self._upload(self._head, "valid", valid[part])
            self._head.enqueue(rows)
            parts.append(self._download(rows))
        return {name: np.concatenate([part[name] for part in parts]) for name in self._head_names}

    def free_features(self, rows: RowArray) -> None:
        """Hand back rows (n, 1) of features that are not needed any more."""
        self._features.free(rows)

    def free_clips(self, rows: RowArray) -> None:
        """Hand back rows (n, 1) of clip vectors that are not needed any more."""
        self._clips.free(rows)

    @property
    def used(self) -> tuple[int, int]:
        """Features and clip vectors that are kept at this time."""
        return self._features.used, self._clips.used

    def close(self) -> None:
        """Free all memory and close the engine. Calling it again does nothing."""
        self._memory.close()
        self._engine.close()

    def _parts(self, rows: int) -> Iterator[slice]:
        """Slices of no more rows than the engine takes."""
        step = self._engine.max_batch
        return (slice(start, start + step) for start in range(0, rows, step))

    def _upload(self, runner: PlanRunner, name: str, rows: np.ndarray) -> None:
        """Queue an input; waits where an earlier one may still have to leave the same pinned memory."""
        if name in self._uploading:
            self._wait()
        host = self._host[name]
        host.array[: len(rows)] = rows
        self._stream.upload(runner.address(name), host.address, rows.nbytes)
        self._uploading.add(name)

    def _download(self, rows: int) -> dict[str, FloatArray]:
        for tensor in self._head.outputs:
            host = self._host[tensor.name]
            self._stream.download(host.address, self._head.address(tensor.name), rows * tensor.row_bytes)
        self._wait()
        return {name: self._host[name].array[:rows].copy() for name in self._head_names}

    def _wait(self) -> None:
        self._stream.wait()
        self._uploading.clear()
