"""Compound emotions by text, from drawn faces to a bundle that the stream runs and that answers as torch does."""

import json
import shutil
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import onnxruntime
import pytest
import torch
from tokenizers import Tokenizer

from engines.cli import main as engines
from streamaffect import analyze
from streamaffect.errors import BundleError, ConfigError
from streamaffect.runtime.bundle import Bundle, default_bundle_path, load_bundle
from streamaffect.text.spec import read_text_spec
from streamaffect.text.textualise import evidence_of_estimates, textualise, track_windows
from tests.support.bundles import edit_manifest, write_bundle
from tests.support.gpu.real_tensorrt import assert_tensorrt_takes
from train.cli import main
from train.methods.compound_text.data import drawn_clips
from train.methods.compound_text.model import load_adapters
from train.methods.compound_text.recipe import LanguageModelConfig

pytest.importorskip("peft")
ROOT = Path(__file__).parents[3]
SMOKE = ROOT / "configs" / "train" / "compound_text" / "smoke.toml"
DEMO = ROOT / "streamaffect" / "assets" / "demo.mp4"
TEXTS = [
    "Action units: brow lowerer, eyes closed; Facial expressions: fear, anger; Voice: High Joy; Arousal: 0.30;",
    "Action units: cheek raiser, lip corner puller; Facial expressions: happiness, fear, anger; Voice: no speech;",
    "Action units: no face;",
]


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A finished run of the smoke recipe, whose classifier was added to a small bundle."""
    root = tmp_path_factory.mktemp("text")
    base = write_bundle(root / "base")
    edit_manifest(base, _of_a_later_version)
    recipe = root / "recipe.toml"
    recipe.write_text(SMOKE.read_text().replace("max_tokens = 64", f'max_tokens = 64\nbase = "{base}"'))
    assert main(["fit", "--config", str(recipe), "--run", str(root / "run")]) == 0
    return root / "run"


def _of_a_later_version(manifest: dict[str, Any]) -> None:
    manifest["later"] = {"of": "a later version"}
    manifest["crop"]["later"] = [1, 2]
    manifest["created"] = "2020-01-01T00:00:00+00:00"


@pytest.fixture(scope="module")
def bundle(folder: Path) -> Bundle:
    return load_bundle(folder / "bundle")


def probabilities(bundle: Bundle, texts: list[str]) -> np.ndarray:
    """What the graph of the bundle says of some texts, with nothing but what lies in the bundle."""
    spec = read_text_spec(bundle)
    assert spec is not None
    tokenizer = Tokenizer.from_file(str(bundle.path / spec.tokenizer / "tokenizer.json"))
    tokenizer.enable_truncation(spec.max_tokens)
    tokenizer.enable_padding(pad_id=spec.pad_token)
    tokens = tokenizer.encode_batch(texts)
    session = onnxruntime.InferenceSession(bundle.graph_path(spec.graph), providers=["CPUExecutionProvider"])
    inputs = {
        "input_ids": np.array([text.ids for text in tokens], np.int64),
        "attention_mask": np.array([text.attention_mask for text in tokens], np.int64),
    }
    found: np.ndarray = session.run(None, inputs)[0]
    return found


def test_the_smoke_recipe_learns_what_only_two_units_together_tell(folder: Path) -> None:
    report = json.loads((folder / "report.json").read_text())
    assert report["weighted_f1"] > 0.9
    assert report["macro_f1"] > 0.9


def test_the_graph_of_the_bundle_answers_as_the_saved_adapters_do_in_torch(folder: Path, bundle: Bundle) -> None:
    spec = read_text_spec(bundle)
    assert spec is not None
    model = LanguageModelConfig(str(folder / "language_model"))
    classifier, tokenizer = load_adapters(model, spec.classes, folder / "classifier")
    tokens = tokenizer(TEXTS, padding=True, return_tensors="pt")
    with torch.no_grad():
        expected = classifier.eval()(tokens["input_ids"], tokens["attention_mask"]).softmax(dim=1).numpy()
    found = probabilities(bundle, TEXTS)
    np.testing.assert_allclose(found, expected, atol=1e-4)
    np.testing.assert_allclose(found.sum(axis=1), 1, atol=1e-5)


def test_the_graph_recognises_clips_that_were_not_trained_on(bundle: Bundle) -> None:
    spec = read_text_spec(bundle)
    assert spec is not None
    clips = drawn_clips(40, seed=99)
    found = probabilities(bundle, [textualise(clip.evidence, spec.textualiser) for clip in clips])
    assert np.mean(found.argmax(axis=1) == [clip.label for clip in clips]) > 0.8


def test_the_stream_asks_the_classifier_and_gives_its_answers(bundle: Bundle) -> None:
    described = {"enabled": True, "llm": str(bundle.path), "llm_period_s": 1.0}
    exact = {"backend": "onnxruntime", "precision": "fp32"}
    seen = list(analyze(DEMO, engine=exact, describe=described, run={"max_seconds": 1.5}))
    answered = [one for one in seen if "text" in one.outputs]
    spec = read_text_spec(bundle)
    assert spec is not None
    assert sum(isinstance(one.description, str) for one in seen) == 1
    assert answered and "text" not in seen[0].outputs
    until = seen[: seen.index(answered[0]) + 1]
    units = {
        int(name[2:]): max(one.outputs["units"][name] for one in until if "units" in one.outputs)
        for name in until[-1].outputs["units"]
    }
    text = textualise(replace(evidence_of_estimates(until), units=units), spec.textualiser)
    expected = probabilities(bundle, [text])[0]
    assert list(answered[0].outputs["text"].values()) == pytest.approx(expected, abs=1e-6)


def test_a_bundle_without_a_classifier_is_refused_in_one_line() -> None:
    with pytest.raises(ConfigError, match="has no text classifier; `python -m train fit"):
        list(analyze(DEMO, describe={"enabled": True, "llm": str(default_bundle_path())}))


def test_texts_of_any_number_and_length_are_taken(bundle: Bundle) -> None:
    together = probabilities(bundle, TEXTS)
    for row, text in enumerate(TEXTS):
        np.testing.assert_allclose(probabilities(bundle, [text])[0], together[row], atol=1e-5)


def test_the_core_graphs_are_those_of_the_base_and_the_name_tells_the_bundles_apart(
    folder: Path, bundle: Bundle
) -> None:
    base = load_bundle(folder.parent / "base")
    for role, graph in base.manifest.graphs.items():
        assert bundle.manifest.graphs[role] == graph
        assert bundle.graph_path(role).read_bytes() == base.graph_path(role).read_bytes()
    assert bundle.manifest.label == "colours+compound_text_smoke@1.0"
    assert "Text classifier" in (bundle.path / "MODEL_CARD.md").read_text()


def test_what_the_manifest_of_the_base_says_stays_with_what_this_version_does_not_know(
    folder: Path, bundle: Bundle
) -> None:
    base, ours = (json.loads((path / "manifest.json").read_text()) for path in (folder.parent / "base", bundle.path))
    changed = {key for key in ours if ours[key] != base.get(key)}
    assert changed == {"name", "created", "graphs", "metrics", "text"}
    assert base.keys() <= ours.keys()


def test_the_stream_runs_the_core_heads_and_its_estimates_become_text_for_the_classifier(bundle: Bundle) -> None:
    spec = read_text_spec(bundle)
    assert spec is not None
    estimates = list(analyze(DEMO, bundle=bundle.path, engine="onnxruntime"))
    assert {estimate.model for estimate in estimates} == {bundle.manifest.label}
    texts = [
        textualise(evidence_of_estimates(window.estimates), spec.textualiser)
        for window in track_windows(estimates, seconds=1.0)
    ]
    assert len(texts) >= 3
    assert all(text.startswith("Facial expressions: ") and "Arousal: " in text for text in texts)
    assert probabilities(bundle, texts).shape == (len(texts), len(spec.classes))


def test_the_inspector_opens_it(bundle: Bundle, capsys: pytest.CaptureFixture[str]) -> None:
    assert engines(["inspect", str(bundle.path)]) == 0
    assert "context_head" in capsys.readouterr().out


def test_a_bundle_without_a_text_classifier_has_no_spec(folder: Path) -> None:
    assert read_text_spec(load_bundle(folder.parent / "base")) is None


@pytest.mark.parametrize(
    ("damage", "message"),
    [
        ("graph", "missing or altered"),
        ("tokenizer", r"tokenizer\.json: missing"),
        ("role", r"graphs\.elsewhere is missing"),
        ("key", "text: .*classes"),
    ],
)
def test_a_damaged_text_classifier_is_named_and_the_stream_does_not_mind(
    damage: str, message: str, bundle: Bundle, tmp_path: Path
) -> None:
    copy = tmp_path / "bundle"
    shutil.copytree(bundle.path, copy)
    if damage == "graph":
        (copy / "text_classifier.onnx").write_bytes(b"")
    elif damage == "tokenizer":
        (copy / "tokenizer" / "tokenizer.json").unlink()
    elif damage == "role":
        edit_manifest(copy, lambda manifest: manifest["text"].update(graph="elsewhere"))
    else:
        edit_manifest(copy, lambda manifest: manifest["text"].pop("classes"))
    damaged = load_bundle(copy)
    with pytest.raises(BundleError, match=message):
        read_text_spec(damaged)


def test_tensorrt_builds_the_streams_graphs_and_takes_the_classifier(bundle: Bundle) -> None:
    assert_tensorrt_takes(bundle.path, quantised=False, beside=["text_classifier"])
