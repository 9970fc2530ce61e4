"""A run of compound emotions by features: frame logits from every modality, one class per video by vote."""

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from streamaffect.errors import ConfigError

from ...loop.context import Context, Report
from ...loop.device import device_of
from ...loop.tensor_task import Batch, TensorTask
from ...metrics.classification import macro_f1, war, weighted_f1
from .bundle import export_compound
from .data.features import prepare_features
from .data.videos import PREPARED, FeatureVideos, leader_alone, load_videos
from .model import LFAN
from .recipe import CompoundRecipe
from .votes import RULES, video_classes


def run(recipe: CompoundRecipe, context: Context) -> Report:
    """Train, or go on from the newest checkpoint; returns the scores of the validation part.

    Where there is a frame encoder for the leader, a bundle is written.

    Raises ConfigError, DataError, TrainingError: encoder, data or bundle are not as they must be.
    """
    if recipe.data == "folds":
        prepare(recipe, context)
    train, valid = load_videos(recipe, context)
    average = train_fusion(recipe, train, valid, context)
    scores = score(average, valid)
    if recipe.encoder or recipe.data == "drawn":
        context.export(lambda target: export_compound(average, recipe, scores, target))
    return {**scores}


def prepare(recipe: CompoundRecipe, context: Context) -> Report:
    """Make the features of the faces in the videos of "folds", where that was not done before.

    Raises ConfigError where the recipe's data need no preparation, DataError if they are not as described.
    """
    if recipe.data != "folds":
        raise ConfigError(f"{context.recipe_file}: data = {recipe.data!r} needs no preparation; use `fit`")
    root = context.data_folder("train.txt, val.txt and the videos")
    with context.fabric.rank_zero_first():
        prepare_features(recipe, root, context.folder / PREPARED, context.progress.note)
    return {}


def train_fusion(recipe: CompoundRecipe, train: FeatureVideos, valid: FeatureVideos, context: Context) -> LFAN:
    """The averaged model after all epochs."""
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
    average = context.fit(task, recipe.optimiser)
    assert isinstance(average, LFAN)
    return average


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
    device = device_of(model)
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
