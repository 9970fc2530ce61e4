"""From the frames of a video to its one class: the three rules of Richet et al. 2024 for compound emotions."""

from collections import Counter
from typing import Literal, NamedTuple

import torch
from torch import Tensor

Rule = Literal["majority", "mean_logits", "mean_probabilities"]
RULES: tuple[Rule, ...] = ("majority", "mean_logits", "mean_probabilities")


class Videos(NamedTuple):
    """Frames of V videos, one after the other: logits (N, K), lengths (V,) in frames, labels (V,)."""

    logits: Tensor
    lengths: Tensor
    labels: Tensor


def video_classes(logits: Tensor, lengths: Tensor, rule: Rule, *, reference: bool = False) -> Tensor:
    """One class per video: logits (N, K) of consecutive frames, lengths (V,) int with sum N → (V,) int64.

    rule:      "majority" of the frames' classes, the one that came first where votes are equal; the largest of the
               "mean_logits"; or of the "mean_probabilities"
    reference: probabilities without the shift that keeps large logits (above 88 in float32) from overflowing

    Raises ValueError if a video has no frames, if the lengths do not add up, and on an unknown rule.
    """
    if len(lengths) == 0 or int(lengths.min()) < 1 or int(lengths.sum()) != len(logits):
        raise ValueError(f"the lengths {lengths.tolist()} do not divide {len(logits)} frames into videos")
    videos = torch.split(logits, lengths.tolist())
    if rule == "majority":
        return torch.tensor([_majority(video) for video in videos])
    if rule == "mean_probabilities":
        videos = tuple(_probabilities(video, reference=reference) for video in videos)
    elif rule != "mean_logits":
        raise ValueError(f"a video's class comes by majority, mean_logits or mean_probabilities, found '{rule}'")
    return torch.stack([video.mean(dim=0) for video in videos]).argmax(dim=1)


def without_last_class(videos: Videos) -> Videos:
    """Leave out the class that means "other": its column of the logits, and the videos that are labelled with it."""
    other = videos.logits.shape[1] - 1
    kept = videos.labels != other
    frames = kept.repeat_interleave(videos.lengths)
    return Videos(videos.logits[frames, :other], videos.lengths[kept], videos.labels[kept])


def _majority(logits: Tensor) -> int:
    """`Counter` keeps the order of arrival among equals."""
    votes: Counter[int] = Counter(logits.argmax(dim=1).tolist())
    return votes.most_common(1)[0][0]


def _probabilities(logits: Tensor, *, reference: bool) -> Tensor:
    if not reference:
        return logits.softmax(dim=1)
    powers = logits.exp()
    return powers / powers.sum(dim=1, keepdim=True)
