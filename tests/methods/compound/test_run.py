"""The recipe of compound emotions reads feature files and leaves out what only pads a video."""

import shutil
from pathlib import Path

import msgspec
import pytest
import torch
from safetensors.torch import load_file, save_file

from streamaffect.runtime.bundle import load_bundle
from streamaffect.runtime.manifest import FRAME_ENCODER
from streamaffect.sources.demo import DEMO_CLIP
from tests.support.bundles import DIM, write_bundle
from train.cli import main
from train.data.sets.c_expr import CLASSES
from train.methods.compound.data.videos import FeatureVideos, drawn_sequences
from train.methods.compound.model import LFAN
from train.methods.compound.recipe import CompoundRecipe
from train.methods.compound.run import score
from train.methods.registry import load_recipe

PRESETS = Path(__file__).parents[3] / "configs" / "train"
SMOKE = PRESETS / "compound/smoke.toml"


def smoke() -> CompoundRecipe:
    recipe = load_recipe(SMOKE).recipe
    assert isinstance(recipe, CompoundRecipe)
    return recipe


def drawn(recipe: CompoundRecipe) -> FeatureVideos:
    return drawn_sequences(recipe.inputs, recipe.classes, 30, 12, seed=0)


def write(videos: FeatureVideos, folder: Path) -> None:
    tensors = {**videos.sequences, "lengths": videos.lengths, "labels": videos.labels}
    for part in ("train", "val"):
        save_file({name: value.contiguous() for name, value in tensors.items()}, folder / f"{part}.safetensors")


def write_folds(folder: Path) -> Path:
    """The demo clip as a video of C-EXPR-DB of which two stretches are listed, and one of the class Other."""
    (folder / "annotation").mkdir(parents=True)
    names = [*CLASSES, "Other"]
    (folder / "class_id.yaml").write_text("".join(f"{name}: {number}\n" for number, name in enumerate(names)))
    listed = [
        ("Happily-Surprised/01_Happily-Surprised_0", 1),
        ("Sadly-Angry/01_Sadly-Angry_0", 6),
        ("Other/01_Other_0", 7),
    ]
    for part in ("train", "val"):
        (folder / f"{part}.txt").write_text("".join(f"{path},{label},words\n" for path, label in listed))
    header = ",".join(["Begin Time - hh:mm:ss.ms", "End Time - hh:mm:ss.ms", *names])
    rows = [
        "00:00:00.300,00:00:01.301,,1,,,,,,",
        "00:00:01.500,00:00:02.001,,,,,,,1,",
        "00:00:02.000,00:00:03.000,,,,,,,,1",
    ]
    (folder / "annotation" / "01.csv").write_text("\n".join([header, *rows]))
    shutil.copy(DEMO_CLIP, folder / "01.mp4")
    return folder


def recipe_for_features(folder: Path) -> Path:
    text = SMOKE.read_text().replace('data = "drawn"', 'data = "features"').replace("epochs = 8", "epochs = 1")
    file = folder / "mine.toml"
    file.write_text(text)
    return file


def test_feature_files_are_trained_on_and_scored(tmp_path: Path) -> None:
    write(drawn(smoke()), tmp_path)
    file = recipe_for_features(tmp_path)
    assert main(["fit", "--config", str(file), "--data", str(tmp_path), "--run", str(tmp_path / "run")]) == 0
    assert (tmp_path / "run" / "report.json").is_file()


def test_features_of_another_width_are_refused_by_one_line(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    videos = drawn(smoke())
    del videos.sequences["bert"]
    write(videos, tmp_path)
    file = recipe_for_features(tmp_path)
    assert main(["fit", "--config", str(file), "--data", str(tmp_path), "--run", str(tmp_path / "run")]) == 2
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


def test_lists_and_videos_become_features_of_the_face_and_a_bundle_of_its_own(tmp_path: Path) -> None:
    write_bundle(tmp_path / "colours")
    data = write_folds(tmp_path / "data")
    text = (PRESETS / "compound/cexpr_faces.toml").read_text()
    for old, new in (
        ('"engines/default"', f'"{tmp_path / "colours"}"'),
        ("video = 160", f"video = {DIM}"),
        ("[128, 128, 64, 64]", "[8]"),
        ("epochs = 60", "epochs = 1"),
        ("period_s = 0.04", "period_s = 0.1"),
    ):
        assert old in text
        text = text.replace(old, new)
    (tmp_path / "mine.toml").write_text(text)
    run = tmp_path / "run"
    words = ["--config", str(tmp_path / "mine.toml"), "--data", str(data), "--run", str(run)]
    assert main(["prepare", *words]) == 0
    (data / "01.mp4").unlink()  # it is not looked at again
    assert main(["fit", *words]) == 0
    prepared = load_file(run / "prepared" / "train.safetensors")
    assert prepared["labels"].tolist() == [1, 6]
    assert prepared["lengths"].tolist() == [11, 6]
    assert prepared["video"].shape == (2, 11, DIM)
    assert prepared["video"][0].std(dim=0).max() > 0
    assert prepared["video"][1, 6:].abs().max() == 0
    theirs, ours = (load_bundle(folder).manifest for folder in (tmp_path / "colours", run / "bundle"))
    assert ours.graphs[FRAME_ENCODER].sha256 == theirs.graphs[FRAME_ENCODER].sha256
    assert ours.crop == theirs.crop


@pytest.mark.parametrize(("verb", "message"), [("prepare", "needs no preparation; use `fit`"), ("fit", "needs --data")])
def test_features_need_a_folder_and_no_preparation(
    verb: str, message: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main([verb, "--config", str(recipe_for_features(tmp_path)), "--run", str(tmp_path / "run")]) == 2
    assert message in capsys.readouterr().err


def test_lists_without_an_encoder_are_refused() -> None:
    text = SMOKE.read_text().replace('data = "drawn"', 'data = "folds"')
    with pytest.raises(msgspec.ValidationError, match="folds, which needs encoder and one modality; found 3"):
        msgspec.toml.decode(text, type=CompoundRecipe)


def test_a_recipe_needs_a_name_for_every_class() -> None:
    with pytest.raises(msgspec.ValidationError, match="classes is 5, but emotions has 7 names"):
        msgspec.toml.decode(SMOKE.read_text().replace("classes = 7", "classes = 5"), type=CompoundRecipe)


def test_a_recipe_that_names_no_classes_is_refused() -> None:
    text = "\n".join(line for line in SMOKE.read_text().splitlines() if not line.startswith("classes"))
    with pytest.raises(msgspec.ValidationError, match="classes"):
        msgspec.toml.decode(text, type=CompoundRecipe)
