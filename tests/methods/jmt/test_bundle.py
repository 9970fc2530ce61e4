"""The joint multimodal transformer as a bundle that the stream runs, with what it needs to hear."""

import json
import shutil
from pathlib import Path

import msgspec
import numpy as np
import onnxruntime
import pytest
import torch
from torch import nn

from streamaffect import BundleError
from streamaffect.runtime.bundle import Bundle, load_bundle
from streamaffect.runtime.manifest import AUDIO_ENCODER, CLIP_ENCODER, CONTEXT_HEAD, FRAME_ENCODER, FUSION_HEAD
from streamaffect.runtime.onnxruntime import OnnxRuntimeEngine
from tests.support.bundles import edit_manifest
from tests.support.gpu.real_tensorrt import assert_tensorrt_takes
from tests.support.training.audio_visual import Finished, streamed
from train.bundle.graphs import TracedGraph, export_graph


def session(bundle: Bundle, role: str) -> onnxruntime.InferenceSession:
    return onnxruntime.InferenceSession(bundle.graph_path(role), providers=["CPUExecutionProvider"])


def fuse(
    bundle: Bundle, visual: np.ndarray, audio: np.ndarray, heard: bool, valid: np.ndarray, seen: bool = True
) -> np.ndarray:
    marks = {"heard": np.full(valid.shape, heard), "valid": valid, "seen": np.full(valid.shape, seen)}
    inputs = {"visual": visual, "audio": audio, **marks}
    (found,) = session(bundle, FUSION_HEAD).run(["affect"], inputs)
    return np.asarray(found)


def normal(*shape: int) -> np.ndarray:
    return np.random.default_rng(0).normal(size=shape).astype(np.float32)


def test_the_stream_publishes_valence_and_arousal(finished: Finished) -> None:
    # Weights that were learned on drawn vectors say nothing of faces, and may hold one of the two still.
    assert len({estimate.valence for estimate in streamed(finished.bundle)}) > 1


def test_frames_and_clips_are_encoded_by_the_graphs_of_the_shipped_bundle(finished: Finished) -> None:
    shipped = load_bundle().manifest.graphs
    for role in (FRAME_ENCODER, CLIP_ENCODER):
        assert finished.bundle.manifest.graphs[role].sha256 == shipped[role].sha256


def test_the_head_of_the_stream_is_the_fusion_with_nothing_heard(finished: Finished) -> None:
    bundle = finished.bundle
    steps = bundle.manifest.context.clips
    context, valid = normal(3, steps, bundle.clip_dim), np.ones((3, steps), np.bool_)
    valid[1, :3] = False
    published = OnnxRuntimeEngine(bundle).run_heads(context[:, -1], context, valid)["affect"]
    width = bundle.manifest.graphs[FUSION_HEAD].inputs[1].shape[-1]
    loud = 100 * normal(3, steps, int(width))
    np.testing.assert_allclose(published, fuse(bundle, context, loud, False, valid)[:, -1], atol=1e-5)
    assert np.abs(published - fuse(bundle, context, loud, True, valid)[:, -1]).max() > 1e-3


def test_the_fusion_reads_no_face_where_none_was_seen(finished: Finished) -> None:
    bundle = finished.bundle
    width = int(bundle.manifest.graphs[FUSION_HEAD].inputs[1].shape[-1])
    audio, valid = normal(2, 6, width), np.ones((2, 6), np.bool_)
    faces = (normal(2, 6, bundle.clip_dim), np.full((2, 6, bundle.clip_dim), np.nan, np.float32))
    unseen = [fuse(bundle, visual, audio, True, valid, seen=False) for visual in faces]
    assert np.array_equal(unseen[0], unseen[1]) and np.isfinite(unseen[0]).all()


def test_a_bundle_of_before_whose_fusion_knows_no_hidden_faces_loads(finished: Finished, tmp_path: Path) -> None:
    steps, width = 3, int(finished.bundle.manifest.graphs[FUSION_HEAD].inputs[1].shape[-1])
    old = Blind(finished.bundle.clip_dim + width)
    marks = torch.ones(2, steps, dtype=torch.bool)
    examples = {
        "visual": torch.randn(2, steps, finished.bundle.clip_dim),
        "audio": torch.randn(2, steps, width),
        "heard": marks,
        "valid": ~marks,
    }
    folder = tmp_path / "old"
    shutil.copytree(finished.bundle.path, folder)
    graph = export_graph(TracedGraph(old, examples, ["affect"], lengths={1: "T"}), folder / "fusion_head.onnx")
    edit_manifest(folder, lambda manifest: manifest["graphs"].update(fusion_head=msgspec.to_builtins(graph)))
    assert [spec.name for spec in load_bundle(folder).manifest.graphs[FUSION_HEAD].inputs] == list(examples)


class Blind(nn.Module):
    """What `fusion_head` took before it knew of hidden faces."""

    def __init__(self, width: int) -> None:
        super().__init__()
        self.out = nn.Linear(width, 2)

    def forward(
        self, visual: torch.Tensor, audio: torch.Tensor, heard: torch.Tensor, valid: torch.Tensor
    ) -> torch.Tensor:  # fmt: skip
        both = torch.cat([visual, audio * (heard & valid).unsqueeze(-1)], dim=-1)
        found: torch.Tensor = self.out(both)
        return found


@pytest.mark.parametrize("steps", [1, 20])
def test_the_fusion_takes_any_number_of_steps_and_hidden_ones_change_nothing(steps: int, finished: Finished) -> None:
    bundle = finished.bundle
    width = int(bundle.manifest.graphs[FUSION_HEAD].inputs[1].shape[-1])
    visual, audio = normal(2, steps, bundle.clip_dim), normal(2, steps, width)
    found = fuse(bundle, visual, audio, True, np.ones((2, steps), np.bool_))
    seen, sound = (np.concatenate([normal(2, 4, part.shape[2]), part], axis=1) for part in (visual, audio))
    hidden = np.repeat(np.arange(steps + 4)[None] >= 4, 2, axis=0)
    np.testing.assert_allclose(fuse(bundle, seen, sound, True, hidden)[:, 4:], found, atol=1e-5)


def test_the_manifest_says_what_the_audio_graph_hears(finished: Finished) -> None:
    sound = finished.bundle.manifest.sound
    assert sound is not None
    samples = 0.3 * np.sin(2 * np.pi * 500 / sound.rate_hz * np.arange(sound.samples), dtype=np.float32)
    (audio,) = session(finished.bundle, AUDIO_ENCODER).run(["audio"], {"samples": np.stack([samples, 0 * samples])})
    assert np.abs(audio[0] - audio[1]).max() > 0.1


def test_inspect_shows_all_graphs(finished: Finished, capsys: pytest.CaptureFixture[str]) -> None:
    from engines.cli import main as engines

    assert engines(["inspect", "--json", str(finished.bundle.path)]) == 0
    facts = json.loads(capsys.readouterr().out)
    roles = {graph["role"] for graph in facts["graphs"]}
    assert roles == {FRAME_ENCODER, CLIP_ENCODER, CONTEXT_HEAD, AUDIO_ENCODER, FUSION_HEAD}


def test_a_bundle_that_claims_to_hear_is_held_to_it(finished: Finished, tmp_path: Path) -> None:
    broken = {
        "audio_encoder.onnx: input 'samples' must be float32 (N, 99)": lambda manifest: manifest["sound"].update(
            samples=99
        ),
        "graphs.fusion_head is missing": lambda manifest: manifest["graphs"].pop("fusion_head"),
        "fusion_head.onnx: sha256 is": lambda manifest: manifest["graphs"]["fusion_head"].update(sha256="0" * 64),
    }
    for number, (message, change) in enumerate(broken.items()):
        folder = tmp_path / str(number)
        shutil.copytree(finished.bundle.path, folder)
        edit_manifest(folder, change)
        with pytest.raises(BundleError) as refused:
            load_bundle(folder)
        assert message in str(refused.value)


def test_tensorrt_builds_the_streams_graphs_and_takes_those_beside_it(finished: Finished) -> None:
    assert_tensorrt_takes(finished.bundle.path, beside=["audio_encoder", "fusion_head"])
