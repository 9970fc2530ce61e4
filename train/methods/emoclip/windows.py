"""Videos in windows of the length that the transformer is trained on: a random one to learn from, all of them to score.

Frames beyond the end of a video only pad the batch, and are never genuine.
"""

from collections.abc import Iterator
from typing import NamedTuple

import torch
from torch import Tensor


class Window(NamedTuple):
    """The same part of M of the videos: their rows (M,), frames (M, W, D), and which are genuine (M, W) bool."""

    rows: Tensor
    frames: Tensor
    genuine: Tensor


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


def consecutive_windows(frames: Tensor, lengths: Tensor, window: int) -> Iterator[Window]:
    """All windows one after the other, each of the videos that reach it: (N, T, D), (N,)."""
    for start in range(0, frames.shape[1], window):
        rows = (lengths > start).nonzero().squeeze(1)
        part = frames[rows, start : start + window]
        genuine = torch.arange(part.shape[1], device=frames.device) < lengths[rows, None] - start
        yield Window(rows, part, genuine)
