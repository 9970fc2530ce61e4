"""Figures of lenses: units against a teacher's blendshapes, compound emotions against the crowd's votes, and moments
against a teacher's emotions over time.
"""

from collections.abc import Mapping, Sequence

import numpy as np
from msgspec import UnsetType

from streamaffect import Estimate
from train.methods.lens.compound import pair_figures
from train.methods.lens.scores import agreement
from train.methods.stochastic_softmax.moments.data import clearest
from train.methods.stochastic_softmax.moments.fit import found_moments

GOOD = 0.6


def unit_figures(lens: str, spoken: Sequence[tuple[Estimate, Mapping[int, float]]]) -> dict[str, float]:
    """Mean agreement over the published units, how many are good, and how much of the truth the intervals hold."""
    if len(spoken) < 2:
        return {}
    names = list(spoken[0][0].outputs[lens])
    said = np.array([[estimate.outputs[lens][name] for name in names] for estimate, _ in spoken])
    truth = np.array([[units[int(name.removeprefix("AU"))] for name in names] for _, units in spoken])
    found = agreement(said, truth)
    by_unit = {f"r {name}": round(float(value), 4) for name, value in zip(names, found.pearson, strict=True)}
    held = [_holds(estimate, lens, names, row) for (estimate, _), row in zip(spoken, truth, strict=True)]
    return {
        "mean r": round(float(found.pearson.mean()), 4),
        "mean CCC": round(float(found.ccc.mean()), 4),
        "units with r of at least 0.6": float((found.pearson >= GOOD).sum()),
        "share of the truth in 90 % intervals": round(float(np.mean(held)), 4),
        **by_unit,
    }


def compound_figures(scores: Sequence[Mapping[str, float]], shares: np.ndarray) -> dict[str, float]:
    """Area under the curve and average precision of each pair that enough faces have, and the mean precision."""
    products = np.array([list(row.values()) for row in scores], np.float32)
    found = pair_figures(products, shares.astype(np.float32))
    pairs = found["pairs"]
    assert isinstance(pairs, dict)
    figures = {f"AUC {name}": float(pair["auc"]) for name, pair in pairs.items()}
    figures |= {f"AP {name}": float(pair["average_precision"]) for name, pair in pairs.items()}
    mean = found["mean_average_precision"]
    assert isinstance(mean, float)
    return {"mean average precision": mean, **figures}


def moment_figures(lens: str, stretches: Sequence[tuple[Estimate, np.ndarray]]) -> dict[str, float]:
    """Whether the heaviest clip is the one that shows most. stretches: with the teacher's (K, 8), oldest clip first."""
    if not stretches:
        return {}
    weights = np.array([list(estimate.outputs[lens].values())[::-1] for estimate, _ in stretches], np.float32)
    labels = np.array([clearest(shares) for _, shares in stretches])
    shown = np.array([shares[:, label] for (_, shares), label in zip(stretches, labels, strict=True)], np.float32)
    found = found_moments(weights, shown, labels)
    return {
        "stretches with a moment": found["sequences"],
        "heaviest clip is the right one": found["hits"],
        "r of shares and what is shown": found["pearson"],
        "share of the heaviest": found["heaviest"],
    }


def _holds(estimate: Estimate, lens: str, names: Sequence[str], truth: np.ndarray) -> float:
    intervals = {} if isinstance(estimate.output_intervals, UnsetType) else estimate.output_intervals.get(lens, {})
    inside = [
        intervals[name][0] - 1e-6 <= value <= intervals[name][1] + 1e-6
        for name, value in zip(names, truth, strict=True)
    ]
    return float(np.mean(inside))
