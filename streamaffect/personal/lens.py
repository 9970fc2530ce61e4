"""A personal lens: valence and arousal once more, by the bundle's own heads on clip vectors that one vector has moved.

It stands beside the bundle's answers, which stay what they are. It knows nothing of who is seen: whoever comes before
the camera is measured as if they were that person.
"""

from collections.abc import Sequence
from pathlib import Path

import numpy as np

from streamaffect.lenses.manifest import CONTEXT, VALID
from streamaffect.lenses.view import Interval, Reading, View
from streamaffect.messages import HeadMeta
from streamaffect.personal.adaptation import affect_head
from streamaffect.personal.lens_file import read_personal
from streamaffect.runtime.bundle import Bundle
from streamaffect.runtime.manifest import CONTEXT_HEAD
from streamaffect.runtime.onnxruntime import open_session
from streamaffect.types import FloatArray

KIND = "personal"


class PersonalLens:
    """A `LensPart`. Raises LensError where the folder holds none of this bundle."""

    def __init__(self, folder: Path, name: str, bundle: Bundle) -> None:
        file = read_personal(folder, bundle)
        self._head = affect_head(bundle)
        self._shift = file.vector
        self._past = bundle.manifest.context.past
        calibration = self._head.calibration
        assert calibration is not None  # `affect_head` has seen to it
        self._quantiles = [file.quantiles[output.name] for output in self._head.outputs]
        self._names = [self._head.name, calibration.spread]
        self._session = open_session(bundle, CONTEXT_HEAD, {}, "CPU", 1)
        self.inputs: Sequence[str] = (CONTEXT, VALID)
        self.rate_hz = 0.0
        self.meta = HeadMeta(
            name=name,
            kind=KIND,
            outputs=[{"name": one.name, "range": one.range, "unit": one.unit} for one in self._head.outputs],
            lens=f"personal of {file.bundle}, {file.created[:10]}",
        )

    def look(self, views: Sequence[View]) -> list[Reading | None]:
        """One reading for each view; None where the heads gave NaN or infinity."""
        context = np.stack([view.inputs[CONTEXT] for view in views]) + self._shift  # (N, K, C)
        valid = np.stack([view.inputs[VALID] for view in views])
        clip = np.ascontiguousarray(context[:, self._past])
        values, spread = self._session.run(self._names, {"clip": clip, "context": context, "valid": valid})
        return [self._read(*rows) for rows in zip(values, spread, strict=True)]

    def _read(self, values: FloatArray, spread: FloatArray) -> Reading | None:
        if not (np.isfinite(values).all() and np.isfinite(spread).all()):
            return None
        read: dict[str, float] = {}
        intervals: dict[str, Interval] = {}
        for output, value, error, quantile in zip(
            self._head.outputs, values.tolist(), spread.tolist(), self._quantiles, strict=True
        ):
            low, high = output.range
            half = quantile * max(error, 0.0)
            read[output.name] = min(max(value, low), high)
            intervals[output.name] = (min(max(value - half, low), high), min(max(value + half, low), high))
        return Reading(read, intervals)
