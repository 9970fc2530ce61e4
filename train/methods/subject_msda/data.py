"""The labelled people and the unlabelled person of a recipe of subject-based adaptation, as features."""

from collections.abc import Sequence
from pathlib import Path
from typing import NamedTuple

import cv2
import numpy as np
import torch
from torch import Tensor

from streamaffect.faces.crop import crop_box
from streamaffect.runtime.bundle import Bundle
from streamaffect.runtime.onnxruntime import OnnxRuntimeEngine
from streamaffect.types import Box, ImageArray

from ...data.feature_files import load_features
from ...data.sets.subject_list import SubjectPicture, load_subject_list
from ...data.sets.unbc import load_unbc
from ...errors import DataError
from ...loop.context import Context
from .recipe import SubjectMsdaRecipe

BATCH = 64
WHOLE = Box(0.0, 0.0, 1.0, 1.0)


class People(NamedTuple):
    """features (N, D), labels (N,) int64, subjects (N,) int64."""

    features: Tensor
    labels: Tensor
    subjects: Tensor


class Person(NamedTuple):
    """features (M, D), flipped (M, D) of the mirror images, labels (M,) int64 for scores alone."""

    features: Tensor
    flipped: Tensor
    labels: Tensor


def load_people(recipe: SubjectMsdaRecipe, context: Context, base: Bundle) -> tuple[People, Person]:
    """Sources and target of a recipe. base: encodes pictures. Raises DataError if they are missing or do not fit."""
    if recipe.data == "drawn":
        return _drawn_people(recipe)
    if recipe.data in ("pictures", "unbc"):
        return _picture_people(recipe, context.data_folder("the data set, see docs/methods/subject_msda.md"), base)
    root = context.data_folder("sources.safetensors and target.safetensors")
    sources = People(**load_features(root, "sources", {"features": "NF", "labels": "N int", "subjects": "N int"}))
    target = Person(**load_features(root, "target", {"features": "MF", "flipped": "MF", "labels": "M int"}))
    if len(torch.unique(sources.subjects)) < 2:
        raise DataError(f"{root}/sources.safetensors: needs at least 2 people in 'subjects'")
    if sources.features.shape[1] != target.features.shape[1]:
        raise DataError(f"{root}: sources have {sources.features.shape[1]} features, the target has "
                        f"{target.features.shape[1]}")  # fmt: skip
    return sources, target


def _picture_people(recipe: SubjectMsdaRecipe, root: Path, base: Bundle) -> tuple[People, Person]:
    sources, target = _listed(recipe, root)
    for name, pictures in (("sources", sources), ("target", target)):
        largest = max((picture.label for picture in pictures), default=-1)
        if not 0 <= largest < recipe.classes:
            raise DataError(f"{root}: the {name} have labels up to {largest}, the recipe has {recipe.classes} classes")
    names = sorted({picture.subject for picture in sources})
    if len(names) < 2:
        raise DataError(f"{root}: the sources show {len(names)} person, needs at least 2")
    return (
        People(
            picture_features(sources, base),
            torch.tensor([picture.label for picture in sources]),
            torch.tensor([names.index(picture.subject) for picture in sources]),
        ),
        Person(
            picture_features(target, base),
            picture_features(target, base, mirrored=True),
            torch.tensor([picture.label for picture in target]),
        ),
    )


def _listed(recipe: SubjectMsdaRecipe, root: Path) -> tuple[list[SubjectPicture], list[SubjectPicture]]:
    """The pictures of the sources and of the target."""
    if recipe.data == "pictures":
        return load_subject_list(root, "sources"), load_subject_list(root, "target")
    pictures = load_unbc(root, every=recipe.every)
    target = [picture for picture in pictures if picture.subject == recipe.target]
    if not target:
        known = ", ".join(sorted({picture.subject for picture in pictures}))
        raise DataError(f"{root}: has no subject '{recipe.target}', which the recipe names as `target`; found {known}")
    return [picture for picture in pictures if picture.subject != recipe.target], target


def _drawn_people(recipe: SubjectMsdaRecipe) -> tuple[People, Person]:
    """Classes at the same places for everybody, and everybody shifted elsewhere; the last person is the target."""
    generator = torch.Generator().manual_seed(recipe.seed)
    rows, dim = recipe.drawn_rows, recipe.drawn_dim
    centres = 2 * torch.randn(recipe.classes, dim, generator=generator)
    people = max(2, recipe.drawn_people) + 1
    shifts = 1.5 * torch.randn(people, 1, dim, generator=generator)
    labels = torch.randint(recipe.classes, (people, rows), generator=generator)
    features = centres[labels] + shifts + torch.randn(people, rows, dim, generator=generator)
    flipped = features[-1] + 0.3 * torch.randn(rows, dim, generator=generator)
    subjects = torch.arange(people - 1).repeat_interleave(rows)
    return (
        People(features[:-1].flatten(0, 1), labels[:-1].flatten(), subjects),
        Person(features[-1], flipped, labels[-1]),
    )


def picture_features(pictures: Sequence[SubjectPicture], base: Bundle, *, mirrored: bool = False) -> Tensor:
    """Clip vectors (N, C) of face pictures as stills, each a clip of equal frames. Raises DataError."""
    engine = OnnxRuntimeEngine(base)
    parts = []
    for at in range(0, len(pictures), BATCH):
        crops = np.stack([_crop(picture.path, base, mirrored=mirrored) for picture in pictures[at : at + BATCH]])
        features = engine.encode_frames(crops)
        parts.append(engine.encode_clips(np.repeat(features[:, None], base.manifest.clip.frames, axis=1)))
    return torch.from_numpy(np.concatenate(parts))


def _crop(path: Path, base: Bundle, *, mirrored: bool) -> ImageArray:
    image = cv2.imread(str(path), cv2.IMREAD_COLOR)
    if image is None:
        raise DataError(f"{path}: cannot be read as a picture; copy the data set again")
    crop = crop_box(np.asarray(image, np.uint8), WHOLE, base.manifest.crop)
    return np.ascontiguousarray(crop[:, ::-1]) if mirrored else crop
