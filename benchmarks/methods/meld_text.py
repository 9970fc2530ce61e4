"""What adapters on a small language model gain on MELD's utterances, over features of the same model and over words.

Trained on the list `train`, scored on `dev`, by words alone. Intervals are 95 % by bootstrap over dialogues.

    python -m benchmarks.methods.meld_text --data MELD --model language_model
"""

import argparse
import json
import math
import re
from collections import Counter
from itertools import pairwise
from pathlib import Path
from typing import Any

import torch
import torch.nn.functional as F
from rich.console import Console
from torch import Tensor

from benchmarks.measures.training_run import training_context
from streamaffect.text.textualise import TextualiserConfig
from train.config import OptimiserConfig
from train.data.sets.meld import CLASS_ORDERS, MeldPart, load_meld
from train.data.text.face_windows import WindowConfig
from train.data.text.prompts import Prompts, TextClip, prompts_of
from train.loop.progress import Progress
from train.methods.compound_text.model import open_language_model
from train.methods.compound_text.recipe import CompoundTextRecipe, LanguageModelConfig
from train.methods.compound_text.run import Encoded, train_classifier
from train.methods.compound_text.task import Tokens, logits_of
from train.metrics.classification import confusion, macro_f1, war, weighted_f1

CLASSES = CLASS_ORDERS["text"]
PARTS: tuple[MeldPart, MeldPart] = ("train", "dev")
ADAPTERS = "adapters"
RESAMPLES = 2000
LEAST_DOCUMENTS = 3  # of the training part, in which a word or a pair of words occurs
PENALTIES = (1e-5, 1e-4, 1e-3)
HELD_OUT = 10  # every tenth dialogue of the training part chooses the penalty


def some_dialogues(clips: list[TextClip], count: int, *, seed: int) -> list[TextClip]:
    """Whole dialogues in random order, until there are at least so many utterances."""
    groups = list(dict.fromkeys(clip.group for clip in clips))
    order = torch.randperm(len(groups), generator=torch.Generator().manual_seed(seed)).tolist()
    kept: list[TextClip] = []
    for place in order:
        if len(kept) >= count:
            break
        kept += [clip for clip in clips if clip.group == groups[place]]
    return kept


def bag_of_words(train: Prompts, valid: Prompts) -> tuple[Tensor, Tensor]:
    """Words and pairs of words, weighted by how rare they are (tf-idf), each text of length 1: (N, W) each."""
    counted = [[Counter(_terms(text)) for text in part.texts] for part in (train, valid)]
    documents = Counter(term for counts in counted[0] for term in counts)
    terms = {term: number for number, (term, count) in enumerate(documents.items()) if count >= LEAST_DOCUMENTS}
    terms = {term: number for number, term in enumerate(terms)}
    out = []
    for part in counted:
        features = torch.zeros(len(part), len(terms))
        for row, counts in enumerate(part):
            for term, count in counts.items():
                if term in terms:
                    features[row, terms[term]] = (1 + math.log(count)) * math.log(len(counted[0]) / documents[term])
        out.append(F.normalize(features, dim=1))
    return out[0], out[1]


def _terms(text: str) -> list[str]:
    words = re.findall(r"[\w']+|[?!.]", text.removeprefix("Transcript:").lower().replace("’", "'"))
    return [*words, *(f"{a} {b}" for a, b in pairwise(words))]


@torch.no_grad()
def frozen_features(model: Any, tokens: Tokens) -> Tensor:
    """The mean of the last hidden states over the tokens of each text: (N, D)."""
    order = sorted(range(len(tokens.rows)), key=lambda number: len(tokens.rows[number]))
    found = []
    for at in range(0, len(order), 64):
        input_ids, mask = tokens.padded(order[at : at + 64])
        hidden = model(input_ids=input_ids, attention_mask=mask).last_hidden_state
        weight = mask.unsqueeze(2).float()
        found.append((hidden * weight).sum(dim=1) / weight.sum(dim=1))
    return F.normalize(torch.cat(found)[torch.tensor(order).argsort()], dim=1)


def logistic(features: Tensor, labels: Tensor, penalty: float) -> torch.nn.Linear:
    """Multinomial logistic regression with an L2 penalty, solved to the end."""
    layer = torch.nn.Linear(features.shape[1], len(CLASSES))
    torch.nn.init.zeros_(layer.weight)
    torch.nn.init.zeros_(layer.bias)
    solver = torch.optim.LBFGS(layer.parameters(), max_iter=40, line_search_fn="strong_wolfe")

    def closure() -> Tensor:
        solver.zero_grad()
        loss = F.cross_entropy(layer(features), labels) + penalty * layer.weight.square().sum()
        loss.backward()  # type: ignore[no-untyped-call]
        return loss

    solver.step(closure)  # type: ignore[no-untyped-call]
    return layer


@torch.no_grad()
def _guess(layer: torch.nn.Linear, features: Tensor) -> Tensor:
    logits: Tensor = layer(features)
    return logits.argmax(dim=1)


def chosen_logistic(parts: tuple[Tensor, Tensor], train: Prompts) -> Tensor:
    """Classes of the second part by a regression whose penalty held-out dialogues of the training part have chosen."""
    features, valid = parts
    dialogues = {group: number for number, group in enumerate(dict.fromkeys(train.groups))}
    held = torch.tensor([dialogues[group] % HELD_OUT == 0 for group in train.groups])
    scores = {}
    for penalty in PENALTIES:
        layer = logistic(features[~held], train.labels[~held], penalty)
        scores[penalty] = float(weighted_f1(_guess(layer, features[held]), train.labels[held]))
    best = max(PENALTIES, key=lambda penalty: scores[penalty])
    return _guess(logistic(features, train.labels, best), valid)


def tables(guess: Tensor, valid: Prompts) -> Tensor:
    """One confusion for every dialogue: (D, K, K) float64."""
    rows: dict[str, list[int]] = {}
    for row, group in enumerate(valid.groups):
        rows.setdefault(group, []).append(row)
    return torch.stack([confusion(guess[of], valid.labels[of], len(CLASSES)).double() for of in rows.values()])


def resampled(by_dialogue: Tensor) -> dict[str, Tensor]:
    """Each score on `RESAMPLES` draws of dialogues, the same draws for every classifier."""
    count = len(by_dialogue)
    drawn = torch.randint(count, (RESAMPLES, count), generator=torch.Generator().manual_seed(0))
    weight = F.one_hot(drawn, count).sum(dim=1).double()
    counts = (weight @ by_dialogue.flatten(1)).view(RESAMPLES, len(CLASSES), len(CLASSES))
    hits, true, guessed = counts.diagonal(dim1=1, dim2=2), counts.sum(dim=2), counts.sum(dim=1)
    f1 = 2 * hits / (true + guessed).clamp(min=1)
    appears = (true + guessed) > 0
    return {
        "accuracy": hits.sum(dim=1) / true.sum(dim=1),
        "weighted_f1": (f1 * true).sum(dim=1) / true.sum(dim=1),
        "macro_f1": f1.sum(dim=1) / appears.sum(dim=1),
    }


def interval(values: Tensor) -> list[float]:
    """The middle 95 %."""
    bounds: list[float] = values.quantile(torch.tensor([0.025, 0.975]).double()).tolist()
    return [round(bound, 4) for bound in bounds]


def fine_tuned(options: argparse.Namespace, train: Prompts, valid: Prompts, progress: Progress) -> Tensor:
    """Classes of the dev part by a language model with adapters and a head."""
    recipe = CompoundTextRecipe(
        name="meld_text", seed=options.seed, data="meld", language_model=LanguageModelConfig(str(options.model)),
        optimiser=OptimiserConfig(
            epochs=options.epochs, batch=32, lr=options.lr, weight_decay=0.01, warmup_epochs=0.3, ema=0.99
        ),
        max_tokens=options.max_tokens, graph=False,
    )  # fmt: skip
    torch.manual_seed(recipe.seed)
    classifier, tokenizer = open_language_model(recipe.language_model, CLASSES)
    encoded: dict[Any, Encoded] = {
        part: Encoded(prompts, Tokens(prompts.texts, tokenizer, max_tokens=recipe.max_tokens))
        for part, prompts in (("train", train), ("val", valid))
    }
    context = training_context(options.run, progress, seed=recipe.seed)
    average = train_classifier(recipe, classifier, encoded, context)
    return logits_of(average, encoded["val"].tokens, batch=64).argmax(dim=1)


def pretrained_features(options: argparse.Namespace, train: Prompts, valid: Prompts) -> tuple[Tensor, Tensor]:
    """Features of the language model as it came."""
    from transformers import AutoModel, AutoTokenizer

    model = AutoModel.from_pretrained(options.model, local_files_only=True, use_safetensors=True).eval()
    tokenizer = AutoTokenizer.from_pretrained(options.model, local_files_only=True)
    first, second = (Tokens(part.texts, tokenizer, max_tokens=options.max_tokens) for part in (train, valid))
    return frozen_features(model, first), frozen_features(model, second)


def figures(guesses: dict[str, Tensor], train: Prompts, valid: Prompts) -> dict[str, Any]:
    """The scores of every classifier, and what the adapters gain over each of the others in weighted F1."""
    draws = {name: resampled(tables(guess, valid)) for name, guess in guesses.items()}
    scores = {"accuracy": war, "weighted_f1": weighted_f1, "macro_f1": macro_f1}
    return {
        "train": len(train.texts),
        "dev": len(valid.texts),
        "dev_dialogues": len(set(valid.groups)),
        "scores": {
            name: {
                score: {
                    "value": round(float(compute(guess, valid.labels)), 4),
                    "interval": interval(draws[name][score]),
                }
                for score, compute in scores.items()
            }
            for name, guess in guesses.items()
        },
        "gain_of_adapters_in_weighted_f1": {
            name: {
                "value": round(
                    float(weighted_f1(guesses[ADAPTERS], valid.labels) - weighted_f1(guess, valid.labels)), 4
                ),
                "interval": interval(draws[ADAPTERS]["weighted_f1"] - draws[name]["weighted_f1"]),
            }
            for name, guess in guesses.items()
            if name != ADAPTERS
        },
        "confusion_of_adapters": confusion(guesses[ADAPTERS], valid.labels, len(CLASSES)).tolist(),
        "classes": CLASSES,
    }


def main() -> None:
    """All classifiers, on the same utterances."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--data", type=Path, required=True, metavar="DIR")
    parser.add_argument("--model", type=Path, required=True, metavar="DIR", help="a model in transformers' format")
    parser.add_argument("--run", type=Path, default=Path("runs/meld_text"), metavar="DIR")
    parser.add_argument("--output", type=Path, metavar="FILE", help="write the figures as JSON")
    parser.add_argument("--epochs", type=int, default=4)
    parser.add_argument("--lr", type=float, default=5e-4)
    parser.add_argument("--max-tokens", type=int, default=48)
    parser.add_argument("--train", type=int, default=0, help="utterances to train on, of random dialogues, 0: all")
    parser.add_argument("--seed", type=int, default=0)
    options = parser.parse_args()
    words = TextualiserConfig(modalities=("T",))
    clips = [load_meld(options.data, part, "text") for part in PARTS]
    clips[0] = some_dialogues(clips[0], options.train or len(clips[0]), seed=options.seed)
    train, valid = (prompts_of(part, "clip", WindowConfig(), words) for part in clips)
    guesses = {
        "largest class": torch.full_like(valid.labels, int(train.labels.bincount().argmax())),
        "words, regression": chosen_logistic(bag_of_words(train, valid), train),
        "frozen model, regression": chosen_logistic(pretrained_features(options, train, valid), train),
    }
    with Progress(Console()) as progress:
        guesses[ADAPTERS] = fine_tuned(options, train, valid, progress)
    text = json.dumps(figures(guesses, train, valid), indent=2)
    Console().print_json(text)
    if options.output:
        options.output.write_text(text + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
