"""EmoCLIP's recipe: its class sentences, its drawn data and its scores."""

import tomllib
from pathlib import Path

import msgspec
import pytest
import torch
from safetensors.torch import save_file

from streamaffect.errors import ConfigError
from train.cli import main
from train.methods.emoclip.data.videos import balanced, drawn_descriptions
from train.methods.emoclip.model import ScaledTransformer, TemporalTransformer
from train.methods.emoclip.recipe import EmoClipRecipe, class_sentences, read_prompts
from train.methods.emoclip.scores import baseline, score
from train.methods.emoclip.windows import random_windows
from train.methods.registry import load_recipe

CONFIGS = Path(__file__).parents[3] / "configs" / "train" / "emoclip"
MAFW = (
    "anger", "disgust", "fear", "happiness", "neutral", "sadness", "surprise", "contempt", "anxiety", "helplessness",
    "disappointment",
)  # fmt: skip


def smoke() -> EmoClipRecipe:
    recipe = load_recipe(CONFIGS / "smoke.toml").recipe
    assert isinstance(recipe, EmoClipRecipe)
    return recipe


def test_every_class_of_mafw_has_a_sentence_of_its_own_in_the_data_sets_order() -> None:
    sentences = tomllib.loads((CONFIGS / "prompts.toml").read_text(encoding="utf-8"))
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
    assert (score(model, videos, recipe), baseline(videos)) == (score(model, other, recipe), baseline(other))


def test_a_long_video_gets_a_window_that_wraps_around_and_a_short_one_is_taken_whole() -> None:
    torch.manual_seed(0)
    frames = torch.arange(9.0).expand(200, 9).unsqueeze(2)
    lengths = torch.tensor([9, 3] * 100)
    window, genuine = random_windows(frames, lengths, 4)
    long, short = window[::2, :, 0], window[1::2, :, 0]
    assert torch.equal(long.diff(dim=1) % 9, torch.ones(100, 3))
    assert torch.unique(long[:, 0]).tolist() == list(range(9))
    assert genuine[::2].all()
    assert torch.unique(short, dim=0).tolist() == [[0, 1, 2, 3]]
    assert torch.unique(genuine[1::2], dim=0).tolist() == [[True, True, True, False]]


def test_a_long_video_is_scored_by_the_mean_over_its_windows() -> None:
    recipe = msgspec.structs.replace(smoke(), window=4)
    torch.manual_seed(0)
    model = ScaledTransformer(TemporalTransformer(recipe.dim, heads=2, head_dim=4, mlp_dim=8), 2.0)
    videos = drawn_descriptions(recipe, seed=0)
    shown = videos.frames[:, 4:8]  # the class is in the second window alone
    alone = videos._replace(frames=shown, lengths=torch.full_like(videos.lengths, 4))
    assert score(model, videos, recipe) != score(model, alone, recipe)
    assert set(score(model, videos, msgspec.structs.replace(recipe, scoring="random"))) == {"war", "uar"}


def test_rarer_classes_are_repeated_up_to_the_most_frequent_one() -> None:
    labels = torch.tensor([0, 0, 0, 0, 2, 2, 1])
    rows = balanced(labels, seed=0)
    assert torch.bincount(labels[rows]).tolist() == [4, 4, 4]
    assert set(rows.tolist()) == set(range(7))


def test_a_compound_class_has_the_sentences_of_its_parts(tmp_path: Path) -> None:
    prompts = {"anger": "A frown.", "fear": "Wide eyes."}
    assert class_sentences(prompts, ["fear", "anger_fear"]) == {
        "fear": ["Wide eyes."],
        "anger_fear": ["A frown.", "Wide eyes."],
    }
    with pytest.raises(ConfigError, match="no sentence for joy; they have anger, fear"):
        class_sentences(prompts, ["anger_joy"])
    for text, message in (("anger = 3", "Expected `str`"), ("", "needs a sentence"), ("[", "expected lines like")):
        (tmp_path / "prompts.toml").write_text(text)
        with pytest.raises(ConfigError, match=message):
            read_prompts(tmp_path / "prompts.toml")
    with pytest.raises(ConfigError, match="cannot be read"):
        read_prompts(tmp_path / "none.toml")


def test_drawn_classes_are_the_same_in_both_splits_and_samples_are_not() -> None:
    train, valid = (drawn_descriptions(smoke(), seed=seed) for seed in (1, 2))
    assert torch.equal(train.class_text, valid.class_text)
    assert not torch.equal(train.frames, valid.frames)


def test_feature_files_are_trained_on_and_scored(tmp_path: Path) -> None:
    drawn = drawn_descriptions(smoke(), seed=0)._asdict()
    for part in ("train", "val"):
        save_file({name: value.contiguous() for name, value in drawn.items()}, tmp_path / f"{part}.safetensors")
    text = (
        (CONFIGS / "smoke.toml")
        .read_text()
        .replace('data = "drawn"', 'data = "features"')
        .replace("epochs = 8", "epochs = 1")
        .replace('clip = "drawn"', "")
        .replace("prompts.toml", str(CONFIGS / "prompts.toml"))
    )
    recipe = tmp_path / "mine.toml"
    recipe.write_text(text)
    assert main(["fit", "--config", str(recipe), "--data", str(tmp_path), "--run", str(tmp_path / "run")]) == 0
    assert (tmp_path / "run" / "report.json").is_file()
    assert not (tmp_path / "run" / "bundle").exists()
