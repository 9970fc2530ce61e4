"""PKDOT's student as a bundle that the stream runs."""

from pathlib import Path

import numpy as np
import torch

from streamaffect.runtime.bundle import load_bundle
from streamaffect.runtime.manifest import CLIP_ENCODER, FRAME_ENCODER
from streamaffect.runtime.onnxruntime import OnnxRuntimeEngine
from tests.support.gpu.real_tensorrt import assert_tensorrt_takes
from tests.support.training.audio_visual import SHORT, Finished, changed, finish, streamed


def test_the_stream_publishes_valence_and_arousal(finished: Finished) -> None:
    # Weights that were learned on drawn vectors say nothing of faces, and may hold one of the two still.
    assert len({estimate.arousal for estimate in streamed(finished.bundle)}) > 1


def test_frames_and_clips_are_encoded_by_the_graphs_of_the_shipped_bundle(finished: Finished) -> None:
    shipped = load_bundle().manifest.graphs
    for role in (FRAME_ENCODER, CLIP_ENCODER):
        assert finished.bundle.manifest.graphs[role].sha256 == shipped[role].sha256


def test_the_students_head_classifies_where_the_task_is_classes(tmp_path: Path) -> None:
    classes = {'task = "affect"': 'class_names = ["no_pain", "pain"]'}
    bundle = finish(changed("pkdot/smoke.toml", tmp_path, SHORT | classes), tmp_path / "run").bundle
    (head,) = bundle.manifest.heads
    assert [output.name for output in head.outputs] == ["no_pain", "pain"]
    clip = np.random.default_rng(0).normal(size=(4, bundle.clip_dim)).astype(np.float32)
    shares = OnnxRuntimeEngine(bundle).run_heads(clip, clip[:, None], np.ones((4, 1), np.bool_))[head.name]
    torch.testing.assert_close(torch.from_numpy(shares).sum(dim=1), torch.ones(4))


def test_tensorrt_builds_every_graph(finished: Finished) -> None:
    assert_tensorrt_takes(finished.bundle.path)
