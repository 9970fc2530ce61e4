"""A run of the joint multimodal transformer: valence and arousal of each step from face and voice.

The backbones come first: the face's is a bundle's and stays as it is, the voice's is trained under a head of its own.
Then both are frozen and the fusion is trained on their features.
"""

from collections.abc import Sequence

import torch
from torch import Tensor, nn

from ...audiovisual.hearing import listen, train_hearing
from ...audiovisual.pairs import hidden_stretches
from ...audiovisual.prosody_scale import ProsodyScale
from ...audiovisual.spectrogram_encoder import SpectrogramEncoder
from ...audiovisual.steps import StepWindows
from ...data.backbone import VisualBackbone
from ...data.labelled_clips import AFFECT_LABELS
from ...errors import DataError
from ...loop.context import Context, Report
from ...loop.tensor_task import Batch, TensorTask
from .addition import export_addition, half_widths
from .bundle import export_jmt
from .data import JmtData, load_steps, open_visual_backbone
from .loss import jmt_ccc_loss
from .model import JointMultimodalTransformer
from .recipe import JmtRecipe
from .series import series_ccc, smoothed_scores

FUSION = "training/fusion"
WINDOWS = 256  # scored at a time


def run(recipe: JmtRecipe, context: Context) -> Report:
    """Train, or go on from the newest checkpoints; returns the scores of the validation part.

    Where there is a visual backbone, a bundle is written.

    Raises DataError if the data are missing or not as described, TrainingError if the bundle cannot be written.
    """
    backbone = open_visual_backbone(recipe)
    data = _on_device(load_steps(recipe, backbone, context), context)
    if recipe.data == "pairs":
        assert backbone is not None  # the recipe sees to it
        return run_on_pairs(recipe, data, backbone, context)
    encoder = None
    if recipe.data != "features":
        encoder = train_audio_backbone(recipe, data.train, data.valid, context)
        data = with_features(encoder, data)
    model = train_fusion(recipe, data, context)
    scores = score(model, data.valid, data.series, every=recipe.every)
    if backbone is not None:
        audio_dim, steps = data.train.audio.shape[1], data.train.windows.shape[1]
        context.export(
            lambda target: export_jmt(
                model, encoder, recipe, backbone, target, metrics=scores, audio_dim=audio_dim, steps=steps
            )
        )  # fmt: skip
    return {**scores}


def run_on_pairs(recipe: JmtRecipe, data: JmtData, backbone: VisualBackbone, context: Context) -> Report:
    """Voices by their prosody: what is written stands beside the bundle whose clips it reads."""
    scale = ProsodyScale(data.train.audio[data.train.heard])
    data = with_features(scale, data)
    model = train_fusion(recipe, data, context)
    scores = score(model, data.valid)
    hidden = fixed_hidden(recipe, data.valid)
    scores |= {f"{name}_half_hidden": value for name, value in score(model, data.valid, seen=~hidden).items()}
    widths = half_widths(predict(model, data.valid, is_heard=True, seen=~hidden), data.valid, hidden)
    context.export(
        lambda target: export_addition(model, scale, recipe, backbone, target, metrics=scores, half_widths=widths)
    )  # fmt: skip
    return {**scores, **{f"half_width_{name}": width for name, width in widths.items()}}


def fixed_hidden(recipe: JmtRecipe, steps: StepWindows) -> Tensor:
    """Stretches of the windows (N, S) in which the face is withheld for a score: half of all, whatever is trained."""
    shape = (len(steps.windows), steps.windows.shape[1])
    return torch.from_numpy(hidden_stretches(shape, 0.5, recipe.hidden_steps, recipe.seed)).to(steps.valid.device)


def train_audio_backbone(
    recipe: JmtRecipe, train: StepWindows, valid: StepWindows, context: Context
) -> SpectrogramEncoder:
    """The audio backbone, trained on the labels of all steps in which something is heard."""
    assert recipe.hearing is not None
    audible = [(part.audio[part.heard], part.labels[part.heard]) for part in (train, valid)]
    if min(len(labels) for _, labels in audible) < 2:
        raise DataError(f"{recipe.name}: nothing is heard in the data; the fusion needs sound to learn from")
    return train_hearing(
        recipe.hearing, audible[0], audible[1], _concordance_losses, context, outputs=len(AFFECT_LABELS)
    )


def with_features(encoder: nn.Module, data: JmtData) -> JmtData:
    """The same steps with features in `audio` where spectrograms, or the numbers of prosody, were."""
    train, valid = (part._replace(audio=listen(encoder, part.audio)) for part in (data.train, data.valid))
    return data._replace(train=train, valid=valid)


def train_fusion(
    recipe: JmtRecipe, data: JmtData, context: Context, *, stage: str = FUSION
) -> JointMultimodalTransformer:  # fmt: skip
    """The averaged fusion. Steps of both parts carry features in `audio`."""
    train = data.train
    torch.manual_seed(recipe.seed)
    model = JointMultimodalTransformer(
        recipe.dim,
        len(AFFECT_LABELS),
        visual_dim=train.visual.shape[1],
        audio_dim=train.audio.shape[1],
        heads=recipe.heads,
        layers=recipe.layers,
        dropout=recipe.dropout,
        joint=recipe.joint,
        positions=recipe.positions,
    )

    def losses(module: nn.Module, batch: Batch) -> dict[str, Tensor]:
        rows, present = batch
        muted = torch.rand(len(rows), 1, device=rows.device) < recipe.muted
        audio = disturbed(train.audio[rows], recipe)
        seen = withheld(recipe, present) if recipe.hidden else None
        pred = module(train.visual[rows], audio, train.heard[rows] & ~muted, present, seen)
        target = train.targets(rows, present)
        if recipe.learns == "last":
            pred, target = pred[:, -1], target[:, -1]
        return _concordance_losses(pred, target)

    def validate(module: nn.Module) -> dict[str, float]:
        return score(module, data.valid, data.series, every=recipe.every)

    optimiser = recipe.optimiser
    task = TensorTask(
        model, (train.windows, train.valid), losses, validate, batch=optimiser.batch, seed=recipe.seed
    )  # fmt: skip
    average = context.fit(task, optimiser, stage)
    assert isinstance(average, JointMultimodalTransformer)
    return average.eval()


@torch.no_grad()
def score(
    model: nn.Module,
    steps: StepWindows,
    series: Sequence[Tensor] = (),
    *,
    every: int = 1,
    seen: Tensor | None = None,
) -> dict[str, float]:
    """Concordance of all labelled steps, with sound and without; where windows overlap, of the last step of each.

    series: see `JmtData`; where there is any, the concordance of the smoothed series too, as published
    every:  see `smoothed_scores`
    seen:   (N, S) bool, where the face is not withheld

    `ccc_mean`, of valence and arousal with sound, is what published models are chosen by.
    """
    target = steps.targets(steps.windows, steps.valid)
    hearing, deaf = (predict(model, steps, is_heard=is_heard, seen=seen) for is_heard in (True, False))
    scores = {}
    for pred, suffix in ((hearing, ""), (deaf, "_without_sound")):
        for i, name in enumerate(AFFECT_LABELS):
            columns = [part[:, -1:, i] if steps.overlap else part[..., i] for part in (pred, target)]
            scores[f"ccc_{name}{suffix}"] = float(series_ccc(columns[0].flatten(), columns[1].flatten()))
    scores["ccc_mean"] = sum(scores[f"ccc_{name}"] for name in AFFECT_LABELS) / len(AFFECT_LABELS)
    if series:
        by_step = torch.empty_like(steps.labels).index_put((steps.windows,), hearing)
        scores |= smoothed_scores(by_step, steps.labels, series, every=every)
    return scores


@torch.no_grad()
def predict(model: nn.Module, steps: StepWindows, *, is_heard: bool, seen: Tensor | None = None) -> Tensor:
    """Every step of every window: (N, S, 2), with the sound that there is or as if there were none.

    seen: (N, S) bool, where the face is not withheld
    """
    model.eval()
    parts = []
    for part in torch.split(torch.arange(len(steps.windows), device=steps.windows.device), WINDOWS):
        rows, present = steps.windows[part], steps.valid[part]
        heard = steps.heard[rows] if is_heard else torch.zeros_like(present)
        shown = None if seen is None else seen[part]
        parts.append(model(steps.visual[rows], steps.audio[rows], heard, present, shown))
    return torch.cat(parts)


def disturbed(audio: Tensor, recipe: JmtRecipe) -> Tensor:
    """Features (B, S, A) as of other microphones and other speakers."""
    if recipe.noise:
        audio = audio + recipe.noise * torch.randn_like(audio)
    return audio + recipe.offset * torch.randn_like(audio[:, :1]) if recipe.offset else audio


def withheld(recipe: JmtRecipe, present: Tensor) -> Tensor:
    """Where the faces of windows (B, S) are left in view: all but stretches of random place and length."""
    seed = int(torch.randint(2**31, ()))
    hidden = hidden_stretches((len(present), present.shape[1]), recipe.hidden, recipe.hidden_steps, seed)
    return torch.from_numpy(~hidden).to(present.device)


def _concordance_losses(pred: Tensor, target: Tensor) -> dict[str, Tensor]:
    return {name: jmt_ccc_loss(pred[..., i], target[..., i]) for i, name in enumerate(AFFECT_LABELS)}


def _on_device(data: JmtData, context: Context) -> JmtData:
    train, valid = (StepWindows(*context.fabric.to_device(part)) for part in (data.train, data.valid))
    return data._replace(train=train, valid=valid)
