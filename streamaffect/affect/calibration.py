"""From the heads' raw numbers to what is published: names, ranges and conformal intervals.

Intervals are normalised conformal ones (Papadopoulos et al. 2008): the model's own estimate of its error, scaled by the
quantile of error / estimate on held-out data, so that hard faces get wide intervals and clear ones narrow. Stills and
streams may have quantiles of their own (Mondrian conformal prediction), since their errors are not alike.
"""

import math
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Literal

from streamaffect.runtime.manifest import Calibration, HeadSpec, Manifest
from streamaffect.types import FloatArray

Interval = tuple[float, float]
Medium = Literal["stream", "still"]

VALENCE, AROUSAL = "valence", "arousal"
AFFECT_OUTPUTS = (VALENCE, AROUSAL)


@dataclass(frozen=True, slots=True)
class Affect:
    """The published numbers of one estimate.

    valence, arousal: in [-1, 1]; None where the bundle has no such output
    *_interval:       None where the bundle has no calibration
    outputs:          the other heads: name → output → value
    """

    valence: float | None = None
    arousal: float | None = None
    valence_interval: Interval | None = None
    arousal_interval: Interval | None = None
    outputs: dict[str, dict[str, float]] = field(default_factory=dict)


def is_finite(rows: Mapping[str, FloatArray]) -> bool:
    """False where a graph has given NaN or infinity, which never leave the process."""
    return all(math.isfinite(value) for row in rows.values() for value in row.tolist())


def read_heads(manifest: Manifest, rows: Mapping[str, FloatArray], *, of: Medium = "stream") -> Affect:
    """One row (L,) per head → values by name.

    Regression values are clipped to their declared range: a head trained on CCC is not bounded by itself.

    of: which quantiles the intervals take, where the bundle has its own for stills
    """
    values: dict[str, float] = {}
    intervals: dict[str, Interval] = {}
    outputs: dict[str, dict[str, float]] = {}
    for head in manifest.published_heads:
        if head.name not in rows:
            continue
        named = _clipped(head, rows[head.name])
        affect = {name: value for name, value in named.items() if name in AFFECT_OUTPUTS and head.kind == "regression"}
        values |= affect
        if affect and head.calibration is not None:
            spread = manifest.head(head.calibration.spread)
            assert spread is not None  # a checked bundle has it
            scales = dict(zip((output.name for output in spread.outputs), rows[spread.name].tolist(), strict=True))
            intervals |= _intervals(head, _quantiles(head.calibration, of), rows[head.name], scales)
        if rest := {name: value for name, value in named.items() if name not in affect}:
            outputs[head.name] = rest
    return Affect(
        valence=values.get(VALENCE),
        arousal=values.get(AROUSAL),
        valence_interval=intervals.get(VALENCE),
        arousal_interval=intervals.get(AROUSAL),
        outputs=outputs,
    )


def _clipped(head: HeadSpec, row: FloatArray) -> dict[str, float]:
    return {output.name: _clip(value, output.range) for output, value in zip(head.outputs, row.tolist(), strict=True)}


def _quantiles(calibration: Calibration, of: Medium) -> Mapping[str, float]:
    if of == "still" and calibration.still_quantiles is not None:
        return calibration.still_quantiles
    return calibration.quantiles


def _intervals(
    head: HeadSpec, quantiles: Mapping[str, float], row: FloatArray, scales: Mapping[str, float]
) -> dict[str, Interval]:
    intervals: dict[str, Interval] = {}
    for output, value in zip(head.outputs, row.tolist(), strict=True):
        half_width = quantiles[output.name] * max(scales[output.name], 0.0)
        intervals[output.name] = (_clip(value - half_width, output.range), _clip(value + half_width, output.range))
    return intervals


def _clip(value: float, limits: Interval) -> float:
    return min(max(value, limits[0]), limits[1])
