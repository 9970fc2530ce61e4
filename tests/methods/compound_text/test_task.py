"""Batches of texts: what is padded, what is drawn, and that neither changes a result."""

from typing import Any

import pytest
import torch
from torch import Tensor, nn

from train.loop.fit import Part
from train.methods.compound_text.task import PromptBatch, PromptTask, Tokens, logits_of

PAD = 0


class Letters:
    """A tokenizer: a text is the numbers of its letters."""

    pad_token_id = PAD

    def __call__(self, texts: list[str], *, truncation: bool, max_length: int) -> dict[str, Any]:
        return {"input_ids": [[ord(letter) - 96 for letter in text][:max_length] for text in texts]}


class Sums(nn.Module):
    """Logits are the sum and the number of what is not hidden."""

    def __init__(self) -> None:
        super().__init__()
        self.scale = nn.Parameter(torch.ones(()))
        self.lengths: list[int] = []

    def forward(self, input_ids: Tensor, attention_mask: Tensor) -> Tensor:
        self.lengths.append(input_ids.shape[1])
        return self.scale * torch.stack([(input_ids * attention_mask).sum(1), attention_mask.sum(1)], dim=1).float()


TEXTS = ["a", "abc", "zz", "abcdef", "b", "dd", "eee", "f"]


def tokens(max_tokens: int = 10) -> Tokens:
    return Tokens(TEXTS, Letters(), max_tokens=max_tokens)


def task(**changes: Any) -> PromptTask:
    settings: dict[str, Any] = {"batch": 2, "seed": 0} | changes
    return PromptTask(Sums(), tokens(), torch.arange(len(TEXTS)) % 2, lambda _: {}, **settings)


def rows(batches: list[PromptBatch]) -> list[list[int]]:
    """The texts of all batches, as their letters."""
    return [row[mask.bool()].tolist() for ids, mask, _ in batches for row, mask in zip(ids, mask, strict=True)]


def test_a_batch_is_as_long_as_its_longest_text() -> None:
    input_ids, mask = tokens().padded([0, 1])
    assert input_ids.tolist() == [[1, PAD, PAD], [1, 2, 3]]
    assert mask.tolist() == [[1, 0, 0], [1, 1, 1]]


def test_batches_can_all_be_as_long_as_the_longest_text_of_the_data() -> None:
    padded = task(pad_to=tokens().longest)
    assert {batch.input_ids.shape[1] for batch in padded.batches(0, 0, Part())} == {6}


def test_longer_texts_are_cut() -> None:
    assert tokens(max_tokens=4).longest == 4


def test_an_epoch_shows_every_text_once_with_its_label() -> None:
    batches = list(task().batches(0, 0, Part()))
    assert len(batches) == 4
    assert sorted(rows(batches)) == sorted(tokens().rows)
    labels = {tuple(row): number % 2 for number, row in enumerate(tokens().rows)}
    shown = torch.cat([batch.labels for batch in batches]).tolist()
    assert shown == [labels[tuple(row)] for row in rows(batches)]


def test_texts_of_like_length_share_a_batch() -> None:
    for batch in task().batches(3, 0, Part()):
        lengths = batch.attention_mask.sum(dim=1)
        assert int(lengths.max() - lengths.min()) <= 3  # drawn at random, six and one would meet


def test_batches_depend_on_epoch_and_number_alone() -> None:
    first = rows(list(task().batches(1, 0, Part())))
    assert rows(list(task().batches(1, 2, Part()))) == first[4:]
    assert rows(list(task().batches(2, 0, Part()))) != first


def test_processes_share_an_epoch() -> None:
    parts = [list(task().batches(0, 0, Part(rank, 2))) for rank in (0, 1)]
    assert [len(part) for part in parts] == [2, 2]
    assert sorted(rows(parts[0] + parts[1])) == sorted(tokens().rows)


def test_an_epoch_can_be_a_part_of_the_texts() -> None:
    drawn = task(epoch_texts=4)
    assert drawn.batch_count(Part()) == 2
    assert len(rows(list(drawn.batches(0, 0, Part())))) == 4


def test_fewer_texts_than_a_batch_are_one_batch() -> None:
    assert [len(batch.labels) for batch in task(batch=100).batches(0, 0, Part())] == [8]


def test_the_loss_is_the_mean_cross_entropy() -> None:
    one = task()
    batch = next(iter(one.batches(0, 0, Part())))
    expected = torch.nn.functional.cross_entropy(one.model(batch.input_ids, batch.attention_mask), batch.labels)
    torch.testing.assert_close(one.losses(one.model, batch)["cross_entropy"], expected)


@pytest.mark.parametrize("batch", [1, 3, 100])
def test_logits_come_in_the_order_of_the_texts(batch: int) -> None:
    found = logits_of(Sums(), tokens(), batch=batch)
    assert found[:, 0].tolist() == [sum(row) for row in tokens().rows]
    assert found[:, 1].tolist() == [len(row) for row in tokens().rows]
