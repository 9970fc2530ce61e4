"""What the joint multimodal transformer learns from: steps of face and voice, by any of its sources."""

from collections.abc import Sequence
from pathlib import Path
from typing import NamedTuple

from torch import Tensor

from ...audiovisual.pair_steps import pair_steps
from ...audiovisual.sources import aff_wild2_period_s, aff_wild2_steps, clip_steps, drawn_steps
from ...audiovisual.steps import StepWindows, in_windows
from ...data.backbone import VisualBackbone, open_backbone
from ...data.feature_files import load_features
from ...loop.context import Context
from .recipe import JmtRecipe


class JmtData(NamedTuple):
    """Steps to train on, and those to score.

    series: rows of `valid`'s steps, in order of time, of each video that is scored as a series; none where the steps
            are not those of whole videos
    """

    train: StepWindows
    valid: StepWindows
    series: Sequence[Tensor] = ()


def open_visual_backbone(recipe: JmtRecipe) -> VisualBackbone | None:
    """The bundle whose encoders are the visual backbone, at the clip's period that the recipe asks for."""
    if not recipe.bundle:
        return None
    backbone = open_backbone(recipe.bundle, recipe.period_s)
    if recipe.data == "aff_wild2" and recipe.period_s is None:
        return open_backbone(recipe.bundle, aff_wild2_period_s(backbone.clip.frames))
    return backbone


def load_steps(recipe: JmtRecipe, backbone: VisualBackbone | None, context: Context) -> JmtData:
    """Steps and windows of the recipe's source. Raises DataError if they are missing or not as described."""
    if recipe.data == "drawn":
        return _drawn(recipe, recipe.dim if backbone is None else backbone.dim)
    if recipe.data == "features":
        root = context.data_folder("train.safetensors and val.safetensors")
        return JmtData(_features(root, "train", backbone), _features(root, "val", backbone))
    assert backbone is not None  # the recipe sees to it
    if recipe.data == "pairs":
        assert recipe.pairs is not None  # the recipe sees to it
        root = context.data_folder("speech/ with its clips.csv, and ferplus/")
        return JmtData(*pair_steps(root, backbone, recipe.pairs, steps=recipe.steps, seed=recipe.seed))
    if recipe.data == "clips":
        root = context.data_folder("clips.csv and the videos that it names")
        shards = context.folder / "prepared"
        return JmtData(
            *clip_steps(root, shards, backbone, recipe.sound, steps=recipe.steps, note=context.progress.note)
        )
    root = context.data_folder("Aff-Wild2's cropped_aligned, audio_extracted and VA_annotations")
    train, _ = aff_wild2_steps(root, "Train_Set", backbone, recipe.sound, every=recipe.every)
    valid, series = aff_wild2_steps(root, "Val_Set", backbone, recipe.sound, every=recipe.every)
    return JmtData(train, valid, series)


def _drawn(recipe: JmtRecipe, dim: int) -> JmtData:
    counts = (recipe.drawn, max(20, recipe.drawn // 4))
    return JmtData(
        *(
            drawn_steps(dim, recipe.sound, windows=count, steps=recipe.steps, shared=recipe.seed, seed=recipe.seed + i)
            for i, count in enumerate(counts)
        )
    )


def _features(root: Path, part: str, backbone: VisualBackbone | None) -> StepWindows:
    tensors = load_features(root, part, {"visual": "NSV", "audio": "NSA", "heard": "NS bool", "labels": "NSL"})
    if backbone is not None:
        backbone.check_width(tensors["visual"].shape[2], f"{root}/{part}.safetensors")
    return in_windows(**tensors)
