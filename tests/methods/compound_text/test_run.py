"""The recipe of compound emotions by text: its votes, its data sets, and what it refuses."""

import json
from pathlib import Path

import msgspec
import pytest
import torch

from streamaffect.errors import ConfigError
from tests.support.training.audio_visual import tone
from tests.support.training.runs import context
from tests.support.training.text_trees import write_c_expr, write_meld, write_table
from train.cli import main
from train.data.sets.meld import VOICES, load_meld
from train.data.text.prompts import Prompts
from train.methods.compound_text.data import DRAWN_CLASSES, class_names, drawn_clips, load_clips
from train.methods.compound_text.recipe import CompoundTextRecipe
from train.methods.compound_text.run import scores_of
from train.methods.compound_text.voices import describe_voices
from train.methods.registry import load_recipe

CONFIGS = Path(__file__).parents[3] / "configs" / "train"
SMOKE = (CONFIGS / "compound_text/smoke.toml").read_text()


def recipe_file(folder: Path, *, data: str, extra: str = "") -> Path:
    """The smoke recipe for one epoch on a data set, without a graph."""
    text = SMOKE.replace('data = "drawn"', f'data = "{data}"\ngraph = false\n{extra}').replace(
        "epochs = 10", "epochs = 1"
    )
    file = folder / "mine.toml"
    file.write_text(text.replace("batch = 20", "batch = 4"))
    return file


def run(file: Path, data: Path | None, folder: Path, verb: str = "fit") -> dict[str, float]:
    words = [verb, "--config", str(file), "--run", str(folder), *(["--data", str(data)] if data else [])]
    assert main(words) == 0
    report: dict[str, float] = json.loads((folder / "report.json").read_text())
    return report


@pytest.mark.parametrize("name", ["smoke", "meld", "cexpr"])
def test_a_shipped_recipe_is_valid(name: str) -> None:
    recipe = load_recipe(CONFIGS / "compound_text" / f"{name}.toml").recipe
    assert isinstance(recipe, CompoundTextRecipe)
    assert recipe.name == f"compound_text_{name}"


def test_the_published_settings_are_the_defaults() -> None:
    recipe = load_recipe(CONFIGS / "compound_text/cexpr.toml").recipe
    assert isinstance(recipe, CompoundTextRecipe)
    model = recipe.language_model
    assert (model.rank, model.alpha, model.dropout, model.rank_stabilised) == (8, 8, 0.05, True)
    assert (recipe.windows.hop, recipe.windows.size) == (10, 20)
    assert (recipe.windows.train, recipe.windows.valid) == ("blocks", "frames")


def test_c_expr_is_trained_on_and_its_videos_are_voted_on(tmp_path: Path) -> None:
    report = run(recipe_file(tmp_path, data="cexpr"), write_c_expr(tmp_path / "data"), tmp_path / "run")
    assert {"prompt_accuracy", "majority_weighted_f1", "mean_logits_macro_f1", "mean_probabilities_accuracy"} <= set(
        report
    )
    confusion = json.loads((tmp_path / "run" / "confusion.json").read_text())
    assert len(confusion["classes"]) == 7
    assert sum(map(sum, confusion["counts"])) == 3  # the clip of "Other" is left out


def test_the_class_other_can_be_trained_and_is_dropped_before_the_vote(tmp_path: Path) -> None:
    file = recipe_file(tmp_path, data="cexpr", extra="other = true\n")
    run(file, write_c_expr(tmp_path / "data"), tmp_path / "run")
    classifier = json.loads((tmp_path / "run" / "classifier" / "classifier.json").read_text())
    assert classifier["classes"][-1] == "Other"
    confusion = json.loads((tmp_path / "run" / "confusion.json").read_text())
    assert sum(map(sum, confusion["counts"])) == 3


def test_meld_has_one_prompt_for_each_utterance_and_no_vote(tmp_path: Path) -> None:
    rows = [("What?", "surprise", 0, 0), ("Great!", "joy", 0, 1), ("Great!", "joy", 1, 0), ("Okay.", "neutral", 1, 1)]
    for part in ("train", "dev", "test"):
        write_meld(tmp_path / "data", part, rows)
    file = recipe_file(tmp_path, data="meld", extra='textualiser = { modalities = ["T"] }\n')
    report = run(file, tmp_path / "data", tmp_path / "run")
    assert set(report) == {
        f"{part}{name}" for part in ("", "test_") for name in ("accuracy", "weighted_f1", "macro_f1")
    }


def test_voices_of_meld_are_described_where_the_data_have_sound_and_no_tables(tmp_path: Path) -> None:
    data = tmp_path / "data"
    for part in ("train", "dev"):
        write_meld(data, part, [("What?", "surprise", 0, 0), ("Great!", "joy", 0, 1), ("Hm.", "neutral", 1, 0)])
        (data / part).mkdir()
        tone(data / part / "dia0_utt0.wav", 0.5, 150)
        (data / part / "dia0_utt1.mp4").write_bytes(b"damaged")
    file = recipe_file(tmp_path, data="meld", extra='textualiser = { modalities = ["T", "A"] }\n')
    words = ["--config", str(file), "--data", str(data), "--run", str(tmp_path / "run")]
    assert main(["prepare", *words]) == 0
    made = tmp_path / "run" / "prepared" / "train"
    assert [table.name for table in made.iterdir()] == ["dia0_utt0.csv"]
    heard, *others = load_clips(load_recipe(file).recipe, context(file, tmp_path / "run", data=data), "train")
    assert (heard.evidence.prosody or {})["loudness"] > 0
    assert [clip.evidence.prosody for clip in others] == [None, None]
    made_ns = (made / "dia0_utt0.csv").stat().st_mtime_ns
    assert run(file, data, tmp_path / "run")
    assert (made / "dia0_utt0.csv").stat().st_mtime_ns == made_ns


def test_the_tables_of_the_data_set_are_not_mixed_with_voices_that_were_described(tmp_path: Path) -> None:
    data = tmp_path / "data"
    write_meld(data, "train", [("What?", "surprise", 0, 0)])
    write_table(data / "train" / VOICES / "dia0_utt1.csv", ["name", "score", "start", "end"], [["Awe", 0.7, 0, 1]])
    tone(data / "train" / "dia0_utt0.wav", 0.5, 150)
    describe_voices(data, "train", tmp_path / "prepared", lambda *_: None)
    assert not (tmp_path / "prepared").exists()
    write_table(tmp_path / "prepared" / "dia0_utt0.csv", ["name", "score", "start", "end"], [["pitch", 0.7, 0, 1]])
    (clip,) = load_meld(data, "train", "text", voices=tmp_path / "prepared")
    assert clip.evidence.prosody is None


def test_a_run_that_is_over_is_scored_again_from_its_checkpoint(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    file = recipe_file(tmp_path, data="drawn")
    first = run(file, None, tmp_path / "run")
    capsys.readouterr()
    for verb in ("fit", "evaluate"):
        assert run(file, None, tmp_path / "run", verb) == first
    assert "epoch" not in capsys.readouterr().out


@pytest.mark.parametrize(
    ("old", "new", "message"),
    [
        ('path = "random"', 'path = "no/such/folder"', "no/such/folder: holds no language model"),
        ('path = "random"', 'path = "random"\nfour_bit = true', "graph = true needs whole weights"),
        ('data = "drawn"', 'data = "meld"', "needs --data"),
        ("max_tokens = 64", "max_tokens = 0", r"max_tokens"),
        ('path = "random"', 'path = "random"\nranks = 8', r"ranks"),
    ],
)
def test_a_mistake_ends_with_one_line(
    old: str, new: str, message: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    file = tmp_path / "mine.toml"
    file.write_text(SMOKE.replace(old, new))
    assert main(["fit", "--config", str(file), "--run", str(tmp_path / "run")]) == 2
    error = capsys.readouterr().err
    assert error.count("\n") == 1
    assert message in error


def test_a_recipe_without_a_language_model_is_refused(tmp_path: Path) -> None:
    file = tmp_path / "mine.toml"
    file.write_text(SMOKE.replace("[language_model]", "[optimiser_of_nothing]"))
    with pytest.raises(ConfigError, match=r"language_model|optimiser_of_nothing"):
        load_recipe(file)


def test_every_rule_of_the_vote_is_scored_over_the_prompts_of_a_video() -> None:
    logits = torch.tensor([[2.0, 0.0, 9.0], [2.0, 0.0, 9.0], [0.0, 8.0, 9.0], [0.0, 1.0, 9.0], [5.0, 0.0, 9.0]])
    prompts = Prompts([""] * 5, torch.tensor([3, 1, 1]), torch.tensor([0, 1, 2]), ["a", "b", "c"])
    scores, votes = scores_of(logits, prompts, drop_last=True)
    # Without the last class: the first video is 0 by majority and 1 by its logits, the third one is left out.
    assert scores["majority_accuracy"] == 1.0
    assert scores["mean_logits_accuracy"] == 0.5
    assert votes.guess.tolist() == [1, 1]
    assert votes.labels.tolist() == [0, 1]


def test_no_single_sign_tells_a_drawn_class() -> None:
    clips = drawn_clips(400, seed=0)
    assert len(DRAWN_CLASSES) == len(class_names(_smoke()))
    for unit in (4, 6, 12, 43):
        shown = {clip.label for clip in clips if (clip.evidence.units or {})[unit] > 0.5}
        assert len(shown) == 2


def _smoke() -> CompoundTextRecipe:
    return msgspec.toml.decode(SMOKE, type=CompoundTextRecipe)
