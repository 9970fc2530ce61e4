"""One fold of a protocol as a task for the loop, and what its model predicts of whole recordings."""

from collections.abc import Iterator, Sequence
from typing import NamedTuple

import numpy as np
import torch
from lightning_fabric import Fabric
from torch import Tensor, nn

from ....data.sampling.clip_weights import ClipWeights
from ....data.splits import Fold
from ....errors import TrainingError
from ....loop.device import device_of
from ....loop.fit import Part
from .data import ProtocolClips
from .loss import main_loss, objective
from .model import ClipRegressor
from .recipe import LEAST_BATCH, ProtocolRecipe

VALID = "valid"  # name of the score that the best epoch has least of


class WindowBatch(NamedTuple):
    """crops (B, K, T, S, S, 3) uint8, labels (B, L); the clip of each window, and where it begins if that was drawn."""

    crops: Tensor
    labels: Tensor
    rows: list[int]
    starts: list[int]
    epoch: int


class FoldModel(nn.Module):
    """The regressor together with what the sampler has learned, so that a checkpoint holds both."""

    def __init__(self, regressor: ClipRegressor, windows: ClipWeights | None) -> None:
        super().__init__()
        self.regressor = regressor
        self.register_buffer("clip_weights", torch.empty(0) if windows is None else windows.flat())

    def forward(self, crops: Tensor) -> tuple[Tensor, Tensor]:
        """As the regressor."""
        query, pred = self.regressor(crops)
        return query.float(), pred.float()


class FoldTask:
    """A `train.loop.fit.Task`: one window of each training clip in an epoch.

    regressor: before training. Raises TrainingError where the fold has too few clips.
    """

    def __init__(
        self, recipe: ProtocolRecipe, clips: ProtocolClips, fold: Fold, regressor: ClipRegressor, fabric: Fabric
    ) -> None:
        self._recipe = recipe
        self._clips = clips
        self._fold = fold
        self._fabric = fabric
        self._rows = clips.training_rows(fold)
        self._windows = self._sampler()
        self.model = FoldModel(regressor, self._windows)

    def batch_count(self, part: Part) -> int:
        """Whole batches of one epoch for each process."""
        return len(self._rows) // (self._size(part) * part.world)

    def batches(self, epoch: int, first: int, part: Part) -> Iterator[WindowBatch]:
        """All clips in random order; what is left for a last batch waits for another epoch."""
        if self._windows is not None:
            self._windows.load_flat(self.model.get_buffer("clip_weights"))
        order = np.random.default_rng([self._recipe.seed, epoch]).permutation(self._rows).tolist()
        size = self._size(part)
        for number in range(first, self.batch_count(part)):
            at = (number * part.world + part.rank) * size
            yield self._batch(order[at : at + size], epoch)

    def losses(self, model: nn.Module, batch: WindowBatch) -> dict[str, Tensor]:
        """The main loss and the relational one; the errors go to the sampler."""
        query, pred = model(batch.crops)
        if self._windows is not None:
            self._learn(self._windows, batch, (pred.detach() - batch.labels).abs().mean(dim=1))
        recipe = self._recipe
        return objective(recipe.objective, query, pred, batch.labels, reference=recipe.sequence.reference)

    def validate(self, model: nn.Module) -> dict[str, float]:
        """The main loss on the fold's validation part, if it has one."""
        if not self._fold.valid:
            return {}
        assert isinstance(model, FoldModel)
        pred = predict(model.regressor, self._clips, self._fold.valid, self._fabric)
        truth = self._clips.labels(self._fold.valid).float()
        return {VALID: float(main_loss(self._recipe.objective, pred, truth))}

    def _sampler(self) -> ClipWeights | None:
        """What the fold learns about where to begin; None where windows begin anywhere."""
        sampling, sequence = self._recipe.sampling, self._recipe.sequence
        if sampling.kind == "uniform":
            return None
        return ClipWeights(
            {row: self._clips.count(row) for row in self._rows.tolist()},
            frames=sequence.frames * sequence.clips, warm_up_epochs=sampling.warm_up,
            exploration_epochs=sampling.exploration, beta=sampling.beta, seed=self._recipe.seed,
        )  # fmt: skip

    def _size(self, part: Part) -> int:
        """Windows of a batch."""
        each = len(self._rows) // part.world
        if each < LEAST_BATCH:
            raise TrainingError(f"{self._fold.name}: {len(self._rows)} clips to train on by {part.world} processes; "
                                f"concordance needs at least {LEAST_BATCH} for each")  # fmt: skip
        return min(self._recipe.optimiser.batch, each)

    def _batch(self, rows: list[int], epoch: int) -> WindowBatch:
        generator = np.random.default_rng([self._recipe.seed, epoch, *rows])
        if self._windows is None:
            starts, pictures = [], [self._clips.random_window(row, generator) for row in rows]
        else:
            starts = [self._windows.draw(row, epoch + 1) for row in rows]
            pictures = [self._clips.window(row, start, generator) for row, start in zip(rows, starts, strict=True)]
        truth = self._clips.labels(rows).float()
        return WindowBatch(torch.from_numpy(np.stack(pictures)), truth, rows, starts, epoch + 1)

    def _learn(self, windows: ClipWeights, batch: WindowBatch, errors: Tensor) -> None:
        """Score the windows that all processes have seen in this step."""
        own = torch.stack([torch.tensor(batch.rows).to(errors), torch.tensor(batch.starts).to(errors), errors])
        gathered = self._fabric.all_gather(own)
        assert isinstance(gathered, Tensor)
        for row, start, error in gathered.reshape(-1, *own.shape).transpose(1, 2).flatten(0, 1).tolist():
            windows.update(int(row), int(start), -error, batch.epoch)
        self.model.get_buffer("clip_weights").copy_(windows.flat())


@torch.no_grad()
def predict(model: ClipRegressor, clips: ProtocolClips, rows: Sequence[int], fabric: Fabric) -> Tensor:
    """(N, L) predictions of these recordings.

    The prediction of a recording is the weighted mean over its clips.
    """
    model.eval()
    device, found = device_of(model), []
    for row in rows:
        recording = clips.recording(row)
        with fabric.autocast():
            vectors = model.encode(torch.from_numpy(recording.crops).to(device))  # (M, D)
            pred = model.answer(vectors, torch.from_numpy(recording.context).to(device)).float()  # (M, L)
        weight = torch.from_numpy(recording.weights).to(pred)
        found.append((weight[:, None] * pred).sum(dim=0) / weight.sum())
    return torch.stack(found).cpu()
