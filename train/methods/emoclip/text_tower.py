"""CLIP's text tower beside a bundle's graphs, so that the stream reads any sentence while it runs.

text_encoder.onnx    input_ids, attention_mask int64 (M, L) → embeddings float32 (M, D)
tokenizer.json       in the format of `tokenizers`

The manifest's key `sentence_encoder` says what they are; see `streamaffect/prompts/by_clip.py`.
"""

import tempfile
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import msgspec
import torch
from torch import Tensor, nn

from streamaffect.prompts.by_clip import KEY, TEXT_ENCODER, SentenceEncoderSpec
from streamaffect.runtime.bundle import MANIFEST, Bundle

from ...bundle.graphs import Graph, TracedGraph
from .clip_towers import LONGEST_TEXT, ClipTowers

TOKENIZER = "tokenizer.json"
TRACED_TOKENS = 6


@dataclass(frozen=True, slots=True)
class TextTower:
    """What a bundle gets: graphs by role, files by name, keys of its manifest; all empty where it cannot read text."""

    graphs: Mapping[str, Graph] = field(default_factory=dict)
    files: Mapping[str, bytes] = field(default_factory=dict)
    keys: Mapping[str, object] = field(default_factory=dict)


def text_tower(towers: ClipTowers, logit_scale: Tensor) -> TextTower:
    """That of a CLIP with a tokenizer of its own; nothing for a drawn one, whose words are checksums."""
    tokenizer = _tokenizer_file(towers.tokenizer)
    if tokenizer is None:
        return TextTower()
    words = int(towers.model.config.text_config.vocab_size)
    ids = torch.randint(words, (2, TRACED_TOKENS), generator=torch.Generator().manual_seed(0))
    ids[:, -1] = int(towers.model.config.text_config.eos_token_id)
    examples = {"input_ids": ids, "attention_mask": torch.ones_like(ids)}
    graph = TracedGraph(_Sentences(towers), examples, ["embeddings"], {1: "L"})
    spec = SentenceEncoderSpec(TOKENIZER, LONGEST_TEXT, float(logit_scale.detach().exp()))
    return TextTower({TEXT_ENCODER: graph}, {TOKENIZER: tokenizer}, {KEY: msgspec.to_builtins(spec)})


def kept_text_tower(base: Bundle) -> TextTower:
    """That of a bundle as it is, its graph with the others; nothing where it has none."""
    content: dict[str, Any] = msgspec.json.decode((base.path / MANIFEST).read_bytes())
    file = base.path / TOKENIZER
    if KEY not in content or not file.is_file():
        return TextTower()
    return TextTower({}, {TOKENIZER: file.read_bytes()}, {KEY: content[KEY]})


class _Sentences(nn.Module):
    def __init__(self, towers: ClipTowers) -> None:
        super().__init__()
        # The plain form of attention: fused ones have no counterpart in ONNX.
        towers.model.set_attn_implementation("eager")
        self.model = towers.model.text_model
        self.projection = towers.model.text_projection

    def forward(self, input_ids: Tensor, attention_mask: Tensor) -> Tensor:
        out: Tensor = self.projection(self.model(input_ids=input_ids, attention_mask=attention_mask).pooler_output)
        return out


def _tokenizer_file(tokenizer: Any) -> bytes | None:
    if not hasattr(tokenizer, "save_pretrained"):
        return None
    with tempfile.TemporaryDirectory() as folder:
        tokenizer.save_pretrained(folder)
        file = Path(folder) / TOKENIZER
        return file.read_bytes() if file.is_file() else None
