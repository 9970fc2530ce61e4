"""Videos as features of every modality, read or drawn."""

from collections.abc import Sequence
from pathlib import Path
from typing import NamedTuple

import torch
from torch import Tensor

from ....data.feature_files import load_features
from ....loop.context import Context
from ..recipe import CompoundRecipe

PREPARED = "prepared"  # folder of a run, with the features that were made of its videos


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


def leader_alone(shape: Sequence[int], modalities: int) -> Tensor:
    """(B, T) → (B, T, M) bool: nothing but the first modality is present."""
    return (torch.arange(modalities) == 0).expand(*shape, modalities)


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


def load_videos(recipe: CompoundRecipe, context: Context) -> tuple[FeatureVideos, FeatureVideos]:
    """The videos to train on, and those to score. Raises DataError if they are missing or not as described."""
    if recipe.data == "drawn":
        return _drawn(recipe, recipe.seed), _drawn(recipe, recipe.seed + 1)
    made = recipe.data == "folds"
    root = context.folder / PREPARED if made else context.data_folder("train.safetensors and val.safetensors")
    return _read(recipe, root, "train"), _read(recipe, root, "val")


def _drawn(recipe: CompoundRecipe, seed: int) -> FeatureVideos:
    return drawn_sequences(recipe.inputs, recipe.classes, recipe.drawn, recipe.drawn_frames, seed=seed)


def _read(recipe: CompoundRecipe, root: Path, part: str) -> FeatureVideos:
    axes = {name: f"NT{letter}" for name, letter in zip(recipe.inputs, _letters(recipe.inputs), strict=True)}
    found = load_features(root, part, {**axes, "lengths": "N int", "labels": "N int"})
    return FeatureVideos({name: found[name] for name in recipe.inputs}, found["lengths"], found["labels"])


def _letters(modalities: dict[str, int]) -> str:
    """A letter of its own for each modality's width."""
    return "ABCDEFGH"[: len(modalities)]
