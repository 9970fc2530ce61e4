"""Temporal stochastic softmax from its smoke recipe to the stream: the bundle pools clips as the network does."""

import json
from dataclasses import dataclass
from pathlib import Path

import msgspec
import numpy as np
import pytest
import torch

import streamaffect
from engines.cli import main as engines
from streamaffect.runtime.bundle import Bundle, load_bundle
from streamaffect.runtime.onnxruntime import OnnxRuntimeEngine
from streamaffect.sources.demo import DEMO_CLIP
from tests.support.gpu.real_tensorrt import assert_tensorrt_takes
from tests.support.training.other_device import other_device
from train.cli import main
from train.methods.registry import load_recipe
from train.methods.stochastic_softmax.bundle import EVIDENCE_HEAD, EXPRESSION_HEAD, export_stochastic_softmax
from train.methods.stochastic_softmax.model import VideoClassifier, make_network
from train.methods.stochastic_softmax.pooling import pooling_weights
from train.methods.stochastic_softmax.recipe import StochasticSoftmaxRecipe
from train.models.frame_encoder import LUMINANCE

SMOKE = Path(__file__).parents[3] / "configs" / "train" / "stochastic_softmax" / "smoke.toml"


@dataclass(frozen=True)
class Exported:
    """A network with random weights, and its bundle."""

    network: VideoClassifier
    recipe: StochasticSoftmaxRecipe
    bundle: Bundle


@pytest.fixture(scope="module")
def run(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The folder of the finished smoke recipe."""
    folder = tmp_path_factory.mktemp("softmax") / "run"
    with other_device():
        assert main(["fit", "--config", str(SMOKE), "--run", str(folder)]) == 0
    return folder


@pytest.fixture(scope="module", params=[0, 1], ids=["all stages inflated", "the last stage inflated"])
def exported(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Exported:
    recipe = load_recipe(SMOKE).recipe
    assert isinstance(recipe, StochasticSoftmaxRecipe)
    recipe = msgspec.structs.replace(recipe, inflate_from=request.param, past=2, beta=3.0)
    torch.manual_seed(5)
    network = make_network(recipe).eval()
    with torch.no_grad():
        network.head.classifier.weight.mul_(20)  # else all clips score alike
    target = tmp_path_factory.mktemp("pooled") / "bundle"
    export_stochastic_softmax(network, recipe, {"accuracy": 0.5}, target)
    return Exported(network, recipe, load_bundle(target))


def clips(exported: Exported) -> np.ndarray:
    """(3, F, S, S, 3): three clips one after the other."""
    size, frames = exported.recipe.size, exported.recipe.frames
    return np.random.default_rng(0).integers(0, 256, (3, frames, size, size, 3), dtype=np.uint8)


@torch.no_grad()
def scores(exported: Exported) -> torch.Tensor:
    """(3, K) of the same clips from the network, which is given each as a video of its own."""
    grey = torch.from_numpy(clips(exported)).float() @ torch.tensor(LUMINANCE)
    found: torch.Tensor = exported.network(grey).clips[:, :, 0]
    return found


def test_a_clip_gets_the_networks_own_scores(exported: Exported) -> None:
    engine = OnnxRuntimeEngine(exported.bundle)
    features = engine.encode_frames(clips(exported).reshape(-1, *clips(exported).shape[2:]))
    found = engine.encode_clips(features.reshape(3, exported.recipe.frames, -1))
    expected = scores(exported).numpy()
    assert expected.std(axis=0).max() > 0.01
    np.testing.assert_allclose(found, expected, atol=1e-4)


@pytest.mark.parametrize("existing", [1, 2, 3])
def test_the_context_is_pooled_by_softmax_over_the_clips_that_exist(exported: Exported, existing: int) -> None:
    clip_scores = torch.randn(3, len(exported.recipe.classes), generator=torch.Generator().manual_seed(existing))
    valid = np.arange(3) >= 3 - existing
    heads = OnnxRuntimeEngine(exported.bundle).run_heads(
        clip_scores[2:].numpy(), clip_scores[None].numpy(), valid[None]
    )
    kept = clip_scores[3 - existing :].T[None]  # (1, K, clips)
    weights = pooling_weights(kept, beta=exported.recipe.beta)
    shares = (kept * weights).sum(dim=2).softmax(dim=1)
    np.testing.assert_allclose(heads[EXPRESSION_HEAD], shares.numpy(), atol=1e-5)
    evidence = (weights * shares[:, :, None]).sum(dim=1).flip(1)
    np.testing.assert_allclose(heads[EVIDENCE_HEAD][:, :existing], evidence.numpy(), atol=1e-5)
    assert heads[EVIDENCE_HEAD][:, existing:].max(initial=0) == 0


def test_only_the_stages_that_see_a_frame_alone_are_in_the_frame_encoder(exported: Exported) -> None:
    size, stages = exported.recipe.size, exported.recipe.stages
    expected = [size**2, stages[0][-1] * (size // 2) ** 2][exported.recipe.inflate_from]
    assert exported.bundle.feature_dim == expected


def test_videos_are_recognised_from_clips_that_were_drawn_by_softmax(run: Path) -> None:
    assert json.loads((run / "report.json").read_text())["accuracy"] > 0.4


def test_the_stream_runs_the_recipes_bundle_and_says_which_clip_counted(
    run: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    estimates = list(streamaffect.analyze(DEMO_CLIP, bundle=run / "bundle", run={"max_seconds": 1.5}))
    assert len(estimates) > 10
    for estimate in estimates:
        assert sum(estimate.outputs[EXPRESSION_HEAD].values()) == pytest.approx(1, abs=1e-4)
        assert sum(estimate.outputs[EVIDENCE_HEAD].values()) == pytest.approx(1, abs=1e-4)
    assert estimates[0].outputs[EVIDENCE_HEAD]["newest"] == pytest.approx(1)
    assert max(estimate.outputs[EVIDENCE_HEAD]["4_before"] for estimate in estimates) > 0.01
    assert engines(["inspect", str(run / "bundle")]) == 0
    assert "stochastic_softmax_smoke@0.1" in capsys.readouterr().out


def test_tensorrt_builds_every_graph(run: Path) -> None:
    assert_tensorrt_takes(run / "bundle", quantised=False)
