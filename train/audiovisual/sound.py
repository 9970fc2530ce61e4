"""The sound of a recording: decoded to one channel at any rate, and cut to what was heard until a moment.

Time counts from the start of the file, as it does for the faces of the same file.
"""

from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from torch import Tensor

from ..errors import DataError

AUDIBLE = 1e-4  # largest sample, -80 dB; below it a track is empty rather than quiet


@dataclass(frozen=True, slots=True)
class Sound:
    """samples: (N,) float32 in [-1, 1], the mean of all channels, from time 0 on."""

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
    """The first audio track of a sound or video file, or None where the file has none.

    Raises:
        DataError: the file is missing, is no media file, or its sound is damaged; or PyAV is not installed.
    """
    try:
        import av
    except ImportError as error:
        raise DataError(f"{path}: reading sound needs PyAV; pip install av") from error
    try:
        with av.open(str(path)) as container:
            if not container.streams.audio:
                return None
            track = container.streams.audio[0]
            resampler = av.AudioResampler(format="fltp", rate=rate_hz)
            parts = [part for frame in container.decode(track) for part in resampler.resample(frame)]
            if parts:
                parts += resampler.resample(None)
            channels = [part.to_ndarray() for part in parts]
            start_s = _start_s(track) - (container.start_time or 0) / av.time_base
    except (av.FFmpegError, OSError, ValueError) as error:
        raise DataError(f"{path}: its sound cannot be read ({error}); play the file, or convert it") from error
    mono = np.concatenate([part.mean(axis=0) for part in channels]) if channels else np.zeros(0)
    return Sound(_shifted(torch.from_numpy(mono).float().clamp(-1, 1), round(start_s * rate_hz)), rate_hz)


def _start_s(stream: object) -> float:
    start, base = getattr(stream, "start_time", None), getattr(stream, "time_base", None)
    return 0.0 if start is None or base is None else float(start * base)


def _shifted(samples: Tensor, by: int) -> Tensor:
    """With silence before it, or without its beginning, so that it starts with the file."""
    return torch.nn.functional.pad(samples, (by, 0)) if by > 0 else samples[-by:]
