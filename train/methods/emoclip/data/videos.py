"""What EmoCLIP learns from: embeddings of frames, of descriptions and of class sentences, given in files or drawn."""

from pathlib import Path
from typing import NamedTuple

import torch
from torch import Tensor

from ....data.feature_files import load_features
from ..recipe import EmoClipRecipe


class DescribedVideos(NamedTuple):
    """frames (N, T, D), lengths (N,), text (N, D), labels (N,) int64, class_text (K, D)."""

    frames: Tensor
    lengths: Tensor
    text: Tensor
    labels: Tensor
    class_text: Tensor

    @property
    def genuine(self) -> Tensor:
        """(N, T) bool, False beyond the end of a video."""
        return torch.arange(self.frames.shape[1]) < self.lengths[:, None]

    def rows(self, chosen: Tensor) -> "DescribedVideos":
        """Some of the samples; the classes stay."""
        return DescribedVideos(
            self.frames[chosen], self.lengths[chosen], self.text[chosen], self.labels[chosen], self.class_text
        )


def described_features(root: Path, part: str) -> DescribedVideos:
    """Features that were computed elsewhere. Raises DataError as `load_features`."""
    expected = {"frames": "NTC", "lengths": "N int", "text": "NC", "labels": "N int", "class_text": "KC"}
    return DescribedVideos(**load_features(root, part, expected))


def balanced(labels: Tensor, *, seed: int) -> Tensor:
    """Rows of which each class has as many as the most frequent one, its own repeated by chance: (N,) → (M,) int64."""
    generator = torch.Generator().manual_seed(seed)
    most = int(torch.bincount(labels).max())
    rows = []
    for label in torch.unique(labels):
        own = (labels == label).nonzero().squeeze(1)
        rows += [own, own[torch.randint(len(own), (most - len(own),), generator=generator)]]
    return torch.cat(rows)


def drawn_descriptions(recipe: EmoClipRecipe, *, seed: int) -> DescribedVideos:
    """Videos whose middle third shows their class and whose other frames show one shared, loud direction.

    Sentences are the class's direction and some noise, as descriptions of single samples are.
    """
    generator = torch.Generator().manual_seed(seed)
    # The joint space is that of one CLIP: it does not change with the split.
    space = torch.randn(recipe.drawn_classes + 1, recipe.dim, generator=torch.Generator().manual_seed(0))
    class_text, shared = space[:-1], space[-1]
    labels = torch.randint(recipe.drawn_classes, (recipe.drawn,), generator=generator)
    frames = torch.randn(recipe.drawn, recipe.drawn_frames, recipe.dim, generator=generator)
    third = recipe.drawn_frames // 3
    frames += 3 * shared
    frames[:, third : 2 * third] += class_text[labels].unsqueeze(1) - 3 * shared
    text = class_text[labels] + 0.5 * torch.randn(recipe.drawn, recipe.dim, generator=generator)
    lengths = torch.randint(2 * third, recipe.drawn_frames + 1, (recipe.drawn,), generator=generator)
    return DescribedVideos(frames, lengths, text, labels, class_text)
