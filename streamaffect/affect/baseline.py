"""A face's own neutral: mean and spread of its estimates at rest, and what others are relative to it.

People's faces at rest differ, and a model reads some as glad and others as stern. What a face does, against its own
rest, tells more of its expression than the raw value; that is still measured, and stays as it is.
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from statistics import fmean, pstdev

import msgspec

from streamaffect.messages import Estimate
from streamaffect.types import Box

Interval = tuple[float, float]

QUALITY = 0.35  # of a picture that may count
GOOD_SHARE = 0.8  # of all pictures, and of the time
FEWEST = 10
MOVEMENT = 0.25  # spread of the face's place in face widths
CHANGE = 0.2  # spread of valence or arousal
SMILE = 0.4  # mean probability of happiness; see benchmarks/baseline.py
STRONG = 0.5  # of any other expression than neutral
NEUTRAL, HAPPINESS = "neutral", "happiness"
Z90 = 1.645  # so many spreads to either side hold 90 % of a normal distribution


class Moments(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """Mean in [-1, 1] and standard deviation of one dimension."""

    mean: float
    spread: float


class Baseline(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """The neutral of one face, by one bundle.

    frames: so many good pictures; seconds: from the first to the last of them
    """

    valence: Moments
    arousal: Moments
    frames: int
    seconds: float

    def __str__(self) -> str:
        return (
            f"valence {self.valence.mean:+.2f} ± {self.valence.spread:.2f}, arousal {self.arousal.mean:+.2f} ± "
            f"{self.arousal.spread:.2f}, {self.frames} pictures in {self.seconds:.1f} s"
        )

    def relative(self, estimate: Estimate) -> Estimate:
        """The estimate with its difference to this baseline beside its values."""
        return msgspec.structs.replace(
            estimate,
            baseline="taken",
            valence_relative=_difference(estimate.valence, self.valence),
            arousal_relative=_difference(estimate.arousal, self.arousal),
            valence_relative_interval=_interval(estimate.valence, estimate.valence_interval, self.valence),
            arousal_relative_interval=_interval(estimate.arousal, estimate.arousal_interval, self.arousal),
        )


@dataclass(frozen=True, slots=True)
class Refusal:
    """Why no baseline was taken, one line for people."""

    reason: str


def judge(estimates: Sequence[Estimate], seconds: float) -> Baseline | Refusal:
    """The baseline of one face from all that was estimated of it during so many seconds, or why there is none."""
    good = [one for one in estimates if _is_good(one)]
    span_s = (good[-1].t_capture_ns - good[0].t_capture_ns) / 1e9 if good else 0.0
    if len(good) < max(FEWEST, GOOD_SHARE * len(estimates)) or span_s < GOOD_SHARE * seconds:
        return Refusal(
            f"too few good pictures: {len(good)} of {len(estimates)}, over {span_s:.1f} of {seconds:g} s; more "
            "light, a closer and sharper face, and a steady look at the camera help"
        )
    if (moved := _movement([one.box for one in good])) > MOVEMENT:
        return Refusal(f"too much movement: {moved:.2f} face widths; keep the head still")
    if (shown := _expression(good)) is not None:
        return Refusal(shown)
    valence, arousal = (
        _moments([value for one in good if (value := getattr(one, name)) is not None])
        for name in ("valence", "arousal")
    )
    if max(valence.spread, arousal.spread) > CHANGE:
        return Refusal(
            f"the expression changed: valence ± {valence.spread:.2f}, arousal ± {arousal.spread:.2f}; keep it neutral"
        )
    return Baseline(valence=valence, arousal=arousal, frames=len(good), seconds=round(span_s, 3))


def _is_good(estimate: Estimate) -> bool:
    has_values = estimate.valence is not None and estimate.arousal is not None
    return has_values and estimate.status == "ok" and (estimate.quality is None or estimate.quality >= QUALITY)


def _movement(boxes: Sequence[Box]) -> float:
    """Spread of the face's centre, in widths and heights of the face."""
    across = pstdev(box.x + box.w / 2 for box in boxes) / max(fmean(box.w for box in boxes), 1e-6)
    down = pstdev(box.y + box.h / 2 for box in boxes) / max(fmean(box.h for box in boxes), 1e-6)
    return math.hypot(across, down)


def _expression(good: Sequence[Estimate]) -> str | None:
    """What a face shows that is not neutral; None where nothing speaks against it, or the bundle has no such head."""
    emotions = next((values for values in good[0].outputs.values() if NEUTRAL in values), None)
    if emotions is None:
        return None
    head = next(name for name, values in good[0].outputs.items() if values is emotions)
    means = {name: fmean(one.outputs[head][name] for one in good if head in one.outputs) for name in emotions}
    if means.get(HAPPINESS, 0.0) > SMILE:
        return f"the face smiles (happiness {means[HAPPINESS]:.2f}); a baseline is taken of a neutral face"
    strongest = max(means, key=lambda name: means[name])
    if strongest != NEUTRAL and means[strongest] > STRONG:
        return f"the face shows {strongest} ({means[strongest]:.2f}); a baseline is taken of a neutral face"
    return None


def _moments(values: Sequence[float]) -> Moments:
    return Moments(mean=round(fmean(values), 6), spread=round(pstdev(values), 6))


def _difference(value: float | None, neutral: Moments) -> float | None:
    return None if value is None else value - neutral.mean


def _interval(value: float | None, interval: Interval | None, neutral: Moments) -> Interval | None:
    """The interval of the difference: that of the value, and the spread of the neutral, added in quadrature."""
    if value is None or interval is None:
        return None
    own = Z90 * neutral.spread
    low, high = math.hypot(value - interval[0], own), math.hypot(interval[1] - value, own)
    return max(-2.0, value - neutral.mean - low), min(2.0, value - neutral.mean + high)
