"""What an ablated variant sees, and how its difference to the full model is measured."""

from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
import torch

from benchmarks.measures.ablated_stage import FULL, VARIANTS, Predictions, Variant, ablated
from benchmarks.measures.ablation_scores import Metric, metrics
from benchmarks.measures.agreement import ccc
from streamaffect.runtime.manifest import ClipSpec, ContextSpec
from train.bundle.declared import AFFECT
from train.data.clips import index_sequence
from train.methods.relational.clip_stage import predict_clips
from train.methods.relational.model import AffectModel

CLIP, CONTEXT = ClipSpec(frames=4, period_s=0.1), ContextSpec(past=2, future=0)
FRAMES, DIM = 30, 8
NO_CONTEXT, LAST_FRAME = VARIANTS[2], VARIANTS[4]


def depends_on(variant: Variant) -> np.ndarray:
    """(FRAMES,) bool: frames whose features change what the variant says of the last one."""
    torch.manual_seed(0)
    past = CONTEXT.past if variant.context else 0
    model = AffectModel(DIM, frames=CLIP.frames, past=past, emotions=8, heads=2, layers=1, feedforward=16)
    index = ablated(index_sequence(np.arange(FRAMES) * 0.1, CLIP, CONTEXT), variant, past=CONTEXT.past)
    features = torch.randn(FRAMES, DIM)
    before = predict_clips(model, features, index)[AFFECT][-1]
    changed = []
    for frame in range(FRAMES):
        other = features.clone()
        other[frame] += 1
        changed.append(not torch.equal(predict_clips(model, other, index)[AFFECT][-1], before))
    return np.array(changed)


def test_each_variant_sees_what_its_name_says() -> None:
    frame = np.arange(FRAMES)
    assert depends_on(FULL).sum() == CLIP.frames * (CONTEXT.past + 1)
    assert (depends_on(NO_CONTEXT) == (frame >= FRAMES - CLIP.frames)).all()
    assert depends_on(LAST_FRAME).sum() == CONTEXT.past + 1
    alone = Variant("single frame", context=False, clip=False)
    assert (depends_on(alone) == (frame == FRAMES - 1)).all()


def predictions(affect: np.ndarray) -> Predictions:
    """affect (N, S): valence of the clips; the rest does not matter."""
    both = np.stack([affect, affect], axis=2)
    return Predictions(np.zeros(affect.shape, np.int64), both, both)


def test_a_difference_is_the_mean_over_seeds_of_paired_differences() -> None:
    generator = np.random.default_rng(0)
    truth = generator.normal(size=200)
    full = truth[:, None] + generator.normal(size=(200, 2)) * 0.5
    worse = full + 0.3
    metric = Metric("CCC", ccc, lambda one: one.affect[:, :, 0], truth, [str(row // 4) for row in range(200)])
    of_full, of_worse = metric.of_seeds(predictions(full)), metric.of_seeds(predictions(worse))
    found = metric.difference(predictions(worse), predictions(full))
    assert found.value == pytest.approx(np.mean(of_worse) - np.mean(of_full))
    assert found.low < found.value < found.high < 0  # paired: far narrower than either CCC's own interval
    assert found.groups == 50
    same = metric.difference(predictions(full), predictions(full))
    assert (same.value, same.low, same.high) == (0, 0, 0)


def stage() -> Any:
    """Two pictures of clear emotions, one of none; two people with a clip that moves, one with one that does not."""
    emotions = np.zeros((3, 8), np.float32)
    emotions[[0, 1], [1, 3]] = 1
    pictures = SimpleNamespace(emotions=emotions, affect=np.zeros((3, 2), np.float32))
    held_out = SimpleNamespace(is_clear=np.array([True, True, False]), stills=SizedStills(pictures))
    moving = np.linspace(-0.5, 0.5, 20)
    truth = np.stack([np.concatenate([moving, moving, np.zeros(20)])] * 2, axis=1)
    videos = [SimpleNamespace(person=person, pictures=range(20)) for person in ("anna", "bert", "carl")]
    return SimpleNamespace(
        stills=SimpleNamespace(held_out=held_out), videos=SimpleNamespace(videos=videos, truth=torch.from_numpy(truth))
    )


class SizedStills:
    """Three pictures."""

    def __init__(self, pictures: Any) -> None:
        self.emotions, self.affect = pictures.emotions, pictures.affect

    def __len__(self) -> int:
        return len(self.affect)


def test_accuracy_counts_clear_pictures_and_correlation_clips_that_move() -> None:
    clips = np.zeros((60, 1, 2))
    clips[:20, 0] = np.linspace(0, 1, 20)[:, None]  # follows
    clips[20:40, 0] = np.linspace(1, 0, 20)[:, None]  # goes the other way
    said = Predictions(np.array([[1], [1], [7]]), np.zeros((3, 1, 2)), clips)
    found = {metric.name: metric for metric in metrics(stage(), "FER+")}
    assert found["FER+: accuracy"].of_seeds(said) == [0.5]
    assert found["FER+: mean recall"].of_seeds(said) == [0.5]
    inside = found["reported clips: median correlation inside a clip, valence"]
    assert inside.of_seeds(said) == [pytest.approx(0)]  # the median of 1 and -1
    assert inside.groups == ["anna", "bert"]
    assert found["reported clips: CCC, arousal"].groups.count("carl") == 20
