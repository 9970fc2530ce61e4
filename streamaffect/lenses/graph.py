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
        published = [(i, output) for i, output in enumerate(manifest.outputs) if weak or not output.weak]
        self._published = [output.name for _, output in published]
        self._places = np.array([i for i, _ in published], np.intp)
        self._low, self._high = np.array([output.range for _, output in published], np.float64).reshape(-1, 2).T
        quantiles = _quantiles(manifest, of)
        self._quantiles = None if quantiles is None else np.array([quantiles[name] for name in self._published])
        self._names = [VALUES] if quantiles is None else [VALUES, SPREAD]
        self._session = _open(lens)
        self.inputs: Sequence[str] = manifest.inputs
        self.rate_hz = rate_hz or manifest.rate_hz
        self.meta = HeadMeta(
            name=lens.name,
            kind=manifest.kind,
            outputs=[_described(output) for _, output in published],
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
        said = values[self._places].astype(np.float64)
        read = dict(zip(self._published, said.clip(self._low, self._high).tolist(), strict=True))
        intervals: dict[str, Interval] = {}
        if spread is not None and self._quantiles is not None:
            half = self._quantiles * spread[self._places].astype(np.float64).clip(0.0)
            ends = ((said + way * half).clip(self._low, self._high).tolist() for way in (-1, 1))
            intervals = dict(zip(self._published, zip(*ends, strict=True), strict=True))
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
