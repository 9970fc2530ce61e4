"""A small language model with random weights, in the format of `transformers`: for tests, and to learn from nothing.

Its words are those of given texts. Frozen and random as it is, only what is learned on top of it can tell texts apart.
"""

import re
from collections import Counter
from collections.abc import Iterable
from importlib import import_module
from pathlib import Path
from typing import Any, Literal

import torch

from ...models.quiet import quiet

PAD, UNKNOWN, START, END = "[PAD]", "[UNK]", "[CLS]", "[SEP]"
SPECIAL = (PAD, UNKNOWN, START, END)
LONGEST = 512  # tokens
MOST_WORDS = 8000

Kind = Literal["bert", "llama"]


def write_tiny_model(
    folder: Path, texts: Iterable[str], *, seed: int, kind: Kind = "bert", width: int = 64, layers: int = 2
) -> None:
    """Write the model and its tokenizer, which knows the commonest words of the texts.

    kind: "bert" reads in both directions, "llama" from left to right. width: of the hidden states, a multiple of 16
    """
    from tokenizers import Regex, Tokenizer, models, normalizers, pre_tokenizers, processors

    counts = Counter(word for text in texts for word in re.findall(r"\w+|[^\w\s]", text.lower()))
    words = [*SPECIAL, *(word for word, _ in sorted(counts.items(), key=lambda item: (-item[1], item[0]))[:MOST_WORDS])]
    tokenizer = Tokenizer(models.WordLevel({word: number for number, word in enumerate(words)}, unk_token=UNKNOWN))
    tokenizer.normalizer = normalizers.Lowercase()
    tokenizer.pre_tokenizer = pre_tokenizers.Sequence(
        [pre_tokenizers.Whitespace(), pre_tokenizers.Split(Regex(r"[^\w\s]"), "isolated")]
    )
    tokenizer.post_processor = processors.TemplateProcessing(
        single=f"{START} $A {END}", special_tokens=[(START, SPECIAL.index(START)), (END, SPECIAL.index(END))]
    )
    transformers: Any = import_module("transformers")
    config = _config(transformers, kind, len(words), width, layers)
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        model = transformers.AutoModel.from_config(config)
    folder.mkdir(parents=True, exist_ok=True)
    with quiet():
        model.save_pretrained(folder)
        transformers.PreTrainedTokenizerFast(
            tokenizer_object=tokenizer, pad_token=PAD, unk_token=UNKNOWN, cls_token=START, sep_token=END
        ).save_pretrained(folder)


def _config(transformers: Any, kind: Kind, words: int, width: int, layers: int) -> Any:
    shape = {
        "vocab_size": words, "hidden_size": width, "intermediate_size": 2 * width, "num_hidden_layers": layers,
        "num_attention_heads": width // 16, "max_position_embeddings": LONGEST, "pad_token_id": SPECIAL.index(PAD),
    }  # fmt: skip
    if kind == "llama":
        ends = {"bos_token_id": SPECIAL.index(START), "eos_token_id": SPECIAL.index(END)}
        return transformers.LlamaConfig(**shape, **ends)
    # The library's 0.02 leaves a model that wide with next to nothing to tell words apart by.
    return transformers.BertConfig(**shape, initializer_range=0.2)
