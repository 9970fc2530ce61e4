"""What the joint multimodal transformer learns from: steps of face and voice, by any of its sources."""

from pathlib import Path

from ...audiovisual.sources import aff_wild2_period_s, aff_wild2_steps, clip_steps, drawn_steps
from ...audiovisual.steps import Steps, in_windows
from ...data.backbone import VisualBackbone, open_backbone
from ...data.feature_files import load_features
from ...errors import DataError
from ...loop.progress import Progress
from .recipe import JmtRecipe


def open_visual_backbone(recipe: JmtRecipe) -> VisualBackbone | None:
    """The bundle whose encoders are the visual backbone, at the clip's period that the recipe asks for."""
    if not recipe.bundle:
        return None
    backbone = open_backbone(recipe.bundle, recipe.period_s)
    if recipe.data == "aff_wild2" and recipe.period_s is None:
        return open_backbone(recipe.bundle, aff_wild2_period_s(backbone.clip.frames))
    return backbone


def load_steps(
    recipe: JmtRecipe, root: Path | None, backbone: VisualBackbone | None, shards: Path, progress: Progress
) -> tuple[Steps, Steps]:
    """The steps to train on, and those to score. Raises DataError if they are missing or not as described."""
    if recipe.data == "drawn":
        dim = recipe.dim if backbone is None else backbone.dim
        counts = (recipe.drawn, max(20, recipe.drawn // 4))
        train, valid = (
            drawn_steps(dim, recipe.sound, windows=count, steps=recipe.steps, shared=recipe.seed, seed=recipe.seed + i)
            for i, count in enumerate(counts)
        )
        return train, valid
    if recipe.data == "features":
        return _features(root, "train", backbone), _features(root, "val", backbone)
    if root is None or backbone is None:
        raise DataError(f"{recipe.name} needs --data: the folder of its data set")
    if recipe.data == "clips":
        return clip_steps(root, shards, backbone, recipe.sound, steps=recipe.steps, note=progress.note)
    train, valid = (
        aff_wild2_steps(root, part, backbone, recipe.sound, every=recipe.every) for part in ("Train_Set", "Val_Set")
    )
    return train, valid


def _features(root: Path | None, part: str, backbone: VisualBackbone | None) -> Steps:
    tensors = load_features(root, part, {"visual": "NSV", "audio": "NSA", "heard": "NS bool", "labels": "NSL"})
    if backbone is not None:
        backbone.check_width(tensors["visual"].shape[2], f"{root}/{part}.safetensors")
    return in_windows(**tensors)
