"""The whole of training on drawn faces: fit, evaluate, export; and what comes out runs in the stream."""

import json
import shutil
import signal
import subprocess
from pathlib import Path

import cv2
import numpy as np
import pytest

from streamaffect import Bundle, analyze_image, load_bundle
from streamaffect.runtime.variants.files import read_graphs
from tests.support.bundles import edit_manifest
from tests.support.gpu.real_tensorrt import assert_tensorrt_takes
from tests.support.training.runs import CONFIGS, ENVIRONMENT, ROOT, command
from train.bundle.source_statistics import read_statistics
from train.cli import main
from train.methods.relational.data.generated import generated_stills

SMOKE = CONFIGS / "relational" / "smoke.toml"


@pytest.mark.slow
def test_the_exported_bundle_tells_a_smile_from_a_frown(bundle: Bundle) -> None:
    stills = generated_stills(60, seed=99)
    estimates = [
        analyze_image(cv2.cvtColor(picture, cv2.COLOR_GRAY2BGR).astype(np.uint8), boxes=[(0, 0, 1, 1)], bundle=bundle)[
            0
        ]
        for picture in stills.pictures
    ]
    values = np.array([estimate.valence for estimate in estimates], float)
    assert np.corrcoef(values, stills.affect[:, 0])[0, 1] > 0.4


@pytest.mark.slow
def test_intervals_and_probabilities_come_out_of_the_exported_bundle(bundle: Bundle) -> None:
    picture = cv2.cvtColor(generated_stills(1, seed=5).pictures[0], cv2.COLOR_GRAY2BGR).astype(np.uint8)
    estimate = analyze_image(picture, boxes=[(0, 0, 1, 1)], bundle=bundle)[0]
    assert estimate.valence is not None
    assert estimate.valence_interval is not None
    assert estimate.valence_interval[0] < estimate.valence < estimate.valence_interval[1]
    assert sum(estimate.outputs["emotions"].values()) == pytest.approx(1, abs=1e-5)


@pytest.mark.slow
def test_the_model_card_names_the_bundle_and_its_figures(bundle: Bundle) -> None:
    card = (bundle.path / "MODEL_CARD.md").read_text()
    assert card.startswith("# smoke@0.1")
    assert "coverage stills: valence" in card


@pytest.mark.slow
def test_statistics_of_what_was_trained_on_lie_beside_the_graphs(bundle: Bundle) -> None:
    found = read_statistics(bundle, "emotions")
    assert found is not None
    assert found.means.shape == (8, bundle.clip_dim)
    assert found.counts[:4].min() > 10
    assert found.counts[5:].max() == 0  # emotions that the drawn faces do not show


@pytest.mark.slow
def test_a_finished_run_is_scored_and_exported_again_without_training(
    finished: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    files = [file for stage in ("frame", "clips") for file in (finished / stage).rglob("*") if file.is_file()]
    before = [file.stat().st_mtime_ns for file in files], (finished / "report.json").read_text()
    assert main(["evaluate", "--config", str(SMOKE), "--run", str(finished)]) == 0
    arguments = ["--config", str(SMOKE), "--run", str(finished), "--export", str(tmp_path / "bundle")]
    assert main(["export", *arguments]) == 0
    assert "epoch" not in capsys.readouterr().out
    assert ([file.stat().st_mtime_ns for file in files], (finished / "report.json").read_text()) == before
    first, again = (load_bundle(folder).manifest for folder in (finished / "bundle", tmp_path / "bundle"))
    assert again.graphs == first.graphs
    assert again.heads == first.heads


@pytest.mark.slow
def test_a_killed_run_continues_as_if_nothing_had_happened(
    finished: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    arguments = ("--config", str(SMOKE), "--run", str(tmp_path / "killed"))
    with subprocess.Popen(
        command("fit", *arguments), cwd=ROOT, env=ENVIRONMENT, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL,
        text=True,
    ) as process:  # fmt: skip
        assert process.stdout is not None
        while not process.stdout.readline().startswith("epoch 2"):
            assert process.poll() is None
        process.send_signal(signal.SIGKILL)
    assert process.returncode == -signal.SIGKILL
    for verb in ("evaluate", "export"):  # of what is not finished
        assert main([verb, *arguments]) == 2
        assert "of 3 epochs are trained; `python -m train fit` with the same recipe" in capsys.readouterr().err
    assert main(["fit", *arguments]) == 0
    for stage in ("frame", "clips"):
        expected = (finished / stage / "metrics.jsonl").read_text()
        assert (tmp_path / "killed" / stage / "metrics.jsonl").read_text() == expected
    assert json.loads((tmp_path / "killed" / "report.json").read_text()) == json.loads(
        (finished / "report.json").read_text()
    )


def test_a_recipe_on_data_needs_a_data_folder(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    arguments = ["--config", str(CONFIGS / "relational" / "default.toml"), "--run", str(tmp_path / "run")]
    for verb in ("fit", "prepare"):
        assert main([verb, *arguments]) == 2
        assert capsys.readouterr().err == (
            "error: default.toml needs --data: the folder that holds ferplus/, lfw_faces/ and videos/, or clips.csv\n"
        )


def test_tensorrt_builds_every_graph(bundle: Bundle) -> None:
    assert_tensorrt_takes(bundle.path)


@pytest.mark.slow
def test_the_exported_bundle_brings_int8_and_quantise_gives_the_same_to_one_that_lacks_it(
    finished: Path, bundle: Bundle, tmp_path: Path
) -> None:
    bare = tmp_path / "bare"
    shutil.copytree(bundle.path, bare)
    (bare / "frame_encoder.int8.onnx").unlink()
    (bare / "probe.npz").unlink()
    edit_manifest(bare, lambda manifest: manifest["graphs"]["frame_encoder"].pop("variants") and manifest.pop("probe"))
    assert load_bundle(bare).manifest.probe is None
    assert main(["quantise", "--bundle", str(bare), "--config", str(SMOKE), "--run", str(tmp_path / "run")]) == 0
    quantised = load_bundle(bare)
    assert quantised.manifest.graphs == bundle.manifest.graphs
    assert quantised.manifest.probe == bundle.manifest.probe
    assert read_graphs(quantised, "int8") == read_graphs(bundle, "int8")
    assert (finished / "bundle" / "probe.npz").read_bytes() == (bare / "probe.npz").read_bytes()


def test_a_bundle_of_other_crops_is_not_quantised_by_this_recipe(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    other = tmp_path / "bundle"
    shutil.copytree(load_bundle().path, other)
    assert main(["quantise", "--bundle", str(other), "--config", str(SMOKE), "--run", str(tmp_path / "run")]) == 2
    assert "takes crops of 64 pixels, this recipe cuts 32" in capsys.readouterr().err


def test_a_method_without_int8_graphs_of_its_own_says_what_makes_them(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    recipe = CONFIGS / "jmt" / "smoke.toml"
    assert main(["quantise", "--bundle", str(tmp_path), "--config", str(recipe), "--run", str(tmp_path / "run")]) == 2
    assert "the method jmt makes no int8 graphs; `engines build` can" in capsys.readouterr().err
