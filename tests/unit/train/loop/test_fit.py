"""The loop: steps, early stopping, stopping on a broken loss, exact resumes, and the record of a run."""

from collections.abc import Iterator, Sequence
from itertools import islice
from pathlib import Path

import msgspec
import pytest
import torch
from lightning_fabric import Fabric
from rich.console import Console
from torch import Tensor, nn

from train.config import OptimiserConfig, StopConfig
from train.errors import TrainingError
from train.loop.checkpoint import latest_checkpoint, load_average, load_finished
from train.loop.fit import Part, fit
from train.loop.metrics_log import is_before
from train.loop.optimiser import learning_rate, make_optimiser, set_rates
from train.loop.progress import Progress


class Line:
    """A task: fit y = 2 x; from step `breaks_at` on the loss is not a number.

    scores: of the epochs, in place of what the model says at 1; after `killed_after` of them the process dies
    """

    def __init__(
        self,
        breaks_at: int | None = None,
        scores: Sequence[float] = (),
        killed_after: int | None = None,
        dropout: float = 0.0,
    ) -> None:
        self.model: nn.Module = nn.Sequential(nn.Dropout(dropout), nn.Linear(1, 1))
        self.seen: list[dict[str, Tensor]] = []
        self._breaks_at = breaks_at
        self._scores = scores
        self._killed_after = killed_after

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
        if len(self.seen) == self._killed_after:
            raise KeyboardInterrupt
        self.seen.append({name: value.clone() for name, value in model.state_dict().items()})
        with torch.no_grad():
            at_one = float(model(torch.ones(1, 1)))
        return {"at_one": self._scores[len(self.seen) - 1] if self._scores else at_one}


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


def changed(**settings: object) -> OptimiserConfig:
    return msgspec.structs.replace(CONFIG, **settings)


def test_weights_that_are_no_numbers_are_never_saved(tmp_path: Path, fabric: Fabric, progress: Progress) -> None:
    """Between two looks at the loss a checkpoint is due."""
    with pytest.raises(TrainingError, match="a weight is not finite after step 50; the last checkpoint is whole"):
        fit(Line(breaks_at=45), changed(save_steps=30), tmp_path / "run", fabric=fabric, progress=progress)
    assert [path.name for path in (tmp_path / "run").glob("step-*")] == ["step-00000030"]


class Halves(Line):
    """The same data in batches of half the size, so that two of them are one batch of the other task."""

    def batch_count(self, part: Part) -> int:
        return 100

    def batches(self, epoch: int, first: int, part: Part) -> Iterator[tuple[int, Tensor]]:
        halves = (
            (step, half) for step, x in super().batches(epoch, first // 2, part) for half in x.reshape(2, 4, 1).unbind()
        )
        return islice(halves, first % 2, None)


def test_two_batches_of_one_step_count_as_one_of_twice_the_size(
    tmp_path: Path, fabric: Fabric, progress: Progress
) -> None:
    found = []
    for name, task, accumulate in (("whole", Line(), 1), ("halves", Halves(), 2)):
        nn.init.constant_(next(task.model.parameters()), 0.3)
        nn.init.zeros_(list(task.model.parameters())[1])
        config = changed(accumulate=accumulate, kind="sgd", epochs=2)
        found.append(fit(task, config, tmp_path / name, fabric=fabric, progress=progress).state_dict())
        assert (tmp_path / name / "step-00000100").is_dir()
    whole, halves = found
    for parameter, value in whole.items():
        torch.testing.assert_close(halves[parameter], value)


@pytest.mark.parametrize(("lowest", "scores"), [(False, [1.0, 3.0, 2.0, 2.0]), (True, [3.0, 1.0, 2.0, float("nan")])])
def test_training_stops_when_the_score_is_no_longer_better_and_the_best_weights_come_back(
    tmp_path: Path, fabric: Fabric, progress: Progress, lowest: object, scores: list[float]
) -> None:
    stop = StopConfig("at_one", patience=2, lowest=lowest is True)
    task = Line(scores=scores)
    model = fit(task, changed(epochs=9, stop=stop), tmp_path / "run", fabric=fabric, progress=progress)
    assert len(task.seen) == 4
    restored = Line().model
    checkpoint = latest_checkpoint(tmp_path / "run")
    assert checkpoint is not None
    load_average(checkpoint, restored)
    for name, value in task.seen[1].items():
        assert torch.equal(model.state_dict()[name], value)
        assert torch.equal(restored.state_dict()[name], value)
        assert not torch.equal(task.seen[3][name], value)
    finished = Line().model
    load_finished(tmp_path / "run", changed(epochs=9, stop=stop), finished)
    assert torch.equal(finished.state_dict()["1.weight"], task.seen[1]["1.weight"])
    with pytest.raises(TrainingError, match="run: 4 of 9 epochs are trained"):
        load_finished(tmp_path / "run", changed(epochs=9, stop=StopConfig("at_one", patience=3)), finished)
    again = Line(scores=scores)
    fit(again, changed(epochs=9, stop=stop), tmp_path / "run", fabric=fabric, progress=progress)
    assert again.seen == []  # a run that has stopped is over


@pytest.mark.parametrize(
    "settings",
    [
        {"accumulate": 3, "save_steps": 7},
        {"kind": "sgd", "momentum": 0.9, "lr": 0.01, "schedule": "steps", "decay_every": 1},
        {"stop": StopConfig("at_one", patience=2)},
    ],
    ids=["accumulated", "sgd by steps", "stopped early"],
)
def test_an_interrupted_run_ends_with_the_very_same_weights(
    tmp_path: Path, fabric: Fabric, progress: Progress, settings: dict[str, object]
) -> None:
    config, ends = changed(epochs=5, **settings), []
    for name, dies in (("whole", ()), ("killed", (1, 2))):
        for killed_after in dies:
            torch.manual_seed(3)
            with pytest.raises(KeyboardInterrupt):
                fit(
                    Line(killed_after=killed_after, dropout=0.2),
                    config,
                    tmp_path / name,
                    fabric=fabric,
                    progress=progress,
                )
        torch.manual_seed(3)
        task = Line(dropout=0.2)
        ends.append(fit(task, config, tmp_path / name, fabric=fabric, progress=progress).state_dict())
    for name, value in ends[0].items():
        assert torch.equal(ends[1][name], value)
    logs = [(tmp_path / name / "metrics.jsonl").read_text() for name in ("whole", "killed")]
    assert logs[0] == logs[1]


def test_a_score_that_no_validation_gives_is_named(tmp_path: Path, fabric: Fabric, progress: Progress) -> None:
    config = changed(stop=StopConfig("accuracy", patience=1))
    with pytest.raises(TrainingError, match=r"optimiser\.stop\.score is 'accuracy'; this validation gives at_one"):
        fit(Line(), config, tmp_path / "run", fabric=fabric, progress=progress)


def test_the_learning_rate_warms_up_and_falls_to_zero() -> None:
    rates = [learning_rate(CONFIG, step, per_epoch=50) for step in (0, 49, 50, 125, 200)]
    assert rates == pytest.approx([0.002, 0.1, 0.1, 0.05, 0.0])


def test_the_published_schedule_falls_in_steps_and_divides_the_rate_of_the_pretrained_part() -> None:
    model = nn.ModuleDict({"encoder": nn.Linear(2, 2), "head": nn.Linear(2, 1)})
    config = changed(kind="sgd", lr=1e-5, schedule="steps", warmup_epochs=0.0, weight_decay=5e-4, divisor=2.6)
    optimiser = make_optimiser(model, config, model["encoder"])
    found = []
    for step in (0, 49, 50, 149):
        assert set_rates(optimiser, config, step, per_epoch=10) == pytest.approx(1e-5 / 10 ** (step // 50))
        found.append([group["lr"] for group in optimiser.param_groups])
    assert found[0] == found[1] == [1e-5, 1e-5]
    assert found[2] == pytest.approx([1e-6, 1e-6 / 2.6])
    assert found[3] == pytest.approx([1e-7, 1e-7 / 2.6])
    assert [group["weight_decay"] for group in optimiser.param_groups] == [5e-4, 5e-4]
    assert [len(group["params"]) for group in optimiser.param_groups] == [2, 2]


def test_norms_and_biases_are_not_decayed() -> None:
    optimiser = make_optimiser(nn.Linear(2, 2), changed(weight_decay=0.1))
    assert [(group["weight_decay"], group["params"][0].ndim) for group in optimiser.param_groups] == [(0.1, 2), (0, 1)]


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
