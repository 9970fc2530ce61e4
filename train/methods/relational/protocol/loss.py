"""What a protocol minimises: concordance or squared error, and the relational loss beside it."""

from torch import Tensor

from ....losses import ccc_loss, relational_loss
from ....metrics.regression import rmse
from .recipe import ObjectiveConfig


def objective(
    config: ObjectiveConfig, query: Tensor, pred: Tensor, truth: Tensor, *, reference: bool
) -> dict[str, Tensor]:
    """query (B, D), pred and truth (B, L) → weighted parts of the loss, scalars."""
    parts: dict[str, Tensor] = {config.main: main_loss(config, pred, truth)}
    if config.relational != 0:
        parts["relational"] = config.relational * relational_loss(query, truth, reference=reference)
    return parts


def main_loss(config: ObjectiveConfig, pred: Tensor, truth: Tensor) -> Tensor:
    """pred and truth (B, L) → scalar."""
    return ccc_loss(pred, truth) if config.main == "ccc" else rmse(pred, truth).mean()
