"""Properties of the compound-emotion model and of the votes over a video's frames."""

import pytest
import torch
from torch import Tensor

from train.data.sets.c_expr import CLASSES
from train.methods.compound.model import LFAN, CausalConvolution, load_reference
from train.methods.compound.votes import Rule, Videos, video_classes, without_last_class

INPUTS = {"video": 5, "audio": 4, "text": 6}
CHANNELS = {"video": [6, 4], "audio": [4, 4], "text": [3, 3]}
REACH = 2 * (3 - 1) * (1 + 2)  # frames before the present one that two blocks of kernel 3 see


def model() -> LFAN:
    torch.manual_seed(0)
    return LFAN(INPUTS, CHANNELS, classes=3, modal_dim=4, kernel=3).double().eval()


def sequences(frames: int = 20, seed: int = 0) -> dict[str, Tensor]:
    generator = torch.Generator().manual_seed(seed)
    return {
        name: torch.randn(2, frames, width, generator=generator, dtype=torch.float64) for name, width in INPUTS.items()
    }


def test_no_frame_sees_a_later_one() -> None:
    module, long = model(), sequences()
    begun = {name: values[:, :9] for name, values in long.items()}
    torch.testing.assert_close(module(begun), module(long)[:, :9])


def test_a_frame_sees_exactly_its_receptive_field() -> None:
    features = sequences()
    video = features["video"].requires_grad_()
    (gradient,) = torch.autograd.grad(model()(features)[:, 15].sum(), video)
    touched = gradient.abs().sum(dim=(0, 2)).nonzero().flatten().tolist()
    assert touched == list(range(15 - REACH, 16))


def test_a_stream_that_keeps_its_receptive_field_gives_the_logits_of_the_whole_video() -> None:
    module, long = model(), sequences()
    kept = {name: values[:, 19 - REACH :] for name, values in long.items()}
    torch.testing.assert_close(module(kept)[:, -1], module(long)[:, -1])


def test_the_published_model_sees_121_frames() -> None:
    convolutions = [part for part in LFAN().temporal["video"].modules() if isinstance(part, CausalConvolution)]
    assert 1 + sum(convolution.past for convolution in convolutions) == LFAN().receptive_field == 121
    assert len(CLASSES) == LFAN().head.out_features == 7


@pytest.mark.parametrize("absent", INPUTS)
def test_the_content_of_an_absent_modality_does_not_count(absent: str) -> None:
    module, first, other = model(), sequences(), sequences(seed=1)
    second = {**first, absent: other[absent]}
    present = torch.ones(2, 20, 3, dtype=torch.bool)
    present[:, :, list(INPUTS).index(absent)] = False
    torch.testing.assert_close(module(first, present), module(second, present))
    assert (module(first) - module(second)).abs().max() > 1e-3


@torch.no_grad()
def test_the_leader_reaches_the_head_past_the_fusion() -> None:
    module, first, second = model(), sequences(), sequences(seed=1)
    module.fusion.norm.weight.zero_()
    followers = {**first, "audio": second["audio"], "text": second["text"]}
    torch.testing.assert_close(module(first), module(followers))
    assert (module(first) - module({**first, "video": second["video"]})).abs().max() > 1e-3


def test_impossible_widths_and_foreign_weights_are_refused() -> None:
    with pytest.raises(ValueError, match="every modality needs channels"):
        LFAN(INPUTS, {"video": [4]})
    with pytest.raises(ValueError, match="width of 5 does not divide into 2 heads"):
        LFAN(INPUTS, CHANNELS, modal_dim=5)
    with pytest.raises(ValueError, match="do not belong to LFAN"):
        load_reference(model(), {"regressor.weight": torch.zeros(3, 16)})


@pytest.mark.parametrize(("rule", "expected"), [("majority", 0), ("mean_logits", 1), ("mean_probabilities", 0)])
def test_the_rules_differ_where_one_frame_is_loud(rule: Rule, expected: int) -> None:
    logits = torch.tensor([[2.0, 0.0], [2.0, 0.0], [0.0, 9.0]])
    assert video_classes(logits, torch.tensor([3]), rule).tolist() == [expected]


def test_of_equal_votes_the_class_that_came_first_wins() -> None:
    frames = torch.eye(3)[[2, 0, 0, 2, 1]]
    assert video_classes(frames, torch.tensor([4, 1]), "majority").tolist() == [2, 1]


def test_large_logits_overflow_in_the_reference_only() -> None:
    logits, lengths = torch.tensor([[0.0, 95.0], [3.0, 0.0]]), torch.tensor([2])
    assert video_classes(logits, lengths, "mean_probabilities").tolist() == [1]
    quiet = torch.tensor([[0.0, 95.0, 0.0], [200.0, 0.0, 0.0], [0.0, 95.0, 0.0]])
    assert video_classes(quiet, torch.tensor([3]), "mean_probabilities").tolist() == [1]
    assert video_classes(quiet, torch.tensor([3]), "mean_probabilities", reference=True).tolist() != [1]


def test_videos_of_the_other_class_are_left_out_with_their_column() -> None:
    videos = Videos(torch.arange(12.0).reshape(4, 3), torch.tensor([1, 2, 1]), torch.tensor([0, 2, 1]))
    kept = without_last_class(videos)
    assert kept.logits.tolist() == [[0, 1], [9, 10]]
    assert (kept.lengths.tolist(), kept.labels.tolist()) == ([1, 1], [0, 1])


@pytest.mark.parametrize("lengths", [[], [2, 0], [3]])
def test_lengths_that_do_not_divide_the_frames_are_refused(lengths: list[int]) -> None:
    with pytest.raises(ValueError, match="do not divide 2 frames"):
        video_classes(torch.zeros(2, 3), torch.tensor(lengths, dtype=torch.int64), "majority")
