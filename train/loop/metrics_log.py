"""The record of a run: `metrics.jsonl` for programs and TensorBoard events for people."""

import json
from pathlib import Path

from torch.utils.tensorboard import SummaryWriter

METRICS = "metrics.jsonl"


class MetricsLog:
    """One line and one set of curves per logged step or epoch. What lies beyond a resumed checkpoint is dropped.

    folder: of the run; step: optimiser steps that the checkpoint has seen
    """

    def __init__(self, folder: Path, step: int) -> None:
        self._path = folder / METRICS
        folder.mkdir(parents=True, exist_ok=True)
        lines = self._path.read_text(encoding="utf-8").splitlines() if self._path.exists() else []
        kept = [line for line in lines if is_before(line, step)]
        self._path.write_text("".join(f"{line}\n" for line in kept), encoding="utf-8")
        self._curves = SummaryWriter(str(folder / "tensorboard"), purge_step=step)

    def step(self, step: int, epoch: int, lr: float, losses: dict[str, float]) -> None:
        """The parts of the loss before optimiser step number `step`."""
        self._write({"step": step, "epoch": epoch, "lr": lr} | losses, losses | {"lr": lr}, "train", step)

    def epoch(self, step: int, epoch: int, scores: dict[str, float]) -> None:
        """The scores after `epoch` epochs, which are `step` steps."""
        self._write({"step": step, "epoch": epoch} | scores, scores, "valid", step)

    def close(self) -> None:
        """Write what is still buffered."""
        self._curves.close()

    def _write(self, line: dict[str, float], curves: dict[str, float], group: str, step: int) -> None:
        with self._path.open("a", encoding="utf-8") as file:
            file.write(json.dumps({name: round(value, 6) for name, value in line.items()}) + "\n")
        for name, value in curves.items():
            self._curves.add_scalar(f"{group}/{name}", value, step)


def is_before(line: str, step: int) -> bool:
    """Whether a line of the log was written before the checkpoint at `step`; a line cut off by a kill was not."""
    try:
        entry = json.loads(line)
    except ValueError:
        return False
    is_epoch_end = "lr" not in entry
    return bool(entry["step"] <= step if is_epoch_end else entry["step"] < step)
