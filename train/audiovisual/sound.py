"""The sound of a recording: decoded to one channel at any rate, and cut to what was heard until a moment.

Time counts from the start of the file, as it does for the faces of the same file.
"""

from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from torch import Tensor

from streamaffect.errors import SourceError

from ..errors import DataError

AUDIBLE = 1e-4  # largest sample, -80 dB; below it a track is empty rather than quiet


@dataclass(frozen=True, slots=True)
class Sound:
    """samples: (N,) float32 in [-1, 1], all channels mixed, from time 0 on; zero in gaps."""

    samples: Tensor
    rate_hz: int

    def until(self, end_s: float, count: int) -> Tensor:
        """The `count` samples that end at `end_s`: (count,), zero where there is no sound."""
        end = round(end_s * self.rate_hz)
        piece = self.samples[max(0, end - count) : max(0, end)]
        before = min(max(0, count - end), count)
        return torch.nn.functional.pad(piece, (before, count - before - len(piece)))


def is_audible(samples: Tensor) -> Tensor:
    """Whether there is anything to hear: (…, N) → (…) bool."""
    return samples.abs().amax(dim=-1) >= AUDIBLE


def read_sound(path: Path, rate_hz: int) -> Sound | None:
    """The default audio track of a sound or video file, as the stream hears it, or None where the file has none.

    Raises:
        DataError: the file is missing, is no media file, or its sound is damaged; or PyAV is not installed.
    """
    try:
        from streamaffect.sources.sound_file import has_sound
        from streamaffect.sources.sound_file import read_sound as read_pieces
    except ImportError as error:
        raise DataError(f"{path}: reading sound needs PyAV; pip install av") from error
    try:
        if not has_sound(path):
            return None
        pieces = [piece for piece in read_pieces(path, rate_hz=rate_hz) if piece.heard]
    except SourceError as error:
        raise DataError(f"{path}: its sound cannot be read ({error}); play the file, or convert it") from error
    ends = [round(piece.time_s * rate_hz) + len(piece.samples) for piece in pieces]
    samples = np.zeros(max([0, *ends]), np.float32)
    for piece, end in zip(pieces, ends, strict=True):
        first = max(0, end - len(piece.samples))
        samples[first:end] = piece.samples[len(piece.samples) - (end - first) :]
    return Sound(torch.from_numpy(samples), rate_hz)
