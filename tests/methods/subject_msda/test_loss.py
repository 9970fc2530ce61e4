"""Properties of subject-based adaptation."""

import pytest
import torch

from train.methods.subject_msda.loss import (
    Domain,
    adaptation_loss,
    base_bandwidth,
    closest_subjects,
    coral,
    mmd,
    rbf_kernels,
    select_pseudo_labels,
)


def random(*shape: int, seed: int = 0) -> torch.Tensor:
    return torch.randn(*shape, generator=torch.Generator().manual_seed(seed), dtype=torch.float64)


def test_equal_sets_have_no_discrepancy_in_any_order() -> None:
    rows = random(9, 4)
    other = rows[torch.randperm(9)]
    for value in (mmd(rows, other), mmd(rows, other, kernel="linear"), coral(rows, other)):
        assert value.item() == pytest.approx(0, abs=1e-12)


def test_mmd_is_symmetric_and_takes_sets_of_different_sizes() -> None:
    source, target = random(5, 4), random(11, 4, seed=1) + 1
    assert mmd(source, target).item() == pytest.approx(mmd(target, source).item(), rel=1e-9)
    assert mmd(source, target) > 0


def test_mmd_grows_with_the_shift_and_ignores_a_common_offset() -> None:
    source, target = random(40, 3), random(40, 3, seed=1)
    values = [mmd(source, target + shift).item() for shift in (0.0, 0.5, 1.0, 2.0)]
    assert values == sorted(values)
    far_away = mmd(source.float() + 1000, target.float() + 1002).item()
    assert far_away == pytest.approx(values[-1], rel=1e-3)


def test_the_bandwidth_is_the_mean_over_the_pairs() -> None:
    rows = torch.tensor([[0.0], [2.0]])
    assert base_bandwidth((rows - rows.T).square()).item() == 4 / 4
    expected = sum(torch.tensor(-4.0 / 2**q).exp() for q in range(5))
    assert rbf_kernels(rows)[0, 1].item() == pytest.approx(float(expected))


def test_rows_that_are_all_equal_have_no_discrepancy_and_a_finite_gradient() -> None:
    source, target = torch.ones(4, 3, requires_grad=True), torch.ones(4, 3)
    for value in (mmd(source, target), coral(source, target)):
        (gradient,) = torch.autograd.grad(value, source)
        assert value.item() == 0
        assert gradient.isfinite().all()


def test_coral_sees_a_scale_and_not_a_shift() -> None:
    rows = random(20, 3)
    assert coral(rows, rows + 5).item() == pytest.approx(0, abs=1e-12)
    assert coral(rows, 2 * rows) > 0


def test_squared_coral_is_that_of_its_own_paper() -> None:
    source, target = random(8, 3), random(8, 3, seed=1)
    difference = torch.cov(source.T) - torch.cov(target.T)
    assert coral(source, target, squared=True).item() == pytest.approx(difference.square().sum().item() / 36)


def test_features_of_different_widths_are_refused() -> None:
    with pytest.raises(ValueError, match=r"\(3, 4\) and \(3, 5\)"):
        mmd(random(3, 4), random(3, 5))
    with pytest.raises(ValueError, match="at least 2 rows"):
        coral(random(1, 4), random(3, 4))


def test_a_label_is_that_of_the_more_confident_view_unless_agreement_is_required() -> None:
    plain, mirrored = torch.tensor([[4.0, 0.0], [5.0, 0.0]]), torch.tensor([[0.0, 6.0], [4.0, 0.0]])
    assert select_pseudo_labels(plain, mirrored).labels.tolist() == [1, 0]
    assert select_pseudo_labels(plain, mirrored, require_agreement=True).indices.tolist() == [1]


def test_a_confidence_at_the_threshold_is_not_kept() -> None:
    even = torch.zeros(1, 2)
    assert len(select_pseudo_labels(even, even, 0.5).indices) == 0
    assert len(select_pseudo_labels(even, even, 0.49).indices) == 1


@pytest.mark.parametrize("reference", [False, True])
def test_the_discrepancy_trains_unless_the_reference_is_asked_for(reference: bool) -> None:
    features = random(6, 4).requires_grad_()
    labels = torch.zeros(6, dtype=torch.int64)
    first = Domain(features, random(6, 2), labels)
    second = Domain(random(6, 4, seed=1), random(6, 2, seed=2), labels)
    loss = adaptation_loss(first, second, reference=reference)
    assert loss.requires_grad is not reference
    without = adaptation_loss(first, second, weight=0.0, reference=reference)
    assert (loss - without).item() == pytest.approx(mmd(first.features, second.features).item())


def test_a_discrepancy_that_is_not_finite_is_left_out_with_a_warning() -> None:
    labels = torch.zeros(3, dtype=torch.int64)
    broken = Domain(torch.full((3, 2), torch.nan), torch.zeros(3, 2), labels)
    sound = Domain(torch.zeros(3, 2), torch.zeros(3, 2), labels)
    with pytest.warns(RuntimeWarning, match="not finite"):
        assert adaptation_loss(broken, sound).item() == pytest.approx(2 * 0.6931, abs=1e-3)
    assert adaptation_loss(broken, sound, reference=True).item() == pytest.approx(2 * 0.6931, abs=1e-3)


def test_descending_the_discrepancy_brings_two_people_together() -> None:
    source, target = random(30, 3), random(30, 3, seed=1) + 2
    shift = torch.zeros(3, dtype=torch.float64, requires_grad=True)
    optimiser = torch.optim.Adam([shift], lr=0.1)
    for _ in range(60):
        (shift.grad,) = torch.autograd.grad(mmd(source + shift, target), shift)
        optimiser.step()
    torch.testing.assert_close(shift.detach(), target.mean(dim=0) - source.mean(dim=0), rtol=0, atol=0.3)


def test_the_closest_people_come_first() -> None:
    target = random(20, 3)
    sources = {f"shift {shift}": random(20, 3, seed=shift) + shift for shift in (3, 1, 2)}
    assert closest_subjects(sources, target, 2) == ["shift 1", "shift 2"]
