"""One vector that is added to a person's clip vectors, so that the heads meet what they know; learned without labels.

It minimises the squared maximum mean discrepancy (Gretton et al. 2012) to rows drawn from the statistics of the people
that the bundle learned from, and the squared distance moved. This is stage 2 of subject-based adaptation (Zeeshan et
al. 2024) without its cross-entropy, whose gradient goes through the heads: `python -m train personalise` has it.

One person shows some emotions and not others. Rows are therefore drawn in the shares of those that are judged with
confidence, over the face and its mirror image: somebody who smiles throughout is compared with smiling people.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np

from streamaffect.errors import ConfigError, RecordingError
from streamaffect.personal.clips import PersonClips
from streamaffect.personal.sources import Matrix, Sources
from streamaffect.runtime.bundle import Bundle
from streamaffect.runtime.engine import Engine
from streamaffect.runtime.manifest import HeadSpec
from streamaffect.types import FloatArray

CONFIDENT = 0.6
LEAST_CONFIDENT = 20
STEPS, BATCH, LEARNING_RATE = 80, 128, 0.02
WIDTHS = tuple(2.0 ** (q - 2) for q in range(5))  # of the five Gaussian kernels, in mean squared distances
ADAM_MEAN, ADAM_SQUARE, ADAM_LEAST = 0.9, 0.999, 1e-8
HELD = 0.95  # share of the person's clips on which the widened interval holds the base's

Outputs = Mapping[str, FloatArray]


@dataclass(frozen=True, slots=True)
class Adapted:
    """What was learned.

    shift:     (C,) that is added to clip vectors
    confident: clips that were judged with confidence
    moved:     length of the shift in standard deviations of the sources
    quantiles: of the intervals of valence and arousal, by output, as wide as they must be
    change:    mean absolute change of each output on the person's clips, by output
    """

    shift: FloatArray
    confident: int
    moved: float
    quantiles: dict[str, float]
    change: dict[str, float]


def adapt(clips: PersonClips, bundle: Bundle, engine: Engine, sources: Sources, *, seed: int = 0) -> Adapted:
    """Learn the vector from a person's clips.

    Raises ConfigError where the bundle lacks the heads, RecordingError where too few clips are judged with confidence.
    """
    emotions, affect = emotion_head(bundle), affect_head(bundle)
    before = predict(clips, engine, np.zeros(clips.plain.shape[1], np.float32))
    mirrored = engine.run_heads(clips.mirrored, clips.mirrored_context, clips.valid)
    kept, labels = confident_rows(before[emotions.name], mirrored[emotions.name])
    if len(kept) < LEAST_CONFIDENT:
        raise RecordingError(
            f"{len(kept)} of {len(clips.plain)} clips are judged with a confidence above {CONFIDENT:g}, "
            f"{LEAST_CONFIDENT} are needed; nothing was written: record clearer and more varied expressions"
        )
    shares = np.bincount(labels, minlength=len(sources.labels)).astype(np.float64)
    shift = _descend(clips.plain[kept].astype(np.float64), shares, sources, np.random.default_rng(seed))
    after = predict(clips, engine, shift)
    names = [output.name for output in affect.outputs]
    change = np.abs(after[affect.name] - before[affect.name]).mean(axis=0)
    return Adapted(
        shift,
        len(kept),
        float(np.linalg.norm(shift) / np.sqrt(sources.variance)),
        _widened(affect, before, after),
        dict(zip(names, change.tolist(), strict=True)),
    )


def predict(clips: PersonClips, engine: Engine, shift: FloatArray) -> Outputs:
    """Every head's rows (M, L) for each clip in its context, all moved by `shift`."""
    return engine.run_heads(clips.plain + shift, clips.context + shift, clips.valid)


def confident_rows(plain: FloatArray, mirrored: FloatArray) -> tuple[np.ndarray, np.ndarray]:
    """The rows of two views' probabilities (M, K) on which both choose one class, with confidence, and the class."""
    label = plain.argmax(axis=1)
    confidence = (plain.max(axis=1) + mirrored.max(axis=1)) / 2
    kept = np.flatnonzero((label == mirrored.argmax(axis=1)) & (confidence > CONFIDENT))
    return kept, label[kept]


def emotion_head(bundle: Bundle) -> HeadSpec:
    """The head that judges which emotion is seen. Raises ConfigError where there is none."""
    return _head(bundle, "classification")


def affect_head(bundle: Bundle) -> HeadSpec:
    """The head of valence and arousal. Raises ConfigError where there is none with intervals."""
    return _head(bundle, "regression")


def discrepancy_gradient(source: Matrix, target: Matrix) -> Matrix:
    """Of the squared discrepancy by a vector that is added to all of `target`: (N, C), (M, C) → (C,).

    The distances within each set stay what they are, so that only the pairs across count; the kernels' widths, which
    follow the mean distance of all rows, are taken as given.
    """
    rows = np.concatenate([source, target])
    squared = _squared_distances(rows, rows)
    base = squared.sum() / (len(rows) ** 2 - len(rows))
    across = squared[: len(source), len(source) :]  # (N, M)
    weights = sum(np.exp(-across / (base * width)) / (base * width) for width in WIDTHS)
    # Of -2 mean k(x, y + v): 4 mean over pairs of weight · (y - x).
    pull = weights.sum(axis=0) @ target - weights.sum(axis=1) @ source
    return np.asarray(4.0 * pull / across.size)


def _descend(rows: Matrix, shares: Matrix, sources: Sources, generator: np.random.Generator) -> FloatArray:
    """Adam (Kingma and Ba 2015) on the vector, in steps of one deviation of the sources along an axis."""
    width = rows.shape[1]
    scale = np.sqrt(sources.variance / width)
    step, mean, square = np.zeros(width), np.zeros(width), np.zeros(width)
    for number in range(1, STEPS + 1):
        batch = rows[generator.integers(len(rows), size=BATCH)] + scale * step
        gradient = scale * discrepancy_gradient(sources.draw(shares, BATCH, generator), batch)
        gradient += 2.0 * scale**2 * step / sources.variance  # of the squared distance moved
        mean = ADAM_MEAN * mean + (1 - ADAM_MEAN) * gradient
        square = ADAM_SQUARE * square + (1 - ADAM_SQUARE) * gradient**2
        corrected = np.sqrt(square / (1 - ADAM_SQUARE**number)) + ADAM_LEAST
        step -= LEARNING_RATE * mean / (1 - ADAM_MEAN**number) / corrected
    return np.asarray(scale * step, np.float32)


def _widened(affect: HeadSpec, before: Outputs, after: Outputs) -> dict[str, float]:
    """Quantiles so wide that on `HELD` of the clips the new interval holds the base's; the truth is not known."""
    calibration = affect.calibration
    assert calibration is not None  # `_head` has seen to it
    old = np.array([calibration.quantiles[output.name] for output in affect.outputs])
    moved = np.abs(after[affect.name] - before[affect.name])
    needed = (old * before[calibration.spread] + moved) / after[calibration.spread]
    wide = np.maximum(old, np.quantile(needed, HELD, axis=0))
    return dict(zip((output.name for output in affect.outputs), wide.tolist(), strict=True))


def _head(bundle: Bundle, kind: str) -> HeadSpec:
    for head in bundle.manifest.published_heads:
        if head.kind == kind and head.input == "context" and (kind != "regression" or head.calibration is not None):
            return head
    raise ConfigError(
        f"{bundle.path}: has no {kind} head over contexts{' with intervals' if kind == 'regression' else ''}, and a "
        "face cannot be fitted to it; take a bundle such as the shipped one"
    )


def _squared_distances(first: Matrix, second: Matrix) -> np.ndarray[Any, np.dtype[np.float64]]:
    """(N, C), (M, C) → (N, M)."""
    norms = (first**2).sum(axis=1)[:, None] + (second**2).sum(axis=1)[None]
    return np.asarray((norms - 2.0 * first @ second.T).clip(0))
