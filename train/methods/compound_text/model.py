"""A language model with a classification head, fine-tuned by low-rank adapters (LoRA, Hu et al., ICLR 2022).

Only the adapters and the head are trained, saved and averaged; the model underneath is shared and never changes. Any
model that `transformers` can open for sequence classification will do. Nothing is fetched unless that is asked for, and
no weights are read but safetensors.
"""

from collections.abc import Sequence
from copy import deepcopy
from pathlib import Path
from typing import Any, NoReturn

import torch
from torch import Tensor, nn

from ...errors import TrainingError
from ...models.quiet import quiet
from .recipe import LanguageModelConfig

HELP = "give the folder of a model in the format of transformers, with its tokenizer and weights as safetensors"


class TextClassifier(nn.Module):
    """Tokens to logits. `state_dict` holds what is trained, and a copy shares what is not.

    network: of `peft`, around a model for sequence classification
    """

    def __init__(self, network: nn.Module) -> None:
        super().__init__()
        self.network = network
        self.trained = frozenset(name for name, parameter in self.named_parameters() if parameter.requires_grad)
        self.register_state_dict_post_hook(_keep_trained)  # type: ignore[no-untyped-call]
        self.register_load_state_dict_post_hook(_expect_trained)  # type: ignore[no-untyped-call]

    def forward(self, input_ids: Tensor, attention_mask: Tensor) -> Tensor:
        """(B, L), (B, L) int64 → logits (B, K) float32."""
        logits: Tensor = self.network(input_ids=input_ids, attention_mask=attention_mask).logits
        return logits.float()

    def __deepcopy__(self, memo: dict[int, Any]) -> "TextClassifier":
        memo |= {id(frozen): frozen for name, frozen in self.named_parameters() if name not in self.trained}
        copy = type(self).__new__(type(self))
        memo[id(self)] = copy
        copy.__dict__ = deepcopy(self.__dict__, memo)
        return copy

    def merged(self) -> nn.Module:
        """The same function without adapters: a copy whose weights have taken them in."""
        network: Any = deepcopy(self.network)
        out: nn.Module = network.merge_and_unload()
        return out


def open_language_model(config: LanguageModelConfig, classes: Sequence[str]) -> tuple[TextClassifier, Any]:
    """The model with fresh adapters and a fresh head, drawn from torch's random state, and its tokenizer.

    Raises TrainingError if the model is not there or cannot classify, if bitsandbytes is missing, or if a target is no
    layer of it.
    """
    from peft import LoraConfig, TaskType, get_peft_model

    with quiet():
        tokenizer = _open_tokenizer(config)
        model = _open_model(config, classes, tokenizer)
        lora = LoraConfig(
            task_type=TaskType.SEQ_CLS, r=config.rank, lora_alpha=config.alpha, lora_dropout=config.dropout,
            use_rslora=config.rank_stabilised, target_modules=list(config.targets) or None,
        )  # fmt: skip
        try:
            return TextClassifier(get_peft_model(model, lora)), tokenizer
        except ValueError as error:
            raise TrainingError(f"{config.path}: adapters do not fit ({_first_line(error)}); name the layers that get "
                                "one in language_model.targets") from error  # fmt: skip


def save_adapters(classifier: TextClassifier, folder: Path) -> None:
    """Write adapters and head to `folder` as `peft` reads them: `adapter_model.safetensors`, `adapter_config.json`."""
    network: Any = classifier.network
    with quiet():
        network.save_pretrained(str(folder), safe_serialization=True)
    (folder / "README.md").unlink(missing_ok=True)  # a form that nobody has filled in


def load_adapters(config: LanguageModelConfig, classes: Sequence[str], folder: Path) -> tuple[TextClassifier, Any]:
    """A classifier as it was saved, and its tokenizer. Raises TrainingError as `open_language_model`."""
    from peft import PeftModel

    with quiet():
        tokenizer = _open_tokenizer(config)
        model = _open_model(config, classes, tokenizer)
        try:
            return TextClassifier(PeftModel.from_pretrained(model, str(folder), is_trainable=True)), tokenizer
        except (OSError, ValueError) as error:
            raise TrainingError(f"{folder}: holds no adapters ({_first_line(error)})") from error


def _open_tokenizer(config: LanguageModelConfig) -> Any:
    from transformers import AutoTokenizer

    try:
        tokenizer = AutoTokenizer.from_pretrained(config.path, local_files_only=not config.download)
    except (OSError, ValueError) as error:
        _refuse(config, error)
    if tokenizer.pad_token is None:
        tokenizer.pad_token = tokenizer.eos_token
    return tokenizer


def _open_model(config: LanguageModelConfig, classes: Sequence[str], tokenizer: Any) -> Any:
    from transformers import AutoModelForSequenceClassification

    try:
        model = AutoModelForSequenceClassification.from_pretrained(
            config.path,
            local_files_only=not config.download,
            use_safetensors=True,
            dtype=getattr(torch, config.dtype),
            num_labels=len(classes),
            id2label=dict(enumerate(classes)),
            label2id={name: number for number, name in enumerate(classes)},
            ignore_mismatched_sizes=True,  # a head for other classes is left behind
            quantization_config=_four_bit(config) if config.four_bit else None,
        )
    except (OSError, ValueError) as error:
        _refuse(config, error)
    model.config.pad_token_id = tokenizer.pad_token_id
    return model


def _four_bit(config: LanguageModelConfig) -> Any:
    from importlib.util import find_spec

    from transformers import BitsAndBytesConfig

    if find_spec("bitsandbytes") is None or not torch.cuda.is_available():
        raise TrainingError(
            "language_model.four_bit needs the package bitsandbytes and an NVIDIA GPU, which are not both here; "
            "set it to false to keep the weights whole"
        )
    make: Any = BitsAndBytesConfig
    return make(
        load_in_4bit=True, bnb_4bit_quant_type="nf4", bnb_4bit_use_double_quant=True,
        bnb_4bit_compute_dtype=getattr(torch, config.dtype),
    )  # fmt: skip


def _refuse(config: LanguageModelConfig, error: Exception) -> NoReturn:
    raise TrainingError(f"{config.path}: holds no language model ({_first_line(error)}); {HELP}") from error


def _first_line(error: Exception) -> str:
    return str(error).strip().partition("\n")[0]


def _keep_trained(module: Any, state: dict[str, Tensor], prefix: str, _: Any) -> None:
    kept = {prefix + name for name in module.trained}
    for name in [name for name in state if name not in kept]:
        del state[name]


def _expect_trained(module: Any, keys: Any) -> None:
    """What is frozen may be missing from a state; what is trained may not."""
    keys.missing_keys[:] = [name for name in keys.missing_keys if name in module.trained]
