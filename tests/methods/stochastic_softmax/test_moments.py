"""The lens of moments: from drawn sequences to the stream, and the pooling's own weights."""

import json
from pathlib import Path

import numpy as np
import pytest
import torch

from streamaffect import analyze, load_bundle
from streamaffect.lenses.loading import check_fit, read_lens
from tests.support.training.other_device import other_device
from train.cli import main
from train.methods.stochastic_softmax.moments.data import drawn_sequences
from train.methods.stochastic_softmax.moments.fit import Moments, moment_figures
from train.methods.stochastic_softmax.pooling import FrameClassifier, softmax_pool

ROOT = Path(__file__).parents[3]
DEMO = ROOT / "streamaffect" / "assets" / "demo.mp4"
SMOKE = ROOT / "configs" / "train" / "lens" / "moments_smoke.toml"


def moments() -> Moments:
    torch.manual_seed(0)
    return Moments(FrameClassifier(6, 8, hidden=12), 1.0).eval()


def test_the_shares_are_the_pooling_weights_by_class_newest_first_and_absent_clips_count_for_nothing() -> None:
    model, clips = moments(), torch.randn(3, 5, 6)
    valid = torch.tensor([[True] * 5, [False, False, True, True, True], [False] * 4 + [True]])
    found = model(clips, valid)
    torch.testing.assert_close(found.sum(dim=1), torch.ones(3))
    assert found[1, 3:].tolist() == [0, 0]
    torch.testing.assert_close(found[2], torch.tensor([1.0, 0, 0, 0, 0]))
    scores = model.scores(clips[:1].transpose(1, 2))
    classes = softmax_pool(scores, scores, beta=1.0).softmax(dim=1)[0]
    by_hand = sum(classes[k] * scores[0, k].softmax(dim=0) for k in range(8))
    torch.testing.assert_close(found[0], by_hand.flip(0))


def test_figures_are_those_of_a_model_that_knows_and_of_one_that_does_not() -> None:
    sequences = drawn_sequences(6, 5, 400, seed=3)
    found = moment_figures(moments(), sequences)
    assert found["sequences"] == 350  # neutral ones have no moment
    assert abs(found["hits"] - 0.2) < 0.12


def test_a_lens_of_drawn_sequences_finds_the_moment_and_is_seen_in_the_stream(tmp_path: Path) -> None:
    with other_device():
        assert main(["fit", "--config", str(SMOKE), "--run", str(tmp_path)]) == 0
    report = json.loads((tmp_path / "report.json").read_text())["metrics"]
    assert report["report_people"]["drawn_clips"]["hits"] > 0.7
    lens = read_lens(tmp_path / "bundle")
    check_fit(lens, load_bundle())
    found = list(analyze(DEMO, engine="onnxruntime", lenses=[f"drawn={tmp_path / 'bundle'}"], run={"max_seconds": 1.5}))
    shares = [np.array(list(one.outputs["drawn"].values())) for one in found]
    assert all(share.sum() == pytest.approx(1.0, abs=1e-5) for share in shares)
    assert shares[0].tolist() == pytest.approx([1, 0, 0, 0, 0], abs=1e-5)  # the first clip has no context yet
    assert list(found[0].outputs["drawn"])[:2] == ["ago_0_0s", "ago_0_6s"]
