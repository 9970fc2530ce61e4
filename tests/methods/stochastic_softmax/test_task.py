"""The classifier of videos, and the task that samples their clips."""

from pathlib import Path

import msgspec
import torch

from train.loop.fit import Part
from train.methods.registry import load_recipe
from train.methods.stochastic_softmax.data import drawn_videos
from train.methods.stochastic_softmax.model import VideoClassifier
from train.methods.stochastic_softmax.recipe import StochasticSoftmaxRecipe
from train.methods.stochastic_softmax.task import ClipSamplingTask

SMOKE = Path(__file__).parents[3] / "configs" / "train" / "stochastic_softmax" / "smoke.toml"


def recipe(**changed: object) -> StochasticSoftmaxRecipe:
    loaded = load_recipe(SMOKE).recipe
    assert isinstance(loaded, StochasticSoftmaxRecipe)
    return msgspec.structs.replace(loaded, **changed)


def task(**changed: object) -> ClipSamplingTask:
    small = recipe(**changed)
    videos = drawn_videos(6, small.size, 10, apex=0.5, seed=0)
    return ClipSamplingTask(small, videos, videos)


def one_epoch(trained: ClipSamplingTask, epoch: int) -> list[int]:
    """The starts of an epoch, after each of which the sampler has learned."""
    starts = []
    for batch in trained.batches(epoch, 0, Part()):
        trained.losses(trained.model, batch)
        starts += batch.starts
    return starts


def test_a_video_classifier_takes_any_length_and_gives_one_score_per_clip() -> None:
    model = VideoClassifier(3, size=16, stages=[[4], [6]], frames=4).eval()
    for length, clips in ((2, 1), (4, 1), (9, 6)):
        pooled = model(torch.zeros(2, length, 16, 16))
        assert pooled.clips.shape == (2, 3, clips)
        torch.testing.assert_close(pooled.log_probs.exp().sum(dim=1), torch.ones(2))


def test_a_video_shorter_than_a_clip_ends_in_black_frames() -> None:
    small = recipe(frames=6)
    videos = drawn_videos(small.optimiser.batch, small.size, 4, apex=0.5, seed=0)
    (batch,) = ClipSamplingTask(small, videos, videos).batches(0, 0, Part())
    assert batch.clips.shape[1] == 6
    assert batch.clips[:, 4:].max() == 0
    assert batch.clips[:, :4].flatten(1).amax(dim=1).min() > 0


def test_the_sampler_learns_after_the_warm_up_and_never_when_sampling_is_uniform() -> None:
    softmax, uniform = task(warm_up=1, exploration=2), task(sampling="uniform")
    one_epoch(softmax, 0)
    assert softmax.model.get_buffer("clip_weights").abs().max() == 0
    one_epoch(softmax, 1)
    assert softmax.model.get_buffer("clip_weights").abs().max() > 0
    for epoch in range(4):
        one_epoch(uniform, epoch)
    assert uniform.model.get_buffer("clip_weights").abs().max() == 0


def test_the_models_state_carries_the_sampler_over_a_restart() -> None:
    first, resumed = task(warm_up=1, exploration=2), task(warm_up=1, exploration=2)
    for epoch in range(3):
        one_epoch(first, epoch)
    resumed.model.load_state_dict(first.model.state_dict())
    assert one_epoch(resumed, 3) == one_epoch(first, 3)
    torch.testing.assert_close(resumed.model.get_buffer("clip_weights"), first.model.get_buffer("clip_weights"))
