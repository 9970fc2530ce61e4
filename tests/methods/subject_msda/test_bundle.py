"""Subject-based adaptation ends in a bundle, from drawn features and from pictures in the published lists."""

import json
from pathlib import Path

import cv2
import numpy as np
import pytest
import torch

from engines.cli import main as engines_main
from streamaffect import Bundle, analyze, analyze_image, load_bundle
from streamaffect.runtime.onnxruntime import OnnxRuntimeEngine
from streamaffect.sources.demo import DEMO_CLIP
from streamaffect.types import ImageArray
from tests.support.gpu.real_tensorrt import assert_tensorrt_takes
from train.cli import main
from train.data.sets.subject_list import load_subject_list
from train.methods.registry import load_recipe
from train.methods.relational.data.generated import generated_stills
from train.methods.subject_msda.bundle import HEAD, clip_classes, export_head
from train.methods.subject_msda.data import picture_features
from train.methods.subject_msda.model import AdaptedHead

SMOKE = Path(__file__).parents[3] / "configs" / "train" / "subject_msda" / "smoke.toml"
PICTURES = 'data = "pictures"\nclass_names = ["low", "high"]'
PEOPLE = ("anna", "bert", "cleo")


@pytest.fixture(scope="module")
def drawn(finished: Path) -> Bundle:
    """The smoke recipe's bundle."""
    return load_bundle(finished / "bundle")


def write_tree(root: Path) -> Path:
    """Drawn faces of two source people and a target, as the published lists name them: frowning is 0, smiling is 1."""
    for number, person in enumerate(PEOPLE):
        stills = generated_stills(40, seed=number)
        lines = []
        for row, picture in enumerate(stills.pictures):
            label = int(stills.affect[row, 0] > 0)
            file = root / "sub_img_red_classes" / person / str(label) / f"{row}.jpg"
            file.parent.mkdir(parents=True, exist_ok=True)
            cv2.imwrite(str(file), picture)
            lines.append(f"{file.relative_to(root)} {label}")
        with (root / ("target.txt" if person == PEOPLE[-1] else "sources.txt")).open("a") as listing:
            listing.write("\n".join(lines) + "\n")
    return root


def recipe_for_pictures(folder: Path, *, classes: int = 2) -> Path:
    text = SMOKE.read_text().replace('data = "drawn"', PICTURES).replace("classes = 4", f"classes = {classes}")
    file = folder / "pictures.toml"
    file.write_text(text.replace("threshold = 0.8", "threshold = 0.5"))
    return file


def as_a_crop(picture: ImageArray) -> ImageArray:
    return np.asarray(cv2.cvtColor(picture, cv2.COLOR_GRAY2BGR), np.uint8)


def test_the_stream_runs_the_bundle(drawn: Bundle) -> None:
    estimates = [one for one in analyze(DEMO_CLIP, bundle=drawn, run={"max_seconds": 1.0}) if one.outputs]
    assert len(estimates) > 5
    for one in estimates:
        assert sum(one.outputs[HEAD].values()) == pytest.approx(1, abs=1e-5)
    assert estimates[-1].model == "subject_msda_smoke@0.1"
    assert set(estimates[-1].outputs[HEAD]) == {"class 0", "class 1", "class 2", "class 3"}


def test_encoders_are_the_bases_and_the_figures_are_in_the_manifest(drawn: Bundle) -> None:
    base = load_bundle().manifest
    for role in ("frame_encoder", "clip_encoder"):
        assert drawn.manifest.graphs[role].sha256 == base.graphs[role].sha256
    assert drawn.manifest.metrics["target_accuracy"] == pytest.approx(1, abs=0.1)


def test_the_engine_tool_reads_it(drawn: Bundle, capsys: pytest.CaptureFixture[str]) -> None:
    assert engines_main(["inspect", str(drawn.path)]) == 0
    assert drawn.manifest.label in capsys.readouterr().out


def test_pictures_in_the_published_lists_train_and_become_a_bundle(tmp_path: Path) -> None:
    data = write_tree(tmp_path / "data")
    words = ["fit", "--config", str(recipe_for_pictures(tmp_path)), "--run", str(tmp_path / "run"), "--data", str(data)]
    assert main(words) == 0
    report = json.loads((tmp_path / "run" / "report.json").read_text())
    assert report["target_accuracy"] > 0.7
    made = load_bundle(tmp_path / "run" / "bundle")
    right = 0
    stills = generated_stills(20, seed=77)
    for picture, affect in zip(stills.pictures, stills.affect, strict=True):
        (estimate,) = analyze_image(as_a_crop(picture), boxes=[(0, 0, 1, 1)], bundle=made)
        shares = estimate.outputs[HEAD]
        right += (shares["high"] > shares["low"]) == (affect[0] > 0)
    assert right > 12


def test_a_target_that_the_archive_does_not_have_is_named(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    for part, name in (("Images", "a0.png"), ("Frame_Labels/PSPI", "a0_facs.txt")):
        file = tmp_path / part / "042-ll042" / "a" / name
        file.parent.mkdir(parents=True)
        file.write_text("0")
    recipe = SMOKE.with_name("unbc.toml")
    other = tmp_path / "mine.toml"
    other.write_text(recipe.read_text().replace("042-ll042", "nobody"))
    assert main(["fit", "--config", str(other), "--data", str(tmp_path), "--run", str(tmp_path / "run")]) == 2
    assert "has no subject 'nobody'" in capsys.readouterr().err


def test_the_head_in_the_bundle_reads_the_clip_alone(tmp_path: Path) -> None:
    recipe, base = load_recipe(recipe_for_pictures(tmp_path)).recipe, load_bundle()
    torch.manual_seed(0)
    model, clips = AdaptedHead(base.clip_dim, 8, 2), torch.randn(4, base.clip_dim)
    head = clip_classes(model, recipe, base)
    assert head is not None
    export_head(head, recipe, base, {}, tmp_path / "bundle")
    engine, valid = OnnxRuntimeEngine(load_bundle(tmp_path / "bundle")), np.ones((4, 1), bool)
    found = engine.run_heads(clips.numpy(), clips.unsqueeze(1).numpy(), valid)[HEAD]
    with torch.no_grad():
        expected = model(clips)[1].softmax(dim=1)
    np.testing.assert_allclose(found, expected.numpy(), atol=1e-5)


def test_features_are_what_the_stream_makes_of_the_picture(tmp_path: Path) -> None:
    data, base = write_tree(tmp_path), load_bundle()
    pictures = load_subject_list(data, "target")[:3]
    engine = OnnxRuntimeEngine(base)
    for mirrored in (False, True):
        found = picture_features(pictures, base, mirrored=mirrored)
        for row, picture in enumerate(pictures):
            image = np.asarray(cv2.imread(str(picture.path), cv2.IMREAD_COLOR), np.uint8)
            side = base.manifest.crop.size
            crop = cv2.resize(image, (side, side), interpolation=cv2.INTER_LINEAR)[:, :, ::-1]
            seen = np.asarray(crop[:, ::-1] if mirrored else crop, np.uint8)
            feature = engine.encode_frames(np.ascontiguousarray(seen)[None])
            clip = engine.encode_clips(np.repeat(feature[:, None], base.manifest.clip.frames, axis=1))
            alike = np.corrcoef(found[row].numpy(), clip[0])[
                0, 1
            ]  # the crop samples the border otherwise than a resize
            assert alike > 0.98


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (("classes = 2", "classes = 3"), "class_names has 2 names, classes is 3"),
        (('class_names = ["low", "high"]', 'base = "docs"'), "there is no manifest.json"),
        (("1\n", "5\n"), "the sources have labels up to 5, the recipe has 2 classes"),
        (("bert", "anna"), "the sources show 1 person, needs at least 2"),
    ],
)
def test_a_mistake_ends_with_one_line(
    change: tuple[str, str], message: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    data, recipe = write_tree(tmp_path / "data"), recipe_for_pictures(tmp_path)
    recipe.write_text(recipe.read_text().replace(*change))
    listing = data / "sources.txt"
    if "person" in message:
        listing.write_text("\n".join(line for line in listing.read_text().splitlines() if "/anna/" in line))
    if "labels" in message:
        listing.write_text(listing.read_text().replace(" 1\n", " 5\n"))
    words = ["fit", "--config", str(recipe), "--run", str(tmp_path / "run"), "--data", str(data)]
    assert main(words) == 2
    assert message in capsys.readouterr().err


def test_tensorrt_builds_every_graph(drawn: Bundle) -> None:
    assert_tensorrt_takes(drawn.path)
