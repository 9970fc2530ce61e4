"""The clips of a protocol: where they lie, how they are divided, and the faces of a window or of a whole recording."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from torch import Tensor

from streamaffect.runtime.manifest import CropSpec

from ....data.clip_faces import ClipFaces
from ....data.clips_csv import load_clips_csv
from ....data.records import ClipRecord, LabelledClips
from ....data.sampling.sequences import evaluation_sequence, sequence_from, training_sequence
from ....data.sets.aff_wild2 import load_aff_wild2
from ....data.sets.amigos import load_amigos
from ....data.sets.ness import load_label_table
from ....data.sets.omg import load_omg
from ....data.splits import Fold, fixed_split, leave_one_subject_out, subject_folds
from ....errors import TrainingError
from ....loop.context import Context
from ....models.frame_encoder import LUMINANCE
from .recipe import LEAST_BATCH, ProtocolDataConfig, ProtocolRecipe

JITTER = 0.2  # largest relative change of brightness, contrast and saturation, one draw per sequence


def load_clips(config: ProtocolDataConfig, root: Path) -> LabelledClips:
    """The labelled clips below `root`.

    omg: the published tables, and beside them the folders of videos; aff_wild2: `annotations/` and `cropped_aligned/`;
    ratings: `ratings.csv` and the videos that it names; clips: `clips.csv`; amigos: `amigos.json` and its groups.

    Raises:
        DataError: what is there is not as the data set's layout demands.
    """
    match config.kind:
        case "amigos":
            return load_amigos(root)
        case "omg":
            return load_omg(root, root)
        case "ratings":
            return load_label_table(root / "ratings.csv", root, config.ranges)
        case "aff_wild2":
            return load_aff_wild2(root / "annotations", root / "cropped_aligned")
        case "clips":
            return load_clips_csv(root / "clips.csv")


def divide(config: ProtocolDataConfig, records: Sequence[ClipRecord], seed: int) -> list[Fold]:
    """The folds that the protocol asks for. Raises DataError where the clips do not allow them."""
    valid = config.valid_subjects
    match config.divide:
        case "by subject":
            return leave_one_subject_out(records, valid_subjects=valid, seed=seed)
        case "folds":
            return subject_folds(records, config.folds, valid_subjects=valid, seed=seed)
        case "fixed":
            return [fixed_split(records)]


def labels(records: Sequence[ClipRecord], rows: Sequence[int], outputs: Sequence[str]) -> Tensor:
    """(N, L) float64 labels of these clips."""
    values = [[records[row].labels[output] for output in outputs] for row in rows]
    return torch.tensor(values, dtype=torch.float64).reshape(len(rows), len(outputs))


@dataclass(frozen=True, slots=True)
class Recording:
    """A recording cut into M clips of T frames.

    crops:   (M, T, S, S, 3) uint8
    context: (M, K) clip numbers
    weights: (M,) float64, share of a clip's frames that are real; as published all clips count alike
    """

    crops: np.ndarray
    context: np.ndarray
    weights: np.ndarray


class ProtocolClips:
    """The clips in which faces were found, by number."""

    def __init__(self, recipe: ProtocolRecipe, records: Sequence[ClipRecord], faces: ClipFaces) -> None:
        self.records = records
        self._recipe = recipe
        self._faces = faces

    def labels(self, rows: Sequence[int]) -> Tensor:
        """(N, L) float64."""
        return labels(self.records, rows, self._recipe.outputs)

    def count(self, row: int) -> int:
        """Number of faces that are kept of a clip."""
        return self._faces.count(self.records[row])

    def random_window(self, row: int, generator: np.random.Generator) -> np.ndarray:
        """(K, T, S, S, 3) uint8 of a window that begins anywhere, changed as a whole."""
        frames = training_sequence(self.count(row), self._recipe.sequence, generator)
        return _changed(self._faces.read(self.records[row], frames), generator)

    def window(self, row: int, start: int, generator: np.random.Generator) -> np.ndarray:
        """The same of the window from frame `start`."""
        frames = sequence_from(self.count(row), self._recipe.sequence, start)
        return _changed(self._faces.read(self.records[row], frames), generator)

    def recording(self, row: int) -> Recording:
        """All of a clip's faces."""
        config = self._recipe.sequence
        cut = evaluation_sequence(self.count(row), config)
        real = cut.genuine.mean(axis=1)
        weights = np.ones_like(real) if config.reference else real
        return Recording(self._faces.read(self.records[row], cut.frames), cut.context, weights)

    def training_rows(self, fold: Fold) -> np.ndarray:
        """The fold's training clips, or the share of them that the protocol uses."""
        if len(fold.train) < LEAST_BATCH:
            raise TrainingError(f"{fold.name}: {len(fold.train)} clips to train on; concordance needs at least 2")
        generator = np.random.default_rng([self._recipe.seed, *fold.test[:1]])
        count = max(LEAST_BATCH, round(self._recipe.data.train_share * len(fold.train)))
        return np.sort(generator.choice(fold.train, min(count, len(fold.train)), replace=False))


def open_clips(recipe: ProtocolRecipe, crop: CropSpec, context: Context) -> ProtocolClips:
    """The clips below `context.data`, with the faces of video files cut where they were not before.

    Raises:
        DataError: there is no folder, or what is there is not as described.
    """
    root, note = context.data_folder(f"the clips of the protocol {recipe.name}"), context.progress.note
    clips = load_clips(recipe.data, root)
    note(recipe.name, clips.summary())
    faces = ClipFaces(root, context.folder / "prepared", crop, every=recipe.sequence.every)
    files = {record.source for record in clips.records if isinstance(record.source, Path)}
    with context.fabric.rank_zero_first():
        records = faces.prepare(clips.records, context.progress.videos(len(files)) if files else note)
    note(recipe.name, f"{len(records)} clips with faces")
    return ProtocolClips(recipe, records, faces)


def _changed(crops: np.ndarray, generator: np.random.Generator) -> np.ndarray:
    """(K, T, S, S, 3) uint8 → the same, mirrored and changed in light as a whole."""
    if generator.random() < 0.5:
        crops = crops[..., ::-1, :]
    contrast, brightness, saturation = generator.uniform(1 - JITTER, 1 + JITTER, 3).astype(np.float32)
    grey = (crops @ np.array(LUMINANCE, np.float32))[..., None]
    coloured = grey + saturation * (crops - grey)
    middle = coloured.mean()
    return np.asarray(((coloured - middle) * contrast + middle * brightness).clip(0, 255), np.uint8)
