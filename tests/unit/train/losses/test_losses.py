"""Properties of the training losses."""

import pytest
import torch

from train.losses import ccc_loss, relational_loss
from train.metrics.correlation import concordance


def random(*shape: int, seed: int = 0) -> torch.Tensor:
    return torch.randn(*shape, generator=torch.Generator().manual_seed(seed), dtype=torch.float64)


def test_the_relational_loss_is_zero_when_features_are_turned_and_stretched_labels() -> None:
    labels = random(6, 2)
    rotation = torch.linalg.qr(random(5, 5, seed=1)).Q[:2]
    lengths = random(6, 1, seed=2).abs() + 0.1
    features = lengths * labels @ rotation
    assert relational_loss(features, labels, reference=True) < 1e-7
    assert relational_loss(features, labels) == pytest.approx(1e-6, rel=1e-3)


def test_the_relational_loss_is_two_for_opposite_structures() -> None:
    features = torch.tensor([[1.0, 0.0], [1.0, 0.0]])
    labels = torch.tensor([[0.5, 0.5], [-0.5, -0.5]])
    assert relational_loss(features, labels).item() == pytest.approx(2.0)


def test_the_gradient_is_finite_where_the_structures_are_equal_unless_the_reference_is_asked_for() -> None:
    labels = torch.eye(3)[:, :2]
    for reference, finite in ((False, True), (True, False)):
        features = labels.clone().requires_grad_()
        (gradient,) = torch.autograd.grad(relational_loss(features, labels, reference=reference), features)
        assert bool(gradient.isfinite().all()) is finite


def test_centred_labels_are_compared_by_their_direction_from_the_mean() -> None:
    labels = torch.tensor([[0.8, 0.8], [0.9, 0.8], [1.0, 0.8]], dtype=torch.float64)
    features = torch.tensor([[-1.0], [0.0], [1.0]], dtype=torch.float64)
    assert relational_loss(features, labels, centre_labels=True) < 1e-5
    assert relational_loss(features, labels) > 0.5


def test_a_batch_of_one_clip_has_no_pairs() -> None:
    with pytest.raises(ValueError, match="at least 2 in a batch, found 1"):
        relational_loss(random(1, 4), random(1, 2))


def test_features_and_labels_of_different_batches_are_refused() -> None:
    with pytest.raises(ValueError, match=r"found \(3, 4\) and \(2, 2\)"):
        relational_loss(random(3, 4), random(2, 2))


def test_a_column_agrees_with_itself() -> None:
    column = random(50, 3)
    torch.testing.assert_close(concordance(column, column), torch.ones(3, dtype=torch.float64), rtol=0, atol=1e-4)
    assert ccc_loss(column, column) < 1e-4


def test_a_shift_and_a_scale_lower_the_concordance_as_the_formula_says() -> None:
    target = random(200, 1)
    variance = target.var(correction=0).item()
    expected = 2 * 0.5 * variance / (1.25 * variance + (0.5 * target.mean().item() - 0.3) ** 2)
    assert concordance(0.5 * target + 0.3, target).item() == pytest.approx(expected, rel=1e-4)


def test_the_concordance_loss_has_finite_gradients_for_constant_predictions() -> None:
    pred = torch.full((4, 2), 0.3, requires_grad=True)
    (gradient,) = torch.autograd.grad(ccc_loss(pred, torch.randn(4, 2)), pred)
    assert gradient.isfinite().all()


def test_the_concordance_of_one_row_is_refused() -> None:
    with pytest.raises(ValueError, match="at least 2 rows, found 1"):
        ccc_loss(random(1, 2), random(1, 2))
