"""A run of the map: faces are hidden bit by bit, a head learns what that would show, figures, the folder."""

import numpy as np
import torch
from torch import Tensor, nn

from streamaffect.affect.occlusion import Occluder
from streamaffect.runtime.bundle import load_bundle
from streamaffect.runtime.onnxruntime import OnnxRuntimeEngine
from streamaffect.text.regions import SIDE
from streamaffect.types import FloatArray

from ....loop.context import Context, Report
from ....loop.device import device_of
from ....loop.tensor_task import Batch, TensorTask
from ..data import prepare_clips
from ..recipe import MapLensRecipe
from .bundle import Trained, export_map_lens
from .data import Corpus, OccludedFaces, load_corpus
from .model import OcclusionHead
from .scores import correlations, map_figures

SCORING_BATCH = 512
EPSILON = 1e-6


def prepare(recipe: MapLensRecipe, context: Context) -> Report:
    """Cut the faces of the clips."""
    prepare_clips(recipe, context)
    return {}


def run(recipe: MapLensRecipe, context: Context) -> Report:
    """Hide, train, or go on; score, and write the lens. Returns figures.

    Raises DataError where data are missing, TrainingError where the lens cannot be written.
    """
    if context.trains:
        prepare(recipe, context)
    corpus = load_corpus(recipe, context)
    head = _trained(recipe, context, corpus)
    metrics = _figures(recipe, context, head, corpus)
    sizes = corpus.train.maps.shape[1], corpus.train.features.shape[1]
    context.export(lambda target: export_map_lens(Trained(recipe, head, metrics, corpus.names, *sizes), target))
    return {"metrics": metrics}


def _trained(recipe: MapLensRecipe, context: Context, corpus: Corpus) -> OcclusionHead:
    """The averaged head after all epochs. Half of the faces of a batch are mirrored, with their maps.

    Their features stay: those of mirrored faces, tried too, made it worse.
    """
    torch.manual_seed(recipe.seed)
    train = corpus.train
    variance = float(train.drop.var())

    def losses(module: nn.Module, batch: Batch) -> dict[str, Tensor]:
        maps, features, drop = batch
        maps, drop = _mirrored(maps, drop)
        found = module(maps.float(), features)
        return {
            "squared": (found - drop.flatten(1)).square().mean() / variance,
            "correlation": recipe.correlation * (1 - _correlation(found, drop.flatten(1))).mean(),
        }

    def validate(module: nn.Module) -> dict[str, float]:
        found = predict(module, corpus.valid)
        return {"r": float(correlations(found, corpus.valid.drop).mean())}

    task = TensorTask(
        OcclusionHead(train.maps.shape[1], train.features.shape[1], recipe.head),
        (torch.from_numpy(train.maps), torch.from_numpy(train.features), torch.from_numpy(train.drop)),
        losses,
        validate,
        batch=recipe.optimiser.batch,
        seed=recipe.seed,
    )
    average = context.fit(task, recipe.optimiser)
    assert isinstance(average, OcclusionHead)
    return average.eval()


@torch.no_grad()
def predict(model: nn.Module, faces: OccludedFaces) -> FloatArray:
    """The maps (N, 8, 8), clipped to [0, 1]."""
    model.eval()
    device = device_of(model)
    parts = (torch.split(torch.from_numpy(rows).to(device), SCORING_BATCH) for rows in (faces.maps, faces.features))
    found = torch.cat([model(maps.float(), features) for maps, features in zip(*parts, strict=True)]).clamp(0, 1)
    return np.asarray(found.cpu().numpy(), np.float32).reshape(-1, SIDE, SIDE)


def _figures(recipe: MapLensRecipe, context: Context, head: OcclusionHead, corpus: Corpus) -> dict[str, object]:
    """On pictures and people that nothing was fitted to."""
    bundle = load_bundle(recipe.bundle or None)
    occluder, usual = Occluder(bundle, OnnxRuntimeEngine(bundle)), corpus.train.drop.mean(axis=0)
    found: dict[str, object] = {}
    for name, faces in (("clips", corpus.report_clips), ("stills", corpus.report_stills)):
        context.progress.start(f"top quarters hidden, {name}", len(faces), 0)
        found[name] = map_figures(predict(head, faces), usual, faces, occluder, context.progress.advance)
    return found


def _correlation(found: Tensor, drop: Tensor) -> Tensor:
    """Pearson's r of each row, (B, 64) twice → (B,)."""
    a, b = (rows - rows.mean(dim=1, keepdim=True) for rows in (found, drop))
    correlation: Tensor = (a * b).sum(dim=1) / (a.norm(dim=1) * b.norm(dim=1)).clamp(min=EPSILON)
    return correlation


def _mirrored(maps: Tensor, drop: Tensor) -> tuple[Tensor, Tensor]:
    """Each face mirrored by the throw of a coin: (B, C, 8, 8), (B, 8, 8)."""
    coin = torch.rand(len(maps), device=maps.device) < 0.5
    return torch.where(coin[:, None, None, None], maps.flip(3), maps), torch.where(
        coin[:, None, None], drop.flip(2), drop
    )
