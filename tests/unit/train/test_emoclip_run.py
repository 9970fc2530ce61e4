"""EmoCLIP's recipe: its class sentences, its drawn data and its scores."""

import tomllib
from pathlib import Path

import torch
from safetensors.torch import save_file

from train.methods.emoclip_run import EmoClipRecipe, ScaledTransformer, baseline, drawn_descriptions, score
from train.methods.run import load_method_recipe, main
from train.models.emoclip import TemporalTransformer

CONFIGS = Path(__file__).parents[3] / "configs" / "train"
MAFW = (
    "anger", "disgust", "fear", "happiness", "neutral", "sadness", "surprise", "contempt", "anxiety", "helplessness",
    "disappointment",
)  # fmt: skip


def smoke() -> EmoClipRecipe:
    recipe = load_method_recipe(CONFIGS / "emoclip_smoke.toml")
    assert isinstance(recipe, EmoClipRecipe)
    return recipe


def test_every_class_of_mafw_has_a_sentence_of_its_own_in_the_data_sets_order() -> None:
    sentences = tomllib.loads((CONFIGS / "emoclip_prompts.toml").read_text(encoding="utf-8"))
    assert tuple(sentences) == MAFW
    assert len(set(sentences.values())) == len(MAFW)
    assert all(len(sentence.split()) > 8 and sentence.endswith(".") for sentence in sentences.values())


def test_what_lies_behind_the_end_of_a_video_changes_no_score() -> None:
    recipe = smoke()
    torch.manual_seed(0)
    model = ScaledTransformer(TemporalTransformer(recipe.dim, heads=2, head_dim=4, mlp_dim=8), 2.0)
    videos = drawn_descriptions(recipe, seed=0)
    beyond = ~videos.genuine[:, :, None]
    other = videos._replace(frames=videos.frames.masked_fill(beyond, 9.0))
    assert beyond.any()
    assert (score(model, videos), baseline(videos)) == (score(model, other), baseline(other))


def test_drawn_classes_are_the_same_in_both_splits_and_samples_are_not() -> None:
    train, valid = (drawn_descriptions(smoke(), seed=seed) for seed in (1, 2))
    assert torch.equal(train.class_text, valid.class_text)
    assert not torch.equal(train.frames, valid.frames)


def test_feature_files_are_trained_on_and_scored(tmp_path: Path) -> None:
    drawn = drawn_descriptions(smoke(), seed=0)._asdict()
    for part in ("train", "val"):
        save_file({name: value.contiguous() for name, value in drawn.items()}, tmp_path / f"{part}.safetensors")
    text = (
        (CONFIGS / "emoclip_smoke.toml")
        .read_text()
        .replace('"drawn"', '"features"')
        .replace("epochs = 8", "epochs = 1")
    )
    recipe = tmp_path / "mine.toml"
    recipe.write_text(text)
    assert main(["--config", str(recipe), "--data", str(tmp_path), "--run", str(tmp_path / "run")]) == 0
    assert (tmp_path / "run" / "report.json").is_file()
