"""The training loop that both stages share: Fabric for devices and precision, a moving average, exact resume.

A task says what a batch is and what it costs; the loop knows nothing else about it.
"""

import math
from collections.abc import Iterator
from dataclasses import dataclass
from itertools import islice
from pathlib import Path
from typing import Any, Protocol

import torch
from lightning_fabric import Fabric
from torch import Tensor, nn

from ..config import OptimiserConfig
from ..errors import TrainingError
from .checkpoint import Position, Trainee, latest_checkpoint, load_average, load_checkpoint, save_checkpoint
from .early_stop import BestEpoch
from .ema import MovingAverage
from .metrics_log import MetricsLog
from .optimiser import make_optimiser, set_rates
from .progress import Progress
from .random_state import gather_random_state, restore_random_state

LOG_EVERY = 20  # optimiser steps
REMEDY = "the last checkpoint is whole: lower optimiser.lr, or train with precision 32-true"


@dataclass(frozen=True, slots=True)
class Part:
    """Which share of every epoch this process takes: part `rank` of `world`."""

    rank: int = 0
    world: int = 1


class Task(Protocol):
    """One stage of training."""

    @property
    def model(self) -> nn.Module:
        """What is trained. Calling it is the forward pass."""
        ...

    def batch_count(self, part: Part) -> int:
        """Batches of one epoch for each process."""
        ...

    def batches(self, epoch: int, first: int, part: Part) -> Iterator[Any]:
        """The batches of an epoch from number `first` on; they depend on nothing but the seed and these numbers."""
        ...

    def losses(self, model: nn.Module, batch: Any) -> dict[str, Tensor]:
        """The weighted parts of the loss, scalars; their sum is minimised."""
        ...

    def validate(self, model: nn.Module) -> dict[str, float]:
        """Scores of the averaged model on held-out data."""
        ...


def fit(
    task: Task,
    config: OptimiserConfig,
    folder: Path,
    *,
    fabric: Fabric,
    progress: Progress,
    slow: nn.Module | None = None,
) -> nn.Module:
    """Train to the end, from the newest checkpoint in `folder` if there is one; returns the averaged model.

    slow: pretrained part of the task's model, whose learning rate `config.divisor` divides

    Raises:
        TrainingError: the loss or a weight is no longer finite, the checkpoint is of another recipe, or the validation
            has no score of the name that `config.stop` watches.
    """
    return _Loop(task, config, folder, fabric, progress, slow=slow).run()


class _Loop:
    """One stage in progress."""

    def __init__(
        self,
        task: Task,
        config: OptimiserConfig,
        folder: Path,
        fabric: Fabric,
        progress: Progress,
        *,
        slow: nn.Module | None,
    ) -> None:
        self._task = task
        self._config = config
        self._folder = folder
        self._fabric = fabric
        self._progress = progress
        self._part = Part(fabric.global_rank, fabric.world_size)
        self._per_epoch = -(-task.batch_count(self._part) // config.accumulate)  # steps
        self._model: Any
        self._optimiser: Any
        optimiser: Any = make_optimiser(task.model, config, slow)
        self._model, self._optimiser = fabric.setup(task.model, optimiser)
        self._best = BestEpoch(config.stop) if config.stop is not None else None
        self._average = MovingAverage(task.model, config.ema)
        self._trainee = Trainee(task.model, self._average, self._optimiser.optimizer, self._best)

    def run(self) -> nn.Module:
        position = self._restore()
        log = MetricsLog(self._folder, position.step) if self._fabric.is_global_zero else None
        self._progress.start(self._folder.name, self._config.epochs * self._per_epoch, position.step)
        for epoch in range(position.epoch, self._config.epochs):
            if self._is_over(epoch):
                break
            self._train(epoch, position.batch if epoch == position.epoch else 0, log)
            self._finish(epoch, log)
        if log is not None:
            log.close()
        return self._result()

    def _result(self) -> nn.Module:
        if self._best is not None and (newest := latest_checkpoint(self._folder)) is not None:
            load_average(newest, self._average.model)  # of the best epoch, which the first process alone has seen
        return self._average.model

    def _restore(self) -> Position:
        """Where to begin: at the newest checkpoint, with everything as it was then, or at the start."""
        if (checkpoint := latest_checkpoint(self._folder)) is None:
            return Position()
        restored = load_checkpoint(checkpoint, self._trainee)
        restore_random_state(restored.random, self._fabric)
        self._fabric.strategy.precision.load_state_dict(restored.scaler)
        return restored.position

    def _train(self, epoch: int, first: int, log: MetricsLog | None) -> None:
        """The steps of an epoch from batch number `first` on."""
        self._model.train()
        batches = self._task.batches(epoch, first, self._part)
        index = first // self._config.accumulate
        while group := list(islice(batches, self._config.accumulate)):
            step = epoch * self._per_epoch + index
            lr = set_rates(self._optimiser, self._config, step, self._per_epoch)
            losses = self._step(group)
            self._average.update(self._task.model, step)
            if step % LOG_EVERY == 0:
                values = {name: float(value) for name, value in losses.items()}
                _stop_if_not_finite(values, step, self._folder)
                self._progress.show(values)
                if log is not None:
                    log.step(step, epoch, lr, values)
            self._progress.advance(step + 1)
            index += 1
            if (step + 1) % self._config.save_steps == 0 and index < self._per_epoch:
                self._save(Position(epoch, index * self._config.accumulate, step + 1))

    def _step(self, batches: list[Any]) -> dict[str, Tensor]:
        """One optimiser step over these batches; returns the parts of the loss, averaged over them."""
        self._optimiser.zero_grad()
        means: dict[str, Tensor] = {}
        for number, batch in enumerate(batches, start=1):
            with self._fabric.no_backward_sync(self._model, enabled=number < len(batches)):
                losses = self._task.losses(self._model, self._fabric.to_device(batch))
                self._fabric.backward(torch.stack(list(losses.values())).sum() / len(batches))
            for name, value in losses.items():
                means[name] = means.get(name, 0) + value.detach() / len(batches)
        if self._config.clip_norm > 0:
            self._fabric.clip_gradients(
                self._model, self._optimiser, max_norm=self._config.clip_norm, error_if_nonfinite=False
            )
        self._optimiser.step()
        return means

    def _finish(self, epoch: int, log: MetricsLog | None) -> None:
        """Score and save after an epoch."""
        done = (epoch + 1) * self._per_epoch
        if log is not None:
            with self._fabric.autocast():
                scores = self._task.validate(self._average.model)
            log.epoch(done, epoch + 1, scores)
            self._progress.epoch(epoch + 1, scores)
            if self._best is not None:
                self._best.look(epoch + 1, scores, self._average.model)
        self._save(Position(epoch + 1, 0, done))

    def _is_over(self, epoch: int) -> bool:
        """Whether to stop early; the first process, which validates, decides for all."""
        if self._best is None or epoch == 0:
            return False
        is_over = bool(self._fabric.broadcast(self._best.is_over(epoch)))
        if is_over and self._fabric.is_global_zero:
            self._progress.note(self._folder.name, f"stopped early, the best epoch was {self._best.epoch}")
        return is_over

    def _save(self, position: Position) -> None:
        _stop_if_broken(self._task.model, position.step, self._folder)
        random = gather_random_state(self._fabric)
        if self._fabric.is_global_zero:
            scaler = self._fabric.strategy.precision.state_dict()
            save_checkpoint(self._folder, position, self._trainee, random=random, scaler=scaler)
        self._fabric.barrier()


def _stop_if_not_finite(values: dict[str, float], step: int, folder: Path) -> None:
    broken = [name for name, value in values.items() if not math.isfinite(value)]
    if broken:
        raise TrainingError(f"{folder}: the loss {', '.join(broken)} is not finite at step {step}; {REMEDY}")


def _stop_if_broken(model: nn.Module, step: int, folder: Path) -> None:
    """Never write weights that are no numbers: losses are looked at only now and then."""
    norms = [tensor.detach().float().norm() for tensor in model.parameters()]
    if norms and not bool(torch.stack(norms).isfinite().all()):
        raise TrainingError(f"{folder}: a weight is not finite after step {step}; {REMEDY}")
