"""The whole of training on drawn faces: fit, evaluate, export; and what comes out runs in the stream."""

import os
import signal
import subprocess
import sys
from pathlib import Path

import cv2
import numpy as np
import pytest

from streamaffect import Bundle, analyze_image, load_bundle
from train.bundle.source_statistics import read_statistics
from train.methods.relational.data.generated import generated_stills

ROOT = Path(__file__).parents[3]
SMOKE = ROOT / "configs" / "train" / "relational" / "smoke.toml"
ENVIRONMENT = {**os.environ, "OMP_NUM_THREADS": "1"}


def command(*arguments: object) -> list[str]:
    return [sys.executable, "-m", "train", *map(str, arguments)]


@pytest.fixture(scope="module")
def run_folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A finished run, made once for this file."""
    folder = tmp_path_factory.mktemp("smoke")
    done = subprocess.run(
        command("fit", "--config", SMOKE, "--run", folder), cwd=ROOT, env=ENVIRONMENT, capture_output=True, text=True,
        check=False,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    return folder


@pytest.fixture(scope="module")
def bundle(run_folder: Path) -> Bundle:
    return load_bundle(run_folder / "bundle")


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
def test_a_killed_run_continues_as_if_nothing_had_happened(run_folder: Path, tmp_path: Path) -> None:
    arguments = ("fit", "--config", SMOKE, "--run", tmp_path / "killed")
    with subprocess.Popen(
        command(*arguments), cwd=ROOT, env=ENVIRONMENT, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True
    ) as process:
        assert process.stdout is not None
        while not process.stdout.readline().startswith("epoch 2"):
            assert process.poll() is None
        process.send_signal(signal.SIGKILL)
    assert process.returncode == -signal.SIGKILL
    subprocess.run(command(*arguments), cwd=ROOT, env=ENVIRONMENT, capture_output=True, check=True)
    for stage in ("frame", "clips"):
        expected = (run_folder / stage / "metrics.jsonl").read_text()
        assert (tmp_path / "killed" / stage / "metrics.jsonl").read_text() == expected


def test_help_does_not_load_torch() -> None:
    check = (
        "import sys, train.cli\n"
        "try: train.cli.main(['fit', '--help'])\n"
        "except SystemExit: pass\n"
        "sys.exit(3 if {'torch', 'cv2', 'numpy'} & set(sys.modules) else 0)"
    )
    done = subprocess.run([sys.executable, "-c", check], cwd=ROOT, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    assert "--config" in done.stdout


def test_a_missing_recipe_is_one_line_and_exit_code_two(tmp_path: Path) -> None:
    done = subprocess.run(
        command("fit", "--config", tmp_path / "none.toml"), cwd=ROOT, capture_output=True, text=True, check=False
    )
    assert done.returncode == 2
    assert done.stderr.startswith("error: ")
    assert done.stderr.count("\n") == 1


def test_exporting_before_training_says_what_to_do(tmp_path: Path) -> None:
    done = subprocess.run(
        command("export", "--config", SMOKE, "--run", tmp_path), cwd=ROOT, capture_output=True, text=True, check=False
    )
    assert done.returncode == 2
    assert "run `python -m train evaluate` first" in done.stderr
    assert not (tmp_path / "bundle").exists()


def test_a_recipe_on_data_needs_a_data_folder(tmp_path: Path) -> None:
    recipe = ROOT / "configs" / "train" / "relational" / "default.toml"
    arguments = command("fit", "--config", recipe, "--run", tmp_path / "run")
    done = subprocess.run(arguments, cwd=ROOT, capture_output=True, text=True, check=False)
    assert done.returncode == 2
    assert "--data must name the folder" in done.stderr
    assert "Traceback" not in done.stderr
