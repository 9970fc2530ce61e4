"""Checkpoints: complete or absent, exact, and without pickle."""

import json
from pathlib import Path

import pytest
import torch
from torch import nn

from train.config import OptimiserConfig
from train.errors import TrainingError
from train.loop.checkpoint import (
    Position,
    latest_checkpoint,
    load_average,
    load_checkpoint,
    load_finished,
    load_newest,
    save_checkpoint,
)
from train.loop.checkpoint import Trainee as Parts
from train.loop.ema import MovingAverage


class Trainee:
    """A small model after some steps."""

    def __init__(self, width: int = 3) -> None:
        self.model = nn.Sequential(nn.Linear(4, width), nn.BatchNorm1d(width))
        self.optimiser = torch.optim.AdamW(self.model.parameters(), lr=0.1)
        self.average = MovingAverage(self.model, 0.9)

    def train(self, steps: int) -> list[float]:
        losses = []
        for step in range(steps):
            loss = (self.model(torch.randn(8, 4)) - 1).square().mean()
            self.optimiser.zero_grad()
            loss.backward()
            self.optimiser.step()
            self.average.update(self.model, step)
            losses.append(float(loss.detach()))
        return losses

    def save(self, folder: Path, position: Position) -> None:
        save_checkpoint(folder, position, self.parts, random={"cpu": torch.get_rng_state()[None]})

    @property
    def parts(self) -> Parts:
        return Parts(self.model, self.average, self.optimiser)


def test_a_restored_run_continues_with_the_very_same_losses(tmp_path: Path) -> None:
    torch.manual_seed(0)
    first = Trainee()
    first.train(3)
    first.save(tmp_path, Position(1, 2, 3))
    expected = first.train(3)

    second = Trainee()
    checkpoint = latest_checkpoint(tmp_path)
    assert checkpoint is not None
    restored = load_checkpoint(checkpoint, second.parts)
    assert restored.position == Position(1, 2, 3)
    torch.set_rng_state(restored.random["cpu"][0])
    assert second.train(3) == expected


def test_the_average_is_restored_apart_from_the_weights(tmp_path: Path) -> None:
    trainee = Trainee()
    trainee.train(2)
    trainee.save(tmp_path, Position(0, 2, 2))
    other = Trainee().model
    load_average(tmp_path / "step-00000002", other)
    averaged = trainee.average.model.state_dict()
    assert all(torch.equal(value, averaged[name]) for name, value in other.state_dict().items())
    assert not torch.equal(averaged["0.weight"], trainee.model.state_dict()["0.weight"])


def test_where_there_is_no_checkpoint_that_is_said(tmp_path: Path) -> None:
    trainee = Trainee()
    with pytest.raises(TrainingError, match="run: has no checkpoint; expected one that"):
        load_newest(tmp_path / "run", trainee.model)
    with pytest.raises(TrainingError, match="run: 0 of 3 epochs are trained; `python -m train fit`"):
        load_finished(tmp_path / "run", OptimiserConfig(epochs=3, batch=1, lr=0.1), trainee.model)


def test_only_the_newest_checkpoint_stays(tmp_path: Path) -> None:
    trainee = Trainee()
    trainee.train(1)
    for step in (1, 2):
        trainee.save(tmp_path, Position(0, step, step))
    assert [path.name for path in tmp_path.iterdir()] == ["step-00000002"]


def test_a_checkpoint_that_was_cut_off_is_not_seen(tmp_path: Path) -> None:
    trainee = Trainee()
    trainee.train(1)
    trainee.save(tmp_path, Position(0, 1, 1))
    cut_off = tmp_path / ".step-00000002.partial"
    cut_off.mkdir()
    (cut_off / "tensors.safetensors").write_bytes(b"half")
    assert latest_checkpoint(tmp_path) == tmp_path / "step-00000001"
    trainee.save(tmp_path, Position(0, 2, 2))
    assert json.loads((tmp_path / "step-00000002" / "state.json").read_text())["step"] == 2


def test_a_checkpoint_of_another_recipe_is_refused(tmp_path: Path) -> None:
    trainee, other = Trainee(), Trainee(width=5)
    trainee.train(1)
    trainee.save(tmp_path, Position(0, 1, 1))
    with pytest.raises(TrainingError, match="a model of another shape; resume with the recipe that began this run"):
        load_checkpoint(tmp_path / "step-00000001", other.parts)
