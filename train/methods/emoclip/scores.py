"""How often the right class is the likeliest among its data set's sentences, without training on any of them."""

import torch
from torch import Tensor, nn

from ...loop.device import device_of
from ...metrics.classification import uar, war
from .data.videos import DescribedVideos
from .model import zero_shot
from .recipe import RELEASED_LOG_SCALE, EmoClipRecipe
from .windows import consecutive_windows, random_windows


def scores(model: nn.Module, videos: DescribedVideos, recipe: EmoClipRecipe) -> dict[str, float]:
    """Zero-shot scores of a transformer, and `baseline_…`: those of the mean frame, which needs no training."""
    return score(model, videos, recipe) | {f"baseline_{name}": value for name, value in baseline(videos).items()}


@torch.no_grad()
def score(model: nn.Module, videos: DescribedVideos, recipe: EmoClipRecipe) -> dict[str, float]:
    """WAR and UAR of zero-shot classification among the class sentences, the mean over the windows of a video."""
    model.eval()
    device = device_of(model)
    frames, lengths, text = (part.to(device) for part in (videos.frames, videos.lengths, videos.class_text))
    if recipe.scoring == "random":
        window, genuine = random_windows(frames, lengths, recipe.window)
        video, logit_scale = model(window, genuine)
        return recalls(zero_shot(video, text, logit_scale), videos.labels)
    total = torch.zeros(len(frames), len(text), device=device)
    for part in consecutive_windows(frames, lengths, recipe.window):
        video, logit_scale = model(part.frames, part.genuine)
        total[part.rows] += zero_shot(video, text, logit_scale)
    return recalls(total, videos.labels)


def baseline(videos: DescribedVideos) -> dict[str, float]:
    """The same with the mean of a video's frames in place of its embedding: plain CLIP."""
    weight = videos.genuine.float().unsqueeze(2)
    mean = (videos.frames * weight).sum(dim=1) / weight.sum(dim=1)
    return recalls(zero_shot(mean, videos.class_text, torch.tensor(RELEASED_LOG_SCALE)), videos.labels)


def recalls(classes: Tensor, labels: Tensor) -> dict[str, float]:
    """WAR and UAR of the likeliest classes: (N, K) of any device, (N,) int64 on the CPU."""
    guess = classes.argmax(dim=1).cpu()
    return {"war": float(war(guess, labels)), "uar": float(uar(guess, labels))}
