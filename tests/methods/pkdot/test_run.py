"""Runs of PKDOT, on drawn and given features and from the folders of its data sets."""

from pathlib import Path

import cv2
import numpy as np
import pytest
import torch
from rich.console import Console
from safetensors.torch import save_file

from benchmarks.measures.training_run import training_context
from streamaffect.runtime.bundle import load_bundle
from tests.support.training.audio_visual import (
    CONFIGS,
    SHORT,
    Finished,
    biovid,
    changed,
    check_evaluate,
    own_clips,
    run,
)
from train.cli import main
from train.config import OptimiserConfig
from train.data.backbone import open_backbone
from train.loop.progress import Progress
from train.methods.pkdot.data import PairedFeatures, ferplus_pairs
from train.methods.pkdot.recipe import PkdotRecipe
from train.methods.pkdot.run import train_students

SMOKE = CONFIGS / "pkdot" / "smoke.toml"


def test_the_structure_loss_brings_the_student_nearer_to_the_teachers_structure(finished: Finished) -> None:
    assert finished.report["teacher_ccc_valence"] > 0.9
    assert finished.report["student_ccc_valence"] > 0.4
    assert (
        finished.report["student_structure_distance"]
        < 0.8 * finished.report["student_without_structure_structure_distance"]
    )


def test_a_finished_run_is_scored_and_exported_again_without_training(finished: Finished, tmp_path: Path) -> None:
    check_evaluate(finished, SMOKE)
    assert run("export", SMOKE, finished.folder, "--export", str(tmp_path / "bundle")) == finished.report
    assert load_bundle(tmp_path / "bundle").manifest.graphs == finished.bundle.manifest.graphs


def test_features_of_ones_own_backbone_are_read(tmp_path: Path) -> None:
    pairs = {"visual": torch.randn(60, 8), "privileged": torch.randn(60, 8), "labels": torch.arange(60) % 3}
    for part in ("train", "val"):
        save_file(pairs, tmp_path / f"{part}.safetensors")
    features = {
        'data = "drawn"': 'data = "features"',
        'bundle = "default"\n': "",
        'task = "affect"': 'task = "classes"\nclasses = 3',
    }
    recipe = changed("pkdot/smoke.toml", tmp_path, SHORT | features)
    report = run("fit", recipe, tmp_path / "run", "--data", str(tmp_path))
    assert all(0 <= value <= 60 for value in report.values())
    assert not (tmp_path / "run" / "bundle").exists()


def ferplus(root: Path, count: int = 16) -> Path:
    """A tiny FER+: dark faces are happy, light ones sad; the last picture of each part has no landmarks."""
    random = np.random.default_rng(0)
    happy = np.arange(count) % 2 == 0
    shades = np.where(happy, 40, 200)[:, None, None]
    pictures = (shades + random.integers(0, 40, (count, 48, 48))).astype(np.uint8)
    webp = [cv2.imencode(".webp", picture, [cv2.IMWRITE_WEBP_QUALITY, 101])[1].ravel() for picture in pictures]
    votes = np.zeros((count, 10), np.int64)
    votes[np.arange(count), np.where(happy, 1, 3)] = 10
    split = (np.arange(count) >= count // 2).astype(np.int64)
    folder = root / "ferplus"
    folder.mkdir(parents=True)
    ends = np.cumsum([0, *(len(one) for one in webp)])
    np.savez(folder / "ferplus_train_valid.npz", webp=np.concatenate(webp), offsets=ends, votes=votes, split=split)
    np.savez(
        folder / "ferplus_train_valid_teacher.npz",
        teacher_va=np.zeros((count, 2), np.float32),
        teacher_probs=np.full((count, 8), 1 / 8, np.float32),
        blendshapes=random.random((count, 52)).astype(np.float32),
        face_found=np.arange(count) % (count // 2) != count // 2 - 1,
    )
    return root


def test_ferplus_is_read_as_clips_of_equal_frames_beside_their_blendshapes(tmp_path: Path) -> None:
    backbone = open_backbone("default")
    train, valid = ferplus_pairs(ferplus(tmp_path), backbone)
    assert train.visual.shape == (7, backbone.dim)
    assert train.privileged.shape == (7, 52)
    assert set(train.labels.tolist()) == set(valid.labels.tolist()) == {1, 3}
    torch.testing.assert_close(train.privileged.mean(dim=0), torch.zeros(52), atol=1e-5, rtol=0)
    few, _ = ferplus_pairs(tmp_path, backbone, limit=3)
    assert torch.equal(few.visual, train.visual[:3])


def test_its_recipe_is_trained_and_gives_a_bundle(tmp_path: Path) -> None:
    recipe = changed("pkdot/ferplus.toml", tmp_path, {"epochs = 8": "epochs = 1", "batch = 128": "batch = 4"})
    report = run("fit", recipe, tmp_path / "run", "--data", str(ferplus(tmp_path / "data")))
    assert 0 <= report["student_accuracy"] <= 1
    (head,) = load_bundle(tmp_path / "run" / "bundle").manifest.heads
    assert [output.name for output in head.outputs][:2] == ["neutral", "happiness"]


def test_a_student_that_is_taught_by_answers_alone_answers_as_its_teacher(tmp_path: Path) -> None:
    """Its labels say nothing, and its teacher's answers do."""
    random = torch.Generator().manual_seed(0)
    visual = torch.randn(200, 6, generator=random)
    labels = (visual[:, 0] > 0).long()
    recipe = PkdotRecipe(
        name="x", seed=0, data="drawn", optimiser=OptimiserConfig(epochs=30, batch=50, lr=0.01, ema=0.0),
        dim=8, answers=20.0,
    )  # fmt: skip
    pairs = PairedFeatures(visual, visual, labels)
    context = training_context(tmp_path, Progress(Console(quiet=True)), seed=0)
    trained = train_students(recipe, pairs, pairs, context, {"taught": (0.0, 20.0), "alone": (0.0, 0.0)})
    with torch.no_grad():
        answers = trained["teacher"][0](visual, visual)[0]
        distance = {
            name: float((trained[name][0](visual)[0].log_softmax(dim=1) - answers.log_softmax(dim=1)).abs().mean())
            for name in ("taught", "alone")
        }
    assert distance["taught"] < 0.8 * distance["alone"]


@pytest.mark.slow
def test_it_is_trained_from_biovids_folders(tmp_path: Path) -> None:
    recipe = changed("pkdot/biovid.toml", tmp_path, SHORT)
    report = run("fit", recipe, tmp_path / "run", "--data", str(biovid(tmp_path / "data")))
    assert {"teacher_accuracy", "student_accuracy", "student_without_structure_accuracy"} <= set(report)
    (head,) = load_bundle(tmp_path / "run" / "bundle").manifest.heads
    assert [output.name for output in head.outputs] == ["no_pain", "pain"]


@pytest.mark.slow
def test_it_is_trained_from_ones_own_clips_with_their_sound(tmp_path: Path) -> None:
    recipe = changed("pkdot/clips.toml", tmp_path, SHORT)
    report = run("fit", recipe, tmp_path / "run", "--data", str(own_clips(tmp_path / "data")))
    assert -1 <= report["student_ccc_valence"] <= 1
    assert load_bundle(tmp_path / "run" / "bundle").manifest.label.startswith("pkdot")


@pytest.mark.parametrize(
    ("recipe", "changes", "message"),
    [
        ("pkdot/biovid.toml", {'task = "classes"': 'task = "affect"'}, "has labels for the task 'classes'"),
        ("pkdot/clips.toml", {}, "needs --data: the folder"),
        ("pkdot/ferplus.toml", {'bundle = "default"': 'bundle = ""'}, 'data = "ferplus" needs `bundle`'),
    ],
)
def test_a_recipe_with_another_task_or_without_its_data_says_so(
    recipe: str, changes: dict[str, str], message: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    path = changed(recipe, tmp_path, changes)
    assert main(["fit", "--config", str(path), "--run", str(tmp_path / "run")]) == 2
    error = capsys.readouterr().err
    assert error.count("\n") == 1
    assert message in error
