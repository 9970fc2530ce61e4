"""A guided classifier becomes a bundle that the stream runs, with a graph for its attention."""

from pathlib import Path

import numpy as np
import pytest
import torch

from streamaffect import analyze
from streamaffect.runtime.bundle import Bundle, load_bundle
from streamaffect.runtime.onnxruntime import OnnxRuntimeEngine
from tests.support.gpu.real_tensorrt import assert_tensorrt_takes
from train.data.drawn_faces import EXPRESSIONS
from train.methods.au_guided.bundle import ATTENTION_MAP, EXPRESSION_HEAD, export_au_guided
from train.methods.au_guided.model import SpatialClassifier
from train.methods.au_guided.recipe import AuGuidedRecipe
from train.methods.au_guided.spatial import attention_map
from train.methods.registry import load_recipe
from train.models.frame_encoder import LUMINANCE

DEMO = Path(__file__).parents[3] / "streamaffect" / "assets" / "demo.mp4"
SMOKE = Path(__file__).parents[3] / "configs" / "train" / "au_guided" / "smoke.toml"


def recipe() -> AuGuidedRecipe:
    loaded = load_recipe(SMOKE).recipe
    assert isinstance(loaded, AuGuidedRecipe)
    return loaded


@pytest.fixture(scope="module")
def model() -> SpatialClassifier:
    torch.manual_seed(0)
    return SpatialClassifier(7, widths=recipe().widths, depths=recipe().depths).eval()


@pytest.fixture(scope="module")
def bundle(model: SpatialClassifier, tmp_path_factory: pytest.TempPathFactory) -> Bundle:
    target = tmp_path_factory.mktemp("au") / "bundle"
    export_au_guided(model, recipe(), {"accuracy": 0.5}, target)
    return load_bundle(target)


def crops() -> np.ndarray:
    return np.random.default_rng(0).integers(0, 256, (3, recipe().size, recipe().size, 3), dtype=np.uint8)


def test_a_still_face_gets_the_classifiers_own_probabilities(bundle: Bundle, model: SpatialClassifier) -> None:
    engine = OnnxRuntimeEngine(bundle)
    features = engine.encode_frames(crops())
    clip = engine.encode_clips(np.repeat(features[:, None], bundle.manifest.clip.frames, axis=1))
    found = engine.run_heads(clip, clip[:, None], np.ones((3, 1), bool))[EXPRESSION_HEAD]
    with torch.no_grad():
        expected = model(torch.from_numpy(crops()).float() @ torch.tensor(LUMINANCE)).logits.softmax(dim=1)
    np.testing.assert_allclose(found, expected.numpy(), atol=1e-4)


def test_the_attention_graph_draws_the_map_that_training_aligned(bundle: Bundle, model: SpatialClassifier) -> None:
    import onnxruntime

    session = onnxruntime.InferenceSession(bundle.graph_path(ATTENTION_MAP), providers=["CPUExecutionProvider"])
    (found,) = session.run(["attention"], {"crops": crops()})
    with torch.no_grad():
        features = model(torch.from_numpy(crops()).float() @ torch.tensor(LUMINANCE)).features
    np.testing.assert_allclose(found, attention_map(features).numpy(), atol=1e-4)


def test_the_stream_publishes_the_expressions(bundle: Bundle) -> None:
    estimates = analyze(DEMO, bundle=bundle.path, engine="onnxruntime")
    seen = [estimate.outputs[EXPRESSION_HEAD] for estimate in estimates if estimate.outputs]
    assert len(seen) > 10
    for shares in seen:
        assert list(shares) == [name.lower() for name in EXPRESSIONS]
        assert sum(shares.values()) == pytest.approx(1, abs=1e-4)


def test_the_manifest_declares_the_map_without_handing_it_to_the_stream(bundle: Bundle) -> None:
    head = bundle.manifest.head("attention")
    assert head is not None
    assert (head.kind, head.input) == ("map", "frame")
    assert (bundle.path / "MODEL_CARD.md").is_file()


def test_tensorrt_builds_the_streams_graphs_and_takes_the_map(bundle: Bundle) -> None:
    assert_tensorrt_takes(bundle.path, beside=["attention_map"])
