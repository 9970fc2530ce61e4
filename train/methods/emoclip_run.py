"""The recipe of EmoCLIP on embeddings of a frozen CLIP: videos learn to lie beside the sentences that describe them."""

from pathlib import Path
from typing import Literal, NamedTuple

import msgspec
import torch
from lightning_fabric import Fabric
from torch import Tensor, nn

from ..classification import uar, war
from ..config import Count, OptimiserConfig
from ..data.feature_files import load_features
from ..loop import fit
from ..losses import clip_contrastive_loss
from ..models.emoclip import TemporalTransformer, zero_shot
from ..progress import Progress
from .tensor_task import Batch, TensorTask

RELEASED_LOG_SCALE = 4.6052  # ln 100, of the released CLIP weights


class EmoClipRecipe(msgspec.Struct, frozen=True, forbid_unknown_fields=True, tag_field="method", tag="emoclip"):
    """Everything that defines the run, but for the data's folder.

    data:      "features" reads `train` and `val` below `--data`, each with `frames` (N, T, D), `lengths` (N,) in
               frames, `text` (N, D) of each sample's own description, `labels` (N,) and `class_text` (K, D);
               "drawn" makes embeddings in which a sentence and the middle of its video point the same way
    dim:       D. depth, heads, head_dim, mlp_dim: of the temporal transformer
    log_scale: start of the learned temperature
    reference: the published widths and start, see `TemporalTransformer`
    drawn, drawn_frames, drawn_classes: samples, T and K of "drawn"
    """

    name: str
    seed: int
    data: Literal["drawn", "features"]
    dim: Count
    optimiser: OptimiserConfig
    depth: Count = 2
    heads: Count = 8
    head_dim: int | None = None
    mlp_dim: int | None = None
    log_scale: float = RELEASED_LOG_SCALE
    reference: bool = False
    drawn: Count = 300
    drawn_frames: Count = 12
    drawn_classes: Count = 5


class DescribedVideos(NamedTuple):
    """frames (N, T, D), lengths (N,), text (N, D), labels (N,) int64, class_text (K, D)."""

    frames: Tensor
    lengths: Tensor
    text: Tensor
    labels: Tensor
    class_text: Tensor

    @property
    def genuine(self) -> Tensor:
        """(N, T) bool, False beyond the end of a video."""
        return torch.arange(self.frames.shape[1]) < self.lengths[:, None]


class ScaledTransformer(nn.Module):
    """The temporal transformer and the logarithm of the temperature that is learned with it."""

    def __init__(self, temporal: TemporalTransformer, log_scale: float) -> None:
        super().__init__()
        self.temporal = temporal
        self.logit_scale = nn.Parameter(torch.tensor(log_scale))

    def forward(self, frames: Tensor, genuine: Tensor) -> tuple[Tensor, Tensor]:
        """(B, T, D), (B, T) bool → embeddings (B, D) and the logarithm of the temperature ()."""
        return self.temporal(frames, genuine), self.logit_scale


def run(recipe: EmoClipRecipe, root: Path | None, folder: Path, fabric: Fabric, progress: Progress) -> dict[str, float]:
    """Train, or go on from the newest checkpoint; returns the zero-shot scores of the validation part.

    The mean of the frames, which needs no training, is scored beside it: `baseline_…`.

    Raises DataError if the data are missing or not as described.
    """
    train, valid = (_load(recipe, root, part) for part in ("train", "val"))
    torch.manual_seed(recipe.seed)
    temporal = TemporalTransformer(
        recipe.dim, depth=recipe.depth, heads=recipe.heads, head_dim=recipe.head_dim, mlp_dim=recipe.mlp_dim,
        reference=recipe.reference,
    )  # fmt: skip

    def losses(module: nn.Module, batch: Batch) -> dict[str, Tensor]:
        frames, genuine, text = batch
        video, logit_scale = module(frames, genuine)
        return {"contrastive": clip_contrastive_loss(video, text, logit_scale, reference=recipe.reference)}

    task = TensorTask(
        ScaledTransformer(temporal, recipe.log_scale), (train.frames, train.genuine, train.text), losses,
        lambda module: score(module, valid), batch=recipe.optimiser.batch, seed=recipe.seed,
    )  # fmt: skip
    model = fit(task, recipe.optimiser, folder, fabric=fabric, progress=progress)
    return score(model, valid) | {f"baseline_{name}": value for name, value in baseline(valid).items()}


@torch.no_grad()
def score(model: nn.Module, videos: DescribedVideos) -> dict[str, float]:
    """WAR and UAR of zero-shot classification among the class sentences."""
    model.eval()
    device = next(model.parameters()).device
    video, logit_scale = model(videos.frames.to(device), videos.genuine.to(device))
    return _recalls(zero_shot(video.cpu(), videos.class_text, logit_scale.cpu()), videos.labels)


def baseline(videos: DescribedVideos) -> dict[str, float]:
    """The same with the mean of a video's frames in place of its embedding: plain CLIP."""
    weight = videos.genuine.float().unsqueeze(2)
    mean = (videos.frames * weight).sum(dim=1) / weight.sum(dim=1)
    return _recalls(zero_shot(mean, videos.class_text, torch.tensor(RELEASED_LOG_SCALE)), videos.labels)


def drawn_descriptions(recipe: EmoClipRecipe, *, seed: int) -> DescribedVideos:
    """Videos whose middle third shows their class and whose other frames show one shared, loud direction.

    Sentences are the class's direction and some noise, as descriptions of single samples are.
    """
    generator = torch.Generator().manual_seed(seed)
    # The joint space is that of one CLIP: it does not change with the split.
    space = torch.randn(recipe.drawn_classes + 1, recipe.dim, generator=torch.Generator().manual_seed(0))
    class_text, shared = space[:-1], space[-1]
    labels = torch.randint(recipe.drawn_classes, (recipe.drawn,), generator=generator)
    frames = torch.randn(recipe.drawn, recipe.drawn_frames, recipe.dim, generator=generator)
    third = recipe.drawn_frames // 3
    frames += 3 * shared
    frames[:, third : 2 * third] += class_text[labels].unsqueeze(1) - 3 * shared
    text = class_text[labels] + 0.5 * torch.randn(recipe.drawn, recipe.dim, generator=generator)
    lengths = torch.randint(2 * third, recipe.drawn_frames + 1, (recipe.drawn,), generator=generator)
    return DescribedVideos(frames, lengths, text, labels, class_text)


def _recalls(probabilities: Tensor, labels: Tensor) -> dict[str, float]:
    guess = probabilities.argmax(dim=1)
    return {"war": float(war(guess, labels)), "uar": float(uar(guess, labels))}


def _load(recipe: EmoClipRecipe, root: Path | None, part: str) -> DescribedVideos:
    if recipe.data == "drawn":
        return drawn_descriptions(recipe, seed=recipe.seed + (part == "val"))
    expected = {"frames": "NTC", "lengths": "N int", "text": "NC", "labels": "N int", "class_text": "KC"}
    return DescribedVideos(**load_features(root, part, expected))
