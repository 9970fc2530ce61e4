"""What EmoCLIP learns from: embeddings of frames, of descriptions and of class sentences, from any of its sources."""

from pathlib import Path
from typing import NamedTuple

import numpy as np
import torch
from torch import Tensor
from torch.nn.utils.rnn import pad_sequence

from streamaffect.runtime.manifest import CropSpec
from streamaffect.types import ImageArray

from ....data.feature_files import load_features
from ....data.sets.described_videos import SPLITS, Split, class_names, load_described
from ....errors import DataError
from ....loop.progress import Progress
from ..clip_towers import ClipTowers
from ..recipe import EmoClipRecipe, class_sentences
from .crops import augmented, find_video, read_crops
from .features import embed_classes, embed_sentences, encode_videos

MARGIN = 0.2  # of the crops that the stream cuts for this model
NAMED = 3  # videos without a face that are named one by one


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


def described_features(root: Path | None, part: str) -> DescribedVideos:
    """Features that were computed elsewhere. Raises DataError as `load_features`."""
    expected = {"frames": "NTC", "lengths": "N int", "text": "NC", "labels": "N int", "class_text": "KC"}
    return DescribedVideos(**load_features(root, part, expected))


class DataSetReader:
    """Reads and embeds the parts of an official data set.

    root: its folder. folder: where embeddings are kept

    Raises DataError if the data are missing or not as described, ConfigError if a class has no sentence.
    """

    def __init__(
        self,
        recipe: EmoClipRecipe,
        root: Path | None,
        towers: ClipTowers,
        prompts: dict[str, str],
        *,
        folder: Path,
        progress: Progress,
    ) -> None:
        assert recipe.data != "drawn"
        assert recipe.data != "features"
        if root is None:
            raise DataError(f"{recipe.name} needs --data: the folder of {recipe.data}, see docs/methods/emoclip.md")
        self._recipe, self._towers, self._folder, self._progress = recipe, towers, folder, progress
        self._root = root
        self._videos = {
            split: load_described(recipe.data, root, split, fold=recipe.fold, compound=recipe.compound)
            for split in SPLITS
        }
        names = class_names(recipe.data, *self._videos.values())
        self.sentences = class_sentences(prompts, names)
        if recipe.leave_out and recipe.leave_out not in names:
            raise DataError(f"leave_out: {recipe.data} has no class '{recipe.leave_out}'; it has {', '.join(names)}")
        self._class_text = embed_classes(towers, self.sentences)

    def read(self, split: Split) -> DescribedVideos:
        """All videos with a face; of "train" as many versions one after the other as the recipe wants."""
        views = self._recipe.views if split == "train" else 0
        return _joined([self._view(split, view) for view in range(1 + views)])

    def _view(self, split: Split, view: int) -> DescribedVideos:
        videos = self._videos[split]
        embedded = self._embedded(split, view)
        kept = [(frames, video) for frames, video in zip(embedded, videos, strict=True) if len(frames)]
        numbers = {name: number for number, name in enumerate(self.sentences)}
        labels = torch.tensor([numbers[video.class_name] for _, video in kept])
        text = self._class_text[labels]
        if self._recipe.describe == "captions":
            text = _with_captions(text, [video.caption for _, video in kept], self._towers)
        frames = pad_sequence([frames for frames, _ in kept], batch_first=True)
        return DescribedVideos(
            frames, torch.tensor([len(frames) for frames, _ in kept]), text, labels, self._class_text
        )

    def _embedded(self, split: Split, view: int) -> list[Tensor]:
        recipe, root, videos = self._recipe, self._root, self._videos[split]
        crop = CropSpec(self._towers.side, MARGIN, "none")
        sources = [find_video(root / recipe.videos, one.name) if recipe.videos else one.source for one in videos]

        def read(row: int) -> ImageArray:
            crops = read_crops(sources[row], crop, stride=recipe.stride, fps=recipe.fps, longest=recipe.longest)
            return augmented(crops, np.random.default_rng([recipe.seed, view, row])) if view and len(crops) else crops

        folder = self._folder / f"{split}-{view}"
        origin = f"{recipe.clip} {recipe.stride} {recipe.fps} {recipe.longest} {recipe.seed if view else ''}"
        embedded = encode_videos(
            self._towers, [str(one) for one in sources], read, folder, origin=origin, progress=self._progress
        )
        empty = [str(source) for source, frames in zip(sources, embedded, strict=True) if not len(frames)]
        if len(empty) == len(videos):
            raise DataError(f"{root}: no video of the {split} part has a frame with a face, e.g. {empty[0]}")
        if empty:
            self._progress.note(
                split, f"{len(empty)} of {len(videos)} videos are left out, without a frame or a face: "
                       f"{', '.join(empty[:NAMED])}; remove {folder} to look again")  # fmt: skip
        return embedded


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


def _with_captions(text: Tensor, captions: list[str | None], towers: ClipTowers) -> Tensor:
    """The embeddings of the captions; `text` (N, D) stays where there is none."""
    written = [(row, caption) for row, caption in enumerate(captions) if caption]
    out = text.clone()
    if written:
        out[[row for row, _ in written]] = embed_sentences(towers, [caption for _, caption in written])
    return out


def _joined(views: list[DescribedVideos]) -> DescribedVideos:
    """All views of a part, one after the other; each has the same videos."""
    frames, lengths, text, labels, class_text = zip(*views, strict=True)
    return DescribedVideos(torch.cat(frames), torch.cat(lengths), torch.cat(text), torch.cat(labels), class_text[0])
