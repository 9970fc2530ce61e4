"""A run of a lens: the head, its intervals by people it has not learned, figures, the folder."""

import numpy as np

from streamaffect.types import FloatArray

from ...loop.context import Context, Report
from .bundle import Trained, export_lens
from .data import NAMES, UNITS, WEAK, Corpus, UnitFaces, load_corpus, prepare_clips
from .fit import fit_head, predict
from .model import MapHead
from .recipe import LensRecipe
from .scores import Quantiles, agreement, conformal_quantiles, coverage, rounded

GOOD = 0.6  # least correlation with the teacher of a unit that is published unasked


def prepare(recipe: LensRecipe, context: Context) -> Report:
    """Cut the faces of the clips."""
    prepare_clips(recipe, context)
    return {}


def run(recipe: LensRecipe, context: Context) -> Report:
    """Train, or go on; calibrate, score, and write the lens. Returns quantiles and figures.

    Raises DataError where data are missing, TrainingError where the lens cannot be written.
    """
    if context.trains:
        prepare(recipe, context)
    corpus = load_corpus(recipe, context)
    head = fit_head(recipe, context, "training", (corpus.stills, corpus.clips, corpus.valid_clips))
    quantiles = _calibrated(head, corpus)
    metrics = _figures(head, corpus, quantiles)
    channels = corpus.stills.views[0].shape[1]
    trained = Trained(recipe, head, quantiles, metrics, corpus.names, channels)
    context.export(lambda target: export_lens(trained, target))
    return {"metrics": metrics}


def _calibrated(head: MapHead, corpus: Corpus) -> Quantiles:
    """Errors on people and pictures that the head has not learned, each person by the root of their frames."""
    clips, stills = corpus.valid_clips, corpus.valid_stills
    return Quantiles(
        stream=conformal_quantiles(_relative_errors(head, clips), clips.weights),
        still=conformal_quantiles(_relative_errors(head, stills), stills.weights),
    )


def _relative_errors(head: MapHead, faces: UnitFaces) -> FloatArray:
    values, spread = predict(head, faces)
    return np.asarray(np.abs(values - faces.targets) / spread, np.float32)


def _figures(head: MapHead, corpus: Corpus, quantiles: Quantiles) -> dict[str, object]:
    """On pictures and people that nothing was fitted to; the clips of both splits that are not trained on, apart."""
    return {
        "clips": _of(head, corpus.report_clips, quantiles.stream),
        "valid_clips": _of(head, corpus.valid_clips, quantiles.stream),
        "stills": _of(head, corpus.report_stills, quantiles.still),
    }


def _of(head: MapHead, faces: UnitFaces, quantiles: FloatArray) -> dict[str, object]:
    values, spread = predict(head, faces)
    found, held = agreement(values, faces.targets), coverage(values, spread, faces.targets, quantiles)
    shown = np.array([unit not in WEAK for unit in UNITS])
    return {
        "faces": len(faces),
        "people": len(np.unique(faces.people)),
        "mean_pearson": round(float(found.pearson[shown].mean()), 4),
        "mean_ccc": round(float(found.ccc[shown].mean()), 4),
        "mean_pearson_all": round(float(found.pearson.mean()), 4),
        "mean_ccc_all": round(float(found.ccc.mean()), 4),
        "units_above_0.6": int((found.pearson[shown] >= GOOD).sum()),
        "coverage": round(float(held[shown].mean()), 4),
        "pearson": rounded(dict(zip(NAMES, found.pearson.tolist(), strict=True))),
        "ccc": rounded(dict(zip(NAMES, found.ccc.tolist(), strict=True))),
        "coverage_by_unit": rounded(dict(zip(NAMES, held.tolist(), strict=True))),
    }
