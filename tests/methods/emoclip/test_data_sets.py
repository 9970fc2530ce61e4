"""From the folder of a data set and a CLIP to a bundle and to scores on another data set, each with one command."""

import json
from pathlib import Path

import cv2
import numpy as np
import pytest

from streamaffect.runtime.bundle import load_bundle
from tests.support.faces import demo_frames
from tests.support.videos import write_frames
from train.cli import main

RECIPE = """
method = "emoclip"
name = "mine"
seed = 1
data = "{data}"
clip = "{clip}"
dim = 8
prompts = "prompts.toml"
stride = 2
window = 3
depth = 1
heads = 2
head_dim = 4
mlp_dim = 8
{more}
[optimiser]
epochs = 1
batch = 4
lr = 0.001
"""
CLASSES = (
    "anger", "disgust", "fear", "happiness", "neutral", "sadness", "surprise", "contempt", "anxiety", "helplessness",
    "disappointment",
)  # fmt: skip
PROMPTS = "".join(f'{name} = "a face that shows {name}"\n' for name in CLASSES)


def write_recipe(folder: Path, data: str, clip: Path | str, more: str = "", *, prompts: str = PROMPTS) -> Path:
    recipe = folder / f"{data}.toml"
    recipe.write_text(RECIPE.format(data=data, clip=clip, more=more))
    (folder / "prompts.toml").write_text(prompts)
    return recipe


def words(verb: str, recipe: Path, data: Path, run: Path) -> list[str]:
    return [verb, "--config", str(recipe), "--data", str(data), "--run", str(run)]


def write_mafw(root: Path) -> None:
    """Seven videos in the official layout; the last one of each list has no frames."""
    random = np.random.default_rng(1)
    rows = {"train": ["anger", "fear", "neutral", "sadness"], "test": ["fear", "anger", "surprise"]}
    for split, emotions in rows.items():
        file = root / "Train_Test_Set" / "single" / "with_caption_new" / "set_1" / f"{split}.txt"
        file.parent.mkdir(parents=True, exist_ok=True)
        lines = [f"{split}{number}.mp4\t{emotion}\t面\ta calm face" for number, emotion in enumerate(emotions)]
        file.write_text("\n".join(lines) + "\n", encoding="gbk")
        for number in range(len(emotions) - 1):
            folder = root / "data" / "faces" / f"{split}{number}"
            folder.mkdir(parents=True)
            for frame in range(4 + 2 * (split == "test")):
                cv2.imwrite(str(folder / f"{frame:04d}.png"), random.integers(0, 256, (20, 24, 3), dtype=np.uint8))


def test_mafws_folder_and_a_clip_become_a_bundle_and_scores_on_dfew(
    clip_folder: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    data, run = tmp_path / "data", tmp_path / "run"
    write_mafw(data)
    assert main(words("fit", write_recipe(tmp_path, "mafw", clip_folder, "views = 1"), data, run)) == 0
    told = capsys.readouterr().out
    assert "1 of 4 videos are left out" in told
    assert "1 of 3 videos are left out" in told
    assert [output.name for output in load_bundle(run / "bundle").manifest.heads[0].outputs] == list(CLASSES)
    own = json.loads((run / "report.json").read_text())

    (data / "DFEW_set_1_train.txt").write_text("test0 3 0\n")
    (data / "DFEW_set_1_test.txt").write_text("test0 3 0\ntest1 3 6\n")
    (data / "data" / "faces").rename(data / "DFEW_Frame_Face")
    assert main(words("evaluate", write_recipe(tmp_path, "dfew", clip_folder), data, run)) == 0
    assert '"baseline_war"' in capsys.readouterr().out
    assert json.loads((run / "report-dfew.json").read_text()).keys() == own.keys()
    assert json.loads((run / "report.json").read_text()) == own

    wider = write_recipe(tmp_path, "dfew", clip_folder)
    wider.write_text(wider.read_text().replace("mlp_dim = 8", "mlp_dim = 16"))
    for folder, message in ((tmp_path, "--run takes the folder of a finished run"), (run, "another shape")):
        assert main(words("evaluate", wider, data, folder)) == 2
        assert message in capsys.readouterr().err


def test_video_files_are_cut_by_the_streams_own_detector(clip_folder: Path, tmp_path: Path) -> None:
    (tmp_path / "clips").mkdir()
    write_frames(tmp_path / "clips" / "demo.mp4", demo_frames(20))
    rows = "path,split,label,caption\nclips/demo.mp4,train,anger_fear,a calm face\nclips/demo.mp4,test,joy,\n"
    (tmp_path / "described.csv").write_text(rows)
    recipe = write_recipe(tmp_path, "table", clip_folder, "longest = 5", prompts=PROMPTS + 'joy = "a smile"\n')
    assert main(words("fit", recipe, tmp_path, tmp_path / "run")) == 0
    manifest = load_bundle(tmp_path / "run" / "bundle").manifest
    assert [output.name for output in manifest.heads[0].outputs] == ["anger_fear", "joy"]


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (('clip = "CLIP"', 'clip = "no/such-clip"'), "holds no CLIP model"),
        (('clip = "CLIP"', ""), "`clip` must name the CLIP model"),
        (("dim = 8", "dim = 9"), "set it so"),
        (("seed = 1", 'seed = 1\nleave_out = "joy"'), "has no class 'joy'"),
        (('prompts = "prompts.toml"', ""), "no sentence for anger"),
        (("fold = 1", "fold = 2"), "cannot be read"),
        (("fold = 1", "fold = 9"), "<= 5"),
    ],
)
def test_a_recipe_that_does_not_fit_ends_with_one_line(
    clip_folder: Path, tmp_path: Path, change: tuple[str, str], message: str, capsys: pytest.CaptureFixture[str]
) -> None:
    write_mafw(tmp_path)
    recipe = write_recipe(tmp_path, "mafw", "CLIP", "fold = 1")
    recipe.write_text(recipe.read_text().replace(*change).replace('"CLIP"', f'"{clip_folder}"'))
    assert main(words("fit", recipe, tmp_path, tmp_path / "run")) == 2
    error = capsys.readouterr().err
    assert error.count("\n") == 1
    assert message in error
