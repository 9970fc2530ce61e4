"""A run of action-unit guidance: a classifier with the alignment loss on its last layer, scored with its maps."""

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from ...data.drawn_faces import EXPRESSIONS
from ...loop.context import Context, Report
from ...loop.device import device_of
from ...loop.tensor_task import Batch, TensorTask
from ...metrics.classification import uar, war
from .bundle import export_au_guided
from .data import LandmarkFaces, load_faces
from .loss import au_alignment_loss
from .model import SpatialClassifier
from .recipe import AuGuidedRecipe
from .spatial import agreement, attention_map

SCORING_BATCH = 256


def run(recipe: AuGuidedRecipe, context: Context) -> Report:
    """Train, or go on from the newest checkpoint; returns the scores of the validation part.

    Raises DataError if the data are missing or not as described, TrainingError if the bundle cannot be written.
    """
    train, valid = load_faces(recipe, context)
    model = train_classifier(recipe, train, valid, context)
    scores = score(model, valid)
    context.export(lambda target: export_au_guided(model, recipe, scores, target))
    return {**scores}


def train_classifier(
    recipe: AuGuidedRecipe, train: LandmarkFaces, valid: LandmarkFaces, context: Context
) -> SpatialClassifier:
    """The averaged model after all epochs. Half of the faces of a batch are mirrored, with their regions."""
    torch.manual_seed(recipe.seed)
    model = SpatialClassifier(len(EXPRESSIONS), widths=recipe.widths, depths=recipe.depths)

    def losses(module: nn.Module, batch: Batch) -> dict[str, Tensor]:
        pictures, labels, regions = _mirrored(*batch)
        logits, features = module(pictures)
        parts = {"cross_entropy": F.cross_entropy(logits, labels)}
        if recipe.alignment > 0:
            aligned = au_alignment_loss(
                features, regions, kind=recipe.alignment_kind, channels=recipe.channels, share=recipe.share
            )
            parts["alignment"] = recipe.alignment * aligned
        return parts

    tensors = (train.pictures, train.labels, train.regions)
    task = TensorTask(
        model, tensors, losses, lambda module: score(module, valid), batch=recipe.optimiser.batch, seed=recipe.seed
    )
    average = context.fit(task, recipe.optimiser)
    assert isinstance(average, SpatialClassifier)
    return average


@torch.no_grad()
def score(model: nn.Module, faces: LandmarkFaces) -> dict[str, float]:
    """Accuracy, mean recall, and how well both kinds of maps agree with the regions of the true labels."""
    logits, cams, attentions = read_out(model, faces)
    guess = logits.argmax(dim=1)
    cam, attention = agreement(cams, faces.regions), agreement(attentions, faces.regions)
    return {
        "accuracy": float(war(guess, faces.labels)),
        "mean_recall": float(uar(guess, faces.labels)),
        "cam_cosine": float(cam.cosine),
        "cam_pearson": float(cam.pearson),
        "attention_cosine": float(attention.cosine),
        "attention_pearson": float(attention.pearson),
    }


@torch.no_grad()
def read_out(model: nn.Module, faces: LandmarkFaces) -> tuple[Tensor, Tensor, Tensor]:
    """Logits (N, 7), and the maps (N, 1, h, w) of the predicted class and of the last layer's attention."""
    model.eval()
    assert isinstance(model, SpatialClassifier)
    device = device_of(model)
    found = []
    for pictures in torch.split(faces.pictures, SCORING_BATCH):
        logits, features = model(pictures.to(device))
        cams = model.activation_maps(features, logits.argmax(dim=1))
        found.append((logits.cpu(), cams.cpu(), attention_map(features).cpu()))
    logits, cams, attentions = (torch.cat(part) for part in zip(*found, strict=True))
    return logits, cams, attentions


def _mirrored(pictures: Tensor, labels: Tensor, regions: Tensor) -> tuple[Tensor, Tensor, Tensor]:
    """Each picture mirrored by the throw of a coin."""
    coin = torch.rand(len(labels), device=labels.device) < 0.5
    return (
        torch.where(coin[:, None, None], pictures.flip(2), pictures),
        labels,
        torch.where(coin[:, None, None, None], regions.flip(3), regions),
    )
