"""The training loop that both stages share: Fabric for devices and precision, a moving average, exact resume.

A task says what a batch is and what it costs; the loop knows nothing else about it.
"""

import json
import math
from collections.abc import Iterator
from pathlib import Path
from typing import Any, Protocol

import torch
from lightning_fabric import Fabric
from torch import Tensor, nn

from .checkpoint import Position, latest_checkpoint, load_checkpoint, save_checkpoint
from .config import OptimiserConfig
from .ema import MovingAverage
from .errors import TrainingError
from .progress import Progress

LOG_EVERY = 20  # optimiser steps


class Task(Protocol):
    """One stage of training."""

    @property
    def model(self) -> nn.Module:
        """What is trained. Calling it is the forward pass."""
        ...

    def batch_count(self) -> int:
        """Batches of one epoch."""
        ...

    def batches(self, epoch: int, first: int) -> Iterator[Any]:
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
        TrainingError: the loss is no longer finite.
    """
    average = MovingAverage(task.model, config.ema)
    optimiser: Any = torch.optim.AdamW(_parameter_groups(task.model, config.weight_decay), lr=config.lr)
    model: Any
    model, optimiser = fabric.setup(task.model, optimiser)
    position = Position()
    if (checkpoint := latest_checkpoint(folder)) is not None:
        position = load_checkpoint(checkpoint, task.model, average, optimiser.optimizer)
    log = MetricsLog(folder / "metrics.jsonl", position.step)
    per_epoch = task.batch_count()
    progress.start(folder.name, config.epochs * per_epoch, position.step)
    for epoch in range(position.epoch, config.epochs):
        first = position.batch if epoch == position.epoch else 0
        model.train()
        for index, batch in enumerate(task.batches(epoch, first), start=first):
            step = epoch * per_epoch + index
            lr = learning_rate(config, step, per_epoch)
            losses = _step(task, model, optimiser, batch, lr=lr, clip_norm=config.clip_norm, fabric=fabric)
            average.update(task.model, step)
            if step % LOG_EVERY == 0:
                values = {name: float(value.detach()) for name, value in losses.items()}
                _stop_if_not_finite(values, step, folder)
                log.write({"step": step, "epoch": epoch, "lr": lr} | values)
                progress.show(values)
            progress.advance(step + 1)
        with fabric.autocast():
            scores = task.validate(average.model)
        log.write({"step": (epoch + 1) * per_epoch, "epoch": epoch + 1} | scores)
        progress.epoch(epoch + 1, scores)
        save_checkpoint(
            folder, Position(epoch + 1, 0, (epoch + 1) * per_epoch), task.model, average, optimiser.optimizer
        )
    return average.model


def learning_rate(config: OptimiserConfig, step: int, per_epoch: int) -> float:
    """Linear warm-up, then a cosine to zero at the last step."""
    warmup = max(1.0, config.warmup_epochs * per_epoch)
    if step < warmup:
        return config.lr * (step + 1) / warmup
    done = (step - warmup) / max(1.0, config.epochs * per_epoch - warmup)
    return config.lr * 0.5 * (1 + math.cos(math.pi * min(1.0, done)))


class MetricsLog:
    """`metrics.jsonl`: one line per logged step or epoch. After a resume, lines beyond the checkpoint are dropped."""

    def __init__(self, path: Path, step: int) -> None:
        self._path = path
        path.parent.mkdir(parents=True, exist_ok=True)
        lines = path.read_text(encoding="utf-8").splitlines() if path.exists() else []
        kept = [line for line in lines if is_before(line, step)]
        path.write_text("".join(f"{line}\n" for line in kept), encoding="utf-8")

    def write(self, values: dict[str, float]) -> None:
        """Append one line."""
        with self._path.open("a", encoding="utf-8") as file:
            file.write(json.dumps({name: round(value, 6) for name, value in values.items()}) + "\n")


def is_before(line: str, step: int) -> bool:
    """Whether a line of the log was written before the checkpoint at `step`; a line cut off by a kill was not."""
    try:
        entry = json.loads(line)
    except ValueError:
        return False
    is_epoch_end = "lr" not in entry
    return bool(entry["step"] <= step if is_epoch_end else entry["step"] < step)


def _step(
    task: Task, model: nn.Module, optimiser: Any, batch: Any, *, lr: float, clip_norm: float, fabric: Fabric
) -> dict[str, Tensor]:
    for group in optimiser.param_groups:
        group["lr"] = lr
    losses = task.losses(model, batch)
    optimiser.zero_grad()
    fabric.backward(torch.stack(list(losses.values())).sum())
    fabric.clip_gradients(model, optimiser, max_norm=clip_norm, error_if_nonfinite=False)
    optimiser.step()
    return losses


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
