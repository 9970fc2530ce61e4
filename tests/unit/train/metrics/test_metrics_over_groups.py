"""Scores per output, and bootstrap intervals over groups."""

import pytest
import torch

from train.metrics.regression import bootstrap_interval, ccc, mae, pcc, rmse

GENERATOR_SEED = 5


def noisy(rows: int) -> tuple[torch.Tensor, torch.Tensor]:
    generator = torch.Generator().manual_seed(GENERATOR_SEED)
    target = torch.randn(rows, 2, generator=generator)
    return target + 0.5 * torch.randn(rows, 2, generator=generator), target


def test_each_output_is_scored_by_itself() -> None:
    target = torch.tensor([[0.0, 0.0], [1.0, 1.0]])
    pred = torch.tensor([[0.0, 1.0], [1.0, 4.0]])
    assert mae(pred, target).tolist() == [0.0, 2.0]
    assert rmse(pred, target).tolist() == pytest.approx([0.0, 5**0.5])
    assert pcc(pred, target).tolist() == pytest.approx([1.0, 1.0], abs=1e-4)


def test_unequal_shapes_are_refused() -> None:
    with pytest.raises(ValueError, match=r"found \(3, 2\) and \(3, 1\)"):
        mae(torch.zeros(3, 2), torch.zeros(3, 1))


def test_the_interval_holds_the_score_and_repeats_with_its_seed() -> None:
    pred, target = noisy(80)
    groups = [row // 4 for row in range(80)]
    interval = bootstrap_interval(ccc, pred, target, groups, resamples=200, seed=1)
    again = bootstrap_interval(ccc, pred, target, groups, resamples=200, seed=1)
    score = ccc(pred, target)
    assert ((interval.low < score) & (score < interval.high)).all()
    assert torch.equal(interval.low, again.low)
    assert torch.equal(interval.high, again.high)


def test_copies_of_a_row_in_its_group_do_not_narrow_the_interval() -> None:
    pred, target = noisy(30)
    copies = 4
    rows = torch.arange(30).repeat_interleave(copies)
    once = bootstrap_interval(mae, pred, target, range(30), resamples=300)
    copied = bootstrap_interval(mae, pred[rows], target[rows], rows.tolist(), resamples=300)
    torch.testing.assert_close(copied.high - copied.low, once.high - once.low)


@pytest.mark.parametrize(
    ("groups", "level", "message"),
    [(["a", "b"], 0.95, "found 2 groups"), (["a"] * 3, 0.95, "at least 2 groups"), (["a", "b", "b"], 1.0, "found 1.0")],
)
def test_an_interval_that_cannot_be_drawn_is_refused(groups: list[str], level: float, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        bootstrap_interval(mae, torch.zeros(3, 1), torch.zeros(3, 1), groups, level=level)
