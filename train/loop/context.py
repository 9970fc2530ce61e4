"""What a run is given beside its recipe: data, folder, processes, progress. The same for every method."""

import json
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

import msgspec
from lightning_fabric import Fabric
from torch import nn

from streamaffect.lenses.manifest import LensManifest
from streamaffect.runtime.manifest import Manifest

from ..config import OptimiserConfig
from ..errors import DataError
from .checkpoint import load_finished
from .fit import Task, fit
from .processes import leave_processes
from .progress import Progress
from .run_record import record_start

Verb = Literal["fit", "evaluate", "export"]
Report = dict[str, object]

REPORT = "report.json"


@dataclass(frozen=True, slots=True)
class Context:
    """Everything that a method's `run` needs and its recipe does not say.

    recipe_file: the recipe's own file; files that it names lie beside it
    data:        folder of the data sets; None where the user named none
    folder:      of the run: `training/`, `report.json`, `run.json`, …; what is there already is gone on with
    target:      folder of the bundle
    seed:        of the recipe
    verb:        "fit" trains, or goes on, then scores and exports; "evaluate" scores what was trained; "export" scores
                 it and writes the bundle
    """

    recipe_file: Path
    data: Path | None
    folder: Path
    target: Path
    fabric: Fabric
    progress: Progress
    seed: int
    verb: Verb = "fit"

    @property
    def trains(self) -> bool:
        """Whether this run may train."""
        return self.verb == "fit"

    @property
    def is_first(self) -> bool:
        """Whether this is the first of the processes that share the work: it alone writes and speaks."""
        return bool(self.fabric.is_global_zero)

    def beside(self, name: str) -> Path:
        """The file of that name beside the recipe."""
        return self.recipe_file.parent / name

    def data_folder(self, holding: str) -> Path:
        """The folder that the user named. Raises DataError where there is none; `holding` says what is read there."""
        if self.data is None:
            raise DataError(f"{self.recipe_file.name} needs --data: the folder that holds {holding}")
        return self.data

    def fit(
        self, task: Task, optimiser: OptimiserConfig, stage: str = "training", *, slow: nn.Module | None = None
    ) -> nn.Module:
        """The averaged model of `task`, trained in the run's folder `stage`, or as it was trained before.

        Raises:
            TrainingError: as `train.loop.fit.fit`; or nothing is to be trained, and the stage is not finished.
        """
        task.model.to(self.fabric.device)  # whole: a part of it may have been trained there before
        if self.trains:
            return fit(task, optimiser, self.folder / stage, fabric=self.fabric, progress=self.progress, slow=slow)
        self.load(task.model, optimiser, stage)
        return task.model.eval().requires_grad_(requires_grad=False)

    def load(self, model: nn.Module, optimiser: OptimiserConfig, stage: str = "training") -> None:
        """Fill `model` with the averaged weights that were trained in the run's folder `stage`.

        Raises:
            TrainingError: the training was not begun or is not at its end, or was one of another recipe.
        """
        load_finished(self.folder / stage, optimiser, model)

    def start(self, recipe: msgspec.Struct) -> None:
        """Put this start into the run's record, and say what has changed since the first one."""
        if self.trains and self.is_first:
            for line in record_start(self.folder, recipe):
                self.progress.note("changed since this run began", line)

    def leave(self) -> None:
        """Part from the other processes, after the last step that they take together."""
        leave_processes()

    def export(self, write: Callable[[Path], Manifest | LensManifest | None]) -> None:
        """Have the bundle, or the lens, written to its folder, on the first process, unless the verb only scores."""
        if self.verb == "evaluate" or not self.is_first:
            return
        manifest = write(self.target)
        if manifest is not None:
            self.progress.note(manifest.label, f"written to {self.target}")

    def report(self, report: Report, name: str = REPORT) -> None:
        """Write `report.json`, or a file of another name into the run's folder."""
        if self.is_first:
            self.folder.mkdir(parents=True, exist_ok=True)
            (self.folder / name).write_text(json.dumps(report, indent=2) + "\n", encoding="utf-8")
