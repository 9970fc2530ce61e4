"""Labelled people and the unlabelled person side by side, as a task for the loop."""

from collections.abc import Callable, Iterator

import torch
from torch import Tensor, nn

from ...loop.fit import Part
from ...metrics.classification import war
from .data import Person
from .loss import Domain, adaptation_loss, coral, mmd
from .recipe import SubjectMsdaRecipe

Rows = tuple[Tensor, Tensor]  # features (B, D), labels (B,)
Pair = tuple[Rows, Rows]
SCORED = "target_accuracy"


class PairTask:
    """A `train.loop.fit.Task` whose batches are rows of two domains, drawn by seed, epoch and number alone."""

    def __init__(
        self,
        model: nn.Module,
        draw: Callable[[torch.Generator], Pair],
        recipe: SubjectMsdaRecipe,
        target: Person,
        weight: float,
    ) -> None:
        self.model = model
        self._draw = draw
        self._recipe = recipe
        self._target = target
        self._weight = weight

    def batch_count(self, part: Part) -> int:
        """Batches of one epoch for each process."""
        return max(1, self._recipe.batches // part.world)

    def batches(self, epoch: int, first: int, part: Part) -> Iterator[Pair]:
        """Pairs of rows."""
        for number in range(first, self.batch_count(part)):
            seed = ((self._recipe.seed * 1000 + epoch) * 1000 + number) * 1000 + part.rank
            yield self._draw(torch.Generator().manual_seed(seed))

    def losses(self, model: nn.Module, batch: Pair) -> dict[str, Tensor]:
        """Cross-entropy of both sides and the discrepancy, in one sum."""
        domains = []
        for rows, labels in batch:
            features, logits = model(rows)
            domains.append(Domain(features, logits, labels))
        discrepancy = mmd if self._recipe.discrepancy == "mmd" else coral
        return {"adaptation": adaptation_loss(domains[0], domains[1], discrepancy=discrepancy, weight=self._weight)}

    def validate(self, model: nn.Module) -> dict[str, float]:
        """Accuracy on the target, with the labels that training does not see."""
        model.eval()
        with torch.no_grad():
            return {SCORED: float(war(model(self._target.features)[1].argmax(dim=1), self._target.labels))}
