"""The text classifier as part of a bundle: one more graph beside the three that the stream runs.

text_classifier.onnx    input_ids, attention_mask int64 (N, L) → probabilities float32 (N, K)
tokenizer/              of the language model, in the format of `tokenizers` and `transformers`

`manifest.json` lists the graph and has one more key, `text`: what turns a face and a voice into input_ids, and what the
probabilities mean. A reader that does not know them runs the bundle as if they were not there.
"""

import tempfile
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import msgspec
import torch
from torch import Tensor, nn

from streamaffect.runtime.bundle import MANIFEST, Bundle, load_bundle
from streamaffect.runtime.manifest import Manifest
from streamaffect.text.spec import TextSpec

from ...bundle.declared import changed
from ...bundle.graphs import TracedGraph
from ...bundle.writer import CARD, taken_over, write_bundle
from ...errors import TrainingError
from .model import TextClassifier
from .recipe import CompoundTextRecipe

TEXT_CLASSIFIER = "text_classifier"
TOKENIZER = "tokenizer"
MOST_BYTES = 1_900_000_000  # of the weights of one ONNX file, which holds at most 2 GiB
TRACED_TOKENS = 6
CHANGED = ("name", "created", "graphs", "metrics")  # keys of the base's manifest


def export_compound_text(
    classifier: TextClassifier,
    tokenizer: Any,
    recipe: CompoundTextRecipe,
    target: Path,
    *,
    classes: Sequence[str],
    scores: Mapping[str, float],
) -> Manifest:
    """Write the recipe's base bundle with the classifier to `target`, in place of what is there.

    Raises:
        BundleError: the base does not load.
        TrainingError: the weights are too many for one graph, the graph computes something else than the model, or the
            result does not load.
    """
    merged = _merged(classifier, recipe)
    words = len(tokenizer)
    examples = {
        "input_ids": torch.randint(words, (2, TRACED_TOKENS), generator=torch.Generator().manual_seed(0)),
        "attention_mask": torch.ones(2, TRACED_TOKENS, dtype=torch.int64),
    }
    examples["attention_mask"][1, TRACED_TOKENS // 2 :] = 0
    examples["input_ids"][1, TRACED_TOKENS // 2 :] = tokenizer.pad_token_id
    graph = TracedGraph(_Probabilities(merged), examples, ["probabilities"], {1: "L"})
    spec = TextSpec(
        TEXT_CLASSIFIER, tuple(classes), TOKENIZER, recipe.max_tokens, int(tokenizer.pad_token_id), recipe.textualiser
    )

    base = load_bundle(recipe.base or None)
    name = f"{base.manifest.name}+{recipe.name}"
    metrics = base.manifest.metrics | {TEXT_CLASSIFIER: dict(scores)}
    return write_bundle(
        {**taken_over(base), TEXT_CLASSIFIER: graph},
        lambda graphs: changed(base.manifest, name=name, graphs=graphs, metrics=metrics),
        target,
        card=lambda _: f"{_base_card(base)}\n{_card(recipe, classes)}\n",
        files=_tokenizer_files(tokenizer),
        more_keys={**_kept(base), "text": msgspec.to_builtins(spec)},
    )


def _kept(base: Bundle) -> dict[str, Any]:
    """What the base's manifest says and the classifier does not change, with what this version does not know of it."""
    content: dict[str, Any] = msgspec.json.decode((base.path / MANIFEST).read_bytes())
    return {key: value for key, value in content.items() if key not in CHANGED}


def _base_card(base: Bundle) -> str:
    file = base.path / CARD
    return file.read_text(encoding="utf-8") if file.is_file() else ""


class _Probabilities(nn.Module):
    def __init__(self, model: nn.Module) -> None:
        super().__init__()
        self.model = model

    def forward(self, input_ids: Tensor, attention_mask: Tensor) -> Tensor:
        logits: Tensor = self.model(input_ids=input_ids, attention_mask=attention_mask).logits
        return torch.softmax(logits.float(), dim=1)


def _merged(classifier: TextClassifier, recipe: CompoundTextRecipe) -> nn.Module:
    size = 4 * sum(parameter.numel() for parameter in classifier.parameters())
    if size > MOST_BYTES:
        raise TrainingError(
            f"{recipe.name}: the classifier has {size / 1e9:.1f} GB of weights, a graph holds {MOST_BYTES / 1e9:g}; "
            "set graph = false, the adapters are in classifier/"
        )
    merged: Any = classifier.merged().float().cpu().eval()
    # The plain form of attention: fused ones have no counterpart in ONNX.
    merged.set_attn_implementation("eager")
    merged.config.use_cache = False
    out: nn.Module = merged
    return out


def _tokenizer_files(tokenizer: Any) -> dict[str, bytes]:
    with tempfile.TemporaryDirectory() as folder:
        tokenizer.save_pretrained(folder)
        return {f"{TOKENIZER}/{file.name}": file.read_bytes() for file in sorted(Path(folder).iterdir())}


def _card(recipe: CompoundTextRecipe, classes: Sequence[str]) -> str:
    return (
        f"## Text classifier\n\nThe graph `{TEXT_CLASSIFIER}` was added by the recipe `{recipe.name}`, seed "
        f"{recipe.seed}, from {recipe.data}. It reads texts about a face and a voice and gives one probability for "
        f"each of: {', '.join(classes)}. --describe --llm asks it. Licence of its weights: {recipe.licence}. The "
        "other graphs are those of the bundle that it was added to."
    )
