"""What audio-visual methods learn from: steps of time with a vector of the face, what was heard, and their labels.

A step ends at its time and reaches back over one clip of the face; a window is S steps in order. Each step is stored
once, whatever number of windows it is part of.
"""

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
import torch
from torch import Tensor

from streamaffect.runtime.manifest import ContextSpec
from streamaffect.types import ImageArray

from ..data.backbone import VisualBackbone
from ..data.clips import index_sequence
from .log_mel import LogMelConfig, log_mel
from .sound import Sound, is_audible

TIME_SLACK_S = 1e-6
INVALID_LABEL = -5.0  # how Aff-Wild2 marks a frame without a label


class StepWindows(NamedTuple):
    """M steps and N windows of S of them.

    visual:  (M, V) float32
    audio:   (M, A) features, or (M, bands, t) spectrograms that a backbone has yet to encode; both float32
    heard:   (M,) bool, False where there was no sound
    labels:  (M, 2) valence and arousal, `INVALID_LABEL` where there is none
    windows: (N, S) int64, rows of the steps, oldest first
    valid:   (N, S) bool, False for steps before the beginning of a recording
    """

    visual: Tensor
    audio: Tensor
    heard: Tensor
    labels: Tensor
    windows: Tensor
    valid: Tensor

    def targets(self, windows: Tensor, valid: Tensor) -> Tensor:
        """Labels of windows (B, S) of these steps: (B, S, 2), `INVALID_LABEL` where a step is not there."""
        return self.labels[windows].masked_fill(~valid.unsqueeze(-1), INVALID_LABEL)

    @property
    def overlap(self) -> bool:
        """Whether a step is part of several windows, as in a stream, where each step ends one."""
        return int(self.valid.sum()) > len(self.visual)


def in_windows(visual: Tensor, audio: Tensor, heard: Tensor, labels: Tensor) -> StepWindows:
    """Windows that share no step, from tensors (N, S, …)."""
    count, steps = heard.shape
    rows = torch.arange(count * steps, device=heard.device).reshape(count, steps)
    seen, sounds, marks, values = (part.flatten(0, 1) for part in (visual, audio, heard, labels))
    return StepWindows(seen, sounds, marks, values, rows, torch.ones_like(heard))


def join_steps(parts: Sequence[StepWindows]) -> StepWindows:
    """Several recordings as one; their windows stay apart."""
    starts = np.cumsum([0, *(len(part.visual) for part in parts)]).tolist()
    moved = [part._replace(windows=part.windows + start) for part, start in zip(parts, starts, strict=False)]
    return StepWindows(*(torch.cat(tensors) for tensors in zip(*moved, strict=True)))


def recorded_steps(
    backbone: VisualBackbone,
    crops: ImageArray,
    time_s: np.ndarray,
    labels: np.ndarray,
    *,
    sound: Sound | None,
    mel: LogMelConfig,
    steps: int,
    stride_s: float = 0.0,
) -> StepWindows:
    """One face over time as the stream sees it: the same crops, clips and context.

    crops:  (F, S, S, 3) uint8 RGB. time_s: (F,) seconds, increasing. labels: (F, 2) valence and arousal
    sound:  of the same recording, at the rate of `mel`; None where it has none
    steps:  S. stride_s: least time between the ends of two windows; 0 ends one at every frame
    """
    index = index_sequence(time_s, backbone.clip, ContextSpec(past=steps - 1, future=0))
    ends = _apart(time_s, stride_s)
    used, windows = np.unique(index.context[ends], return_inverse=True)
    visual = backbone.clips(backbone.frames(crops), index.samples[used])
    spectrograms, heard = hear(sound, time_s[used].tolist(), mel)
    return StepWindows(
        torch.from_numpy(visual),
        spectrograms,
        heard,
        torch.from_numpy(np.asarray(labels[used], np.float32)),
        torch.from_numpy(windows.reshape(len(ends), steps)),
        torch.from_numpy(index.valid[ends]),
    )


def hear(sound: Sound | None, ends_s: list[float], mel: LogMelConfig) -> tuple[Tensor, Tensor]:
    """What was heard until each of M moments: spectrograms (M, bands, t), and (M,) bool whether there was anything."""
    if sound is None:
        pieces = torch.zeros(len(ends_s), mel.least_samples)
    else:
        pieces = torch.stack([sound.until(end_s, mel.least_samples) for end_s in ends_s])
    return log_mel(pieces, mel), is_audible(pieces)


def _apart(time_s: np.ndarray, stride_s: float) -> list[int]:
    """Rows whose times are at least `stride_s` apart."""
    rows: list[int] = []
    for row, now_s in enumerate(time_s.tolist()):
        if not rows or now_s - time_s[rows[-1]] >= stride_s - TIME_SLACK_S:
            rows.append(row)
    return rows
