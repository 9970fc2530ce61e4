"""The videos of an official data set as embeddings: its lists, its frames through CLIP, and its classes' sentences."""

import numpy as np
import torch
from torch import Tensor
from torch.nn.utils.rnn import pad_sequence

from streamaffect.runtime.manifest import CropSpec
from streamaffect.types import ImageArray

from ....data.sets.described_videos import SPLITS, DataSet, Split, class_names, load_described
from ....errors import DataError
from ....loop.context import Context
from ..clip_towers import ClipTowers
from ..recipe import EmoClipRecipe, class_sentences, read_prompts
from .crops import augmented, find_video, read_crops
from .features import embed_classes, embed_sentences, encode_videos
from .videos import DescribedVideos

MARGIN = 0.2  # of the crops that the stream cuts for this model
NAMED = 3  # videos without a face that are named one by one


class DataSetReader:
    """Reads and embeds the parts of a recipe's data set.

    towers:   on the device that embeds
    features: folder within the run's where embeddings are kept

    Raises DataError if the data are missing or not as described, ConfigError if a class has no sentence.
    """

    def __init__(
        self, recipe: EmoClipRecipe, data_set: DataSet, context: Context, towers: ClipTowers, *, features: str
    ) -> None:
        self._recipe, self._towers, self._progress = recipe, towers, context.progress
        self._root = context.data_folder(f"the lists and videos of {data_set}, see docs/methods/emoclip.md")
        self._folder = context.folder / features
        self._videos = {
            split: load_described(data_set, self._root, split, fold=recipe.fold, compound=recipe.compound)
            for split in SPLITS
        }
        names = class_names(data_set, *self._videos.values())
        self.sentences = class_sentences(class_prompts(recipe, context), names)
        if recipe.leave_out and recipe.leave_out not in names:
            raise DataError(f"leave_out: {data_set} has no class '{recipe.leave_out}'; it has {', '.join(names)}")
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


def class_prompts(recipe: EmoClipRecipe, context: Context) -> dict[str, str]:
    """The sentences beside the recipe, by class; none where it names no file. Raises ConfigError as `read_prompts`."""
    return read_prompts(context.beside(recipe.prompts)) if recipe.prompts else {}


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
