"""A language model with adapters and a head, on tiny random models."""

from copy import deepcopy
from pathlib import Path
from typing import Any

import msgspec
import pytest
import torch
from torch import Tensor

from train.errors import TrainingError
from train.loop.ema import MovingAverage
from train.methods.compound_text.model import TextClassifier, load_adapters, open_language_model, save_adapters
from train.methods.compound_text.recipe import LanguageModelConfig
from train.methods.compound_text.tiny_language_model import Kind, write_tiny_model

pytest.importorskip("peft")
TEXTS = ["a calm face; low voice", "brow lowerer, lip tightener; High anger!"]
CLASSES = ("calm", "angry", "other")


@pytest.fixture(scope="module", params=["bert", "llama"])
def config(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> LanguageModelConfig:
    kind: Kind = request.param
    folder = tmp_path_factory.mktemp(kind)
    write_tiny_model(folder, TEXTS, seed=0, kind=kind, width=32)
    return LanguageModelConfig(str(folder))


@pytest.fixture
def opened(config: LanguageModelConfig) -> tuple[TextClassifier, Any]:
    torch.manual_seed(0)
    classifier, tokenizer = open_language_model(config, CLASSES)
    return classifier.eval(), tokenizer


def logits(classifier: TextClassifier, tokenizer: Any, texts: list[str]) -> Tensor:
    tokens = tokenizer(texts, padding=True, return_tensors="pt")
    with torch.no_grad():
        out: Tensor = classifier(tokens["input_ids"], tokens["attention_mask"])
        return out


def disturb(classifier: TextClassifier) -> None:
    """Another value for all that is trained."""
    generator = torch.Generator().manual_seed(1)
    with torch.no_grad():
        for name, parameter in classifier.named_parameters():
            if name in classifier.trained:
                parameter.add_(0.3 * torch.randn(parameter.shape, generator=generator))


def test_only_adapters_and_the_head_are_trained_and_stored(opened: tuple[TextClassifier, Any]) -> None:
    classifier, _ = opened
    assert all("lora_" in name or "modules_to_save" in name for name in classifier.trained)
    assert set(classifier.state_dict()) == classifier.trained
    assert {name for name, parameter in classifier.named_parameters() if parameter.requires_grad} == classifier.trained


def test_fresh_adapters_change_nothing_and_are_scaled_by_the_root_of_the_rank(
    opened: tuple[TextClassifier, Any],
) -> None:
    classifier, tokenizer = opened
    network: Any = classifier.network
    before = logits(classifier, tokenizer, TEXTS)
    with network.disable_adapter():
        # The head is a module of its own beside the adapters, so that only they are switched off in the layers.
        hidden = [module for module in network.modules() if hasattr(module, "lora_A")]
        assert hidden
        assert all(module.scaling["default"] == pytest.approx(8 / 8**0.5) for module in hidden)
    assert all((module.lora_B["default"].weight == 0).all() for module in hidden)
    assert before.shape == (2, 3)


def test_padding_changes_no_logit(opened: tuple[TextClassifier, Any]) -> None:
    classifier, tokenizer = opened
    alone = logits(classifier, tokenizer, TEXTS[:1])
    torch.testing.assert_close(logits(classifier, tokenizer, TEXTS)[:1], alone, rtol=1e-4, atol=1e-5)


def test_a_state_without_a_trained_weight_is_refused(opened: tuple[TextClassifier, Any]) -> None:
    classifier, _ = opened
    state = dict(classifier.state_dict())
    name, _ = state.popitem()
    with pytest.raises(RuntimeError, match=name.rsplit(".", maxsplit=1)[-1]):
        classifier.load_state_dict(state)


def test_a_copy_shares_what_is_frozen_and_nothing_else(opened: tuple[TextClassifier, Any]) -> None:
    classifier, tokenizer = opened
    copy = deepcopy(classifier)
    mine, theirs = dict(classifier.named_parameters()), dict(copy.named_parameters())
    assert {name for name in mine if mine[name] is not theirs[name]} == classifier.trained
    before = logits(classifier, tokenizer, TEXTS)
    disturb(copy)
    assert torch.equal(logits(classifier, tokenizer, TEXTS), before)
    assert not torch.allclose(logits(copy, tokenizer, TEXTS), before)


def test_the_moving_average_follows_what_is_trained_and_leaves_the_rest_alone(
    opened: tuple[TextClassifier, Any],
) -> None:
    classifier, _ = opened
    frozen = {name: p.clone() for name, p in classifier.named_parameters() if name not in classifier.trained}
    average = MovingAverage(classifier, 0.5)
    disturb(classifier)
    for step in range(60):
        average.update(classifier, step)
    for name, parameter in average.model.named_parameters():
        expected = classifier.get_parameter(name) if name in classifier.trained else frozen[name]
        torch.testing.assert_close(parameter, expected, rtol=0, atol=1e-4)


def test_merged_weights_give_the_same_logits_and_leave_the_adapters_as_they_were(
    opened: tuple[TextClassifier, Any],
) -> None:
    classifier, tokenizer = opened
    disturb(classifier)
    before = logits(classifier, tokenizer, TEXTS)
    merged: Any = classifier.merged().eval()
    assert not any("lora" in name for name, _ in merged.named_parameters())
    tokens = tokenizer(TEXTS, padding=True, return_tensors="pt")
    with torch.no_grad():
        torch.testing.assert_close(merged(**_inputs(tokens)).logits, before, rtol=1e-4, atol=1e-5)
    assert torch.equal(logits(classifier, tokenizer, TEXTS), before)


def _inputs(tokens: Any) -> dict[str, Tensor]:
    return {name: tokens[name] for name in ("input_ids", "attention_mask")}


def test_saved_adapters_are_read_back_without_pickle(
    opened: tuple[TextClassifier, Any], config: LanguageModelConfig, tmp_path: Path
) -> None:
    classifier, tokenizer = opened
    disturb(classifier)
    average = MovingAverage(classifier, 0.9).model  # nothing of it requires a gradient
    assert isinstance(average, TextClassifier)
    save_adapters(average, tmp_path)
    assert sorted(path.name for path in tmp_path.iterdir()) == ["adapter_config.json", "adapter_model.safetensors"]
    loaded, _ = load_adapters(config, CLASSES, tmp_path)
    expected = logits(classifier, tokenizer, TEXTS)
    torch.testing.assert_close(logits(loaded.eval(), tokenizer, TEXTS), expected)
    assert loaded.trained == classifier.trained


def test_the_random_model_is_the_same_for_the_same_seed(tmp_path: Path) -> None:
    for name, seed in (("a", 1), ("b", 1), ("c", 2)):
        write_tiny_model(tmp_path / name, TEXTS, seed=seed, width=16)
    weights = {name: (tmp_path / name / "model.safetensors").read_bytes() for name in "abc"}
    assert weights["a"] == weights["b"] != weights["c"]


def test_a_folder_without_a_model_is_named_and_nothing_is_fetched(tmp_path: Path) -> None:
    for path in (str(tmp_path), str(tmp_path / "none"), "no-such-owner/no-such-model"):
        with pytest.raises(TrainingError, match="holds no language model"):
            open_language_model(LanguageModelConfig(path), CLASSES)


def test_targets_that_are_no_layers_are_named(config: LanguageModelConfig) -> None:
    wrong = msgspec.structs.replace(config, targets=("no_such_layer",))
    with pytest.raises(TrainingError, match=r"language_model\.targets"):
        open_language_model(wrong, CLASSES)


@pytest.mark.skipif(torch.cuda.is_available(), reason="with a GPU the answer depends on bitsandbytes")
def test_four_bits_without_a_gpu_are_refused_by_one_line(config: LanguageModelConfig) -> None:
    with pytest.raises(TrainingError, match="bitsandbytes and an NVIDIA GPU"):
        open_language_model(msgspec.structs.replace(config, four_bit=True), CLASSES)
