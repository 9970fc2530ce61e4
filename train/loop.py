"""The training loop that both stages share: Fabric for devices and precision, a moving average, exact resume.

A task says what a batch is and what it costs; the loop knows nothing else about it.
"""

import math
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Protocol

import torch
from lightning_fabric import Fabric
from torch import Tensor, nn

from .checkpoint import Position, latest_checkpoint, load_checkpoint, save_checkpoint
from .config import OptimiserConfig
from .ema import MovingAverage
from .errors import TrainingError
from .metrics_log import MetricsLog
from .progress import Progress

LOG_EVERY = 20  # optimiser steps


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


def fit(task: Task, config: OptimiserConfig, folder: Path, *, fabric: Fabric, progress: Progress) -> nn.Module:
    """Train to the end, from the newest checkpoint in `folder` if there is one; returns the averaged model.

    Raises:
        TrainingError: the loss is no longer finite, or the checkpoint is of another recipe.
    """
    return _Loop(task, config, folder, fabric, progress).run()


def learning_rate(config: OptimiserConfig, step: int, per_epoch: int) -> float:
    """Linear warm-up, then a cosine to zero at the last step."""
    warmup = max(1.0, config.warmup_epochs * per_epoch)
    if step < warmup:
        return config.lr * (step + 1) / warmup
    done = (step - warmup) / max(1.0, config.epochs * per_epoch - warmup)
    return config.lr * 0.5 * (1 + math.cos(math.pi * min(1.0, done)))


class _Loop:
    """One stage in progress."""

    def __init__(
        self, task: Task, config: OptimiserConfig, folder: Path, fabric: Fabric, progress: Progress
    ) -> None:  # fmt: skip
        self._task = task
        self._config = config
        self._folder = folder
        self._fabric = fabric
        self._progress = progress
        self._part = Part(fabric.global_rank, fabric.world_size)
        self._per_epoch = task.batch_count(self._part)
        self._model: Any
        self._optimiser: Any
        optimiser: Any = torch.optim.AdamW(_parameter_groups(task.model, config.weight_decay), lr=config.lr)
        self._model, self._optimiser = fabric.setup(task.model, optimiser)
        self._average = MovingAverage(task.model, config.ema)

    def run(self) -> nn.Module:
        position = Position()
        if (checkpoint := latest_checkpoint(self._folder)) is not None:
            position = load_checkpoint(checkpoint, self._task.model, self._average, self._optimiser.optimizer)
        log = MetricsLog(self._folder, position.step) if self._fabric.is_global_zero else None
        self._progress.start(self._folder.name, self._config.epochs * self._per_epoch, position.step)
        for epoch in range(position.epoch, self._config.epochs):
            self._train(epoch, position.batch if epoch == position.epoch else 0, log)
            self._finish(epoch, log)
        if log is not None:
            log.close()
        return self._average.model

    def _train(self, epoch: int, first: int, log: MetricsLog | None) -> None:
        """Batches `first` to last of an epoch."""
        self._model.train()
        for index, batch in enumerate(self._task.batches(epoch, first, self._part), start=first):
            step = epoch * self._per_epoch + index
            lr = learning_rate(self._config, step, self._per_epoch)
            losses = self._step(self._fabric.to_device(batch), lr)
            self._average.update(self._task.model, step)
            if step % LOG_EVERY == 0:
                values = {name: float(value.detach()) for name, value in losses.items()}
                _stop_if_not_finite(values, step, self._folder)
                self._progress.show(values)
                if log is not None:
                    log.step(step, epoch, lr, values)
            self._progress.advance(step + 1)
            if (step + 1) % self._config.save_steps == 0 and index + 1 < self._per_epoch:
                self._save(Position(epoch, index + 1, step + 1))

    def _finish(self, epoch: int, log: MetricsLog | None) -> None:
        """Score and save after an epoch."""
        done = (epoch + 1) * self._per_epoch
        if log is not None:
            with self._fabric.autocast():
                scores = self._task.validate(self._average.model)
            log.epoch(done, epoch + 1, scores)
            self._progress.epoch(epoch + 1, scores)
        self._save(Position(epoch + 1, 0, done))

    def _step(self, batch: Any, lr: float) -> dict[str, Tensor]:
        for group in self._optimiser.param_groups:
            group["lr"] = lr
        losses = self._task.losses(self._model, batch)
        self._optimiser.zero_grad()
        self._fabric.backward(torch.stack(list(losses.values())).sum())
        self._fabric.clip_gradients(
            self._model, self._optimiser, max_norm=self._config.clip_norm, error_if_nonfinite=False
        )
        self._optimiser.step()
        return losses

    def _save(self, position: Position) -> None:
        if self._fabric.is_global_zero:
            save_checkpoint(self._folder, position, self._task.model, self._average, self._optimiser.optimizer)
        self._fabric.barrier()


def _stop_if_not_finite(values: dict[str, float], step: int, folder: Path) -> None:
    broken = [name for name, value in values.items() if not math.isfinite(value)]
    if broken:
        raise TrainingError(
            f"{folder}: the loss {', '.join(broken)} is not finite at step {step}; the last checkpoint is whole: "
            "lower optimiser.lr, or train with precision 32-true"
        )


def _parameter_groups(model: nn.Module, weight_decay: float) -> list[dict[str, Any]]:
    """Decay matrices and kernels only: norms and biases have no reason to be small."""
    trained = [parameter for parameter in model.parameters() if parameter.requires_grad]
    return [
        {"params": [parameter for parameter in trained if parameter.ndim > 1], "weight_decay": weight_decay},
        {"params": [parameter for parameter in trained if parameter.ndim <= 1], "weight_decay": 0.0},
    ]
