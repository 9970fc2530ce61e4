"""Videos as features of every modality, read or drawn."""

from collections.abc import Sequence
from pathlib import Path
from typing import NamedTuple

import torch
from torch import Tensor

from ....data.feature_files import load_features
from ..recipe import CompoundRecipe


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


def load_videos(recipe: CompoundRecipe, root: Path | None, part: str) -> FeatureVideos:
    """One part of the data, "train" or "val". Raises DataError if it is missing or not as described."""
    if recipe.data == "drawn":
        seed = recipe.seed + (part == "val")
        return drawn_sequences(recipe.inputs, recipe.classes, recipe.drawn, recipe.drawn_frames, seed=seed)
    axes = {name: f"NT{letter}" for name, letter in zip(recipe.inputs, _letters(recipe.inputs), strict=True)}
    found = load_features(root, part, {**axes, "lengths": "N int", "labels": "N int"})
    return FeatureVideos({name: found[name] for name in recipe.inputs}, found["lengths"], found["labels"])


def _letters(modalities: Sequence[str] | dict[str, int]) -> str:
    """A letter of its own for each modality's width."""
    return "ABCDEFGH"[: len(modalities)]
