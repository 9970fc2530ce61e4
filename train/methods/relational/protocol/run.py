"""A published protocol from start to end: every fold is trained and predicts its test part; then all are scored.

runs/<protocol>/prepared/   faces of video files
runs/<protocol>/training/   of each fold: metrics, TensorBoard's too, and until it is finished its checkpoint
runs/<protocol>/folds/      predictions of finished folds, which are not trained again
runs/<protocol>/report.json, report.md, run.json
"""

import json
import shutil
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import msgspec
import torch
from torch import Tensor

from ....config import OptimiserConfig, StopConfig
from ....data.splits import Fold
from ....errors import TrainingError
from ....loop.checkpoint import latest_checkpoint
from ....loop.context import Context, Report
from ....loop.metrics_log import METRICS
from ....loop.report import write_page
from ....loop.run_record import plain_settings
from ..recipe import Recipe, load_recipe
from .data import ProtocolClips, divide, open_clips
from .folds import ProtocolReport, evaluate
from .model import make_regressor
from .recipe import ProtocolRecipe, upgrade
from .task import VALID, FoldModel, FoldTask, predict


def run(recipe: ProtocolRecipe, context: Context) -> Report:
    """Train all folds that are not finished, or with another verb none, and score them.

    Raises:
        ConfigError, DataError: the protocol or the data are not as described.
        TrainingError: a weight is no longer finite, or a fold has too few clips, or may not be trained and is not.
    """
    frame = load_recipe(context.beside(recipe.encoder.recipe))
    clips = open_clips(recipe, frame.crop, context)
    folds = divide(recipe.data, clips.records, recipe.seed)
    work = _Folds(recipe, frame, clips, folds, context)
    predicted: dict[int, Tensor] = {}

    def fit_and_predict(fold: Fold) -> Tensor:
        found = work.predictions(fold)
        predicted.update(zip(fold.test, found, strict=True))
        return found

    report = evaluate(clips.records, folds, recipe.outputs, fit_and_predict, seed=recipe.seed)
    if context.is_first:
        _tell(report, context)
        pred, truth = torch.stack(list(predicted.values())), clips.labels(list(predicted))
        write_page(context.folder, asdict(report), pred=pred, truth=truth, outputs=recipe.outputs, logs=work.logs())
    return asdict(report)


def _tell(report: ProtocolReport, context: Context) -> None:
    """A line for each pooled score."""
    for score in report.pooled:
        bounds = "" if score.low is None else f"  95 % interval {score.low:.3f} to {score.high:.3f}"
        context.progress.note(f"{score.metric} {score.output}", f"{score.value:.3f}{bounds}")


def prepare(recipe: ProtocolRecipe, context: Context) -> Report:
    """Cut the faces of the protocol's video files, where that was not done before."""
    open_clips(recipe, load_recipe(context.beside(recipe.encoder.recipe)).crop, context)
    return {}


@dataclass(frozen=True, slots=True)
class _Folds:
    """The folds of one run."""

    recipe: ProtocolRecipe
    frame: Recipe
    clips: ProtocolClips
    folds: Sequence[Fold]
    context: Context

    def predictions(self, fold: Fold) -> Tensor:
        """(N, L) of the fold's test clips: those that are kept, or those of the fold's model.

        Raises:
            TrainingError: what is kept is of another protocol or of other clips.
        """
        file = self.context.folder / "folds" / f"{self.folds.index(fold):03d}.json"
        keys = [self.clips.records[row].key for row in fold.test]
        if self.context.fabric.broadcast(file.exists()):
            return self._kept(file, keys)
        model = self._trained(fold)
        found = predict(model.regressor, self.clips, fold.test, self.context.fabric)
        if self.context.is_first:
            _write(file, {"protocol": plain_settings(self.recipe), "clips": keys, "predictions": found.tolist()})
        self.context.fabric.barrier()  # the others may still be reading the checkpoint
        if self.context.is_first:
            _forget(self._stage(fold))
        return found

    def logs(self) -> dict[str, Path]:
        """The metrics of each fold's training."""
        return {f"fold-{place}": self._stage(fold) / METRICS for place, fold in enumerate(self.folds, start=1)}

    def _kept(self, file: Path, keys: list[str]) -> Tensor:
        content = json.loads(file.read_text(encoding="utf-8"))
        if content["clips"] != keys or not _is_same(content["protocol"], self.recipe):
            raise TrainingError(
                f"{file}: was predicted with another protocol or other clips; choose another --run folder"
            )
        return torch.tensor(content["predictions"])

    def _trained(self, fold: Fold) -> FoldModel:
        """The model of the last epoch, or of the best one on the fold's validation part where it has one."""
        torch.manual_seed(self.recipe.seed)
        regressor = make_regressor(self.recipe, self.frame.frame)
        task = FoldTask(self.recipe, self.clips, fold, regressor, self.context.fabric)
        optimiser = _choosing(self.recipe.optimiser, fold)
        stage = self._stage(fold).relative_to(self.context.folder)
        model = self.context.fit(task, optimiser, str(stage), slow=regressor.encoder)
        assert isinstance(model, FoldModel)
        return model

    def _stage(self, fold: Fold) -> Path:
        name = fold.name.replace("/", "_")
        return self.context.folder / "training" / f"{self.folds.index(fold):03d}-{name}"


def _choosing(optimiser: OptimiserConfig, fold: Fold) -> OptimiserConfig:
    """All epochs are trained; where there is a validation part the best one on it is taken."""
    if optimiser.stop is not None or not fold.valid:
        return optimiser
    return msgspec.structs.replace(optimiser, stop=StopConfig(VALID, patience=optimiser.epochs, lowest=True))


def _is_same(settings: dict[str, Any], recipe: ProtocolRecipe) -> bool:
    """Whether these plain values, which may be an older recipe's, are those of the recipe."""
    upgrade(settings)
    try:
        return plain_settings(msgspec.convert(settings, ProtocolRecipe)) == plain_settings(recipe)
    except msgspec.ValidationError:
        return False


def _write(file: Path, content: dict[str, object]) -> None:
    file.parent.mkdir(parents=True, exist_ok=True)
    partial = file.with_suffix(".partial")
    partial.write_text(json.dumps(content), encoding="utf-8")
    partial.rename(file)


def _forget(stage: Path) -> None:
    """Checkpoints of many folds take gigabytes, and their predictions are kept."""
    if (checkpoint := latest_checkpoint(stage)) is not None:
        shutil.rmtree(checkpoint)
