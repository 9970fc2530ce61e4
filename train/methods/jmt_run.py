"""The recipe of the joint multimodal transformer: valence and arousal of each step from face and voice.

The backbones come first: the face's is a bundle's and stays as it is, the voice's is trained under a head of its own.
Then both are frozen and the fusion is trained on their features.
"""

from pathlib import Path
from typing import Literal

import msgspec
import torch
from lightning_fabric import Fabric
from torch import Tensor, nn

from ..config import Count, OptimiserConfig, Positive, Share
from ..data.audio_visual import aff_wild2_period_s, aff_wild2_steps, clip_steps, drawn_steps
from ..data.backbone import VisualBackbone, open_backbone
from ..data.feature_files import load_features
from ..data.log_mel import PUBLISHED, LogMelConfig
from ..data.steps import Steps, in_windows
from ..errors import DataError
from ..loop import fit
from ..losses import jmt_ccc_loss
from ..models.jmt import JointMultimodalTransformer
from ..models.spectrogram_encoder import SpectrogramEncoder
from ..progress import Progress
from .hearing import HearingConfig, listen, train_hearing
from .jmt import series_ccc
from .jmt_bundle import export_jmt
from .tensor_task import Batch, TensorTask

OUTPUTS = ("valence", "arousal")
WINDOWS = 256  # scored at a time


class JmtRecipe(msgspec.Struct, frozen=True, forbid_unknown_fields=True, tag_field="method", tag="jmt"):
    """Everything that defines the run, but for the data's folder.

    data:        "clips" reads `clips.csv` below `--data` and the videos that it names, with their sound; "aff_wild2"
                 reads Aff-Wild2's folders; "features" reads `train` and `val`, each with `visual` (N, S, V), `audio`
                 (N, S, A), `heard` (N, S) bool and `labels` (N, S, 2), valence and arousal, -5 where there is none;
                 "drawn" makes windows whose valence shows in the face and whose arousal is heard
    bundle:      whose frame and clip encoder are the visual backbone: a folder, "default" for the shipped one, or ""
                 for features of another backbone, from which no bundle can be made
    period_s:    between the frames of a step's clip; the bundle's by default, with "aff_wild2" a sub-clip's
    steps:       S of "clips" and "drawn". every: frames between windows of "aff_wild2", see `load_windows`
    sound:       what a step hears. hearing: the backbone for it
    joint:       see `JointMultimodalTransformer`, as dim, heads and layers
    muted:       share of the windows that are trained on as if nothing were heard
    drawn:       windows of "drawn"
    version, licence: of the bundle
    """

    name: str
    seed: int
    data: Literal["drawn", "features", "clips", "aff_wild2"]
    dim: Count
    optimiser: OptimiserConfig
    hearing: HearingConfig | None = None
    sound: LogMelConfig = PUBLISHED
    bundle: str = ""
    period_s: Positive | None = None
    steps: Count = 16
    every: Count = 1
    joint: Literal["self_attention", "fc", "concat", "none"] = "self_attention"
    heads: Count = 1
    layers: Count = 1
    dropout: Share = 0.0
    muted: Share = 0.1
    drawn: Count = 200
    version: str = "0.1"
    licence: str = "not stated"

    def __post_init__(self) -> None:
        if self.data != "features" and self.hearing is None:
            raise ValueError(f"data = {self.data!r} needs the table [hearing], the backbone for its sound")
        if self.data in ("clips", "aff_wild2") and not self.bundle:
            raise ValueError(f'data = {self.data!r} needs `bundle`, the visual backbone, such as "default"')


def run(recipe: JmtRecipe, root: Path | None, folder: Path, fabric: Fabric, progress: Progress) -> dict[str, float]:
    """Train, or go on from the newest checkpoints; returns the scores of the validation part.

    With a visual backbone, the bundle is written beside `folder`.

    Raises DataError if the data are missing or not as described, TrainingError if the bundle cannot be written.
    """
    backbone = _backbone(recipe)
    train, valid = (
        Steps(*fabric.to_device(part)) for part in _load(recipe, root, backbone, folder.with_name("prepared"), progress)
    )
    encoder = None
    if recipe.data != "features":
        encoder = train_audio_backbone(recipe, train, valid, folder / "hearing", fabric=fabric, progress=progress)
        train, valid = (part._replace(audio=listen(encoder, part.audio)) for part in (train, valid))
    model = train_fusion(recipe, train, valid, folder / "fusion", fabric=fabric, progress=progress)
    scores = score(model, valid)
    if backbone is not None:
        audio = None if encoder is None else encoder.cpu()
        export_jmt(
            model.cpu(), audio, backbone, folder.with_name("bundle"), recipe=recipe, metrics=scores,
            audio_dim=train.audio.shape[1], steps=train.windows.shape[1],
        )  # fmt: skip
    return scores


def train_audio_backbone(
    recipe: JmtRecipe, train: Steps, valid: Steps, folder: Path, *, fabric: Fabric, progress: Progress
) -> SpectrogramEncoder:
    """The audio backbone, trained on the labels of all steps in which something is heard."""
    assert recipe.hearing is not None
    audible = [(part.audio[part.heard], part.labels[part.heard]) for part in (train, valid)]
    if min(len(labels) for _, labels in audible) < 2:
        raise DataError(f"{recipe.name}: nothing is heard in the data; the fusion needs sound to learn from")
    return train_hearing(
        recipe.hearing, audible[0], audible[1], _concordance_losses, outputs=len(OUTPUTS), seed=recipe.seed,
        folder=folder, fabric=fabric, progress=progress,
    )  # fmt: skip


def train_fusion(
    recipe: JmtRecipe, train: Steps, valid: Steps, folder: Path, *, fabric: Fabric, progress: Progress
) -> JointMultimodalTransformer:
    """The averaged fusion. Steps of both parts carry features in `audio`."""
    torch.manual_seed(recipe.seed)
    model = JointMultimodalTransformer(
        recipe.dim,
        len(OUTPUTS),
        visual_dim=train.visual.shape[1],
        audio_dim=train.audio.shape[1],
        heads=recipe.heads,
        layers=recipe.layers,
        dropout=recipe.dropout,
        joint=recipe.joint,
    )

    def losses(module: nn.Module, batch: Batch) -> dict[str, Tensor]:
        rows, present = batch
        muted = torch.rand(len(rows), 1, device=rows.device) < recipe.muted
        pred = module(train.visual[rows], train.audio[rows], train.heard[rows] & ~muted, present)
        return _concordance_losses(pred, train.targets(rows, present))

    optimiser = recipe.optimiser
    task = TensorTask(
        model, (train.windows, train.valid), losses, lambda m: score(m, valid), batch=optimiser.batch, seed=recipe.seed
    )
    average = fit(task, optimiser, folder, fabric=fabric, progress=progress)
    assert isinstance(average, JointMultimodalTransformer)
    return average.eval()


@torch.no_grad()
def score(model: nn.Module, steps: Steps) -> dict[str, float]:
    """Concordance of all labelled steps, with sound and without; where windows overlap, of the last step of each.

    `ccc_mean`, of valence and arousal with sound, is what published models are chosen by.
    """
    target = steps.targets(steps.windows, steps.valid)
    scores = {}
    for is_heard, suffix in ((True, ""), (False, "_without_sound")):
        pred = predict(model, steps, is_heard=is_heard)
        for i, name in enumerate(OUTPUTS):
            columns = [part[:, -1:, i] if steps.overlap else part[..., i] for part in (pred, target)]
            scores[f"ccc_{name}{suffix}"] = float(series_ccc(columns[0].flatten(), columns[1].flatten()))
    scores["ccc_mean"] = sum(scores[f"ccc_{name}"] for name in OUTPUTS) / len(OUTPUTS)
    return scores


@torch.no_grad()
def predict(model: nn.Module, steps: Steps, *, is_heard: bool) -> Tensor:
    """Every step of every window: (N, S, 2), with the sound that there is or as if there were none."""
    model.eval()
    parts = []
    for rows, present in zip(torch.split(steps.windows, WINDOWS), torch.split(steps.valid, WINDOWS), strict=True):
        heard = steps.heard[rows] if is_heard else torch.zeros_like(present)
        parts.append(model(steps.visual[rows], steps.audio[rows], heard, present))
    return torch.cat(parts)


def _concordance_losses(pred: Tensor, target: Tensor) -> dict[str, Tensor]:
    return {name: jmt_ccc_loss(pred[..., i], target[..., i]) for i, name in enumerate(OUTPUTS)}


def _backbone(recipe: JmtRecipe) -> VisualBackbone | None:
    if not recipe.bundle:
        return None
    backbone = open_backbone(recipe.bundle, recipe.period_s)
    if recipe.data == "aff_wild2" and recipe.period_s is None:
        return open_backbone(recipe.bundle, aff_wild2_period_s(backbone.clip.frames))
    return backbone


def _load(
    recipe: JmtRecipe, root: Path | None, backbone: VisualBackbone | None, shards: Path, progress: Progress
) -> tuple[Steps, Steps]:
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
