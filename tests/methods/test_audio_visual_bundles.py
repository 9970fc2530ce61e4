"""JMT and PKDOT from their smoke recipes to bundles that the stream runs, JMT's with what it needs to hear."""

import json
from itertools import islice
from pathlib import Path
from typing import NamedTuple

import numpy as np
import onnxruntime
import pytest
import torch

from streamaffect import BundleError, analyze
from streamaffect.runtime.bundle import Bundle, load_bundle
from streamaffect.runtime.manifest import AUDIO_ENCODER, CLIP_ENCODER, CONTEXT_HEAD, FRAME_ENCODER, FUSION_HEAD
from streamaffect.runtime.onnxruntime import OnnxRuntimeEngine
from streamaffect.sources.demo import DEMO_CLIP
from tests.support.bundles import edit_manifest
from train.methods.command import main

CONFIGS = Path(__file__).parents[2] / "configs" / "train"


class Run(NamedTuple):
    report: dict[str, float]
    bundle: Bundle


def run(recipe: str, folder: Path) -> Run:
    assert main(["--config", str(CONFIGS / recipe), "--run", str(folder)]) == 0
    return Run(json.loads((folder / "report.json").read_text()), load_bundle(folder / "bundle"))


@pytest.fixture(scope="module")
def jmt(tmp_path_factory: pytest.TempPathFactory) -> Run:
    return run("jmt_smoke.toml", tmp_path_factory.mktemp("jmt"))


@pytest.fixture(scope="module")
def pkdot(tmp_path_factory: pytest.TempPathFactory) -> Run:
    return run("pkdot_smoke.toml", tmp_path_factory.mktemp("pkdot"))


def session(bundle: Bundle, role: str) -> onnxruntime.InferenceSession:
    return onnxruntime.InferenceSession(bundle.graph_path(role), providers=["CPUExecutionProvider"])


def fuse(bundle: Bundle, visual: np.ndarray, audio: np.ndarray, heard: bool, valid: np.ndarray) -> np.ndarray:
    inputs = {"visual": visual, "audio": audio, "heard": np.full(valid.shape, heard), "valid": valid}
    (found,) = session(bundle, FUSION_HEAD).run(["affect"], inputs)
    return np.asarray(found)


def normal(*shape: int) -> np.ndarray:
    return np.random.default_rng(0).normal(size=shape).astype(np.float32)


def test_what_is_only_heard_needs_the_sound(jmt: Run) -> None:
    assert jmt.report["ccc_valence"] > 0.8
    assert jmt.report["ccc_valence_without_sound"] > 0.8
    assert jmt.report["ccc_arousal"] > 0.5
    assert jmt.report["ccc_arousal_without_sound"] < 0.3


def test_the_structure_loss_brings_the_student_nearer_to_the_teachers_structure(pkdot: Run) -> None:
    assert pkdot.report["teacher_ccc_valence"] > 0.9
    assert pkdot.report["student_ccc_valence"] > 0.4
    assert (
        pkdot.report["student_structure_distance"] < 0.8 * pkdot.report["student_without_structure_structure_distance"]
    )


@pytest.mark.parametrize(("method", "moves"), [("jmt", "valence"), ("pkdot", "arousal")])
def test_the_stream_publishes_valence_and_arousal(method: str, moves: str, request: pytest.FixtureRequest) -> None:
    bundle = request.getfixturevalue(method).bundle
    estimates = [one for one in islice(analyze(DEMO_CLIP, bundle=bundle.path), 30) if one.coverage > 0]
    assert estimates
    for estimate in estimates:
        assert estimate.valence is not None and -1 <= estimate.valence <= 1
        assert estimate.arousal is not None and -1 <= estimate.arousal <= 1
        assert estimate.model == f"{method}_smoke@0.1"
    # Weights that were learned on drawn vectors say nothing of faces, and may hold one of the two still.
    assert len({getattr(estimate, moves) for estimate in estimates}) > 1


def test_frames_and_clips_are_encoded_by_the_graphs_of_the_shipped_bundle(jmt: Run, pkdot: Run) -> None:
    shipped = load_bundle()
    for role in (FRAME_ENCODER, CLIP_ENCODER):
        hashes = {bundle.manifest.graphs[role].sha256 for bundle in (shipped, jmt.bundle, pkdot.bundle)}
        assert len(hashes) == 1


def test_the_head_of_the_stream_is_the_fusion_with_nothing_heard(jmt: Run) -> None:
    bundle = jmt.bundle
    steps = bundle.manifest.context.clips
    context, valid = normal(3, steps, bundle.clip_dim), np.ones((3, steps), np.bool_)
    valid[1, :3] = False
    published = OnnxRuntimeEngine(bundle).run_heads(context[:, -1], context, valid)["affect"]
    width = bundle.manifest.graphs[FUSION_HEAD].inputs[1].shape[-1]
    loud = 100 * normal(3, steps, int(width))
    np.testing.assert_allclose(published, fuse(bundle, context, loud, False, valid)[:, -1], atol=1e-5)
    assert np.abs(published - fuse(bundle, context, loud, True, valid)[:, -1]).max() > 1e-3


@pytest.mark.parametrize("steps", [1, 20])
def test_the_fusion_takes_any_number_of_steps_and_hidden_ones_change_nothing(steps: int, jmt: Run) -> None:
    bundle = jmt.bundle
    width = int(bundle.manifest.graphs[FUSION_HEAD].inputs[1].shape[-1])
    visual, audio = normal(2, steps, bundle.clip_dim), normal(2, steps, width)
    found = fuse(bundle, visual, audio, True, np.ones((2, steps), np.bool_))
    seen, sound = (np.concatenate([normal(2, 4, part.shape[2]), part], axis=1) for part in (visual, audio))
    hidden = np.repeat(np.arange(steps + 4)[None] >= 4, 2, axis=0)
    np.testing.assert_allclose(fuse(bundle, seen, sound, True, hidden)[:, 4:], found, atol=1e-5)


def test_the_manifest_says_what_the_audio_graph_hears(jmt: Run) -> None:
    sound = jmt.bundle.manifest.sound
    assert sound is not None
    samples = 0.3 * np.sin(2 * np.pi * 500 / sound.rate_hz * np.arange(sound.samples), dtype=np.float32)
    (audio,) = session(jmt.bundle, AUDIO_ENCODER).run(["audio"], {"samples": np.stack([samples, 0 * samples])})
    assert np.abs(audio[0] - audio[1]).max() > 0.1


def test_inspect_shows_all_graphs(jmt: Run, capsys: pytest.CaptureFixture[str]) -> None:
    from engines.cli import main as engines

    assert engines(["inspect", "--json", str(jmt.bundle.path)]) == 0
    facts = json.loads(capsys.readouterr().out)
    roles = {graph["role"] for graph in facts["graphs"]}
    assert roles == {FRAME_ENCODER, CLIP_ENCODER, CONTEXT_HEAD, AUDIO_ENCODER, FUSION_HEAD}


def test_a_bundle_that_claims_to_hear_is_held_to_it(jmt: Run, tmp_path: Path) -> None:
    import shutil

    broken = {
        "audio_encoder.onnx: input 'samples' must be float32 (N, 99)": lambda manifest: manifest["sound"].update(
            samples=99
        ),
        "graphs.fusion_head is missing": lambda manifest: manifest["graphs"].pop("fusion_head"),
        "fusion_head.onnx: sha256 is": lambda manifest: manifest["graphs"]["fusion_head"].update(sha256="0" * 64),
    }
    for number, (message, change) in enumerate(broken.items()):
        folder = tmp_path / str(number)
        shutil.copytree(jmt.bundle.path, folder)
        edit_manifest(folder, change)
        with pytest.raises(BundleError) as refused:
            load_bundle(folder)
        assert message in str(refused.value)


def test_the_students_head_classifies_where_the_task_is_classes(tmp_path: Path) -> None:
    recipe = tmp_path / "classes.toml"
    text = (CONFIGS / "pkdot/smoke.toml").read_text().replace("epochs = 8", "epochs = 1")
    recipe.write_text(text.replace('task = "affect"', 'class_names = ["no_pain", "pain"]'))
    found = run(str(recipe), tmp_path / "run")
    (head,) = found.bundle.manifest.heads
    assert [output.name for output in head.outputs] == ["no_pain", "pain"]
    clip = normal(4, found.bundle.clip_dim)
    shares = OnnxRuntimeEngine(found.bundle).run_heads(clip, clip[:, None], np.ones((4, 1), np.bool_))[head.name]
    torch.testing.assert_close(torch.from_numpy(shares).sum(dim=1), torch.ones(4))
