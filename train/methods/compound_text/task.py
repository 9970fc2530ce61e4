"""A training task whose data are texts: tokens once, batches padded to their own longest text."""

from collections.abc import Callable, Iterator, Sequence
from typing import Any, NamedTuple

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from ...loop.device import device_of
from ...loop.fit import Part

GROUPED = 16  # batches within which texts are sorted by length, so that little of a batch is padding


class PromptBatch(NamedTuple):
    """input_ids, attention_mask (B, L) int64; labels (B,) int64."""

    input_ids: Tensor
    attention_mask: Tensor
    labels: Tensor


class Tokens:
    """N texts as tokens. longest: of all texts; pad: the token that fills a batch up.

    max_tokens: longer texts are cut, by the tokenizer's rule
    """

    def __init__(self, texts: Sequence[str], tokenizer: Any, *, max_tokens: int) -> None:
        self.rows: list[list[int]] = tokenizer(list(texts), truncation=True, max_length=max_tokens)["input_ids"]
        self.pad = int(tokenizer.pad_token_id)
        self.longest = max(len(row) for row in self.rows)

    def padded(self, numbers: Sequence[int], *, length: int | None = None) -> tuple[Tensor, Tensor]:
        """Rows by number → tokens and mask (B, L); L is the longest of them, or `length`."""
        rows = [self.rows[number] for number in numbers]
        width = length or max(len(row) for row in rows)
        input_ids = torch.full((len(rows), width), self.pad)
        mask = torch.zeros((len(rows), width), dtype=torch.int64)
        for place, row in enumerate(rows):
            input_ids[place, : len(row)] = torch.tensor(row)
            mask[place, : len(row)] = 1
        return input_ids, mask


class PromptTask:
    """A `train.loop.fit.Task`: cross-entropy of the classes of N texts, in a fresh order each epoch.

    labels:      (N,) int64
    validate:    scores of the averaged model
    batch:       texts of a batch; what is left for a smaller one waits for another epoch
    epoch_texts: an epoch takes so many of the texts at random, 0: all
    pad_to:      every batch is as long as this; None: as its own longest text
    """

    def __init__(
        self,
        model: nn.Module,
        tokens: Tokens,
        labels: Tensor,
        validate: Callable[[nn.Module], dict[str, float]],
        *,
        batch: int,
        seed: int,
        epoch_texts: int = 0,
        pad_to: int | None = None,
    ) -> None:
        self.model = model
        self._tokens = tokens
        self._labels = labels
        self._validate = validate
        self._count = min(epoch_texts or len(labels), len(labels))
        self._batch = min(batch, self._count)
        self._seed = seed
        self._pad_to = pad_to

    def batch_count(self, part: Part) -> int:
        """Whole batches of one epoch for each process."""
        return max(1, self._count // (self._batch * part.world))

    def batches(self, epoch: int, first: int, part: Part) -> Iterator[PromptBatch]:
        """Rows by seed, epoch and number alone."""
        batches = self._drawn(epoch)
        for number in range(first, self.batch_count(part)):
            rows = batches[(number * part.world + part.rank) % len(batches)]
            yield PromptBatch(*self._tokens.padded(rows, length=self._pad_to), self._labels[torch.tensor(rows)])

    def losses(self, model: nn.Module, batch: PromptBatch) -> dict[str, Tensor]:
        """Cross-entropy, the mean over the batch."""
        return {"cross_entropy": F.cross_entropy(model(batch.input_ids, batch.attention_mask), batch.labels)}

    def validate(self, model: nn.Module) -> dict[str, float]:
        """As given."""
        model.eval()
        return self._validate(model)

    def _drawn(self, epoch: int) -> list[list[int]]:
        """The rows of every batch. Among `GROUPED` batches that were drawn together, texts of like length meet."""
        generator = torch.Generator().manual_seed(1000 * self._seed + epoch)
        order = torch.randperm(len(self._labels), generator=generator)[: self._count].tolist()
        grouped = [
            number
            for at in range(0, len(order), GROUPED * self._batch)
            for number in sorted(order[at : at + GROUPED * self._batch], key=lambda row: len(self._tokens.rows[row]))
        ]
        batches = [grouped[at : at + self._batch] for at in range(0, len(grouped), self._batch)]
        whole = [batch for batch in batches if len(batch) == self._batch]
        return [whole[place] for place in torch.randperm(len(whole), generator=generator).tolist()]


@torch.no_grad()
def logits_of(model: nn.Module, tokens: Tokens, *, batch: int) -> Tensor:
    """Logits (N, K) of all texts, on the CPU. Texts of like length share a batch, which changes no result."""
    model.eval()
    device = device_of(model)
    order = sorted(range(len(tokens.rows)), key=lambda number: len(tokens.rows[number]))
    found = []
    for at in range(0, len(order), batch):
        input_ids, mask = tokens.padded(order[at : at + batch])
        found.append(model(input_ids.to(device), mask.to(device)).cpu())
    return torch.cat(found)[torch.tensor(order).argsort()]
