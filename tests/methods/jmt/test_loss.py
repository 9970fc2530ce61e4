"""Properties of the joint multimodal transformer's concordance loss."""

import pytest
import torch

from train.methods.jmt.loss import jmt_ccc_loss


def random(*shape: int, seed: int = 0) -> torch.Tensor:
    return torch.randn(*shape, generator=torch.Generator().manual_seed(seed), dtype=torch.float64)


def test_invalid_labels_are_left_out_of_the_loss_unless_the_reference_is_asked_for() -> None:
    pred, target = random(20), random(20, seed=1).clamp(-1, 1)
    target[3:6] = -5.0
    kept = target != -5.0
    assert jmt_ccc_loss(pred, target).item() == pytest.approx(jmt_ccc_loss(pred[kept], target[kept]).item())
    assert jmt_ccc_loss(pred, target, reference=True).item() != pytest.approx(jmt_ccc_loss(pred, target).item())


def test_the_loss_of_constant_predictions_is_one_with_a_finite_gradient() -> None:
    pred = torch.zeros(8, requires_grad=True)
    for target in (torch.linspace(-1, 1, 8), torch.zeros(8)):
        loss = jmt_ccc_loss(pred, target)
        (gradient,) = torch.autograd.grad(loss, pred)
        assert loss.item() == 1.0
        assert gradient.isfinite().all()
