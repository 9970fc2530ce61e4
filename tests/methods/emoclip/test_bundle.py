"""EmoCLIP as a bundle whose classes are sentences, which the stream runs and which `prompts` changes."""

import shutil
from pathlib import Path

import numpy as np
import pytest
import torch

from streamaffect import analyze
from streamaffect.errors import BundleError, PromptError
from streamaffect.lenses.view import View
from streamaffect.prompts.by_clip import TEXT_ENCODER
from streamaffect.prompts.opening import open_prompts
from streamaffect.prompts.reading import read_text
from streamaffect.runtime.bundle import Bundle, default_bundle_path, load_bundle
from streamaffect.runtime.onnxruntime import OnnxRuntimeEngine
from streamaffect.sources.demo import DEMO_CLIP
from tests.support.gpu.real_tensorrt import assert_tensorrt_takes
from train.cli import main
from train.config import OptimiserConfig
from train.methods.emoclip.bundle import ZERO_SHOT_HEAD, export_emoclip
from train.methods.emoclip.clip_towers import ClipTowers
from train.methods.emoclip.data.features import embed_classes
from train.methods.emoclip.model import TemporalTransformer, zero_shot
from train.methods.emoclip.recipe import EmoClipRecipe
from train.methods.emoclip.sentences import SENTENCES, ClassSentences

CLASSES = {"happiness": ["a smile"], "neutral": ["a calm face"], "both": ["a smile", "a calm face"]}
RECIPE = EmoClipRecipe(
    name="mine", seed=1, data="drawn", dim=8, optimiser=OptimiserConfig(epochs=1, batch=4, lr=0.001), window=4
)


@pytest.fixture(scope="module")
def temporal(towers: ClipTowers) -> TemporalTransformer:
    torch.manual_seed(0)
    return TemporalTransformer(towers.dim, depth=1, heads=2, head_dim=4, mlp_dim=8, positions=8).eval()


@pytest.fixture(scope="module")
def bundle(towers: ClipTowers, temporal: TemporalTransformer, tmp_path_factory: pytest.TempPathFactory) -> Bundle:
    folder = tmp_path_factory.mktemp("emoclip")
    classes = ClassSentences(CLASSES, embed_classes(towers, CLASSES))
    metrics = {"war": 0.5}
    export_emoclip(towers, temporal, towers.logit_scale, classes, recipe=RECIPE, metrics=metrics, target=folder / "b")
    return load_bundle(folder / "b")


def prompts_words(bundle: Path, clip: Path | str, prompts: Path, *more: str) -> list[str]:
    return ["prompts", "--bundle", str(bundle), "--clip", str(clip), "--prompts", str(prompts), *more]


def probabilities(bundle: Bundle, towers: ClipTowers) -> np.ndarray:
    engine = OnnxRuntimeEngine(bundle)
    clip = engine.encode_clips(engine.encode_frames(crops(towers)).reshape(3, 4, -1))
    return np.asarray(engine.run_heads(clip, clip[:, None], np.ones((3, 1), bool))[ZERO_SHOT_HEAD])


def crops(towers: ClipTowers) -> np.ndarray:
    return np.random.default_rng(0).integers(0, 256, (12, towers.side, towers.side, 3), dtype=np.uint8)


def expected(towers: ClipTowers, temporal: TemporalTransformer, sentences: dict[str, list[str]]) -> np.ndarray:
    with torch.no_grad():
        video = temporal(towers(torch.from_numpy(crops(towers))).unflatten(0, (3, 4)))
        return zero_shot(video, embed_classes(towers, sentences), towers.logit_scale).numpy()


def test_the_bundle_classifies_a_clip_as_torch_does(
    bundle: Bundle, towers: ClipTowers, temporal: TemporalTransformer
) -> None:
    np.testing.assert_allclose(probabilities(bundle, towers), expected(towers, temporal, CLASSES), atol=1e-4)


def test_the_stream_publishes_the_classes(bundle: Bundle) -> None:
    estimates = analyze(DEMO_CLIP, bundle=bundle, engine="onnxruntime", run={"max_seconds": 1.5})
    seen = [estimate.outputs[ZERO_SHOT_HEAD] for estimate in estimates if estimate.outputs]
    assert len(seen) > 10
    for shares in seen:
        assert list(shares) == list(CLASSES)
        assert sum(shares.values()) == pytest.approx(1, abs=1e-4)


def test_sentences_and_their_embeddings_are_shipped_together(bundle: Bundle, towers: ClipTowers) -> None:
    with np.load(bundle.path / SENTENCES) as packed:
        assert packed["names"].tolist() == list(CLASSES)
        assert packed["sentences"].tolist() == ["a smile", "a calm face", "a smile | a calm face"]
        np.testing.assert_allclose(np.linalg.norm(packed["embeddings"], axis=1), 1, atol=1e-6)
        assert float(packed["scale"]) == pytest.approx(float(towers.logit_scale.exp()))


def test_the_manifest_declares_classes_and_an_embedding(bundle: Bundle) -> None:
    assert [(head.kind, len(head.outputs)) for head in bundle.manifest.heads] == [
        ("classification", 3),
        ("embedding", 8),
    ]
    assert (bundle.manifest.clip.frames, bundle.manifest.clip.period_s) == (4, 0.08)


def test_other_sentences_become_other_classes_without_training(
    bundle: Bundle,
    towers: ClipTowers,
    temporal: TemporalTransformer,
    clip_folder: Path,
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
) -> None:
    prompts = tmp_path / "prompts.toml"
    prompts.write_text('smiling = "smile smile"\ncalm = "a calm face"\n')
    assert main(prompts_words(bundle.path, clip_folder, prompts, "--output", str(tmp_path / "b"))) == 0
    assert f"mine@0.1: 2 classes, written to {tmp_path / 'b'}\n" in capsys.readouterr().out
    changed = load_bundle(tmp_path / "b")
    sentences = {"smiling": ["smile smile"], "calm": ["a calm face"]}
    np.testing.assert_allclose(probabilities(changed, towers), expected(towers, temporal, sentences), atol=1e-4)
    assert [head.kind for head in changed.manifest.heads] == ["classification", "embedding"]
    assert changed.manifest.metrics == {}
    assert bundle.manifest.metrics == {"war": 0.5}


def test_a_bundle_may_be_given_other_sentences_in_its_own_place(
    bundle: Bundle, clip_folder: Path, tmp_path: Path
) -> None:
    for name, sentence in (("once", "a smile"), ("twice", "a calm smile")):
        (tmp_path / "prompts.toml").write_text(f'{name} = "{sentence}"\n')
        source = bundle.path if name == "once" else tmp_path / "b"
        words = prompts_words(source, clip_folder, tmp_path / "prompts.toml")
        assert main([*words, "--output", str(tmp_path / "b")] if name == "once" else words) == 0
        assert [output.name for output in load_bundle(tmp_path / "b").manifest.heads[0].outputs] == [name]


def test_sentences_of_another_clip_and_bundles_without_any_are_refused(
    bundle: Bundle, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    prompts = tmp_path / "prompts.toml"
    prompts.write_text('calm = "a calm face"\n')
    for path, message in ((bundle.path, "another CLIP"), (default_bundle_path(), "holds no sentences.npz")):
        assert main(prompts_words(path, "drawn", prompts)) == 2
        error = capsys.readouterr().err
        assert error.count("\n") == 1
        assert message in error


def test_tensorrt_builds_every_graph(bundle: Bundle) -> None:
    assert_tensorrt_takes(bundle.path, beside=[TEXT_ENCODER])


def test_the_stream_reads_any_sentence_as_torch_does(
    bundle: Bundle, towers: ClipTowers, temporal: TemporalTransformer
) -> None:
    lens = open_prompts(bundle, "a smile; a calm smile face")
    clip = OnnxRuntimeEngine(bundle).encode_clips(
        OnnxRuntimeEngine(bundle).encode_frames(crops(towers)).reshape(3, 4, -1)
    )
    readings = lens.look([View(("s", i), 0.0, {"clip": row}) for i, row in enumerate(clip)])
    given = np.array([list(one.values.values()) for one in readings if one is not None])
    sentences = {"a smile": ["a smile"], "a calm smile face": ["a calm smile face"]}
    np.testing.assert_allclose(given, expected(towers, temporal, sentences), atol=1e-4)
    lens.change(read_text("calm; face; smile"))
    seen = [one.outputs["prompts"] for one in analyze(DEMO_CLIP, bundle=bundle, engine="onnxruntime",
            run={"max_seconds": 0.8}, lens={"prompts": "calm; face"}) if "prompts" in one.outputs]  # fmt: skip
    assert all(list(one) == ["calm", "face"] and sum(one.values()) == pytest.approx(1, abs=1e-4) for one in seen)
    assert seen
    with pytest.raises(PromptError, match="compares prompts with each other; give two or more"):
        lens.change(read_text("calm"))
    assert lens.names == ["calm", "face", "smile"]


def test_other_sentences_keep_the_text_tower(bundle: Bundle, clip_folder: Path, tmp_path: Path) -> None:
    (tmp_path / "prompts.toml").write_text('calm = "a calm face"\n')
    words = prompts_words(bundle.path, clip_folder, tmp_path / "prompts.toml", "--output", str(tmp_path / "b"))
    assert main(words) == 0
    assert open_prompts(load_bundle(tmp_path / "b"), "a smile; calm").names == ["a smile", "calm"]


def test_a_text_tower_that_is_damaged_or_lacks_its_tokenizer_is_named(bundle: Bundle, tmp_path: Path) -> None:
    broken = tmp_path / "b"
    shutil.copytree(bundle.path, broken)
    (broken / "tokenizer.json").write_text("{")
    with pytest.raises(BundleError, match=r"tokenizer.json: is no tokenizer"):
        open_prompts(load_bundle(broken), "a smile; calm")
    (broken / "tokenizer.json").unlink()
    with pytest.raises(BundleError, match=r"tokenizer.json: missing"):
        open_prompts(load_bundle(broken), "a smile; calm")
    (broken / "text_encoder.onnx").write_bytes(b"no graph")
    with pytest.raises(BundleError, match=r"text_encoder.onnx: sha256"):
        open_prompts(load_bundle(broken), "a smile; calm")
