"""A run of compound emotions by text: prompts of what is seen and heard, a language model, one class per video.

runs/<recipe>/language_model/   the random model, where the recipe asks for one
runs/<recipe>/prepared/         voices that were described, see `voices`
runs/<recipe>/classifier/       adapters and head as `peft` reads them, `classifier.json`
runs/<recipe>/confusion.json    names of the classes, counts by true class (row) and by mean of the logits (column)
runs/<recipe>/bundle/           the base bundle with the graph `text_classifier`
"""

import json
from collections.abc import Sequence
from pathlib import Path
from typing import NamedTuple

import msgspec
import torch
from torch import Tensor, nn

from streamaffect.errors import ConfigError

from ...data.sets.c_expr_folds import FoldPart
from ...data.sets.meld import has_part
from ...data.text.prompts import Prompts, prompts_of
from ...errors import DataError, TrainingError
from ...loop.context import Context, Report
from ...metrics.classification import confusion, macro_f1, war, weighted_f1
from ..compound.votes import RULES, Videos, video_classes, without_last_class
from .bundle import export_compound_text
from .data import HELD, MELD_PARTS, PREPARED, class_names, load_clips
from .model import TextClassifier, open_language_model, save_adapters
from .recipe import CompoundTextRecipe, LanguageModelConfig
from .task import PromptTask, Tokens, logits_of
from .tiny_language_model import write_tiny_model
from .voices import describe_voices

RANDOM = "random"


class Encoded(NamedTuple):
    """The prompts of one part, and their tokens."""

    prompts: Prompts
    tokens: Tokens


def run(recipe: CompoundTextRecipe, context: Context) -> Report:
    """Train, or go on from the newest checkpoint; returns the scores of validation, and of a test if there is one.

    Raises DataError if the data are missing or not as described, TrainingError if the language model is.
    """
    _check(recipe)
    if _hears(recipe):
        prepare(recipe, context)
    parts: dict[FoldPart, Prompts] = {part: _prompts(recipe, context, part) for part in _parts(recipe, context)}
    classes = class_names(recipe)
    language_model = _language_model(recipe, parts["train"], context.folder / "language_model")
    torch.manual_seed(recipe.seed)
    classifier, tokenizer = open_language_model(language_model, classes)
    encoded = {
        part: Encoded(prompts, Tokens(prompts.texts, tokenizer, max_tokens=recipe.max_tokens))
        for part, prompts in parts.items()
    }
    average = train_classifier(recipe, classifier, encoded, context)
    scores, votes = _scores(recipe, average, encoded)
    if context.is_first:
        _write_classifier(recipe, average, language_model, context.folder / "classifier")
        counts = confusion(votes.guess, votes.labels, len(classes)).tolist()
        text = json.dumps({"classes": classes, "counts": counts}) + "\n"
        (context.folder / "confusion.json").write_text(text, encoding="utf-8")
    if recipe.graph:
        context.export(
            lambda target: export_compound_text(average, tokenizer, recipe, target, classes=classes, scores=scores)
        )
    return {**scores}


def prepare(recipe: CompoundTextRecipe, context: Context) -> Report:
    """Describe the voices of MELD's utterances, where there is sound and no table yet.

    Raises ConfigError where the recipe's texts need no preparation.
    """
    if not _hears(recipe):
        raise ConfigError(f"{context.recipe_file}: its texts need no preparation; use `fit`")
    root = context.data_folder(HELD)
    with context.fabric.rank_zero_first():
        for part in MELD_PARTS.values():
            describe_voices(root, part, context.folder / PREPARED, context.progress.note)
    return {}


def _hears(recipe: CompoundTextRecipe) -> bool:
    """Whether its texts speak of voices that may have to be described first."""
    return recipe.data == "meld" and "A" in recipe.textualiser.modalities


def train_classifier(
    recipe: CompoundTextRecipe, classifier: TextClassifier, encoded: dict[FoldPart, Encoded], context: Context
) -> TextClassifier:
    """The averaged classifier after all epochs."""
    train, valid = encoded["train"], encoded["val"]
    longest = max(part.tokens.longest for part in encoded.values())
    task = PromptTask(
        classifier, train.tokens, train.prompts.prompt_labels,
        lambda model: score(model, valid, batch=recipe.optimiser.batch, drop_last=recipe.other),
        batch=recipe.optimiser.batch, seed=recipe.seed, epoch_texts=recipe.epoch_prompts,
        pad_to=longest if recipe.pad_to == "data" else None,
    )  # fmt: skip
    average = context.fit(task, recipe.optimiser)
    assert isinstance(average, TextClassifier)
    return average


class Votes(NamedTuple):
    """guess, labels (V,): the class of every video by the mean of its logits, and the true one."""

    guess: Tensor
    labels: Tensor


def score(model: nn.Module, part: Encoded, *, batch: int, drop_last: bool) -> dict[str, float]:
    """Accuracy of the prompts; accuracy, weighted and macro F1 of the videos, by each rule of the vote.

    drop_last: the last class is "other"; its column and its videos are left out
    """
    return scores_of(logits_of(model, part.tokens, batch=batch), part.prompts, drop_last=drop_last)[0]


def scores_of(logits: Tensor, prompts: Prompts, *, drop_last: bool = False) -> tuple[dict[str, float], Votes]:
    """`score` of logits (N, K), and the votes. Where every video has one prompt there is no vote: no rule is named."""
    videos = Videos(logits, prompts.lengths, prompts.labels)
    videos = without_last_class(videos) if drop_last else videos
    votes = {rule: Votes(video_classes(videos.logits, videos.lengths, rule), videos.labels) for rule in RULES}
    if int(videos.lengths.max()) == 1:
        return _class_scores(votes[RULES[0]]), votes[RULES[0]]
    own = videos.labels.repeat_interleave(videos.lengths)
    scores = {"prompt_accuracy": float(war(videos.logits.argmax(dim=1), own))}
    for rule, vote in votes.items():
        scores |= {f"{rule}_{name}": value for name, value in _class_scores(vote).items()}
    return scores, votes["mean_logits"]


def _class_scores(votes: Votes) -> dict[str, float]:
    return {
        "accuracy": float(war(votes.guess, votes.labels)),
        "weighted_f1": float(weighted_f1(votes.guess, votes.labels)),
        "macro_f1": float(macro_f1(votes.guess, votes.labels)),
    }


def _scores(
    recipe: CompoundTextRecipe, model: TextClassifier, encoded: dict[FoldPart, Encoded]
) -> tuple[dict[str, float], Votes]:
    """Of the validation part, with its votes, and of the test part under names of its own."""
    batch = recipe.optimiser.batch
    valid = encoded["val"]
    scores, votes = scores_of(
        logits_of(model, valid.tokens, batch=batch), valid.prompts, drop_last=recipe.other
    )  # fmt: skip
    if "test" in encoded:
        found = score(model, encoded["test"], batch=batch, drop_last=recipe.other)
        scores |= {f"test_{name}": value for name, value in found.items()}
    return scores, votes


def _check(recipe: CompoundTextRecipe) -> None:
    if recipe.graph and recipe.language_model.four_bit:
        raise TrainingError(
            f"{recipe.name}: graph = true needs whole weights, language_model.four_bit keeps them in 4 bits; "
            "set one of them to false"
        )


def _parts(recipe: CompoundTextRecipe, context: Context) -> Sequence[FoldPart]:
    """C-EXPR-DB's test list is its validation list, and says nothing new."""
    has_test = recipe.data == "meld" and context.data is not None and has_part(context.data, "test")
    return ("train", "val", "test") if has_test else ("train", "val")


def _prompts(recipe: CompoundTextRecipe, context: Context, part: FoldPart) -> Prompts:
    kind = recipe.windows.train if part == "train" else recipe.windows.valid
    prompts = prompts_of(load_clips(recipe, context, part), kind, recipe.windows, recipe.textualiser)
    if not prompts.texts:
        raise DataError(f"{recipe.name}: the part '{part}' has no clip")
    return prompts


def _language_model(recipe: CompoundTextRecipe, train: Prompts, folder: Path) -> LanguageModelConfig:
    """The recipe's model; the random one is written first, the same for the same recipe and data."""
    if recipe.language_model.path != RANDOM:
        return recipe.language_model
    write_tiny_model(folder, train.texts, seed=recipe.seed)
    return msgspec.structs.replace(recipe.language_model, path=str(folder))


def _write_classifier(
    recipe: CompoundTextRecipe, classifier: TextClassifier, language_model: LanguageModelConfig, folder: Path
) -> None:
    save_adapters(classifier, folder)
    content = {
        "classes": class_names(recipe),
        "max_tokens": recipe.max_tokens,
        "language_model": language_model,
        "textualiser": recipe.textualiser,
    }
    text = msgspec.json.format(msgspec.json.encode(content), indent=2)
    (folder / "classifier.json").write_bytes(text + b"\n")
