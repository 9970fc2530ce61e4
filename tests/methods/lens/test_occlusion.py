"""A map of drawn faces: hidden bit by bit, learned, written, and seen through the stream. And its figures by hand."""

import json
from pathlib import Path

import numpy as np
import pytest

from streamaffect import analyze_image, load_bundle
from streamaffect.affect.occlusion import Occluder, top_cells
from streamaffect.lenses.loading import check_fit, read_lens
from streamaffect.runtime.onnxruntime import OnnxRuntimeEngine
from streamaffect.text.regions import CELLS
from tests.support.faces import demo_frames
from tests.support.training.other_device import other_device
from train.cli import main
from train.methods.lens.occlusion.data import OccludedFaces
from train.methods.lens.occlusion.scores import correlations, map_figures
from train.models.occluded import occluded

ROOT = Path(__file__).parents[3]


@pytest.fixture(scope="module")
def run(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("map")
    recipe = ROOT / "configs" / "train" / "lens" / "map_smoke.toml"
    with other_device():
        assert main(["fit", "--config", str(recipe), "--run", str(folder)]) == 0
    return folder


def test_the_map_of_drawn_faces_follows_real_occlusion_of_others(run: Path) -> None:
    stills = json.loads((run / "report.json").read_text())["metrics"]["stills"]
    assert stills["r"] > 0.5
    assert stills["drop"]["distilled"] > 0.5 * stills["drop"]["real"]


def test_the_lens_belongs_to_the_shipped_encoder_and_says_64_cells(run: Path) -> None:
    lens = read_lens(run / "bundle")
    check_fit(lens, load_bundle())
    assert lens.manifest.kind == "map"
    word = f"drawn={run / 'bundle'}"
    (face,) = analyze_image(demo_frames(1)[0], engine="onnxruntime", lenses=[word])
    assert tuple(face.outputs["drawn"]) == CELLS
    assert all(0 <= value <= 1 for value in face.outputs["drawn"].values())


def test_what_was_hidden_before_is_read_and_what_is_new_is_done(tmp_path: Path) -> None:
    crops = np.random.default_rng(2).integers(0, 256, (3, 64, 64, 3), np.uint8)
    heard: list[int] = []
    first = occluded(crops, tmp_path, bundle="", on_done=heard.append)
    (file,) = tmp_path.iterdir()
    written = file.stat().st_mtime_ns
    again = occluded(crops, tmp_path, bundle="", on_done=heard.append)
    assert heard == [0, 3, 3]
    assert file.stat().st_mtime_ns == written
    np.testing.assert_array_equal(first.drop, again.drop)
    occluded(crops[:2], tmp_path, bundle="", on_done=heard.append)
    assert len(list(tmp_path.iterdir())) == 2
    bundle = load_bundle()
    look = Occluder(bundle, OnnxRuntimeEngine(bundle)).look(crops[1])
    np.testing.assert_array_equal(first.drop[1], look.drop)
    np.testing.assert_array_equal(first.probabilities[1], look.probabilities)


def test_figures_are_what_one_would_work_out(tmp_path: Path) -> None:
    crops = np.random.default_rng(4).integers(0, 256, (2, 64, 64, 3), np.uint8)
    found = occluded(crops, tmp_path, bundle="", on_done=lambda _: None)
    faces = OccludedFaces(
        crops, np.zeros((2, 1), np.float32), np.zeros((2, 1, 8, 8), np.float16), found.probabilities, found.drop
    )
    bundle = load_bundle()
    occluder, usual = Occluder(bundle, OnnxRuntimeEngine(bundle)), found.drop.mean(axis=0)
    figures = map_figures(found.drop, usual, faces, occluder, lambda _: None)
    expected = np.mean(
        [occluder.drops(crop, [top_cells(drop)])[0] for crop, drop in zip(crops, found.drop, strict=True)]
    )
    assert figures["r"] == 1
    drop = figures["drop"]
    assert isinstance(drop, dict)
    assert (drop["distilled"], drop["real"]) == pytest.approx((expected, expected), abs=1e-4)


def test_correlation_is_pearsons_and_a_flat_map_has_none() -> None:
    generator = np.random.default_rng(0)
    a, b = (generator.normal(size=(3, 8, 8)).astype(np.float32) for _ in range(2))
    found = correlations(a, b)
    for row in range(3):
        assert found[row] == pytest.approx(np.corrcoef(a[row].ravel(), b[row].ravel())[0, 1], abs=1e-5)
    assert correlations(np.ones((1, 8, 8), np.float32), b[:1])[0] == 0
