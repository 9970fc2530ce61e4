"""The videos of a run: both parts, with a class left out or rare ones repeated as the recipe says, and its CLIP."""

from dataclasses import dataclass

from streamaffect.errors import ConfigError

from ....errors import DataError
from ....loop.context import Context
from ..clip_towers import ClipTowers
from ..drawn_clip import open_named
from ..recipe import EmoClipRecipe, class_sentences
from .reader import DataSetReader, class_prompts
from .videos import DescribedVideos, balanced, described_features, drawn_descriptions

FEATURES = "features"  # folder of a run


@dataclass(frozen=True, slots=True)
class LoadedVideos:
    """What a run works with. sentences: of each class; towers: None where no CLIP is named."""

    train: DescribedVideos
    valid: DescribedVideos
    sentences: dict[str, list[str]]
    towers: ClipTowers | None


def load_videos(recipe: EmoClipRecipe, context: Context) -> LoadedVideos:
    """Both parts of the data; of a data set, frames are embedded once and then read from the run's folder.

    Raises DataError if the data are missing or not as described, ConfigError if a class has no sentence, TrainingError
    if there is no such CLIP.
    """
    towers = open_towers(recipe)
    if recipe.data_set is None:
        train, valid = (_given(recipe, context, part) for part in ("train", "val"))
        sentences = _given_sentences(recipe, context, len(train.class_text), has_clip=towers is not None)
    else:
        with context.fabric.rank_zero_first():
            reader = open_data_set(recipe, context, towers, features=FEATURES)
            train, valid, sentences = reader.read("train"), reader.read("test"), reader.sentences
    if towers is not None:
        towers.cpu()
    if recipe.leave_out:
        number = list(sentences).index(recipe.leave_out)
        train, valid = train.rows(train.labels != number), valid.rows(valid.labels == number)
        if not len(train.labels) or not len(valid.labels):
            raise DataError(f"{recipe.name}: without '{recipe.leave_out}' a part of the data is empty")
    if recipe.balance:
        train = train.rows(balanced(train.labels, seed=recipe.seed))
    return LoadedVideos(train, valid, sentences, towers)


def open_towers(recipe: EmoClipRecipe) -> ClipTowers | None:
    """The recipe's CLIP, or None. Raises TrainingError if there is no such one, ConfigError if its width is not D."""
    if not recipe.clip:
        return None
    towers = open_named(recipe.clip, recipe.dim)
    if towers.dim != recipe.dim:
        raise ConfigError(f"{recipe.name}: dim is {recipe.dim}, but {recipe.clip} embeds into {towers.dim}; set it so")
    return towers


def open_data_set(
    recipe: EmoClipRecipe, context: Context, towers: ClipTowers | None, *, features: str
) -> DataSetReader:
    """The reader of the recipe's data set, which embeds on the run's device.

    features: folder within the run's where embeddings are kept

    Raises ConfigError where no CLIP is named, DataError as `DataSetReader`.
    """
    assert recipe.data_set is not None
    if towers is None:
        raise ConfigError(f"{recipe.name}: `clip` must name the CLIP model that embeds the frames of {recipe.data}, a "
                          "folder or a downloaded name")  # fmt: skip
    return DataSetReader(recipe, recipe.data_set, context, towers.to(context.fabric.device), features=features)


def _given(recipe: EmoClipRecipe, context: Context, part: str) -> DescribedVideos:
    if recipe.data == "drawn":
        return drawn_descriptions(recipe, seed=recipe.seed + (part == "val"))
    return described_features(context.data_folder("train.safetensors and val.safetensors"), part)


def _given_sentences(recipe: EmoClipRecipe, context: Context, classes: int, *, has_clip: bool) -> dict[str, list[str]]:
    """The first sentences of the recipe's prompts, one for each class of the embeddings."""
    prompts = class_prompts(recipe, context)
    names = list(prompts)[:classes]
    if has_clip and len(names) < classes:
        raise ConfigError(f"{recipe.name}: `prompts` needs a sentence for each of {classes} classes, found "
                          f"{len(names)}")  # fmt: skip
    if recipe.leave_out and recipe.leave_out not in names:
        raise ConfigError(f"{recipe.name}: leave_out: '{recipe.leave_out}' is none of {', '.join(names)}")
    return class_sentences(prompts, names)
