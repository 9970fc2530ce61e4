"""Training one head: batches of stills and of frames of clips, each in one of its views, half of them mirrored."""

from collections.abc import Iterator

import numpy as np
import torch
from torch import Tensor, nn

from streamaffect.errors import ConfigError
from streamaffect.types import FloatArray

from ...loop.context import Context
from ...loop.device import device_of
from ...loop.fit import Part
from .data import NAMES, UnitFaces
from .loss import Scales, lens_losses
from .model import MapHead
from .recipe import LensRecipe
from .scores import agreement

Batch = tuple[Tensor, Tensor]
SCORING_BATCH = 512
LEAST_VARIANCE, LEAST_MEAN = 1e-4, 1e-3  # of a unit's targets, so that one that never moves changes nothing


class HeadTask:
    """A `train.loop.fit.Task` over stills and clips. An epoch meets every still once."""

    def __init__(self, recipe: LensRecipe, stills: UnitFaces, clips: UnitFaces, valid: UnitFaces) -> None:
        self._recipe = recipe
        self._stills, self._clips, self._valid = stills, clips, valid
        self._from_clips = round(recipe.optimiser.batch * recipe.videos_share)
        self._scales = _scales(stills.targets, recipe)
        means = torch.from_numpy(stills.targets.mean(axis=0)).clamp(LEAST_MEAN, 1 - LEAST_MEAN)
        channels, outputs = stills.views[0].shape[1], stills.targets.shape[1]
        torch.manual_seed(recipe.seed)
        self.model: nn.Module = MapHead(channels, outputs, recipe.head, means)

    def batch_count(self, part: Part) -> int:
        """Whole batches of one epoch for each process."""
        return max(1, len(self._stills) // (self._from_stills * part.world))

    def batches(self, epoch: int, first: int, part: Part) -> Iterator[Batch]:
        """Rows by seed, epoch and number alone."""
        order = np.random.default_rng([self._recipe.seed, epoch]).permutation(len(self._stills))
        chances = self._clips.weights / self._clips.weights.sum()
        for number in range(first, self.batch_count(part)):
            place = number * part.world + part.rank
            generator = np.random.default_rng([self._recipe.seed, epoch, place])
            rows = np.sort(order[place * self._from_stills : (place + 1) * self._from_stills])
            moving = generator.choice(len(self._clips), self._from_clips, p=chances)
            parts = [_drawn(self._stills, rows, generator), _drawn(self._clips, moving, generator)]
            maps = torch.from_numpy(np.concatenate([maps for maps, _ in parts]))
            targets = torch.from_numpy(np.concatenate([targets for _, targets in parts]))
            mirrored = torch.from_numpy(generator.random(len(maps)) < 0.5)[:, None, None, None]
            yield torch.where(mirrored, maps.flip(3), maps), targets

    def losses(self, model: nn.Module, batch: Batch) -> dict[str, Tensor]:
        """As `lens_losses`."""
        maps, targets = batch
        logits, spread = model(maps)
        return lens_losses(logits, spread, targets, self._scales.to(logits.device), self._recipe.loss)

    def validate(self, model: nn.Module) -> dict[str, float]:
        """Agreement with the teacher on clips that are not trained on."""
        values, _ = predict(model, self._valid)
        found = agreement(values, self._valid.targets)
        return {"pearson": float(found.pearson.mean()), "ccc": float(found.ccc.mean())}

    @property
    def _from_stills(self) -> int:
        return min(self._recipe.optimiser.batch - self._from_clips, len(self._stills))


def fit_head(
    recipe: LensRecipe, context: Context, stage: str, faces: tuple[UnitFaces, UnitFaces, UnitFaces]
) -> MapHead:
    """The averaged head of a stage, trained or as it was trained before. faces: stills, clips, and what validates."""
    average = context.fit(HeadTask(recipe, *faces), recipe.optimiser, stage)
    assert isinstance(average, MapHead)
    return average.eval()


@torch.no_grad()
def predict(model: nn.Module, faces: UnitFaces) -> tuple[np.ndarray, np.ndarray]:
    """Values in [0, 1] and spreads, each (N, L), of the faces as they are."""
    model.eval()
    device, values, spreads = device_of(model), [], []
    for start in range(0, len(faces), SCORING_BATCH):
        maps = torch.from_numpy(faces.views[0][start : start + SCORING_BATCH].astype(np.float32))
        logits, spread = (outputs.cpu() for outputs in model(maps.to(device)))
        values.append(logits.sigmoid().numpy())
        spreads.append(spread.numpy())
    return np.concatenate(values), np.concatenate(spreads)


def _scales(targets: FloatArray, recipe: LensRecipe) -> Scales:
    emphasis = recipe.loss.emphasis
    if unknown := sorted(set(emphasis) - set(NAMES)):
        raise ConfigError(f"loss.emphasis: {unknown[0]!r} is no unit of the lens; there are {', '.join(NAMES)}")
    weights = torch.tensor([emphasis.get(name, 1.0) for name in NAMES])
    return Scales(torch.from_numpy(targets.var(axis=0)).clamp(min=LEAST_VARIANCE), weights / weights.mean())


def _drawn(faces: UnitFaces, rows: np.ndarray, generator: np.random.Generator) -> tuple[np.ndarray, np.ndarray]:
    view = faces.views[int(generator.integers(len(faces.views)))]
    return view[rows].astype(np.float32), faces.targets[rows]
