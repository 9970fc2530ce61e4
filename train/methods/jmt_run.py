"""The recipe of the joint multimodal transformer on features: valence and arousal of each step from face and voice."""

from pathlib import Path
from typing import Literal, NamedTuple

import msgspec
import torch
from lightning_fabric import Fabric
from torch import Tensor, nn

from ..config import Count, OptimiserConfig, Share
from ..data.feature_files import load_features
from ..loop import fit
from ..losses import jmt_ccc_loss
from ..models.jmt import JointMultimodalTransformer
from ..progress import Progress
from .jmt import series_ccc
from .tensor_task import Batch, TensorTask

OUTPUTS = ("valence", "arousal")


class JmtRecipe(msgspec.Struct, frozen=True, forbid_unknown_fields=True, tag_field="method", tag="jmt"):
    """Everything that defines the run, but for the data's folder.

    data:        "features" reads `train` and `val` below `--data`, each with `visual` (N, S, V), `audio` (N, S, A),
                 `heard` (N, S) bool and `labels` (N, S, 2), valence and arousal, -5 where there is none; "drawn" makes
                 windows whose valence shows in the face and whose arousal is heard
    joint:       see `JointMultimodalTransformer`, as dim, heads and layers
    muted:       share of the windows that are trained on as if nothing were heard
    drawn, drawn_steps: windows and S of "drawn"
    """

    name: str
    seed: int
    data: Literal["drawn", "features"]
    dim: Count
    optimiser: OptimiserConfig
    joint: Literal["self_attention", "fc", "concat", "none"] = "self_attention"
    heads: Count = 1
    layers: Count = 1
    dropout: Share = 0.0
    muted: Share = 0.1
    drawn: Count = 200
    drawn_steps: Count = 16


class Windows(NamedTuple):
    """visual (N, S, V), audio (N, S, A), heard (N, S) bool, labels (N, S, 2)."""

    visual: Tensor
    audio: Tensor
    heard: Tensor
    labels: Tensor


def run(recipe: JmtRecipe, root: Path | None, folder: Path, fabric: Fabric, progress: Progress) -> dict[str, float]:
    """Train, or go on from the newest checkpoint; returns the scores of the validation part.

    Raises DataError if the data are missing or not as described.
    """
    train, valid = (Windows(*fabric.to_device(part)) for part in _load(recipe, root))
    torch.manual_seed(recipe.seed)
    model = JointMultimodalTransformer(
        recipe.dim,
        visual_dim=train.visual.shape[2],
        audio_dim=train.audio.shape[2],
        heads=recipe.heads,
        layers=recipe.layers,
        dropout=recipe.dropout,
        joint=recipe.joint,
    )

    def losses(module: nn.Module, batch: Batch) -> dict[str, Tensor]:
        visual, audio, heard, labels = batch
        muted = torch.rand(len(heard), 1, device=heard.device) < recipe.muted
        pred = module(visual, audio, heard & ~muted)
        return {name: jmt_ccc_loss(pred[..., i], labels[..., i]) for i, name in enumerate(OUTPUTS)}

    optimiser = recipe.optimiser
    task = TensorTask(model, train, losses, lambda m: score(m, valid), batch=optimiser.batch, seed=recipe.seed)
    return task.validate(fit(task, optimiser, folder, fabric=fabric, progress=progress))


def score(model: nn.Module, windows: Windows) -> dict[str, float]:
    """Concordance over all labelled steps, with sound and without."""
    silence = torch.zeros_like(windows.heard)
    scores = {}
    for heard, suffix in ((windows.heard, ""), (silence, "_without_sound")):
        pred = model(windows.visual, windows.audio, heard)
        for i, name in enumerate(OUTPUTS):
            value = series_ccc(pred[..., i].flatten(), windows.labels[..., i].flatten())
            scores[f"ccc_{name}{suffix}"] = float(value)
    return scores


def _load(recipe: JmtRecipe, root: Path | None) -> tuple[Windows, Windows]:
    if recipe.data == "drawn":
        return _drawn(recipe, recipe.drawn, recipe.seed), _drawn(recipe, max(20, recipe.drawn // 4), recipe.seed + 1)
    expected = {"visual": "NSV", "audio": "NSA", "heard": "NS bool", "labels": "NSL"}
    train, valid = (Windows(**load_features(root, part, expected)) for part in ("train", "val"))
    return train, valid


def _drawn(recipe: JmtRecipe, count: int, seed: int) -> Windows:
    """Slow waves of valence and arousal, mixed into one modality each under noise."""
    fixed, generator = (torch.Generator().manual_seed(number) for number in (recipe.seed, seed))
    mixing = torch.randn(2, 1, recipe.dim, generator=fixed)
    offsets = torch.randn(2, 1, recipe.dim, generator=fixed)
    phase, pace = torch.rand(2, 2, count, 1, generator=generator)
    time = torch.arange(recipe.drawn_steps)
    affect = torch.sin(6.28 * (phase + (0.02 + 0.06 * pace) * time)).unsqueeze(-1)  # (2, N, S, 1)
    noise = torch.randn(2, count, recipe.drawn_steps, recipe.dim, generator=generator)
    features = affect * mixing.unsqueeze(1) + offsets.unsqueeze(1) + 0.8 * noise
    heard = torch.rand(count, 1, generator=generator).expand(-1, recipe.drawn_steps) > 0.05
    labels = affect.squeeze(-1).permute(1, 2, 0)
    return Windows(features[0], features[1], heard.contiguous(), labels.contiguous())
