"""The recipe of EmoCLIP on embeddings of a frozen CLIP: videos learn to lie beside the sentences that describe them."""

from pathlib import Path
from typing import NamedTuple

import torch
from lightning_fabric import Fabric
from safetensors.torch import save_file
from torch import Tensor, nn

from streamaffect.errors import ConfigError

from ...errors import DataError
from ...loop.fit import fit
from ...loop.progress import Progress
from ...loop.tensor_task import Batch, TensorTask
from ...metrics.classification import uar, war
from .bundle import ClassSentences, export_emoclip
from .clip_towers import ClipTowers, open_clip
from .data.features import embed_classes
from .data.videos import DataSetReader, DescribedVideos, balanced, described_features, drawn_descriptions
from .drawn_clip import DRAWN, drawn_clip
from .loss import clip_contrastive_loss
from .model import TemporalTransformer, zero_shot
from .recipe import RELEASED_LOG_SCALE, EmoClipRecipe, class_sentences, read_prompts

WEIGHTS = "temporal.safetensors"
DRAWN_SIDE = 48


class ScaledTransformer(nn.Module):
    """The temporal transformer and the logarithm of the temperature that is learned with it."""

    def __init__(self, temporal: TemporalTransformer, log_scale: float) -> None:
        super().__init__()
        self.temporal = temporal
        self.logit_scale = nn.Parameter(torch.tensor(log_scale))

    def forward(self, frames: Tensor, genuine: Tensor | None = None) -> tuple[Tensor, Tensor]:
        """(B, T, D), (B, T) bool → embeddings (B, D) and the logarithm of the temperature ()."""
        return self.temporal(frames, genuine), self.logit_scale


class Prepared(NamedTuple):
    """What a run works with; `towers` is None where no CLIP is named."""

    train: DescribedVideos
    valid: DescribedVideos
    sentences: dict[str, list[str]]
    towers: ClipTowers | None


def run(
    recipe: EmoClipRecipe, root: Path | None, folder: Path, fabric: Fabric, progress: Progress, *, beside: Path
) -> dict[str, float]:
    """Train, or go on from the newest checkpoint; returns the zero-shot scores of the validation part.

    The mean of the frames, which needs no training, is scored beside it: `baseline_…`. Weights are written beside
    `folder`, and a bundle where the recipe names a CLIP. beside: the recipe's folder.

    Raises DataError if the data are missing or not as described, ConfigError if a class has no sentence, TrainingError
    if there is no such CLIP or the bundle cannot be written.
    """
    prepared = prepare(recipe, root, beside, folder.with_name("features"), fabric=fabric, progress=progress)
    torch.manual_seed(recipe.seed)
    train = prepared.train

    def losses(module: nn.Module, batch: Batch) -> dict[str, Tensor]:
        frames, lengths, text = batch
        window, genuine = random_windows(frames, lengths, recipe.window)
        video, logit_scale = module(window, None if recipe.reference else genuine)
        return {"contrastive": clip_contrastive_loss(video, text, logit_scale, reference=recipe.reference)}

    task = TensorTask(
        ScaledTransformer(new_transformer(recipe), recipe.log_scale), (train.frames, train.lengths, train.text), losses,
        lambda module: score(module, prepared.valid, recipe), batch=recipe.optimiser.batch, seed=recipe.seed,
    )  # fmt: skip
    model = fit(task, recipe.optimiser, folder, fabric=fabric, progress=progress)
    assert isinstance(model, ScaledTransformer)
    save_file({name: value.cpu().contiguous() for name, value in model.state_dict().items()}, folder.with_name(WEIGHTS))
    scores = score(model, prepared.valid, recipe)
    scores |= {f"baseline_{name}": value for name, value in baseline(prepared.valid).items()}
    if prepared.towers is not None:
        classes = ClassSentences(prepared.sentences, embed_classes(prepared.towers, prepared.sentences))
        export_emoclip(prepared.towers, model.cpu().temporal, model.logit_scale, classes, recipe=recipe,
                       metrics=scores, target=folder.with_name("bundle"))  # fmt: skip
    return scores


def prepare(
    recipe: EmoClipRecipe, root: Path | None, beside: Path, features: Path, *, fabric: Fabric, progress: Progress
) -> Prepared:
    """Both parts of the data, with a class left out or rare ones repeated as the recipe says; see `run`."""
    prompts = read_prompts(beside / recipe.prompts) if recipe.prompts else {}
    towers = open_towers(recipe)
    if recipe.data in ("drawn", "features"):
        train, valid = (_given(recipe, root, part) for part in ("train", "val"))
        names = list(prompts)[: len(train.class_text)]
        if towers is not None and len(names) < len(train.class_text):
            raise ConfigError(f"{recipe.name}: `prompts` needs a sentence for each of {len(train.class_text)} classes, "
                              f"found {len(names)}")  # fmt: skip
        sentences = class_sentences(prompts, names)
        if recipe.leave_out and recipe.leave_out not in names:
            raise ConfigError(f"{recipe.name}: leave_out: '{recipe.leave_out}' is none of {', '.join(names)}")
    else:
        reader = data_set_reader(recipe, root, towers, prompts, folder=features, fabric=fabric, progress=progress)
        train, valid, sentences = reader.read("train"), reader.read("test"), reader.sentences
    if towers is not None:
        towers.cpu()
    if recipe.leave_out:
        number = list(sentences).index(recipe.leave_out)
        train, valid = train.rows(train.labels != number), valid.rows(valid.labels == number)
        if not len(train.labels) or not len(valid.labels):
            raise DataError(f"{recipe.name}: without '{recipe.leave_out}' a part of the data is empty")
    if recipe.balance:
        train = train.rows(balanced(train.labels, seed=recipe.seed))
    return Prepared(train, valid, sentences, towers)


def data_set_reader(
    recipe: EmoClipRecipe,
    root: Path | None,
    towers: ClipTowers | None,
    prompts: dict[str, str],
    *,
    folder: Path,
    fabric: Fabric,
    progress: Progress,
) -> DataSetReader:
    """The reader of the recipe's data set, on the run's device; raises ConfigError where no CLIP is named."""
    if towers is None:
        raise ConfigError(f"{recipe.name}: `clip` must name the CLIP model that embeds the frames of {recipe.data}, a "
                          "folder or a downloaded name")  # fmt: skip
    return DataSetReader(recipe, root, towers.to(fabric.device), prompts, folder=folder, progress=progress)


def new_transformer(recipe: EmoClipRecipe) -> TemporalTransformer:
    """The transformer of the recipe with random weights."""
    return TemporalTransformer(
        recipe.dim, depth=recipe.depth, heads=recipe.heads, head_dim=recipe.head_dim, mlp_dim=recipe.mlp_dim,
        reference=recipe.reference,
    )  # fmt: skip


def open_towers(recipe: EmoClipRecipe) -> ClipTowers | None:
    """The recipe's CLIP, or None. Raises TrainingError if there is no such one, ConfigError if its width is not D."""
    if not recipe.clip:
        return None
    towers = drawn_clip(recipe.dim, DRAWN_SIDE, seed=0) if recipe.clip == DRAWN else open_clip(recipe.clip)
    if towers.dim != recipe.dim:
        raise ConfigError(f"{recipe.name}: dim is {recipe.dim}, but {recipe.clip} embeds into {towers.dim}; set it so")
    return towers


def random_windows(frames: Tensor, lengths: Tensor, window: int) -> tuple[Tensor, Tensor]:
    """One window a video, from a random frame on and past its end from its beginning: (B, T, D), (B,) → (B, W, D).

    Also which of its frames are genuine, (B, W) bool: a video no longer than the window is taken whole.
    """
    width = min(window, frames.shape[1])
    start = (torch.rand(len(frames), device=frames.device) * lengths).long() * (lengths > width)
    places = start[:, None] + torch.arange(width, device=frames.device)
    genuine = (places < lengths[:, None]) | (lengths > width)[:, None]
    rows = torch.arange(len(frames), device=frames.device)[:, None]
    return frames[rows, torch.where(lengths[:, None] > width, places % lengths[:, None], places)], genuine


@torch.no_grad()
def score(model: nn.Module, videos: DescribedVideos, recipe: EmoClipRecipe) -> dict[str, float]:
    """WAR and UAR of zero-shot classification among the class sentences, the mean over the windows of a video."""
    model.eval()
    device = next(model.parameters()).device
    frames, lengths, text = (part.to(device) for part in (videos.frames, videos.lengths, videos.class_text))
    if recipe.scoring == "random":
        window, genuine = random_windows(frames, lengths, recipe.window)
        video, logit_scale = model(window, genuine)
        return _recalls(zero_shot(video, text, logit_scale).cpu(), videos.labels)
    total = torch.zeros(len(frames), len(text), device=device)
    for start in range(0, frames.shape[1], recipe.window):
        rows = (lengths > start).nonzero().squeeze(1)
        window = frames[rows, start : start + recipe.window]
        genuine = torch.arange(window.shape[1], device=device) < lengths[rows, None] - start
        video, logit_scale = model(window, genuine)
        total[rows] += zero_shot(video, text, logit_scale)
    return _recalls(total.cpu(), videos.labels)


def baseline(videos: DescribedVideos) -> dict[str, float]:
    """The same with the mean of a video's frames in place of its embedding: plain CLIP."""
    weight = videos.genuine.float().unsqueeze(2)
    mean = (videos.frames * weight).sum(dim=1) / weight.sum(dim=1)
    return _recalls(zero_shot(mean, videos.class_text, torch.tensor(RELEASED_LOG_SCALE)), videos.labels)


def _recalls(probabilities: Tensor, labels: Tensor) -> dict[str, float]:
    guess = probabilities.argmax(dim=1)
    return {"war": float(war(guess, labels)), "uar": float(uar(guess, labels))}


def _given(recipe: EmoClipRecipe, root: Path | None, part: str) -> DescribedVideos:
    if recipe.data == "drawn":
        return drawn_descriptions(recipe, seed=recipe.seed + (part == "val"))
    return described_features(root, part)
