"""The recipe of action-unit guidance: a classifier with the alignment loss on its last layer, scored with its maps."""

from pathlib import Path

import torch
import torch.nn.functional as F
from lightning_fabric import Fabric
from torch import Tensor, nn

from ...data.drawn_faces import EXPRESSIONS
from ...errors import DataError
from ...loop.fit import fit
from ...loop.progress import Progress
from ...loop.tensor_task import Batch, TensorTask
from ...metrics.classification import uar, war
from .bundle import export_au_guided
from .data import LandmarkFaces, drawn_faces, load_landmark_faces
from .loss import au_alignment_loss
from .model import SpatialClassifier
from .recipe import AuGuidedRecipe
from .spatial import agreement, attention_map

SCORING_BATCH = 256


def run(
    recipe: AuGuidedRecipe, root: Path | None, folder: Path, fabric: Fabric, progress: Progress
) -> dict[str, float]:
    """Train, or go on from the newest checkpoint; returns the scores of the validation part.

    The bundle is written beside `folder`.

    Raises DataError if the data are missing or not as described, TrainingError if the bundle cannot be written.
    """
    train, valid = _load(recipe, root)
    model = train_classifier(recipe, train, valid, folder, fabric=fabric, progress=progress)
    scores = score(model, valid)
    export_au_guided(model, recipe, scores, folder.with_name("bundle"))
    return scores


def train_classifier(
    recipe: AuGuidedRecipe,
    train: LandmarkFaces,
    valid: LandmarkFaces,
    folder: Path,
    *,
    fabric: Fabric,
    progress: Progress,
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
    average = fit(task, recipe.optimiser, folder, fabric=fabric, progress=progress)
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
    device = next(model.parameters()).device
    found = []
    for pictures in torch.split(faces.pictures, SCORING_BATCH):
        logits, features = model(pictures.to(device))
        cams = model.activation_maps(features, logits.argmax(dim=1))
        found.append((logits.cpu(), cams.cpu(), attention_map(features).cpu()))
    logits, cams, attentions = (torch.cat(part) for part in zip(*found, strict=True))
    return logits, cams, attentions


def _load(recipe: AuGuidedRecipe, root: Path | None) -> tuple[LandmarkFaces, LandmarkFaces]:
    if recipe.data == "drawn":
        return (
            drawn_faces(recipe.drawn, recipe.size, seed=recipe.seed),
            drawn_faces(max(50, recipe.drawn // 4), recipe.size, seed=recipe.seed + 1),
        )
    if root is None:
        raise DataError(f"{recipe.name} needs --data: the folder that holds the pictures and folds/{recipe.data_set}")
    folds = root / "folds" / recipe.data_set
    return (
        load_landmark_faces(root, folds, recipe.train, recipe.size),
        load_landmark_faces(root, folds, recipe.valid, recipe.size),
    )


def _mirrored(pictures: Tensor, labels: Tensor, regions: Tensor) -> tuple[Tensor, Tensor, Tensor]:
    """Each picture mirrored by the throw of a coin."""
    coin = torch.rand(len(labels), device=labels.device) < 0.5
    return (
        torch.where(coin[:, None, None], pictures.flip(2), pictures),
        labels,
        torch.where(coin[:, None, None, None], regions.flip(3), regions),
    )
