"""The recipe of compound emotions by features: frame logits from every modality, one class per video by vote."""

from pathlib import Path

import torch
import torch.nn.functional as F
from lightning_fabric import Fabric
from torch import Tensor, nn

from ...errors import DataError
from ...loop.fit import fit
from ...loop.progress import Progress
from ...loop.tensor_task import Batch, TensorTask
from ...metrics.classification import macro_f1, war, weighted_f1
from .bundle import export_compound
from .data.features import prepare_features
from .data.videos import FeatureVideos, leader_alone, load_videos
from .model import LFAN
from .recipe import CompoundRecipe
from .votes import Rule, video_classes

RULES: tuple[Rule, ...] = ("majority", "mean_logits", "mean_probabilities")


def run(
    recipe: CompoundRecipe, root: Path | None, folder: Path, fabric: Fabric, progress: Progress
) -> dict[str, float]:
    """Train, or go on from the newest checkpoint; returns the scores of the validation part.

    Where there is a frame encoder for the leader, the bundle is written beside `folder`.

    Raises ConfigError, DataError, TrainingError: encoder, data or bundle are not as they must be.
    """
    if recipe.data == "folds":
        if root is None:
            raise DataError(f"{recipe.name} needs --data: the folder that holds train.txt, val.txt and the videos")
        prepared = folder.with_name("prepared")
        prepare_features(recipe, root, prepared, progress.note)
        root = prepared
    train, valid = (load_videos(recipe, root, part) for part in ("train", "val"))
    torch.manual_seed(recipe.seed)
    model = make_model(recipe)
    names = list(recipe.inputs)

    def losses(module: nn.Module, batch: Batch) -> dict[str, Tensor]:
        *sequences, genuine, labels = batch
        muted = torch.rand(len(labels), device=labels.device) < recipe.muted
        present = leader_alone(genuine.shape, len(names)).to(labels.device) | ~muted[:, None, None]
        logits = module(dict(zip(names, sequences, strict=True)), present)  # (B, T, K)
        own = labels[:, None].expand(genuine.shape)
        return {"cross_entropy": F.cross_entropy(logits[genuine], own[genuine])}

    task = TensorTask(
        model, [*(train.sequences[name] for name in names), train.genuine, train.labels], losses,
        lambda module: score(module, valid), batch=recipe.optimiser.batch, seed=recipe.seed,
    )  # fmt: skip
    average = fit(task, recipe.optimiser, folder, fabric=fabric, progress=progress)
    assert isinstance(average, LFAN)
    scores = score(average, valid)
    if recipe.encoder or recipe.data == "drawn":
        export_compound(average, recipe, scores, folder.with_name("bundle"))
    return scores


def make_model(recipe: CompoundRecipe) -> LFAN:
    """The model of the recipe, before training."""
    return LFAN(
        recipe.inputs, recipe.channels, classes=recipe.classes, modal_dim=recipe.modal_dim, heads=recipe.heads,
        kernel=recipe.kernel, dropout=recipe.dropout,
    )  # fmt: skip


@torch.no_grad()
def score(model: nn.Module, videos: FeatureVideos) -> dict[str, float]:
    """Accuracy of the frames; weighted and macro F1 of the videos, by each rule; the same with the leader alone."""
    model.eval()
    device = next(model.parameters()).device
    sequences = {name: values.to(device) for name, values in videos.sequences.items()}
    alone = leader_alone(videos.genuine.shape, len(sequences)).to(device)
    scores = _scores(model(sequences).cpu(), videos)
    by_leader = _scores(model(sequences, alone).cpu(), videos)
    return scores | {f"leader_alone_{name}": value for name, value in by_leader.items()}


def _scores(logits: Tensor, videos: FeatureVideos) -> dict[str, float]:
    """logits: (N, T, K), frame by frame."""
    frames = logits[videos.genuine]  # (frames of all videos, K), one video after the other
    own = videos.labels.repeat_interleave(videos.lengths)
    scores = {"frame_accuracy": float(war(frames.argmax(dim=1), own))}
    for rule in RULES:
        guess = video_classes(frames, videos.lengths, rule)
        scores[f"{rule}_weighted_f1"] = float(weighted_f1(guess, videos.labels))
        scores[f"{rule}_macro_f1"] = float(macro_f1(guess, videos.labels))
    return scores
