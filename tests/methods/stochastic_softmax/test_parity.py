"""Softmax pooling, clip weights and inflation give the numbers of the authors' published code."""

import pytest
import torch
from torch import nn
from torch.nn import functional as F

from tests.support.training.golden import Golden, assert_matches, load_golden
from train.data.sampling import ClipWeights
from train.methods.stochastic_softmax.inflation import inflate, inflate_weight
from train.methods.stochastic_softmax.pooling import FrameClassifier, SoftmaxPooling
from train.methods.stochastic_softmax.recipe import Inflation

TAGS = ["train", "long", "short"]


def classifier(golden: Golden) -> FrameClassifier:
    hidden, features = golden.weights["preclassifier.weight"].shape
    module = FrameClassifier(features, int(golden["num_classes"]), hidden=hidden).double()
    module.load_state_dict(golden.weights)
    return module


@pytest.mark.parametrize("tag", TAGS)
@pytest.mark.parametrize("beta", ["0", "0.5", "1", "4"])
def test_pooled_probabilities_and_clip_scores_match_at_every_length(tag: str, beta: str) -> None:
    golden = load_golden("softmax_pooling")
    pooling = SoftmaxPooling(int(golden["num_frames"]), beta=float(beta))
    pooled = pooling(classifier(golden)(golden[f"{tag}_features"]))
    assert_matches(pooled.clips.detach(), golden[f"{tag}_scores"])
    assert_matches(pooled.log_probs.detach(), golden[f"{tag}_logprob_beta{beta}"])


@pytest.mark.parametrize("tag", TAGS)
def test_the_loss_and_its_gradient_match_at_every_length(tag: str) -> None:
    golden = load_golden("softmax_pooling")
    features = golden.leaf(f"{tag}_features")
    pooled = SoftmaxPooling(int(golden["num_frames"]))(classifier(golden)(features))
    loss = F.nll_loss(pooled.log_probs, torch.tensor([1, 0]))
    (gradient,) = torch.autograd.grad(loss, features)
    assert_matches(loss.detach(), golden[f"{tag}_nll_target_1_0"])
    assert_matches(gradient, golden[f"{tag}_grad_features"])


def test_the_weights_of_all_videos_match_after_every_step() -> None:
    golden = load_golden("softmax_weight_update")
    weights = ClipWeights(
        golden["video_lengths"].tolist(),
        frames=int(golden["num_frames"]),
        exploration_epochs=int(golden["exploration_epochs"]),
        beta=float(golden["inv_temperature"]),
    )
    first_epoch = [weights.warm_up_epochs + 1, weights.warm_up_epochs + weights.exploration_epochs + 1]
    videos = len(golden["video_lengths"])
    for event, video in enumerate(golden["event_video"].tolist()):
        epoch = first_epoch[int(golden["event_phase"][event])]
        score = golden["event_scores"][event, golden["event_target"][event]]
        weights.update(video, int(golden["event_position"][event]), score, epoch)
        expected = golden[f"weights_after_step_v{video}"][event // videos].float()
        torch.testing.assert_close(weights.weights(video), expected, rtol=1e-6, atol=1e-6)
    for video in range(videos):
        expected = golden[f"sampling_probs_v{video}"].float()
        torch.testing.assert_close(weights.probabilities(video), expected, rtol=1e-6, atol=1e-6)


def test_exploration_visits_the_published_positions() -> None:
    golden = load_golden("softmax_weight_update")
    frames, epochs = int(golden["num_frames"]), int(golden["exploration_epochs"])
    weights = ClipWeights(golden["video_lengths"].tolist(), frames=frames, exploration_epochs=epochs)
    explored = golden["event_phase"] == 0
    for video in range(len(golden["video_lengths"])):
        published = golden["event_position"][explored & (golden["event_video"] == video)]
        assert weights.grid(video).tolist() == sorted(published.tolist())


@pytest.mark.parametrize(("mode", "key"), [("average", "weight3d_average"), ("centre", "weight3d_center")])
def test_inflated_kernels_match(mode: Inflation, key: str) -> None:
    golden = load_golden("softmax_inflation")
    assert_matches(inflate_weight(golden["weight2d"], mode=mode), golden[key])


def test_an_inflated_convolution_and_pool_match() -> None:
    golden = load_golden("softmax_inflation")
    outputs, inputs, height, width = golden["weight2d"].shape
    convolution = nn.Conv2d(inputs, outputs, (height, width), padding=1).double()
    convolution.load_state_dict({"weight": golden["weight2d"], "bias": golden["bias"]})
    assert_matches(inflate(convolution)(golden["x"]).detach(), golden["conv_out"])
    assert_matches(inflate(nn.MaxPool2d(2))(golden["x"]), golden["pool_out"])
