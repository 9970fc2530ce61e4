"""A run of the aligned map: the head, how well it agrees with the action units' regions, the lens."""

from collections.abc import Mapping
from pathlib import Path

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from streamaffect.lenses.manifest import MAP, VALUES, LensManifest, LensOutput
from streamaffect.runtime.bundle import load_bundle
from streamaffect.text.regions import CELLS, SIDE

from ....bundle.graphs import TracedGraph
from ....bundle.lens import DeclaredLens, write_lens
from ....data.stills import EMOTIONS
from ....loop.context import Context, Report
from ....loop.device import device_of
from ....loop.tensor_task import Batch, TensorTask
from ....metrics.classification import war
from ..loss import au_alignment_loss
from ..recipe import AlignedLensRecipe
from ..spatial import agreement, attention_map, class_activation_map
from .data import GuidedFaces, load_guided
from .model import AlignedHead, NamedActivation

HEAD = "emotions"


def run(recipe: AlignedLensRecipe, context: Context) -> Report:
    """Train, or go on; score, and write the lens. Returns figures.

    Raises DataError where data are missing, TrainingError where the lens cannot be written.
    """
    train, report = load_guided(recipe, context)
    head = _trained(recipe, context, train, report)
    metrics = {"faces": len(report), **{name: round(value, 4) for name, value in score(head, report).items()}}
    context.export(lambda target: _export(recipe, head, metrics, len(train), target))
    return {"metrics": metrics}


@torch.no_grad()
def score(model: nn.Module, faces: GuidedFaces) -> dict[str, float]:
    """Accuracy, and how well both kinds of maps agree with the regions of the voters' expression."""
    model.eval()
    assert isinstance(model, AlignedHead)
    logits, features = (found.cpu() for found in model(faces.maps.to(device_of(model)).float()))
    cams = class_activation_map(features, model.classify.weight.cpu(), logits.argmax(dim=1))
    cam, attention = agreement(cams.relu(), faces.regions), agreement(attention_map(features), faces.regions)
    return {
        "accuracy": float(war(logits.argmax(dim=1), faces.labels)),
        "cam_cosine": float(cam.cosine),
        "cam_pearson": float(cam.pearson),
        "attention_cosine": float(attention.cosine),
        "attention_pearson": float(attention.pearson),
    }


def _trained(recipe: AlignedLensRecipe, context: Context, train: GuidedFaces, report: GuidedFaces) -> AlignedHead:
    """The averaged head after all epochs. Half of the faces of a batch are mirrored, with their regions."""
    torch.manual_seed(recipe.seed)

    def losses(module: nn.Module, batch: Batch) -> dict[str, Tensor]:
        maps, labels, regions = batch
        coin = (torch.rand(len(labels), device=labels.device) < 0.5)[:, None, None, None]
        maps, regions = (torch.where(coin, one.flip(3), one) for one in (maps, regions))
        logits, features = module(maps.float())
        return {
            "cross_entropy": F.cross_entropy(logits, labels),
            "alignment": recipe.alignment * au_alignment_loss(features, regions),
        }

    task = TensorTask(
        AlignedHead(train.maps.shape[1], recipe.channels),
        (train.maps, train.labels, train.regions),
        losses,
        lambda module: score(module, report),
        batch=recipe.optimiser.batch,
        seed=recipe.seed,
    )
    average = context.fit(task, recipe.optimiser)
    assert isinstance(average, AlignedHead)
    return average.eval()


def _export(
    recipe: AlignedLensRecipe, head: AlignedHead, metrics: Mapping[str, float], learned: int, target: Path
) -> LensManifest:
    chance = torch.Generator().manual_seed(0)
    example = {
        MAP: torch.rand(2, head.mix.in_channels, SIDE, SIDE, generator=chance),
        HEAD: torch.rand(2, len(EMOTIONS), generator=chance).softmax(dim=1),
    }
    words = f"CAM-COS {metrics['cam_cosine']:.2f} with the regions of the action units"
    declared = DeclaredLens(
        name=recipe.name,
        kind="map",
        version=recipe.version,
        licence=recipe.licence,
        summary="The textbook overlay: class activation, taught to lie on the action units of the emotion",
        outputs=[LensOutput(name, (0.0, 1.0), "share of the largest") for name in CELLS],
        recipe=f"{recipe.name}.toml",
        seed=recipe.seed,
        data=["drawn faces"] if recipe.data == "drawn" else [f"{learned} pictures of FER+ (Training)"],
        metrics={"summary": {"unseen pictures": words}, **metrics},
        in_all=False,
        limits=[
            "It shows where an expert would look, not where the model does: for that there is the lens `map`",
            "It is read from a classifier beside the bundle's own; of the bundle it takes which emotion is named",
            "Neutral has no action units: its map was aligned with nothing. Contempt shows the next emotion",
        ],
        notes="Method: Belharbi et al., FG 2024, with the encoder frozen. `cam_cosine` is its CAM-COS, the cosine of "
        "class activation with the heat map of the voters' expression; `pearson` is the same of centred maps, 0 for a "
        "map that is the same everywhere.",
    )
    graph = TracedGraph(NamedActivation(head), example, [VALUES])
    return write_lens(graph, declared, load_bundle(recipe.bundle or None), target)
