"""The guidance on the shipped encoder, of drawn faces: it moves class activation to the action units, as a lens."""

import json
from pathlib import Path

import numpy as np
import pytest
import torch

from streamaffect import analyze_image, load_bundle
from streamaffect.lenses.loading import check_fit, read_lens
from tests.support.faces import demo_frames
from tests.support.training.other_device import other_device
from train.cli import main
from train.data.drawn_faces import EXPRESSIONS
from train.data.stills import EMOTIONS
from train.errors import DataError
from train.methods.au_guided.aligned.model import AlignedHead, NamedActivation
from train.methods.au_guided.landmarks import open_landmarker

ROOT = Path(__file__).parents[3]


@pytest.fixture(scope="module")
def run(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("aligned")
    recipe = ROOT / "configs" / "train" / "au_guided" / "aligned_smoke.toml"
    with other_device():
        assert main(["fit", "--config", str(recipe), "--run", str(folder)]) == 0
    return folder


def test_attention_comes_to_lie_on_the_action_units(run: Path) -> None:
    metrics = json.loads((run / "report.json").read_text())["metrics"]
    assert metrics["attention_cosine"] > 0.85
    assert metrics["cam_pearson"] > 0.5


def test_the_lens_is_none_of_all_and_draws_64_cells(run: Path) -> None:
    lens = read_lens(run / "bundle")
    check_fit(lens, load_bundle())
    assert not lens.manifest.in_all
    (face,) = analyze_image(demo_frames(1)[0], engine="onnxruntime", lenses=[f"drawn={run / 'bundle'}"])
    values = list(face.outputs["drawn"].values())
    assert len(values) == 64
    assert max(values) == pytest.approx(1) or max(values) == 0


def test_the_map_is_the_activation_of_the_emotion_that_is_named() -> None:
    torch.manual_seed(0)
    head = AlignedHead(6, 5).eval()
    maps = torch.rand(2, 6, 8, 8)
    for name in EXPRESSIONS:
        emotions = torch.full((2, len(EMOTIONS)), 0.01)
        emotions[:, EMOTIONS.index(name.lower())] = 0.4
        emotions[:, EMOTIONS.index("contempt")] = 0.5  # which has no class
        features = head(maps).features
        expected = (features * head.classify.weight[EXPRESSIONS.index(name)][None, :, None, None]).sum(dim=1).relu()
        expected = expected.flatten(1) / expected.flatten(1).amax(dim=1, keepdim=True).clamp(min=1e-6)
        np.testing.assert_allclose(
            NamedActivation(head)(maps, emotions).detach().numpy(), expected.detach().numpy(), atol=1e-5
        )


def test_a_landmarker_that_is_none_is_one_line(tmp_path: Path) -> None:
    file = tmp_path / "face_landmarker.task"
    with pytest.raises(DataError, match="missing; it is MediaPipe's Face Landmarker"), open_landmarker(file):
        pass
    file.write_bytes(b"no landmarker")
    with pytest.raises(DataError, match="does not take it as a Face Landmarker"), open_landmarker(file):
        pass
