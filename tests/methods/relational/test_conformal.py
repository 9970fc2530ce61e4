"""Conformal quantiles and the coverage they promise."""

import pytest
import torch
from torch import Tensor

from train.methods.relational.calibrate import conformal_quantiles, coverage


def draw(rows: int, seed: int) -> tuple[Tensor, Tensor, Tensor]:
    """Predictions, spreads that know the size of the errors, and truths."""
    generator = torch.Generator().manual_seed(seed)
    truth = torch.rand(rows, 2, generator=generator) * 2 - 1
    spread = torch.rand(rows, 2, generator=generator) * 0.3 + 0.05
    return truth + spread * torch.randn(rows, 2, generator=generator), spread, truth


def test_intervals_hold_ninety_percent_of_unseen_rows() -> None:
    quantiles = conformal_quantiles(*draw(4000, seed=1))
    found = coverage(*draw(20000, seed=2), quantiles)
    assert found == pytest.approx({"valence": 0.9, "arousal": 0.9}, abs=0.015)


def test_the_quantile_is_the_finite_sample_one() -> None:
    error = torch.arange(1.0, 20.0)[:, None].repeat(1, 2)  # 19 rows: the rank is ceil(20 · 0.9) = 18
    assert conformal_quantiles(error, torch.ones(19, 2), torch.zeros(19, 2))["valence"] == 18.0


def test_too_few_rows_are_refused() -> None:
    with pytest.raises(ValueError, match="8 held-out rows are too few for 90% intervals; 9 are enough"):
        conformal_quantiles(torch.zeros(8, 2), torch.ones(8, 2), torch.zeros(8, 2))
