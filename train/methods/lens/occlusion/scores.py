"""How faithful maps are: their correlation with real occlusion, and how far the answer falls where they are hidden."""

from collections.abc import Callable

import numpy as np

from streamaffect.affect.occlusion import Occluder, top_cells
from streamaffect.types import FloatArray

from .data import OccludedFaces

FLAT = 1e-6


def correlations(maps: FloatArray, others: FloatArray) -> FloatArray:
    """Pearson's r of each map with another, (N, 8, 8) twice → (N,); 0 where one of them is flat."""
    a, b = (rows.reshape(len(rows), -1).astype(np.float64) for rows in (maps, others))
    a, b = (rows - rows.mean(axis=1, keepdims=True) for rows in (a, b))
    scale = np.linalg.norm(a, axis=1) * np.linalg.norm(b, axis=1)
    return np.asarray((a * b).sum(axis=1) / np.maximum(scale, FLAT), np.float32)


def map_figures(
    maps: FloatArray, usual: FloatArray, faces: OccludedFaces, occluder: Occluder, on_done: Callable[[int], None]
) -> dict[str, object]:
    """Of maps (N, 8, 8) of faces. usual: (8, 8), the mean of real occlusion: what knows nothing of the face says.

    Emotional are faces that the bundle calls anything but neutral, the first of its emotions.
    """
    every = {"distilled": maps, "real": faces.drop, "usual": np.broadcast_to(usual, maps.shape)}
    drops = np.empty((len(maps), len(every)), np.float32)
    for row, crop in enumerate(faces.crops):
        drops[row] = occluder.drops(crop, [top_cells(one[row]) for one in every.values()])
        on_done(row + 1)
    emotional = faces.probabilities.argmax(axis=1) > 0
    agreement = {name: correlations(every[name], faces.drop) for name in ("distilled", "usual")}
    return {
        "faces": len(maps),
        "emotional_faces": int(emotional.sum()),
        "r": _mean(agreement["distilled"]),
        "r_emotional": _mean(agreement["distilled"][emotional]),
        "r_usual": _mean(agreement["usual"]),
        "drop": {name: _mean(drops[:, i]) for i, name in enumerate(every)},
        "drop_emotional": {name: _mean(drops[emotional, i]) for i, name in enumerate(every)},
    }


def _mean(values: FloatArray) -> float:
    return round(float(values.mean()), 4) if len(values) else 0.0
