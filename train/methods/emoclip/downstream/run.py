"""EmoCLIP's video embedding for a task of its own: a head on the transformer, which is frozen or trained along."""

from pathlib import Path

import msgspec
import torch
import torch.nn.functional as F
from torch import Tensor, nn

from streamaffect.errors import ConfigError
from streamaffect.runtime.manifest import Manifest

from ....config import read_toml, typed_recipe
from ....data.feature_files import load_features
from ....errors import DataError
from ....loop.context import Context, Report
from ....loop.device import device_of
from ....loop.tensor_task import Batch, TensorTask
from ....losses import ccc_loss
from ....metrics.regression import ccc, pcc
from ..bundle import export_video_model
from ..clip_towers import ClipTowers
from ..data.load import LoadedVideos, load_videos
from ..data.videos import DescribedVideos
from ..model import DownstreamModel, new_transformer
from ..recipe import EmoClipRecipe
from ..scores import recalls
from ..weights import read_weights
from ..windows import consecutive_windows, random_windows
from .bundle import downstream_head
from .recipe import EmoClipDownstreamRecipe


def run(recipe: EmoClipDownstreamRecipe, context: Context) -> Report:
    """Train, or go on from the newest checkpoint; returns the scores of the validation part.

    Classes are scored with WAR and UAR, values with CCC and PCC. A bundle is written where `base` names a CLIP.

    Raises DataError if the data are missing or not as described, ConfigError or TrainingError if recipe, run or CLIP
    do not fit each other.
    """
    base = base_recipe(recipe, context)
    videos = load_videos(base, context)
    train, valid = (_targets(recipe, context, part, own) for part, own in
                    (("train", videos.train), ("val", videos.valid)))  # fmt: skip
    model, scores = _trained(recipe, base, videos, (train, valid), context)
    if (towers := videos.towers) is not None:
        classes = list(videos.sentences)
        context.export(lambda target: _export(recipe, base, model, towers, classes, metrics=scores, target=target))
    return {**scores}


def base_recipe(recipe: EmoClipDownstreamRecipe, context: Context) -> EmoClipRecipe:
    """The recipe of EmoCLIP that `base` names. Raises ConfigError if it is none, or cannot give what is learned."""
    file = context.beside(recipe.base)
    content = read_toml(file, example="configs/train/emoclip/smoke.toml")
    if content.get("method") != "emoclip":
        raise ConfigError(f"{file}: is no recipe of the method emoclip, which `base` of {recipe.name} has to name")
    base = typed_recipe(file, content, EmoClipRecipe)
    if recipe.outputs and base.data != "features":
        raise ConfigError(f"{recipe.name}: `outputs` are columns of `values` in feature files; {recipe.base} reads "
                          f"{base.data}")  # fmt: skip
    return base


def _trained(
    recipe: EmoClipDownstreamRecipe,
    base: EmoClipRecipe,
    videos: LoadedVideos,
    targets: tuple[Tensor, Tensor],
    context: Context,
) -> tuple[DownstreamModel, dict[str, float]]:
    """The averaged model after all epochs, and its scores. targets: of the training and of the validation part."""
    train, valid = targets
    torch.manual_seed(recipe.seed)

    def losses(module: nn.Module, batch: Batch) -> dict[str, Tensor]:
        frames, lengths, target = batch
        window, genuine = random_windows(frames, lengths, base.window)
        out = module(window, None if base.reference else genuine)
        if not recipe.outputs:
            return {"cross_entropy": F.cross_entropy(out, target)}
        return {"ccc": ccc_loss(out, target), "mse": F.mse_loss(out, target)}

    def score(module: nn.Module) -> dict[str, float]:
        out = read_out(module, videos.valid, base.window)
        if not recipe.outputs:
            return recalls(out, valid)
        both = {"ccc": ccc(out, valid), "pcc": pcc(out, valid)}
        return {f"{name}_{output}": float(value) for name, values in both.items()
                for output, value in zip(recipe.outputs, values, strict=True)}  # fmt: skip

    model = _new_model(recipe, base, len(videos.train.class_text))
    tensors = (videos.train.frames, videos.train.lengths, train)
    task = TensorTask(model, tensors, losses, score, batch=recipe.optimiser.batch, seed=recipe.seed)
    average = context.fit(task, recipe.optimiser)
    assert isinstance(average, DownstreamModel)
    return average, score(average)


@torch.no_grad()
def read_out(model: nn.Module, videos: DescribedVideos, window: int) -> Tensor:
    """(N, K) on the CPU: the mean over the consecutive windows of a video."""
    model.eval()
    device = device_of(model)
    total, counts = torch.zeros(0), torch.zeros(len(videos.frames), 1)
    for part in consecutive_windows(videos.frames, videos.lengths, window):
        out = model(part.frames.to(device), part.genuine.to(device)).cpu()
        total = total if len(total) else torch.zeros(len(videos.frames), out.shape[1])
        total[part.rows] += out
        counts[part.rows] += 1
    return total / counts


def _new_model(recipe: EmoClipDownstreamRecipe, base: EmoClipRecipe, classes: int) -> DownstreamModel:
    scaled = read_weights(base, Path(recipe.run), "`run`") if recipe.run else new_transformer(base)
    model = DownstreamModel(scaled.temporal, len(recipe.outputs) or classes)
    if recipe.head == "linear":
        model.head = nn.Sequential(nn.Linear(base.dim, len(recipe.outputs) or classes))
    if recipe.trains == "head":
        model.temporal.requires_grad_(requires_grad=False)
    return model


def _targets(recipe: EmoClipDownstreamRecipe, context: Context, part: str, videos: DescribedVideos) -> Tensor:
    if not recipe.outputs:
        return videos.labels
    root = context.data_folder(f"{part}.safetensors")
    values = load_features(root, part, {"values": "NL"})["values"]
    if values.shape != (len(videos.frames), len(recipe.outputs)):
        raise DataError(f"{root}: {part}: `values` is {tuple(values.shape)}, expected a row for each of the "
                        f"{len(videos.frames)} videos and the columns {', '.join(recipe.outputs)}")  # fmt: skip
    return values


def _export(
    recipe: EmoClipDownstreamRecipe,
    base: EmoClipRecipe,
    model: DownstreamModel,
    towers: ClipTowers,
    classes: list[str],
    *,
    metrics: dict[str, float],
    target: Path,
) -> Manifest:
    named = msgspec.structs.replace(base, name=recipe.name, licence=recipe.licence, seed=recipe.seed)
    head = downstream_head(recipe, model.cpu(), classes, base.dim)
    return export_video_model(towers, model.temporal, head, recipe=named, metrics=metrics, target=target)
