"""The loop: schedule, stopping on a broken loss, and the record of a run."""

from collections.abc import Iterator
from pathlib import Path

import pytest
import torch
from lightning_fabric import Fabric
from rich.console import Console
from torch import Tensor, nn

from train.config import OptimiserConfig
from train.errors import TrainingError
from train.loop import Part, fit, learning_rate
from train.metrics_log import is_before
from train.progress import Progress


class Line:
    """A task: fit y = 2 x; from `breaks_at` on the loss is not a number."""

    def __init__(self, breaks_at: int | None = None) -> None:
        self.model: nn.Module = nn.Linear(1, 1)
        self._breaks_at = breaks_at

    def batch_count(self, part: Part) -> int:
        return 50

    def batches(self, epoch: int, first: int, part: Part) -> Iterator[tuple[int, Tensor]]:
        for number in range(first, 50):
            yield epoch * 50 + number, torch.linspace(-1, 1, 8)[:, None]

    def losses(self, model: nn.Module, batch: tuple[int, Tensor]) -> dict[str, Tensor]:
        step, x = batch
        scale = float("nan") if self._breaks_at is not None and step >= self._breaks_at else 1.0
        return {"mse": scale * (model(x) - 2 * x).square().mean()}

    def validate(self, model: nn.Module) -> dict[str, float]:
        with torch.no_grad():
            return {"at_one": float(model(torch.ones(1, 1)))}


@pytest.fixture
def fabric() -> Fabric:
    return Fabric(accelerator="cpu", devices=1)


@pytest.fixture
def progress(tmp_path: Path) -> Iterator[Progress]:
    with (tmp_path / "console.txt").open("w") as file:
        yield Progress(Console(file=file))


CONFIG = OptimiserConfig(epochs=4, batch=8, lr=0.1, weight_decay=0.0, ema=0.9)


def test_a_task_is_learned_and_the_averaged_model_is_returned(
    tmp_path: Path, fabric: Fabric, progress: Progress
) -> None:
    torch.manual_seed(0)
    model = fit(Line(), CONFIG, tmp_path / "run", fabric=fabric, progress=progress)
    assert float(model(torch.ones(1, 1))) == pytest.approx(2.0, abs=0.05)


def test_a_loss_that_is_no_number_stops_the_run_and_leaves_the_last_checkpoint(
    tmp_path: Path, fabric: Fabric, progress: Progress
) -> None:
    with pytest.raises(TrainingError, match="the loss mse is not finite at step 60"):
        fit(Line(breaks_at=55), CONFIG, tmp_path / "run", fabric=fabric, progress=progress)
    assert (tmp_path / "run" / "step-00000050" / "state.json").exists()


def test_the_learning_rate_warms_up_and_falls_to_zero() -> None:
    rates = [learning_rate(CONFIG, step, per_epoch=50) for step in (0, 49, 50, 125, 200)]
    assert rates == pytest.approx([0.002, 0.1, 0.1, 0.05, 0.0])


@pytest.mark.parametrize(
    ("line", "expected"),
    [
        ('{"step": 40, "lr": 0.1}', True),
        ('{"step": 50, "lr": 0.1}', False),
        ('{"step": 50, "accuracy": 0.5}', True),
        ('{"step": 60, "accuracy": 0.5}', False),
        ('{"step": 40, "l', False),
    ],
)
def test_only_lines_from_before_the_checkpoint_survive_a_resume(line: str, expected: object) -> None:
    assert is_before(line, 50) is expected
