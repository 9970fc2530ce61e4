"""From the heads' raw numbers to what is published: names, ranges and conformal intervals.

Intervals are normalised conformal ones (Papadopoulos et al. 2008): the model's own estimate of its error, scaled by the
quantile of error / estimate on held-out data, so that hard faces get wide intervals and clear ones narrow.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field

from streamaffect.runtime.manifest import HeadSpec, Manifest
from streamaffect.types import FloatArray

Interval = tuple[float, float]

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


def read_heads(manifest: Manifest, rows: Mapping[str, FloatArray]) -> Affect:
    """One row (L,) per head → values by name.

    Regression values are clipped to their declared range: a head trained on CCC is not bounded by itself. Heads that
    only serve as the spread of another one are not published.
    """
    spreads = {head.calibration.spread for head in manifest.heads if head.calibration}
    values: dict[str, float] = {}
    intervals: dict[str, Interval] = {}
    outputs: dict[str, dict[str, float]] = {}
    for head in manifest.heads:
        if head.name not in rows or head.name in spreads:
            continue
        named = _clipped(head, rows[head.name])
        affect = {name: value for name, value in named.items() if name in AFFECT_OUTPUTS and head.kind == "regression"}
        values |= affect
        if affect and head.calibration is not None:
            intervals |= _intervals(head, rows[head.name], rows[head.calibration.spread])
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
    return {output.name: _clip(float(value), output.range) for output, value in zip(head.outputs, row, strict=True)}


def _intervals(head: HeadSpec, row: FloatArray, spread: FloatArray) -> dict[str, Interval]:
    assert head.calibration is not None
    quantiles = head.calibration.quantiles
    intervals: dict[str, Interval] = {}
    for output, value, scale in zip(head.outputs, row, spread, strict=True):
        half_width = quantiles[output.name] * max(float(scale), 0.0)
        low, high = float(value) - half_width, float(value) + half_width
        intervals[output.name] = (_clip(low, output.range), _clip(high, output.range))
    return intervals


def _clip(value: float, limits: Interval) -> float:
    return min(max(value, limits[0]), limits[1])
