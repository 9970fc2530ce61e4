"""A lens that is an ONNX graph: rows in, values with intervals out. On ONNX Runtime's CPU, in one thread.

The graphs are small, and whatever error they had would be published as it is: they run in fp32 whatever runs the
bundle.
"""

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING

import numpy as np

from streamaffect.errors import LensError
from streamaffect.lenses.loading import Lens
from streamaffect.lenses.manifest import GRAPH, MAP_KIND, SPREAD, VALUES, LensManifest, LensOutput
from streamaffect.lenses.view import Interval, Medium, Reading, View
from streamaffect.messages import HeadMeta
from streamaffect.runtime.onnxruntime import session_options
from streamaffect.runtime.warm_up import first_line
from streamaffect.types import FloatArray

if TYPE_CHECKING:
    import onnxruntime


class GraphLens:
    """A `LensPart`.

    weak:    publish the outputs that the lens calls weak, too
    rate_hz: at most so often, in place of the lens's own rate; 0 is that
    of:      whose quantiles its intervals have, where it has its own for stills

    Raises LensError where the graph does not run.
    """

    def __init__(self, lens: Lens, *, weak: bool = False, rate_hz: float = 0.0, of: Medium = "stream") -> None:
        manifest = lens.manifest
        self._lens = lens
        self._published = [(i, output) for i, output in enumerate(manifest.outputs) if weak or not output.weak]
        self._quantiles = _quantiles(manifest, of)
        self._names = [VALUES] if self._quantiles is None else [VALUES, SPREAD]
        self._session = _open(lens)
        self.inputs: Sequence[str] = manifest.inputs
        self.rate_hz = rate_hz or manifest.rate_hz
        self.meta = HeadMeta(
            name=lens.name,
            kind=manifest.kind,
            outputs=[_described(output) for _, output in self._published],
            lens=f"{manifest.label} {lens.sha256[:12]}",
            summary=manifest.summary,
        )

    def look(self, views: Sequence[View]) -> list[Reading | None]:
        """One reading for each view; None where the graph gave NaN or infinity."""
        rows = {name: np.stack([view.inputs[name] for view in views]) for name in self.inputs}
        found = self._session.run(self._names, rows)
        return [self._read(*(array[i] for array in found)) for i in range(len(views))]

    def _read(self, values: FloatArray, spread: FloatArray | None = None) -> Reading | None:
        if not np.isfinite(values).all() or (spread is not None and not np.isfinite(spread).all()):
            return None
        read: dict[str, float] = {}
        intervals: dict[str, Interval] = {}
        for i, output in self._published:
            value, (low, high) = float(values[i]), output.range
            read[output.name] = min(max(value, low), high)
            if spread is not None and self._quantiles is not None:
                half = self._quantiles[output.name] * max(float(spread[i]), 0.0)
                intervals[output.name] = (min(max(value - half, low), high), min(max(value + half, low), high))
        return Reading(read, intervals, is_map=self._lens.manifest.kind == MAP_KIND)


def _quantiles(manifest: LensManifest, of: Medium) -> Mapping[str, float] | None:
    calibration = manifest.calibration
    if calibration is None:
        return None
    return (calibration.still_quantiles if of == "still" else None) or calibration.quantiles


def _described(output: LensOutput) -> dict[str, object]:
    words: dict[str, object] = {"label": output.label} if output.label else {}
    return {"name": output.name, "range": output.range, "unit": output.unit} | words


def _open(lens: Lens) -> "onnxruntime.InferenceSession":
    import onnxruntime

    try:
        session = onnxruntime.InferenceSession(
            str(lens.graph_path), session_options(1), providers=["CPUExecutionProvider"]
        )
        inputs = lens.manifest.graphs[GRAPH].inputs
        session.run(None, {spec.name: np.zeros([1, *map(int, spec.shape[1:])], spec.dtype) for spec in inputs})
    except Exception as error:
        raise LensError(f"{lens.graph_path}: the lens does not run ({first_line(error)})") from error
    return session
