"""EmoCLIP's video embedding for a task of its own: a head on the transformer, which is frozen or trained along."""

from pathlib import Path

import msgspec
import torch
import torch.nn.functional as F
from lightning_fabric import Fabric
from safetensors import SafetensorError
from safetensors.torch import load_file
from torch import Tensor, nn

from streamaffect.errors import ConfigError
from streamaffect.runtime.manifest import HeadSpec, OutputSpec

from ....data.feature_files import load_features
from ....errors import DataError, TrainingError
from ....loop.fit import fit
from ....loop.progress import Progress
from ....loop.tensor_task import Batch, TensorTask
from ....losses import ccc_loss
from ....metrics.classification import uar, war
from ....metrics.regression import ccc, pcc
from ..bundle import Head, export_video_model, head_graph
from ..data.videos import DescribedVideos
from ..model import DownstreamModel
from ..recipe import EmoClipRecipe
from ..run import WEIGHTS, ScaledTransformer, new_transformer, prepare, random_windows
from .recipe import EmoClipDownstreamRecipe

EXPRESSIONS, AFFECT = "expressions", "affect"


def run(
    recipe: EmoClipDownstreamRecipe,
    base: EmoClipRecipe,
    root: Path | None,
    folder: Path,
    *,
    fabric: Fabric,
    progress: Progress,
    beside: Path,
) -> dict[str, float]:
    """Train, or go on from the newest checkpoint; returns the scores of the validation part.

    Classes are scored with WAR and UAR, values with CCC and PCC. A bundle is written beside `folder` where `base` names
    a CLIP.

    Raises DataError if the data are missing or not as described, ConfigError or TrainingError if recipe, run or CLIP
    do not fit each other.
    """
    if recipe.outputs and base.data != "features":
        raise ConfigError(f"{recipe.name}: `outputs` are columns of `values` in feature files; {recipe.base} reads "
                          f"{base.data}")  # fmt: skip
    prepared = prepare(base, root, beside, folder.with_name("features"), fabric=fabric, progress=progress)
    train, valid = (_targets(recipe, root, part, videos) for part, videos in
                    (("train", prepared.train), ("val", prepared.valid)))  # fmt: skip
    torch.manual_seed(recipe.seed)
    model = _model(recipe, base, len(prepared.train.class_text))

    def losses(module: nn.Module, batch: Batch) -> dict[str, Tensor]:
        frames, lengths, target = batch
        window, genuine = random_windows(frames, lengths, base.window)
        out = module(window, None if base.reference else genuine)
        if not recipe.outputs:
            return {"cross_entropy": F.cross_entropy(out, target)}
        return {"ccc": ccc_loss(out, target), "mse": F.mse_loss(out, target)}

    def score(module: nn.Module) -> dict[str, float]:
        out = read_out(module, prepared.valid, base.window)
        if not recipe.outputs:
            guess = out.argmax(dim=1)
            return {"war": float(war(guess, valid)), "uar": float(uar(guess, valid))}
        both = {"ccc": ccc(out, valid), "pcc": pcc(out, valid)}
        return {f"{name}_{output}": float(value) for name, values in both.items()
                for output, value in zip(recipe.outputs, values, strict=True)}  # fmt: skip

    tensors = (prepared.train.frames, prepared.train.lengths, train)
    task = TensorTask(model, tensors, losses, score, batch=recipe.optimiser.batch, seed=recipe.seed)
    average = fit(task, recipe.optimiser, folder, fabric=fabric, progress=progress)
    assert isinstance(average, DownstreamModel)
    scores = score(average)
    if prepared.towers is not None:
        head = _exported_head(recipe, average.cpu(), list(prepared.sentences), base.dim)
        named = msgspec.structs.replace(base, name=recipe.name, licence=recipe.licence, seed=recipe.seed)
        export_video_model(prepared.towers, average.temporal, head, recipe=named, metrics=scores,
                           target=folder.with_name("bundle"))  # fmt: skip
    return scores


@torch.no_grad()
def read_out(model: nn.Module, videos: DescribedVideos, window: int) -> Tensor:
    """(N, K) on the CPU: the mean over the consecutive windows of a video."""
    model.eval()
    device = next(model.parameters()).device
    total, counts = torch.zeros(0), torch.zeros(len(videos.frames), 1)
    for start in range(0, videos.frames.shape[1], window):
        rows = (videos.lengths > start).nonzero().squeeze(1)
        part = videos.frames[rows, start : start + window]
        genuine = torch.arange(part.shape[1]) < videos.lengths[rows, None] - start
        out = model(part.to(device), genuine.to(device)).cpu()
        total = total if len(total) else torch.zeros(len(videos.frames), out.shape[1])
        total[rows] += out
        counts[rows] += 1
    return total / counts


class _Read(nn.Module):
    """The head on a clip's embedding."""

    def __init__(self, head: nn.Module, *, classes: bool) -> None:
        super().__init__()
        self.head = head
        self.classes = classes

    def forward(self, video: Tensor) -> Tensor:
        out: Tensor = self.head(video)
        return out.softmax(dim=1) if self.classes else out


def _exported_head(recipe: EmoClipDownstreamRecipe, model: DownstreamModel, classes: list[str], dim: int) -> Head:
    if recipe.outputs:
        columns = [OutputSpec(name, (-1.0, 1.0)) for name in recipe.outputs]
        return Head(head_graph(_Read(model.head, classes=False), dim, AFFECT), HeadSpec(AFFECT, "regression", columns))
    shares = [OutputSpec(name, (0.0, 1.0), "probability") for name in classes]
    graph = head_graph(_Read(model.head, classes=True), dim, EXPRESSIONS)
    return Head(graph, HeadSpec(EXPRESSIONS, "classification", shares))


def _model(recipe: EmoClipDownstreamRecipe, base: EmoClipRecipe, classes: int) -> DownstreamModel:
    scaled = ScaledTransformer(new_transformer(base), base.log_scale)
    if recipe.run:
        file = Path(recipe.run) / WEIGHTS
        try:
            scaled.load_state_dict(load_file(file))
        except (OSError, SafetensorError) as error:
            raise TrainingError(f"{file}: cannot be read ({error}); `run` takes the folder of a finished run of "
                                f"{recipe.base}") from error  # fmt: skip
        except RuntimeError as error:
            raise TrainingError(f"{file}: holds a transformer of another shape than {recipe.base}") from error
    model = DownstreamModel(scaled.temporal, len(recipe.outputs) or classes)
    if recipe.head == "linear":
        model.head = nn.Sequential(nn.Linear(base.dim, len(recipe.outputs) or classes))
    if recipe.trains == "head":
        model.temporal.requires_grad_(requires_grad=False)
    return model


def _targets(recipe: EmoClipDownstreamRecipe, root: Path | None, part: str, videos: DescribedVideos) -> Tensor:
    if not recipe.outputs:
        return videos.labels
    values = load_features(root, part, {"values": "NL"})["values"]
    if values.shape != (len(videos.frames), len(recipe.outputs)):
        raise DataError(f"{root}: {part}: `values` is {tuple(values.shape)}, expected a row for each of the "
                        f"{len(videos.frames)} videos and the columns {', '.join(recipe.outputs)}")  # fmt: skip
    return values
