"""Scores of predictions: regressions per output, classifications from one table, and their uncertainty."""

from .correlation import concordance, pearson
from .regression import ccc, mae, pcc, rmse

__all__ = ["ccc", "concordance", "mae", "pcc", "pearson", "rmse"]
