"""From the published lists of compound emotions and their videos to the feature files that the recipe reads."""

from collections.abc import Callable
from pathlib import Path

import torch
from safetensors.torch import save_file
from torch import Tensor

from streamaffect.runtime.bundle import load_bundle

from ....data.sets.c_expr_folds import LABEL, FoldPart, fold_clips, load_classes, load_fold
from ....errors import DataError
from ..recipe import CompoundRecipe
from .face_sequences import face_sequences

PARTS: tuple[FoldPart, ...] = ("train", "val")


def prepare_features(
    recipe: CompoundRecipe, root: Path, folder: Path, note: Callable[[str, str], None]
) -> None:  # fmt: skip
    """Write `train.safetensors` and `val.safetensors` to `folder`, unless they are there.

    root: holds `train.txt`, `val.txt`, `class_id.yaml`, the videos, whole or trimmed, and `annotation/` for whole ones.
    Classes beyond those of the recipe, as "Other" is in C-EXPR-DB, are left out. note: gets what was done.

    Raises DataError if the lists are not as described, or no face is found in the videos of a part.
    """
    classes = load_classes(root)
    bundle = load_bundle(recipe.encoder)
    (leader,) = recipe.inputs
    for part in PARTS:
        file = folder / f"{part}.safetensors"
        if file.exists():
            continue
        listed = [video for video in load_fold(root, part) if video.label < recipe.classes]
        annotation = root / "annotation"
        clips = fold_clips(listed, root, annotation if annotation.is_dir() else None, classes)
        note(part, clips.summary())
        sequences = face_sequences(clips.records, bundle, recipe.period_s, note)
        kept = [record for record in clips.records if record.key in sequences]
        if not kept:
            raise DataError(f"{root / part}.txt: no face was found in any of its {len(listed)} videos below {root}")
        rows = [sequences[record.key][: recipe.longest] for record in kept]
        labels = torch.tensor([int(record.labels[LABEL]) for record in kept])
        _save(file, {leader: _padded(rows), "lengths": torch.tensor([len(row) for row in rows]), "labels": labels})


def _padded(rows: list[Tensor]) -> Tensor:
    """(N, T, D), zeros beyond the end of a row."""
    return torch.nn.utils.rnn.pad_sequence(rows, batch_first=True).contiguous()


def _save(file: Path, tensors: dict[str, Tensor]) -> None:
    file.parent.mkdir(parents=True, exist_ok=True)
    partial = file.with_suffix(".partial")
    save_file(tensors, partial)
    partial.replace(file)
