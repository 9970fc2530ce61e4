"""Checkpoints without pickle: tensors in safetensors, everything else in JSON, complete or absent.

A checkpoint is a folder `step-<number>` that is written under another name and then renamed; a kill at any moment
leaves the one before. Batches depend on seed, epoch and row alone, so the position is two numbers.
"""

import json
import shutil
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from types import MappingProxyType

import torch
from safetensors.torch import load_file, save_file
from torch import Tensor, nn

from ..config import OptimiserConfig
from ..errors import TrainingError
from .early_stop import BestEpoch
from .ema import MovingAverage

TENSORS, STATE = "tensors.safetensors", "state.json"


@dataclass(frozen=True, slots=True)
class Position:
    """Where a run stands: `epoch` epochs and then `batch` batches are done; `step` optimiser steps in all."""

    epoch: int = 0
    batch: int = 0
    step: int = 0


@dataclass(frozen=True, slots=True)
class Trainee:
    """What a run changes. best: where it stops early."""

    model: nn.Module
    average: MovingAverage
    optimiser: torch.optim.Optimizer
    best: BestEpoch | None = None


@dataclass(frozen=True, slots=True)
class Restored:
    """Where a run goes on. random: states by kind of device; scaler: of the loss in float16, else empty."""

    position: Position
    random: dict[str, Tensor]
    scaler: dict[str, float]


def save_checkpoint(
    folder: Path,
    position: Position,
    trainee: Trainee,
    *,
    random: Mapping[str, Tensor],
    scaler: Mapping[str, float] = MappingProxyType({}),
) -> None:
    """Write a checkpoint and remove the older ones."""
    target = folder / f"step-{position.step:08d}"
    partial = folder / f".{target.name}.partial"
    shutil.rmtree(partial, ignore_errors=True)
    partial.mkdir(parents=True)
    best = trainee.best
    save_file(
        _prefixed("model", trainee.model.state_dict())
        | _prefixed("average", trainee.average.model.state_dict())
        | _optimiser_tensors(trainee.optimiser)
        | _prefixed("best", best.weights if best is not None else {})
        | _prefixed("random", random),
        partial / TENSORS,
    )
    state: dict[str, object] = {**asdict(position), "scaler": dict(scaler)}
    if best is not None and best.epoch:
        state["best"] = {"epoch": best.epoch, "score": best.score}
    (partial / STATE).write_text(json.dumps(state), encoding="utf-8")
    if target.exists():
        shutil.rmtree(target)
    partial.rename(target)
    for other in folder.glob("step-*"):
        if other != target:
            shutil.rmtree(other)


def latest_checkpoint(folder: Path) -> Path | None:
    """The newest complete checkpoint of a run, or None."""
    return max(folder.glob("step-*"), default=None)


def load_checkpoint(checkpoint: Path, trainee: Trainee) -> Restored:
    """Put everything back as it was but for the random state, which is given back.

    Raises:
        TrainingError: the checkpoint belongs to another recipe.
    """
    tensors = load_file(checkpoint / TENSORS)
    try:
        trainee.model.load_state_dict(_under("model", tensors))
        trainee.average.model.load_state_dict(_under("average", tensors))
        _restore_optimiser(trainee.optimiser, _under("optimiser", tensors))
        state = json.loads((checkpoint / STATE).read_text(encoding="utf-8"))
        position = Position(state["epoch"], state["batch"], state["step"])
    except (RuntimeError, KeyError, ValueError) as error:
        raise _foreign(checkpoint) from error
    if trainee.best is not None and "best" in state:
        trainee.best.restore(weights=_under("best", tensors), **state["best"])
    return Restored(position, _under("random", tensors), state.get("scaler", {}))


def load_average(checkpoint: Path, model: nn.Module) -> None:
    """Fill `model` with the averaged weights of a checkpoint, those of the best epoch where the run watched for it."""
    tensors = load_file(checkpoint / TENSORS)
    try:
        model.load_state_dict(_under("best", tensors) or _under("average", tensors))
    except RuntimeError as error:
        raise _foreign(checkpoint) from error


def load_newest(folder: Path, model: nn.Module) -> None:
    """The same of the newest checkpoint in `folder`, whether the training has come to its end or not.

    Raises:
        TrainingError: there is none, or it is of a model of another shape.
    """
    checkpoint = latest_checkpoint(folder)
    if checkpoint is None:
        raise TrainingError(f"{folder}: has no checkpoint; expected one that `python -m train fit` has written")
    load_average(checkpoint, model)


def load_finished(folder: Path, config: OptimiserConfig, model: nn.Module) -> None:
    """The same of a training that has come to its end, by its number of epochs or because it was stopped early.

    Raises:
        TrainingError: it was not begun or is not at its end, or was one of another recipe.
    """
    checkpoint = latest_checkpoint(folder)
    state = {} if checkpoint is None else json.loads((checkpoint / STATE).read_text(encoding="utf-8"))
    epoch, best = state.get("epoch", 0), state.get("best", {}).get("epoch", 0)
    was_stopped = config.stop is not None and epoch - best >= config.stop.patience
    if checkpoint is None or (epoch < config.epochs and not was_stopped):
        raise TrainingError(f"{folder}: {epoch} of {config.epochs} epochs are trained; `python -m train fit` with the "
                            "same recipe and --run does the rest")  # fmt: skip
    load_average(checkpoint, model)


def _foreign(checkpoint: Path) -> TrainingError:
    return TrainingError(f"{checkpoint}: holds a model of another shape; resume with the recipe that began this run, "
                         "or choose another --run folder")  # fmt: skip


def _prefixed(prefix: str, tensors: Mapping[str, Tensor]) -> dict[str, Tensor]:
    # safetensors writes row-major memory only; channels_last is a layout of the run, not of the weights.
    return {f"{prefix}/{name}": tensor.detach().contiguous() for name, tensor in tensors.items()}


def _under(prefix: str, tensors: dict[str, Tensor]) -> dict[str, Tensor]:
    start = f"{prefix}/"
    return {name.removeprefix(start): tensor for name, tensor in tensors.items() if name.startswith(start)}


def _optimiser_tensors(optimiser: torch.optim.Optimizer) -> dict[str, Tensor]:
    states = optimiser.state_dict()["state"]
    return {
        f"optimiser/{index}/{name}": torch.as_tensor(value).detach().contiguous()
        for index, state in states.items()
        for name, value in state.items()
    }


def _restore_optimiser(optimiser: torch.optim.Optimizer, tensors: dict[str, Tensor]) -> None:
    states: dict[int, dict[str, Tensor]] = {}
    for key, tensor in tensors.items():
        index, name = key.split("/")
        states.setdefault(int(index), {})[name] = tensor
    optimiser.load_state_dict({"state": states, "param_groups": optimiser.state_dict()["param_groups"]})
