"""The lens of compound emotions: the product of the probabilities of two emotions. Nothing is trained.

Du et al. 2014 name compound emotions by two basic ones. FER+'s own votes are the ground truth: a face shows both where
each has at least three tenths of the votes. Heads that were trained for the pairs added nothing to the product.
"""

from collections.abc import Mapping

import numpy as np
import torch
from torch import Tensor, nn

from streamaffect.affect.occlusion import Occluder
from streamaffect.lenses.manifest import VALUES, LensOutput
from streamaffect.runtime.bundle import load_bundle
from streamaffect.runtime.onnxruntime import OnnxRuntimeEngine
from streamaffect.types import FloatArray

from ...bundle.graphs import TracedGraph
from ...bundle.lens import DeclaredLens, write_lens
from ...data.augment import place, plain
from ...data.sets.ferplus import PUBLIC_TEST, load_ferplus
from ...data.stills import EMOTIONS
from ...errors import DataError
from ...loop.context import Context, Report
from .recipe import CompoundLensRecipe
from .scores import area_under_curve, average_precision

HEAD = "emotions"
PAIRS: Mapping[str, tuple[str, str]] = {
    "fearfully_surprised": ("fear", "surprise"),
    "happily_surprised": ("happiness", "surprise"),
    "sadly_surprised": ("sadness", "surprise"),
    "disgustedly_surprised": ("disgust", "surprise"),
    "angrily_surprised": ("anger", "surprise"),
    "sadly_fearful": ("sadness", "fear"),
    "sadly_angry": ("sadness", "anger"),
}
LEAST_SHARE = 0.3 - 1e-6  # of the votes for emotions, for each of the two
LEAST_FACES = 5  # with which a pair can be evaluated
BATCH = 64


class PairProducts(nn.Module):
    """Probabilities (N, 8) → four times the product of each pair (N, 7): 1 where two share all there is equally."""

    first: Tensor
    second: Tensor

    def __init__(self) -> None:
        super().__init__()
        for side, name in enumerate(("first", "second")):
            self.register_buffer(name, torch.tensor([EMOTIONS.index(pair[side]) for pair in PAIRS.values()]))

    def forward(self, probabilities: Tensor) -> Tensor:
        """(N, 8) → (N, 7) in [0, 1]."""
        return 4 * probabilities[:, self.first] * probabilities[:, self.second]


def run(recipe: CompoundLensRecipe, context: Context) -> Report:
    """Score the products on pictures that the bundle has not seen, and write the lens."""
    metrics = _scored(recipe, context)
    context.export(lambda target: write_lens(_graph(), _declared(recipe, metrics), load_bundle(), target))
    return {"metrics": metrics}


def _scored(recipe: CompoundLensRecipe, context: Context) -> dict[str, object]:
    if recipe.data == "none":
        return {}
    faces = load_ferplus(context.data_folder("ferplus/"), PUBLIC_TEST, taught=False).stills
    bundle = load_bundle()
    occluder, size = Occluder(bundle, OnnxRuntimeEngine(bundle), HEAD), bundle.manifest.crop.size
    crops = [place(picture, plain(1.0, mirrored=False), size) for picture in faces.pictures]
    colour = [np.repeat(crop[..., None], 3, axis=2) for crop in crops]
    found = [occluder.probabilities(np.stack(colour[at : at + BATCH])) for at in range(0, len(colour), BATCH)]
    with torch.no_grad():
        products = PairProducts()(torch.from_numpy(np.concatenate(found))).numpy()
    return pair_figures(products, faces.emotions)


def pair_figures(products: FloatArray, shares: FloatArray) -> dict[str, object]:
    """Of products (N, 7) against vote shares (N, 8), per pair. Raises DataError where no pair can be evaluated."""
    pairs: dict[str, dict[str, float | int]] = {}
    unknown: dict[str, int] = {}
    for number, (name, (first, second)) in enumerate(PAIRS.items()):
        both = np.minimum(shares[:, EMOTIONS.index(first)], shares[:, EMOTIONS.index(second)]) >= LEAST_SHARE
        if both.sum() < LEAST_FACES:
            unknown[name] = int(both.sum())
            continue
        scores = products[:, number]
        pairs[name] = {
            "faces": int(both.sum()),
            "auc": round(area_under_curve(scores, both), 4),
            "average_precision": round(average_precision(scores, both), 4),
        }
    if not pairs:
        raise DataError(f"no pair of emotions has {LEAST_FACES} faces with the votes for it")
    mean = sum(pair["average_precision"] for pair in pairs.values()) / len(pairs)
    areas = [pair["auc"] for pair in pairs.values()]
    return {
        "summary": {
            "unseen pictures": f"AUC {min(areas):.2f} to {max(areas):.2f} for {len(pairs)} pairs, mean AP {mean:.2f}"
        },
        "faces": len(products),
        "mean_average_precision": round(mean, 4),
        "pairs": pairs,
        "too_few_faces": unknown,
    }


def _graph() -> TracedGraph:
    probabilities = torch.rand(2, len(EMOTIONS), generator=torch.Generator().manual_seed(0)).softmax(dim=1)
    return TracedGraph(PairProducts(), {HEAD: probabilities}, [VALUES])


def _declared(recipe: CompoundLensRecipe, metrics: Mapping[str, object]) -> DeclaredLens:
    unknown = metrics.get("too_few_faces", {})
    assert isinstance(unknown, dict)
    words = ", ".join(name.replace("_", " ") for name in unknown)
    return DeclaredLens(
        name=recipe.name,
        kind="compound",
        version=recipe.version,
        licence=recipe.licence,
        summary="Seven compound emotions, each from what two emotions share",
        outputs=[LensOutput(name, (0.0, 1.0), "score", name.replace("_", " ")) for name in PAIRS],
        recipe=f"{recipe.name}.toml",
        seed=recipe.seed,
        data=["nothing: a product of two probabilities"],
        metrics=metrics,
        limits=[
            "A score, not a probability: four times the product of two, 1 where they share the face equally",
            *([f"Not evaluated, too few faces had the votes: {words}"] if words else []),
            "It ranks well and is rarely large: most faces that many call mixed are called one thing by most",
        ],
    )
