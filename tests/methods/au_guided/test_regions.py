"""Properties of the action units' heat maps, of the alignment loss and of the maps that are read from a classifier."""

import pytest
import torch
from torch import Tensor, nn

from tests.support.training.golden import load_golden
from train.methods.au_guided.loss import au_alignment_loss
from train.methods.au_guided.recipe import Channels
from train.methods.au_guided.regions import CODEBOOK, heatmap, heatmaps, read_face, unit_map
from train.methods.au_guided.spatial import agreement, attention_map, class_activation_map

SIZE = 128


def face() -> Tensor:
    return load_golden("au_heatmap")["landmarks"]


def draw(landmarks: Tensor, expression: str, *, reference: bool = False, scale_radii: bool = False) -> Tensor:
    return heatmap(
        landmarks, expression, height=SIZE, width=SIZE, reference=reference, scale_radii=scale_radii
    )  # fmt: skip


def random(*shape: int, seed: int = 0) -> Tensor:
    return torch.randn(*shape, generator=torch.Generator().manual_seed(seed))


@pytest.mark.parametrize("expression", [name for name, units in CODEBOOK.items() if units])
def test_a_heat_map_reaches_from_zero_to_one(expression: str) -> None:
    region = draw(face(), expression)
    assert [region.min().item(), region.max().item()] == [0, 1]


def test_happiness_lies_about_the_mouth_and_cheeks_and_not_on_the_brows() -> None:
    region, points = draw(face(), "Happiness"), face().tolist()
    corners = [region[y, x] for x, y in (points[48], points[54])]
    brows = [region[y, x] for x, y in points[17:27]]
    assert min(corners) > 0.9
    assert max(brows) < 0.1


def test_the_region_follows_a_face_that_is_moved() -> None:
    moved = face() + torch.tensor([9, 5])
    before, after = draw(face(), "Happiness"), draw(moved, "Happiness")
    grid = torch.arange(SIZE, dtype=torch.float32)
    shift = [(grid @ after.sum(axis) / after.sum() - grid @ before.sum(axis) / before.sum()).item() for axis in (0, 1)]
    assert shift == pytest.approx([9, 5], abs=1.0)


def test_a_face_that_was_not_found_and_a_neutral_one_have_no_region() -> None:
    lost = face().double()
    lost[30, 0] = torch.inf
    assert draw(lost, "Anger").isinf().all()
    assert draw(face(), "Neutral").isinf().all()


def test_a_face_outside_the_picture_has_no_region() -> None:
    assert draw(face() + 10 * SIZE, "Anger").isinf().all()


def test_the_chin_of_a_turned_head_keeps_its_width_unless_the_reference_is_asked_for() -> None:
    turned = face().clone()
    turned[8, 0] = turned[59, 0] - 40
    drawn = []
    for reference in (False, True):
        chin = unit_map(read_face(turned, SIZE, SIZE, reference=reference, scale_radii=False), 11)
        assert chin is not None
        drawn.append((chin > 127).any(axis=0).sum())
    assert drawn[0] > 2 * drawn[1]


def test_scaled_radii_give_the_same_region_in_a_picture_of_another_size() -> None:
    sizes = (112, 448)
    points = [face().double() * size / SIZE for size in sizes]
    differences = []
    for scale_radii in (True, False):
        small, large = (
            heatmap(landmarks, "Happiness", height=size, width=size, scale_radii=scale_radii)
            for landmarks, size in zip(points, sizes, strict=True)
        )
        differences.append((small - large[::4, ::4]).abs().mean())
    assert differences[0] < 0.02 < differences[1]


def test_landmarks_are_cut_to_whole_pixels() -> None:
    torch.testing.assert_close(draw(face() + 0.9, "Fear"), draw(face(), "Fear"))


def test_wrong_landmarks_and_expressions_are_refused() -> None:
    with pytest.raises(ValueError, match=r"expected 68 landmarks \(x, y\), found \(5, 2\)"):
        draw(face()[:5], "Anger")
    with pytest.raises(ValueError, match="no action units are known for 'Contempt'"):
        draw(face(), "Contempt")


def test_attention_on_the_region_costs_nothing_and_attention_elsewhere_costs_most() -> None:
    region = draw(face(), "Happiness")[None, None]
    assert au_alignment_loss(3 * region, region) < 1e-6
    assert au_alignment_loss(-region, region).item() == pytest.approx(2.0, abs=1e-6)
    assert au_alignment_loss(region, region, kind="l1") == au_alignment_loss(region, region, kind="l2") == 0


def test_a_sample_without_a_region_changes_neither_loss_nor_gradient() -> None:
    features = random(3, 4, 8, 8).requires_grad_()
    labels = torch.tensor([1, 6, 2])
    maps = heatmaps(face().expand(3, -1, -1), labels, height=SIZE, width=SIZE)
    (gradient,) = torch.autograd.grad(au_alignment_loss(features, maps), features)
    assert gradient[1].abs().max() == 0
    assert gradient[[0, 2]].flatten(1).abs().amax(dim=1).min() > 0


def test_without_any_region_the_loss_is_a_zero_that_carries_no_gradient() -> None:
    loss = au_alignment_loss(random(2, 4, 8, 8).requires_grad_(), torch.full((2, 1, 16, 16), torch.inf))
    assert loss == 0
    assert not loss.requires_grad


def test_the_gradient_is_finite_where_a_layer_is_silent() -> None:
    features = torch.zeros(1, 4, 8, 8, requires_grad=True)
    (gradient,) = torch.autograd.grad(au_alignment_loss(features, draw(face(), "Fear")[None, None]), features)
    assert gradient.isfinite().all()


def test_descending_the_loss_brings_the_attention_to_the_region() -> None:
    region = draw(face(), "Surprise")[None, None]
    features = random(1, 4, 14, 14).requires_grad_()
    optimiser = torch.optim.SGD([features], lr=200.0)
    before = agreement(features.detach().mean(1, keepdim=True), region).cosine
    for _ in range(50):
        optimiser.zero_grad()
        au_alignment_loss(features, region).backward()  # type: ignore[no-untyped-call]
        optimiser.step()
    after = agreement(features.detach().mean(1, keepdim=True), region).cosine
    assert after > 0.9 > before


def test_layers_of_other_shapes_and_unknown_kinds_are_refused() -> None:
    region = draw(face(), "Fear")[None, None]
    with pytest.raises(ValueError, match="with B = 1"):
        au_alignment_loss(random(2, 4, 8, 8), region)
    with pytest.raises(ValueError, match="at least one layer"):
        au_alignment_loss([], region)
    with pytest.raises(ValueError, match="found 'l3'"):
        au_alignment_loss(random(1, 4, 8, 8), region, kind="l3")  # type: ignore[arg-type]
    with pytest.raises(ValueError, match="found 'best'"):
        au_alignment_loss(random(1, 4, 8, 8), region, channels="best")  # type: ignore[arg-type]
    with pytest.raises(ValueError, match="found 0"):
        au_alignment_loss(random(1, 4, 8, 8), region, channels="first", share=0)


def test_attention_is_taken_of_the_chosen_channels() -> None:
    features = random(3, 5, 2, 2)
    choices: list[tuple[Channels, float, list[int]]] = [
        ("left", 1.0, [0, 1]),
        ("right", 1.0, [2, 3, 4]),
        ("first", 0.7, [0, 1, 2]),
    ]
    for channels, share, rows in choices:
        expected = features[:, rows].mean(dim=1, keepdim=True)
        torch.testing.assert_close(attention_map(features, channels=channels, share=share), expected)
    torch.testing.assert_close(attention_map(features, channels="random"), attention_map(features))
    assert attention_map(features[:, :1], channels="right").isfinite().all()


def test_random_channels_are_drawn_for_each_sample_and_are_their_mean() -> None:
    torch.manual_seed(0)
    features = torch.arange(4.0)[None, :, None, None].exp2().expand(200, -1, 1, 1)
    drawn = attention_map(features, channels="random", share=0.5).flatten()
    assert {0.0, 1.0, 8.0, 3.75} <= set(drawn.tolist())


def test_the_divergence_is_finite_at_the_ends_of_the_heat_map_and_least_where_attention_lies_on_it() -> None:
    region = draw(face(), "Happiness")[None, None]
    losses = [
        au_alignment_loss((factor * region).requires_grad_(), region, kind="kl") for factor in (3.0, 0.0, -3.0, 1e4)
    ]
    assert all(loss.isfinite() for loss in losses)
    assert losses[0] < losses[1] < losses[2]


def test_the_mean_of_a_class_activation_map_is_the_logit_without_its_bias() -> None:
    features, linear, classes = random(3, 5, 6, 7), nn.Linear(5, 4), torch.tensor([2, 0, 3])
    logits = linear(features.mean(dim=(2, 3)))[torch.arange(3), classes] - linear.bias[classes]
    maps = class_activation_map(features, linear.weight, classes)
    torch.testing.assert_close(maps.mean(dim=(1, 2, 3)), logits)


def test_a_uniform_map_has_a_high_cosine_and_no_correlation() -> None:
    region = draw(face(), "generic")[None, None]
    uniform = agreement(torch.ones(1, 1, 14, 14), region)
    assert uniform.cosine > 0.5
    assert uniform.pearson.abs() < 1e-5
    assert agreement(torch.ones(1, 1, 4, 4), torch.full((1, 1, 8, 8), torch.inf)).cosine.isnan()
