"""The recipe of compound emotions reads feature files and leaves out what only pads a video."""

from pathlib import Path

import msgspec
import pytest
import torch
from safetensors.torch import save_file

from train.methods.compound_run import CompoundRecipe, FeatureVideos, drawn_sequences, score
from train.methods.run import load_method_recipe, main
from train.models.lfan import LFAN

SMOKE = Path(__file__).parents[3] / "configs" / "train" / "compound_smoke.toml"


def smoke() -> CompoundRecipe:
    recipe = load_method_recipe(SMOKE)
    assert isinstance(recipe, CompoundRecipe)
    return recipe


def drawn(recipe: CompoundRecipe) -> FeatureVideos:
    return drawn_sequences(recipe.inputs, recipe.classes, 30, 12, seed=0)


def write(videos: FeatureVideos, folder: Path) -> None:
    tensors = {**videos.sequences, "lengths": videos.lengths, "labels": videos.labels}
    for part in ("train", "val"):
        save_file({name: value.contiguous() for name, value in tensors.items()}, folder / f"{part}.safetensors")


def recipe_for_features(folder: Path) -> Path:
    text = SMOKE.read_text().replace('data = "drawn"', 'data = "features"').replace("epochs = 8", "epochs = 1")
    file = folder / "mine.toml"
    file.write_text(text)
    return file


def test_feature_files_are_trained_on_and_scored(tmp_path: Path) -> None:
    write(drawn(smoke()), tmp_path)
    file = recipe_for_features(tmp_path)
    assert main(["--config", str(file), "--data", str(tmp_path), "--run", str(tmp_path / "run")]) == 0
    assert (tmp_path / "run" / "report.json").is_file()


def test_features_of_another_width_are_refused_by_one_line(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    videos = drawn(smoke())
    del videos.sequences["bert"]
    write(videos, tmp_path)
    file = recipe_for_features(tmp_path)
    assert main(["--config", str(file), "--data", str(tmp_path), "--run", str(tmp_path / "run")]) == 2
    assert "has no tensor 'bert'" in capsys.readouterr().err


def test_what_lies_behind_the_end_of_a_video_does_not_change_its_scores() -> None:
    recipe = smoke()
    torch.manual_seed(0)
    model = LFAN(recipe.inputs, recipe.channels, classes=recipe.classes, modal_dim=recipe.modal_dim)
    videos = drawn(recipe)
    beyond = ~videos.genuine[:, :, None]
    other = {name: values.masked_fill(beyond, 9.0) for name, values in videos.sequences.items()}
    assert score(model, videos) == score(model, videos._replace(sequences=other))


def test_no_drawn_modality_gives_the_class_away_alone() -> None:
    inputs = {"video": 6, "vggish": 4}
    videos = drawn_sequences(inputs, 6, 400, 20, seed=0)
    marks = {name: values[:, ::2].mean(dim=1).argmax(dim=1) for name, values in videos.sequences.items()}
    own = torch.stack([videos.labels // 2, videos.labels % 2])
    assert (torch.stack(list(marks.values())) == own).double().mean() > 0.95


def test_a_recipe_that_names_no_classes_is_refused() -> None:
    text = "\n".join(line for line in SMOKE.read_text().splitlines() if not line.startswith("classes"))
    with pytest.raises(msgspec.ValidationError, match="classes"):
        msgspec.toml.decode(text, type=CompoundRecipe)
