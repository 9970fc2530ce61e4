"""Figures of prompts: emotions against the crowd's votes, units against a teacher's blendshapes."""

from collections.abc import Mapping, Sequence

import numpy as np

from train.methods.lens.scores import area_under_curve

UPPER = 0.9  # quantile of the teacher's activation from which on a unit counts as acting


def emotion_figures(scores: Mapping[str, np.ndarray], truth: np.ndarray, names: Sequence[str]) -> dict[str, float]:
    """Means over the sets of wordings, one for each emotion, and the lowest set.

    scores: emotion → (N, P), P wordings; truth: (N,) places in `names`
    """
    classes = [name for name in names if name in scores and (truth == names.index(name)).any()]
    places = np.array([names.index(name) for name in classes])
    found = []
    for number in range(min(scores[name].shape[1] for name in classes)):
        row = np.stack([scores[name][:, number] for name in classes], axis=1)
        said = places[row.argmax(axis=1)]
        recall = np.mean([(said[truth == place] == place).mean() for place in places])
        curves = [area_under_curve(row[:, i], truth == place) for i, place in enumerate(places)]
        found.append(((said == truth).mean(), recall, np.mean(curves)))
    kinds = ("accuracy", "mean recall", "mean AUC of emotions")
    means = {kind: float(value) for kind, value in zip(kinds, np.mean(found, axis=0), strict=True)}
    return means | {f"{kind}, lowest set": float(one) for kind, one in zip(kinds, np.min(found, axis=0), strict=True)}


def unit_figures(scores: Mapping[str, np.ndarray], teacher: Sequence[Mapping[int, float]]) -> dict[str, float]:
    """AUC of each unit, the mean over its wordings: the tenth of the faces in which it acts most against the others."""
    figures = {}
    for name, own in scores.items():
        taught = np.array([one[int(name.removeprefix("AU"))] for one in teacher])
        acts = taught >= np.quantile(taught, UPPER)
        figures[f"AUC {name}"] = float(np.mean([area_under_curve(column, acts) for column in own.T]))
    return {"mean AUC of units": float(np.mean(list(figures.values()))), **figures} if figures else {}
