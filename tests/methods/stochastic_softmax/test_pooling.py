"""Properties of temporal softmax pooling and of inflated networks."""

import pytest
import torch
from torch import Tensor, nn

from train.methods.stochastic_softmax.inflation import inflate
from train.methods.stochastic_softmax.pooling import SoftmaxPooling, clip_scores, softmax_pool


def random(*shape: int, seed: int = 0) -> Tensor:
    return torch.randn(*shape, generator=torch.Generator().manual_seed(seed), dtype=torch.float64)


def picture_network() -> nn.Sequential:
    torch.manual_seed(0)
    first, second = nn.Conv2d(2, 3, 3, padding=1), nn.Conv2d(3, 4, 3, padding=1, stride=2)
    return nn.Sequential(nn.Sequential(first, nn.ReLU(), nn.MaxPool2d(2)), second, nn.AvgPool2d(2)).double()


def test_without_temperature_every_clip_counts_the_same() -> None:
    scores = random(2, 3, 7)
    torch.testing.assert_close(softmax_pool(scores, scores, beta=0.0), scores.mean(dim=2))


def test_a_large_beta_takes_the_best_clip_of_each_class() -> None:
    scores = random(2, 3, 7)
    torch.testing.assert_close(softmax_pool(scores, scores, beta=1e4), scores.amax(dim=2))


def test_the_order_of_the_clips_does_not_count() -> None:
    scores = random(2, 3, 7)
    shuffled = scores[:, :, torch.tensor([4, 2, 0, 6, 1, 3, 5])]
    torch.testing.assert_close(softmax_pool(scores, scores, beta=1.0), softmax_pool(shuffled, shuffled, beta=1.0))


def test_signed_values_can_be_pooled_with_evidence_of_their_own() -> None:
    valence = torch.tensor([[[-0.9, 0.1], [0.4, 0.4]]])
    expressiveness = torch.tensor([[[50.0, 0.0]]])
    torch.testing.assert_close(softmax_pool(valence, expressiveness, beta=1.0), torch.tensor([[-0.9, 0.4]]))


@pytest.mark.parametrize(("length", "clips"), [(3, 1), (4, 1), (5, 2), (9, 6)])
def test_a_video_has_a_clip_for_each_start_and_at_least_one(length: int, clips: int) -> None:
    assert clip_scores(random(1, 2, length), 4).shape == (1, 2, clips)


@pytest.mark.parametrize(("frames", "beta"), [(0, 1.0), (4, -1.0)])
def test_impossible_settings_of_the_pooling_are_refused(frames: int, beta: float) -> None:
    with pytest.raises(ValueError, match="frames >= 1 and beta >= 0"):
        SoftmaxPooling(frames, beta=beta)


def test_a_still_video_gives_the_pictures_activations_when_the_end_frames_are_repeated() -> None:
    network, picture = picture_network(), random(2, 2, 16, 16)
    still = picture.unsqueeze(2).expand(-1, -1, 5, -1, -1)
    expected = network(picture).unsqueeze(2).expand(-1, -1, 5, -1, -1)
    torch.testing.assert_close(inflate(network, time_padding="replicate")(still), expected)


def test_zero_padding_changes_the_activations_near_the_ends_only() -> None:
    network, picture = picture_network(), random(1, 2, 16, 16)
    out = inflate(network)(picture.unsqueeze(2).expand(-1, -1, 7, -1, -1))
    middle, expected = out[:, :, 2:5], network(picture).unsqueeze(2)
    torch.testing.assert_close(middle, expected.expand_as(middle))
    assert (out[:, :, :1] - expected).abs().max() > 1e-3


def test_centred_inflation_sees_each_frame_alone() -> None:
    network, video = picture_network(), random(1, 2, 4, 16, 16)
    frames = torch.stack([network(video[:, :, time]) for time in range(4)], dim=2)
    torch.testing.assert_close(inflate(network, mode="centre")(video), frames)


def test_layers_without_a_known_inflation_and_even_taps_are_refused() -> None:
    with pytest.raises(ValueError, match="no inflation is defined for BatchNorm2d"):
        inflate(nn.Sequential(nn.BatchNorm2d(3)))
    with pytest.raises(ValueError, match="must be odd"):
        inflate(nn.Conv2d(1, 1, 3), taps=2)
