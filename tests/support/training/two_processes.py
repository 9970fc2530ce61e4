"""One of several processes that train together, for tests: `torchrun … two_processes.py FOLDER EPOCH_TO_DIE_IN`."""

import os
import signal
import sys
from collections.abc import Iterator
from pathlib import Path

import torch
from rich.console import Console
from torch import Tensor, nn

from train.config import OptimiserConfig, StopConfig
from train.loop.fit import Part, fit
from train.loop.processes import join_processes, leave_processes
from train.loop.progress import Progress


class Plane:
    """A task with dropout. In epoch `dies_in` every process but the first one kills itself."""

    def __init__(self, dies_in: int) -> None:
        self.model: nn.Module = nn.Sequential(nn.Linear(4, 8), nn.Dropout(0.5), nn.Linear(8, 1))
        self._dies_in = dies_in

    def batch_count(self, part: Part) -> int:
        return 6

    def batches(self, epoch: int, first: int, part: Part) -> Iterator[Tensor]:
        for number in range(first, 6):
            if epoch == self._dies_in and number == 3 and part.rank > 0:
                os.kill(os.getpid(), signal.SIGKILL)
            seed = (epoch * 6 + number) * part.world + part.rank
            yield torch.randn(8, 4, generator=torch.Generator().manual_seed(seed))

    def losses(self, model: nn.Module, batch: Tensor) -> dict[str, Tensor]:
        return {"mse": (model(batch)[:, 0] - batch.sum(dim=1)).square().mean()}

    def validate(self, model: nn.Module) -> dict[str, float]:
        model.eval()
        with torch.no_grad():
            return {"at_one": float(model(torch.ones(1, 4)))}


def main() -> None:
    """Train; the first process writes the end's weights."""
    folder, dies_in = Path(sys.argv[1]), int(sys.argv[2])
    fabric = join_processes("32-true")
    torch.manual_seed(5)
    config = OptimiserConfig(epochs=9, batch=8, lr=0.05, accumulate=2, save_steps=2, stop=StopConfig("at_one", 3))
    model = fit(Plane(dies_in), config, folder / "run", fabric=fabric, progress=Progress(Console(quiet=True)))
    weights = torch.cat([parameter.flatten() for parameter in model.parameters()]).tolist()
    (folder / f"process-{fabric.global_rank}.txt").write_text(repr(weights))
    leave_processes()


if __name__ == "__main__":
    main()
