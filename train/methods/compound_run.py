"""The recipe of compound emotions by features: frame logits from every modality, one class per video by vote."""

from collections.abc import Sequence
from pathlib import Path
from typing import Literal, NamedTuple

import msgspec
import torch
import torch.nn.functional as F
from lightning_fabric import Fabric
from torch import Tensor, nn

from ..classification import macro_f1, war, weighted_f1
from ..config import Count, OptimiserConfig, Positive, Share
from ..data.feature_files import load_features
from ..errors import DataError
from ..loop import fit
from ..models.lfan import CLASSES, LFAN
from ..progress import Progress
from .compound_bundle import export_compound
from .compound_features import prepare_features
from .compound_votes import Rule, video_classes
from .tensor_task import Batch, TensorTask

RULES: tuple[Rule, ...] = ("majority", "mean_logits", "mean_probabilities")


class CompoundRecipe(msgspec.Struct, frozen=True, forbid_unknown_fields=True, tag_field="method", tag="compound"):
    """Everything that defines the run, but for the data's folder.

    data:       "features" reads `train` and `val` below `--data`, each with one (N, T, C) per modality, `lengths` (N,)
                in frames and `labels` (N,); "folds" reads lists and videos there, see `train.data.video_folds`, and
                makes features of the faces with `encoder`, for a single modality; "drawn" makes sequences whose class
                shows in two modalities together
    inputs:     C of each modality, the leader first. channels: widths of its temporal blocks
    muted:      share of the sequences that are trained on as if there were nothing but the leader
    emotions:   names of the classes
    encoder:    folder of the bundle whose frame encoder made the leader's features; without it, a recipe on features
                ends without a bundle, and one on drawn sequences gets an encoder with random weights
    licence, period_s, past: of the bundle: of its weights, seconds from frame to frame, clips before the newest one
                that have a vote
    longest:    frames of "folds" after which a video is cut
    drawn, drawn_frames: videos and T of "drawn"

    Raises ValueError unless there is a name for every class, and for "folds" one modality and its encoder.
    """

    name: str
    licence: str
    seed: int
    data: Literal["drawn", "features", "folds"]
    classes: Count
    inputs: dict[str, int]
    channels: dict[str, list[int]]
    optimiser: OptimiserConfig
    modal_dim: Count = 32
    heads: Count = 2
    kernel: Count = 5
    dropout: float = 0.1
    muted: Share = 0.1
    emotions: tuple[str, ...] = CLASSES
    encoder: str = ""
    period_s: Positive = 0.04
    past: Count = 2
    longest: Count = 1500
    drawn: Count = 200
    drawn_frames: Count = 30

    def __post_init__(self) -> None:
        """What belongs together."""
        if len(self.emotions) != self.classes:
            raise ValueError(f"classes is {self.classes}, but emotions has {len(self.emotions)} names")
        if self.data == "folds" and (len(self.inputs) != 1 or not self.encoder):
            raise ValueError(f"data is folds, which needs encoder and one modality; found {len(self.inputs)}")


class FeatureVideos(NamedTuple):
    """sequences: (N, T, C) by modality, in step; lengths (N,), the frames that count; labels (N,) int64."""

    sequences: dict[str, Tensor]
    lengths: Tensor
    labels: Tensor

    @property
    def genuine(self) -> Tensor:
        """(N, T) bool, False beyond the end of a video."""
        frames = next(iter(self.sequences.values())).shape[1]
        return torch.arange(frames) < self.lengths[:, None]


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
    train, valid = (_load(recipe, root, part) for part in ("train", "val"))
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


def leader_alone(shape: Sequence[int], modalities: int) -> Tensor:
    """(B, T) → (B, T, M) bool: nothing but the first modality is present."""
    return (torch.arange(modalities) == 0).expand(*shape, modalities)


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


def drawn_sequences(inputs: dict[str, int], classes: int, count: int, frames: int, *, seed: int) -> FeatureVideos:
    """Noise with two marks at a random time, one in each of the first two modalities; their pair is the class.

    No single modality tells the classes apart: the first shows `label // 2`, the second `label % 2`.
    """
    generator = torch.Generator().manual_seed(seed)
    labels = torch.randint(classes, (count,), generator=generator)
    lengths = torch.randint(frames // 2, frames + 1, (count,), generator=generator)
    sequences = {name: torch.randn(count, frames, width, generator=generator) for name, width in inputs.items()}
    leader, follower = list(sequences.values())[:2]
    for row, label in enumerate(labels.tolist()):
        _mark(leader[row], label // 2)
        _mark(follower[row], label % 2)
    return FeatureVideos(sequences, lengths, labels)


def _mark(sequence: Tensor, channel: int) -> None:
    """Raise one channel of a (T, C) sequence in every second frame."""
    sequence[::2, channel % sequence.shape[1]] += 2.0


def _load(recipe: CompoundRecipe, root: Path | None, part: str) -> FeatureVideos:
    if recipe.data == "drawn":
        seed = recipe.seed + (part == "val")
        return drawn_sequences(recipe.inputs, recipe.classes, recipe.drawn, recipe.drawn_frames, seed=seed)
    axes = {name: f"NT{letter}" for name, letter in zip(recipe.inputs, _letters(recipe.inputs), strict=True)}
    found = load_features(root, part, {**axes, "lengths": "N int", "labels": "N int"})
    return FeatureVideos({name: found[name] for name in recipe.inputs}, found["lengths"], found["labels"])


def _letters(modalities: Sequence[str] | dict[str, int]) -> str:
    """A letter of its own for each modality's width."""
    return "ABCDEFGH"[: len(modalities)]
