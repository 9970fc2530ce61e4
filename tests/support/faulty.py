"""Engines and detectors that fail when a test tells them to: what no healthy machine shows."""

import threading
from collections.abc import Callable

from streamaffect.runtime.engine import Engine
from streamaffect.types import BoolArray, FloatArray, ImageArray
from tests.support.gpu.engines import CountingEngine

Fault = Callable[[], None]


class FaultyEngine(CountingEngine):
    """Passes everything on; before each frame encoding, what `faults` says for the call of that number happens."""

    def __init__(self, engine: Engine, faults: dict[int, Fault] | Fault) -> None:
        super().__init__(engine)
        self.closed = threading.Event()
        self._faults = faults

    def encode_frames(self, crops: ImageArray) -> FloatArray:
        number = len(self.frame_batches)
        self.frame_batches.append(len(crops))
        if not isinstance(self._faults, dict):
            self._faults()
        elif number in self._faults:
            self._faults[number]()
        return self.engine.encode_frames(crops)

    def encode_clips(self, features: FloatArray) -> FloatArray:
        return self.engine.encode_clips(features)

    def run_heads(self, clip: FloatArray, context: FloatArray, valid: BoolArray) -> dict[str, FloatArray]:
        return self.engine.run_heads(clip, context, valid)

    def close(self) -> None:
        self.closed.set()


def raising(error: Exception) -> Fault:
    """A call that raises."""

    def fault() -> None:
        raise error

    return fault


class Hang:
    """A call that does not come back before `release`, which the test calls at its end."""

    def __init__(self) -> None:
        self.entered = threading.Event()
        self._released = threading.Event()

    def __call__(self) -> None:
        self.entered.set()
        self._released.wait()

    def release(self) -> None:
        self._released.set()
