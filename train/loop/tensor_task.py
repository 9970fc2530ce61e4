"""A training task whose data fit into memory as tensors: rows are drawn in a fresh order each epoch."""

from collections.abc import Callable, Iterator, Sequence

import torch
from torch import Tensor, nn

from .device import device_of
from .fit import Part

Batch = tuple[Tensor, ...]


class TensorTask:
    """A `train.loop.fit.Task` over N rows.

    tensors:  each (N, …); a batch holds the same rows of all
    losses:   the weighted parts of the loss of a batch
    validate: scores of the averaged model
    batch:    rows of a batch; what is left for a smaller one waits for another epoch
    """

    def __init__(
        self,
        model: nn.Module,
        tensors: Sequence[Tensor],
        losses: Callable[[nn.Module, Batch], dict[str, Tensor]],
        validate: Callable[[nn.Module], dict[str, float]],
        *,
        batch: int,
        seed: int,
    ) -> None:
        self.model = model
        self._tensors = tensors
        self._losses = losses
        self._validate = validate
        self._batch = min(batch, len(tensors[0]))
        self._seed = seed

    def batch_count(self, part: Part) -> int:
        """Whole batches of one epoch for each process."""
        return max(1, len(self._tensors[0]) // (self._batch * part.world))

    def batches(self, epoch: int, first: int, part: Part) -> Iterator[Batch]:
        """Rows by seed, epoch and number alone."""
        order = torch.randperm(
            len(self._tensors[0]), generator=torch.Generator().manual_seed(1000 * self._seed + epoch)
        )
        device = device_of(self.model)
        for number in range(first, self.batch_count(part)):
            at = (number * part.world + part.rank) * self._batch
            rows = order[at : at + self._batch]
            yield tuple(tensor[rows].to(device) for tensor in self._tensors)

    def losses(self, model: nn.Module, batch: Batch) -> dict[str, Tensor]:
        """As given."""
        return self._losses(model, batch)

    def validate(self, model: nn.Module) -> dict[str, float]:
        """As given, without gradients."""
        model.eval()
        with torch.no_grad():
            return self._validate(model)
