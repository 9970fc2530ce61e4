"""EmoCLIP becomes a bundle whose classes are sentences."""

import numpy as np
import pytest
import torch

from streamaffect.runtime.bundle import Bundle, load_bundle
from streamaffect.runtime.manifest import ClipSpec
from streamaffect.runtime.onnxruntime import OnnxRuntimeEngine
from tests.support.tiny_clip import save_tiny_clip
from train.methods.emoclip_bundle import SENTENCES, ZERO_SHOT_HEAD, export_emoclip, training_spec
from train.models.clip_towers import ClipTowers, open_clip
from train.models.emoclip import TemporalTransformer, zero_shot

pytest.importorskip("transformers")
CLASSES = {"happiness": "a smile", "neutral": "a calm face"}


@pytest.fixture(scope="module")
def towers(tmp_path_factory: pytest.TempPathFactory) -> ClipTowers:
    folder = tmp_path_factory.mktemp("clip")
    save_tiny_clip(folder)
    return open_clip(folder)


@pytest.fixture(scope="module")
def temporal(towers: ClipTowers) -> TemporalTransformer:
    torch.manual_seed(0)
    return TemporalTransformer(towers.dim, depth=1, heads=2, head_dim=4, mlp_dim=8, positions=8).eval()


@pytest.fixture(scope="module")
def bundle(towers: ClipTowers, temporal: TemporalTransformer, tmp_path_factory: pytest.TempPathFactory) -> Bundle:
    target = tmp_path_factory.mktemp("emoclip") / "bundle"
    export_emoclip(
        towers, temporal, towers.logit_scale, CLASSES, target,
        clip=ClipSpec(4, 0.16), training=training_spec("test", ["drawn"], 0), licence="Apache-2.0",
    )  # fmt: skip
    return load_bundle(target)


def test_the_bundle_classifies_a_clip_as_torch_does(
    bundle: Bundle, towers: ClipTowers, temporal: TemporalTransformer
) -> None:
    crops = np.random.default_rng(0).integers(0, 256, (12, towers.side, towers.side, 3), dtype=np.uint8)
    engine = OnnxRuntimeEngine(bundle)
    clip = engine.encode_clips(engine.encode_frames(crops).reshape(3, 4, -1))
    found = engine.run_heads(clip, clip[:, None], np.ones((3, 1), bool))[ZERO_SHOT_HEAD]
    with torch.no_grad():
        video = temporal(towers(torch.from_numpy(crops)).unflatten(0, (3, 4)))
        expected = zero_shot(video, towers.sentences(list(CLASSES.values())), towers.logit_scale)
    np.testing.assert_allclose(found, expected.numpy(), atol=1e-4)


def test_sentences_and_their_embeddings_are_shipped_together(bundle: Bundle, towers: ClipTowers) -> None:
    with np.load(bundle.path / SENTENCES) as packed:
        assert packed["names"].tolist() == list(CLASSES)
        assert packed["sentences"].tolist() == list(CLASSES.values())
        np.testing.assert_allclose(np.linalg.norm(packed["embeddings"], axis=1), 1, atol=1e-6)
        assert float(packed["scale"]) == pytest.approx(float(towers.logit_scale.exp()))


def test_the_manifest_declares_classes_and_an_embedding(bundle: Bundle) -> None:
    assert [(head.kind, len(head.outputs)) for head in bundle.manifest.heads] == [
        ("classification", 2),
        ("embedding", 8),
    ]
