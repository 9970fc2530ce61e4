"""The recipe of the joint multimodal transformer: valence and arousal of each step from face and voice.

The backbones come first: the face's is a bundle's and stays as it is, the voice's is trained under a head of its own.
Then both are frozen and the fusion is trained on their features.
"""

from pathlib import Path

import torch
from lightning_fabric import Fabric
from torch import Tensor, nn

from ...audiovisual.hearing import listen, train_hearing
from ...audiovisual.spectrogram_encoder import SpectrogramEncoder
from ...audiovisual.steps import Steps
from ...errors import DataError
from ...loop.fit import fit
from ...loop.progress import Progress
from ...loop.tensor_task import Batch, TensorTask
from .bundle import export_jmt
from .data import load_steps, open_visual_backbone
from .loss import jmt_ccc_loss
from .model import JointMultimodalTransformer
from .recipe import JmtRecipe
from .series import series_ccc

OUTPUTS = ("valence", "arousal")
WINDOWS = 256  # scored at a time


def run(recipe: JmtRecipe, root: Path | None, folder: Path, fabric: Fabric, progress: Progress) -> dict[str, float]:
    """Train, or go on from the newest checkpoints; returns the scores of the validation part.

    With a visual backbone, the bundle is written beside `folder`.

    Raises DataError if the data are missing or not as described, TrainingError if the bundle cannot be written.
    """
    backbone = open_visual_backbone(recipe)
    train, valid = (
        Steps(*fabric.to_device(part))
        for part in load_steps(recipe, root, backbone, folder.with_name("prepared"), progress)
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
