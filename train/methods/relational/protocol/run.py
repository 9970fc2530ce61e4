"""A published protocol from start to end: every fold is trained and predicts its test part; then all are scored.

runs/<protocol>/prepared/   faces of video files
runs/<protocol>/folds/      predictions of finished folds; an interrupted run continues with the next one
runs/<protocol>/curves/     metrics of each fold, and TensorBoard's
runs/<protocol>/report.json, report.md, run.json
"""

import copy
import json
import math
from collections.abc import Callable, Iterator, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
from lightning_fabric import Fabric
from torch import Tensor, nn

from ....data.clip_faces import ClipFaces
from ....data.clip_weights import ClipWeights
from ....data.records import ClipRecord
from ....data.sequences import evaluation_sequence, sequence_from, training_sequence
from ....data.splits import Fold
from ....errors import TrainingError
from ....loop.checkpoint import latest_checkpoint, load_average
from ....loop.metrics_log import MetricsLog
from ....loop.progress import Progress
from ....loop.report import write_page
from ....loop.run_record import plain_settings, record_start
from ....losses import ccc_loss, relational_loss
from ....metrics.regression import rmse
from ....models.frame_encoder import LUMINANCE
from ....models.relational import ClinicalContextHead, ClipEncoder, ContextHead
from ..encoders import Encoder
from ..frame_stage import FrameModel
from ..recipe import Recipe, load_recipe
from .folds import ProtocolReport, evaluate, labels
from .model import ClipRegressor
from .recipe import ObjectiveConfig, ProtocolRecipe, SgdConfig, divide, load_clips, load_protocol

JITTER = 0.2  # largest relative change of brightness, contrast and saturation, one draw per sequence


def run_protocol(path: Path, data: Path, folder: Path, progress: Progress) -> ProtocolReport:
    """Train and score all folds, and write `report.json`.

    Raises:
        ConfigError, DataError: the protocol or the data are not as described.
        TrainingError: a loss is no longer finite, or a fold has too few clips.
    """
    recipe = load_protocol(path)
    frame = load_recipe(path.parent / recipe.encoder.recipe)
    clips = load_clips(recipe.data, data)
    progress.note(recipe.name, clips.summary())
    faces = ClipFaces(data, folder / "prepared", frame.crop, every=recipe.sequence.every)
    files = {record.source for record in clips.records if isinstance(record.source, Path)}
    records = tuple(faces.prepare(clips.records, progress.videos(len(files)) if files else progress.note))
    progress.note(recipe.name, f"{len(records)} clips with faces")
    folds = divide(recipe.data, type(clips)(records, clips.skipped), recipe.seed)
    for line in record_start(folder, recipe):
        progress.note("changed since this run began", line)
    run = _Run(recipe, frame, records, faces, Fabric(devices=1, precision=recipe.precision), progress, folder)
    predicted: dict[int, Tensor] = {}

    def fit_and_predict(fold: Fold) -> Tensor:
        about: dict[str, object] = {
            "protocol": plain_settings(recipe),
            "clips": [records[row].key for row in fold.test],
        }
        file = folder / "folds" / f"{folds.index(fold):03d}.json"
        found = _kept(file, about, lambda: run.fit_and_predict(fold))
        predicted.update(zip(fold.test, found, strict=True))
        return found

    report = evaluate(records, folds, recipe.outputs, fit_and_predict, seed=recipe.seed)
    (folder / "report.json").write_text(json.dumps(asdict(report), indent=2) + "\n", encoding="utf-8")
    truth = labels(records, list(predicted), recipe.outputs)
    logs = {f"fold-{place}": _curves(folder, fold) / "metrics.jsonl" for place, fold in enumerate(folds, start=1)}
    pred = torch.stack(list(predicted.values()))
    write_page(folder, asdict(report), pred=pred, truth=truth, outputs=recipe.outputs, logs=logs)
    return report


def learning_rates(config: SgdConfig, epoch: int) -> tuple[float, float]:
    """Of the encoder, and of clip encoder and head, in this epoch. With steps all are equal until the first one."""
    if config.schedule == "cosine":
        rate = config.lr * 0.5 * (1 + math.cos(math.pi * epoch / config.epochs))
        return rate / config.encoder_divisor, rate
    steps = epoch // config.decay_every
    rate = config.lr * config.decay**steps
    return (rate / config.encoder_divisor if steps else rate), rate


def objective(config: ObjectiveConfig, query: Tensor, pred: Tensor, truth: Tensor, *, reference: bool) -> Tensor:
    """query (B, D), pred and truth (B, L) → scalar."""
    main = main_loss(config, pred, truth)
    if config.relational == 0:
        return main
    return main + config.relational * relational_loss(query, truth, reference=reference)


def main_loss(config: ObjectiveConfig, pred: Tensor, truth: Tensor) -> Tensor:
    """pred and truth (B, L) → scalar."""
    return ccc_loss(pred, truth) if config.main == "ccc" else rmse(pred, truth).mean()


def _kept(file: Path, about: dict[str, object], make: Callable[[], Tensor]) -> Tensor:
    """The predictions in this file, made and written first if it does not exist; `about` says what they belong to."""
    if not file.exists():
        content = about | {"predictions": make().tolist()}
        file.parent.mkdir(parents=True, exist_ok=True)
        partial = file.with_suffix(".partial")
        partial.write_text(json.dumps(content), encoding="utf-8")
        partial.rename(file)
    content = json.loads(file.read_text(encoding="utf-8"))
    predictions = torch.tensor(content.pop("predictions"))
    if content != about:
        raise TrainingError(f"{file}: was predicted with another protocol or other clips; choose another --run folder")
    return predictions


@dataclass(frozen=True)
class _Run:
    """One protocol on one device."""

    recipe: ProtocolRecipe
    frame: Recipe
    records: Sequence[ClipRecord]
    faces: ClipFaces
    fabric: Fabric
    progress: Progress
    folder: Path

    def fit_and_predict(self, fold: Fold) -> Tensor:
        """(N, L) predictions of the fold's test clips."""
        return self.predict(self._fit(fold), fold.test)

    @torch.no_grad()
    def predict(self, model: ClipRegressor, rows: Sequence[int]) -> Tensor:
        """A clip is cut into clips of T frames; its prediction is their mean, weighted by how many frames are real."""
        model.eval()
        config, found = self.recipe.sequence, []
        for row in rows:
            record = self.records[row]
            cut = evaluation_sequence(self.faces.count(record), config)
            crops = torch.from_numpy(self.faces.read(record, cut.frames)).to(self.fabric.device)
            with self.fabric.autocast():
                clips = model.encode(crops)  # (M, D)
                pred = model.head(clips, clips[torch.from_numpy(cut.context)])  # (M, L)
            genuine = torch.from_numpy(cut.genuine.mean(axis=1)).to(pred)
            weight = torch.ones_like(genuine) if config.reference else genuine
            found.append((weight @ pred.float()) / weight.sum())
        return torch.stack(found).cpu()

    def _fit(self, fold: Fold) -> ClipRegressor:
        """The model of the last epoch, or of the best one on the fold's validation part where it has one."""
        config = self.recipe.optimiser
        rows = self._training_rows(fold)
        windows = self._windows(rows)
        torch.manual_seed(self.recipe.seed)
        plain = self._model()
        model: Any
        model, optimiser = self.fabric.setup(plain, _sgd(plain, config))
        best, best_loss = plain, float("inf")
        self.progress.start(fold.name, config.epochs, 0)
        log = MetricsLog(_curves(self.folder, fold), 0)
        for epoch in range(config.epochs):
            for group, rate in zip(optimiser.param_groups, learning_rates(config, epoch), strict=True):
                group["lr"] = rate
            model.train()
            losses = [
                self._step(model, optimiser, batch, epoch, fold=fold, windows=windows)
                for batch in self._batches(rows, epoch)
            ]
            scores = {"loss": float(np.mean(losses))}
            if fold.valid:
                truth = labels(self.records, fold.valid, self.recipe.outputs).float()
                scores["valid"] = float(main_loss(self.recipe.objective, self.predict(plain, fold.valid), truth))
                if scores["valid"] < best_loss:
                    best, best_loss = copy.deepcopy(plain), scores["valid"]
            log.epoch(epoch + 1, epoch + 1, scores)
            self.progress.epoch(epoch + 1, scores)
            self.progress.advance(epoch + 1)
        log.close()
        return best

    def _step(
        self, model: Any, optimiser: Any, batch: Sequence[int], epoch: int, *, fold: Fold, windows: ClipWeights | None
    ) -> float:  # fmt: skip
        generator = np.random.default_rng([self.recipe.seed, epoch, *batch])
        starts = [windows.draw(row, epoch + 1) if windows else None for row in batch]
        pictures = [self._sequence(row, start, generator) for row, start in zip(batch, starts, strict=True)]
        crops = torch.from_numpy(np.stack(pictures)).to(self.fabric.device)
        truth = labels(self.records, batch, self.recipe.outputs).to(self.fabric.device, torch.float32)
        query, pred = model(crops)
        reference = self.recipe.sequence.reference
        loss = objective(self.recipe.objective, query.float(), pred.float(), truth, reference=reference)
        if not bool(loss.isfinite()):
            raise TrainingError(
                f"{fold.name}: the loss is {float(loss.detach())} in epoch {epoch + 1}; lower optimiser.lr"
            )
        optimiser.zero_grad()
        self.fabric.backward(loss)
        if self.recipe.optimiser.clip_norm > 0:
            self.fabric.clip_gradients(
                model, optimiser, max_norm=self.recipe.optimiser.clip_norm, error_if_nonfinite=False
            )
        optimiser.step()
        for row, start, error in zip(batch, starts, (pred.detach() - truth).abs().mean(dim=1).tolist(), strict=True):
            if windows is not None and start is not None:
                windows.update(row, start, -error, epoch + 1)
        return float(loss.detach())

    def _windows(self, rows: np.ndarray) -> ClipWeights | None:
        """What the fold learns about where to begin; None where windows begin anywhere."""
        sampling, sequence = self.recipe.sampling, self.recipe.sequence
        if sampling.kind == "uniform":
            return None
        return ClipWeights(
            {row: self.faces.count(self.records[row]) for row in rows.tolist()},
            frames=sequence.frames * sequence.clips, warm_up_epochs=sampling.warm_up,
            exploration_epochs=sampling.exploration, beta=sampling.beta, seed=self.recipe.seed,
        )  # fmt: skip

    def _sequence(self, row: int, start: int | None, generator: np.random.Generator) -> np.ndarray:
        """(K, T, S, S, 3) of the window from `start`, or of a random one; mirrored and changed in light as a whole."""
        record, config = self.records[row], self.recipe.sequence
        count = self.faces.count(record)
        frames = training_sequence(count, config, generator) if start is None else sequence_from(count, config, start)
        crops = self.faces.read(record, frames)
        if generator.random() < 0.5:
            crops = crops[..., ::-1, :]
        contrast, brightness, saturation = generator.uniform(1 - JITTER, 1 + JITTER, 3).astype(np.float32)
        grey = (crops @ np.array(LUMINANCE, np.float32))[..., None]
        coloured = grey + saturation * (crops - grey)
        middle = coloured.mean()
        return np.asarray(((coloured - middle) * contrast + middle * brightness).clip(0, 255), np.uint8)

    def _training_rows(self, fold: Fold) -> np.ndarray:
        """The fold's training clips, or the share of them that the protocol uses."""
        generator = np.random.default_rng([self.recipe.seed, *fold.test[:1]])
        count = max(2, round(self.recipe.data.train_share * len(fold.train)))
        if len(fold.train) < 2:
            raise TrainingError(f"{fold.name}: {len(fold.train)} clips to train on; concordance needs at least 2")
        return np.sort(generator.choice(fold.train, min(count, len(fold.train)), replace=False))

    def _batches(self, rows: np.ndarray, epoch: int) -> Iterator[list[int]]:
        """All clips in random order; what is left for a last batch waits for another epoch."""
        order = np.random.default_rng([self.recipe.seed, epoch]).permutation(rows).tolist()
        size = min(self.recipe.optimiser.batch, len(order))
        return (order[first : first + size] for first in range(0, len(order) - size + 1, size))

    def _model(self) -> ClipRegressor:
        recipe, regressor = self.recipe, self.recipe.regressor
        frame = FrameModel(self.frame.frame)
        if recipe.encoder.run:
            load_average(_newest(Path(recipe.encoder.run) / "frame"), frame)
        encoder, dim = frame.encoder, self.frame.frame.dim
        if recipe.encoder.learns == "norms":
            learn_norms_only(encoder)
        neck = ClipEncoder(dim, heads=regressor.heads, layers=regressor.layers, feedforward=regressor.feedforward)
        reference, outputs = recipe.sequence.reference, len(recipe.outputs)
        head = (
            ContextHead(dim, outputs, reference=reference)
            if regressor.head == "context"
            else ClinicalContextHead(dim, outputs - 1, reference=reference)
        )
        return ClipRegressor(encoder, neck, head, noisy_context=reference)


def _sgd(model: ClipRegressor, config: SgdConfig) -> torch.optim.SGD:
    """Two groups: the encoder; clip encoder and head."""
    parts = ([model.encoder], [model.neck, model.head])
    groups = [
        {"params": [p for module in part for p in module.parameters() if p.requires_grad], "lr": config.lr}
        for part in parts
    ]
    return torch.optim.SGD(groups, momentum=config.momentum, weight_decay=config.weight_decay)


def learn_norms_only(encoder: Encoder) -> None:
    """Freeze all of it but the scales and shifts of its normalisations, and its last linear map."""
    encoder.requires_grad_(requires_grad=False)
    for module in encoder.modules():
        if isinstance(module, nn.BatchNorm2d | nn.LayerNorm):
            module.requires_grad_(requires_grad=True)
    encoder.project.requires_grad_(requires_grad=True)


def _curves(folder: Path, fold: Fold) -> Path:
    return folder / "curves" / fold.name.replace("/", "_")


def _newest(folder: Path) -> Path:
    if (checkpoint := latest_checkpoint(folder)) is None:
        raise TrainingError(f"{folder}: has no checkpoint; encoder.run must name the folder of a finished run")
    return checkpoint
