"""Properties of EmoCLIP's temporal transformer, its contrastive loss and the classification scores."""

import pytest
import torch
from torch import Tensor

from train.methods.emoclip.loss import clip_contrastive_loss
from train.methods.emoclip.model import DownstreamModel, TemporalTransformer, load_reference, zero_shot
from train.metrics.classification import confusion, macro_f1, uar, war, weighted_f1


def random(*shape: int, seed: int = 0) -> Tensor:
    return torch.randn(*shape, generator=torch.Generator().manual_seed(seed), dtype=torch.float64)


def small() -> TemporalTransformer:
    torch.manual_seed(0)
    return TemporalTransformer(8, heads=2, head_dim=6, mlp_dim=12, positions=10).double()


def test_hidden_frames_do_not_count_and_attended_padding_does() -> None:
    module, video = small(), random(2, 5, 8)
    padded = torch.cat([video, random(2, 3, 8, seed=1)], dim=1)
    valid = torch.tensor([[True] * 5 + [False] * 3] * 2)
    torch.testing.assert_close(module(padded, valid), module(video))
    assert (module(padded) - module(video)).abs().max() > 1e-4


def test_the_order_of_the_frames_counts() -> None:
    module, video = small(), random(1, 5, 8)
    assert (module(video) - module(video.flip(1))).abs().max() > 1e-6


def test_a_video_as_long_as_the_table_is_refused_because_of_the_class_token() -> None:
    assert small()(random(1, 9, 8)).shape == (1, 8)
    with pytest.raises(ValueError, match="10 frames does not fit 10 positions"):
        small()(random(1, 10, 8))


def test_the_reference_has_the_published_widths_and_start() -> None:
    published = TemporalTransformer(16, depth=1, heads=1, reference=True)
    ours = TemporalTransformer(16, depth=1, heads=1)
    shapes = [
        [tuple(part.state_dict()[f"layers.0.{name}.weight"].shape) for name in ("attention.qkv", "expand")]
        for part in (published, ours)
    ]
    assert shapes == [[(3 * 2048, 16), (16, 16)], [(3 * 64, 16), (2048, 16)]]
    assert published.positions.std().item() == pytest.approx(1.0, abs=0.05)
    assert ours.positions.std().item() == pytest.approx(0.02, abs=0.001)


def test_a_single_head_of_full_width_has_no_last_linear_map() -> None:
    module = TemporalTransformer(8, depth=1, heads=1, head_dim=8, mlp_dim=4)
    assert not any("project" in name for name in module.state_dict())


def test_weights_of_another_model_are_refused_and_leave_the_module_alone() -> None:
    module = DownstreamModel(small(), 3).double()
    before = {name: value.clone() for name, value in module.state_dict().items()}
    with pytest.raises(ValueError, match="do not belong to DownstreamModel"):
        load_reference(module, {"temporal.cls_token": torch.zeros(1, 1, 8)})
    for name, value in module.state_dict().items():
        torch.testing.assert_close(value, before[name])


def test_the_loss_of_a_perfect_batch_goes_to_zero_as_the_scale_grows() -> None:
    own = torch.eye(4, dtype=torch.float64)
    losses = [float(clip_contrastive_loss(own, own, torch.tensor(scale))) for scale in (0.0, 2.0, 4.6)]
    assert losses == sorted(losses, reverse=True)
    assert losses[-1] < 1e-10


def test_the_loss_sees_directions_only_and_treats_both_sides_alike() -> None:
    video, text, scale = random(5, 6), random(5, 6, seed=1), torch.tensor(1.0)
    loss = clip_contrastive_loss(video, text, scale)
    torch.testing.assert_close(clip_contrastive_loss(3 * video, 0.1 * text, scale), loss)
    torch.testing.assert_close(clip_contrastive_loss(text, video, scale), loss)


def test_an_embedding_of_zeros_is_finite_unless_the_reference_is_asked_for() -> None:
    video, text = torch.zeros(2, 3), torch.ones(2, 3)
    assert clip_contrastive_loss(video, text, torch.tensor(1.0)).isfinite()
    assert not clip_contrastive_loss(video, text, torch.tensor(1.0), reference=True).isfinite()


def test_videos_and_texts_that_do_not_pair_are_refused() -> None:
    with pytest.raises(ValueError, match=r"found \(3, 4\) and \(2, 4\)"):
        clip_contrastive_loss(random(3, 4), random(2, 4), torch.tensor(1.0))


def test_a_class_can_be_added_without_touching_the_ratio_of_the_others() -> None:
    video, text, scale = random(4, 6), random(3, 6, seed=1), torch.tensor(1.0)
    two, three = zero_shot(video, text[:2], scale), zero_shot(video, text, scale)
    torch.testing.assert_close(three[:, 0] / three[:, 1], two[:, 0] / two[:, 1])


def test_rare_classes_weigh_as_much_as_frequent_ones_in_the_unweighted_recall() -> None:
    target = torch.tensor([0] * 8 + [1] * 2)
    pred = torch.zeros(10, dtype=torch.int64)
    assert war(pred, target).item() == pytest.approx(0.8)
    assert uar(pred, target).item() == pytest.approx(0.5)
    assert weighted_f1(pred, target).item() == pytest.approx(0.8 * 16 / 18)
    assert macro_f1(pred, target).item() == pytest.approx(8 / 18)


def test_the_confusion_has_true_classes_in_rows_and_refuses_others() -> None:
    table = confusion(torch.tensor([1, 1, 2]), torch.tensor([0, 1, 1]), 3)
    assert table.tolist() == [[0, 1, 0], [0, 1, 1], [0, 0, 0]]
    with pytest.raises(ValueError, match="lie in 0 to 1, found 0 to 2"):
        confusion(torch.tensor([2]), torch.tensor([0]), 2)
