"""What temporal stochastic softmax changes on faces: videos made of FER+ pictures that show their class for a moment.

Each video is a row of pictures of different people, most voters agreeing on each. All are neutral but for a few in a
row, which show the video's class; training knows that class and not where it is shown. A frame's features are the 52
blendshapes that a landmark model found in its picture, and the published head scores them.

Networks of the same seed differ in where their training clips are cut: anywhere, drawn by the method, or, as what could
be reached at best, around the middle of the moment. Each is scored with its clips pooled by mean, softmax and maximum.

    python -m benchmarks.methods.temporal_pooling --data faces
"""

import argparse
import json
from collections.abc import Sequence
from pathlib import Path
from typing import Literal, NamedTuple

import numpy as np
import torch
import torch.nn.functional as F
from rich.console import Console
from torch import Tensor, nn

from train.data.sampling import ClipWeights
from train.data.sets.ferplus import PUBLIC_TEST, TRAINING, load_ferplus
from train.data.stills import EMOTIONS
from train.methods.stochastic_softmax.pooling import FrameClassifier, SoftmaxPooling, clip_scores, softmax_pool

CLASSES = ("happiness", "surprise", "sadness", "anger")
FRAMES, BATCH, WARM_UP, EXPLORATION = 8, 16, 3, 5
POOLING = {"mean": 0.0, "softmax": 1.0, "maximum": 1e4}
PAIRS = {
    "softmax sampling - uniform sampling, both pooled by softmax": (("softmax", "softmax"), ("uniform", "softmax")),
    "softmax sampling - uniform sampling, both pooled by mean": (("softmax", "mean"), ("uniform", "mean")),
    "softmax pooling - mean, uniform sampling": (("uniform", "softmax"), ("uniform", "mean")),
    "softmax pooling - mean, softmax sampling": (("softmax", "softmax"), ("softmax", "mean")),
    "known moment - softmax sampling, both pooled by softmax": (("known", "softmax"), ("softmax", "softmax")),
}
RESAMPLES = 2000

Faces = dict[str, Tensor]
Sampling = Literal["uniform", "softmax", "known"]
SAMPLING: tuple[Sampling, ...] = ("uniform", "softmax", "known")
Arm = tuple[str, str]


class Videos(NamedTuple):
    """frames (V, L, 52); labels (V,), numbers in CLASSES; middle (V,), the frame in the middle of the moment."""

    frames: Tensor
    labels: Tensor
    middle: Tensor


def read_faces(root: Path, split: int) -> Faces:
    """By emotion, the blendshapes (N, 52) of all pictures with a face on whose emotion most voters agree."""
    ferplus = load_ferplus(root, split)
    with np.load(root / "ferplus" / "ferplus_train_valid_teacher.npz") as teacher:
        blendshapes, found = teacher["blendshapes"].astype(np.float32), teacher["face_found"]
    place = np.array([int(name.rpartition("/")[2]) for name in ferplus.stills.names])
    winners = ferplus.stills.emotions.argmax(axis=1)
    usable = ferplus.is_clear & found[place]
    return {
        emotion: torch.from_numpy(blendshapes[place[usable & (winners == EMOTIONS.index(emotion))]])
        for emotion in (*CLASSES, "neutral")
    }


def make_videos(faces: Faces, count: int, length: int, moment: int, seed: int) -> Videos:
    """`count` videos of equally frequent classes; a picture may be part of several videos."""
    generator = torch.Generator().manual_seed(seed)
    labels = torch.arange(count) % len(CLASSES)
    begins = torch.randint(length - moment + 1, (count,), generator=generator)
    rows = []
    for label, begin in zip(labels.tolist(), begins.tolist(), strict=True):
        frames = _drawn(faces["neutral"], length, generator)
        frames[begin : begin + moment] = _drawn(faces[CLASSES[label]], moment, generator)
        rows.append(frames)
    return Videos(torch.stack(rows), labels, begins + moment // 2)


def train(sampling: Sampling, videos: Videos, epochs: int, seed: int) -> nn.Module:
    """One head, (B, 52, L) → (B, K, L)."""
    torch.manual_seed(seed)
    network = FrameClassifier(videos.frames.shape[2], len(CLASSES), hidden=32)
    pool = SoftmaxPooling(FRAMES)
    optimiser = torch.optim.AdamW(network.parameters(), lr=0.003)
    count, length = videos.frames.shape[:2]
    warm_up = WARM_UP if sampling == "softmax" else epochs
    weights = ClipWeights(
        [length] * count, frames=FRAMES, warm_up_epochs=warm_up, exploration_epochs=EXPLORATION, seed=seed
    )
    known = (videos.middle - FRAMES // 2).clamp(0, length - FRAMES).tolist()
    for epoch in range(1, epochs + 1):
        order = torch.randperm(count, generator=torch.Generator().manual_seed(1000 * seed + epoch))
        for rows in torch.split(order, BATCH):
            starts = [known[row] if sampling == "known" else weights.draw(row, epoch) for row in rows.tolist()]
            clips = torch.stack(
                [videos.frames[row, at : at + FRAMES] for row, at in zip(rows.tolist(), starts, strict=True)]
            )
            pooled = pool(network(clips.transpose(1, 2)))
            optimiser.zero_grad()
            torch.autograd.backward(F.nll_loss(pooled.log_probs, videos.labels[rows]))
            optimiser.step()
            own = pooled.clips.detach()[torch.arange(len(rows)), videos.labels[rows], 0]
            for row, at, score in zip(rows.tolist(), starts, own.tolist(), strict=True):
                weights.update(row, at, score, epoch)
    return network.eval()


@torch.no_grad()
def accuracies(network: nn.Module, videos: Videos) -> dict[str, float]:
    """By pooling, of whole videos."""
    clips = clip_scores(network(videos.frames.transpose(1, 2)), FRAMES)  # (V, K, n)
    guesses = {name: softmax_pool(clips, clips, beta=beta).argmax(dim=1) for name, beta in POOLING.items()}
    return {name: float((guess == videos.labels).double().mean()) for name, guess in guesses.items()}


def figures(scores: dict[Arm, list[float]]) -> dict[str, object]:
    """scores: accuracy of each seed, by sampling and pooling → their means, and differences with intervals."""
    return {
        "accuracy": {f"{sampling} sampling, {pooling} pooling": float(np.mean(scores[sampling, pooling]))
                     for sampling, pooling in scores},
        "differences": {name: difference(scores[a], scores[b]) for name, (a, b) in PAIRS.items()},
    }  # fmt: skip


def difference(a: Sequence[float], b: Sequence[float]) -> dict[str, object]:
    """Mean of a - b, seed by seed, and its 95 % bootstrap interval over seeds."""
    values = np.subtract(a, b)
    drawn = np.random.default_rng(0).choice(values, (RESAMPLES, len(values)))
    return {"mean": float(values.mean()), "interval": np.quantile(drawn.mean(axis=1), [0.025, 0.975]).tolist()}


def main() -> None:
    """All arms for each seed. Each seed has its own training and test videos, the same for all arms."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--data", type=Path, required=True, metavar="DIR")
    parser.add_argument("--output", type=Path, metavar="FILE", help="write the figures as JSON")
    parser.add_argument("--train", type=int, default=600, help="videos to train on")
    parser.add_argument("--test", type=int, default=600, help="videos to score")
    parser.add_argument("--length", type=int, default=40, help="frames of a video")
    parser.add_argument("--moment", type=int, default=4, help="frames that show the class")
    parser.add_argument("--epochs", type=int, default=30)
    parser.add_argument("--seeds", type=int, default=10)
    options = parser.parse_args()
    known, new = (read_faces(options.data, split) for split in (TRAINING, PUBLIC_TEST))
    scores: dict[Arm, list[float]] = {}
    for seed in range(options.seeds):
        train_videos = make_videos(known, options.train, options.length, options.moment, seed=2 * seed)
        test_videos = make_videos(new, options.test, options.length, options.moment, seed=2 * seed + 1)
        for sampling in SAMPLING:
            network = train(sampling, train_videos, options.epochs, seed)
            for pooling, accuracy in accuracies(network, test_videos).items():
                scores.setdefault((sampling, pooling), []).append(accuracy)
    settings = {key: value for key, value in vars(options).items() if isinstance(value, int)}
    text = json.dumps(settings | figures(scores), indent=2)
    Console().print_json(text)
    if options.output:
        options.output.write_text(text + "\n", encoding="utf-8")


def _drawn(pool: Tensor, count: int, generator: torch.Generator) -> Tensor:
    """`count` different pictures, (count, 52)."""
    return pool[torch.randperm(len(pool), generator=generator)[:count]].clone()


if __name__ == "__main__":
    main()
