"""Sound as an image: the log-mel spectrogram that the joint multimodal transformer's audio backbone looks at.

Waligora et al., CVPR Workshops 2024: 64 mel bands of the power in windows of 20 ms every 10 ms at 44.1 kHz, in
decibels, standardised with the published constants. The bands are triangles on the HTK mel scale, equally high.
"""

import math

import msgspec
import torch
import torch.nn.functional as F
from torch import Tensor

from ..config import Count, Positive

LEAST_POWER = 1e-10  # -100 dB


class LogMelConfig(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """The published settings. Raises ValueError where `window` is longer than `fft`.

    rate_hz:      of the sound; bands: of mel. fft, window, hop: in samples; `window` is centred in `fft`
    mean_db, deviation_db: of the standardisation
    least_samples: shorter sound is padded with silence on the left, so that its end stays at the end
    """

    rate_hz: Count = 44100
    bands: Count = 64
    fft: Count = 1024
    window: Count = 882
    hop: Count = 441
    mean_db: float = -14.8
    deviation_db: Positive = 19.895
    least_samples: Count = 45599

    def __post_init__(self) -> None:
        if self.window > self.fft:
            raise ValueError(f"window is {self.window} samples, expected at most fft, {self.fft}")


PUBLISHED = LogMelConfig()


def log_mel(samples: Tensor, config: LogMelConfig = PUBLISHED) -> Tensor:
    """Samples in [-1, 1] to standardised decibels: (…, N) → (…, bands, t), t = 1 + max(N, least_samples) // hop.

    Column i is centred on sample i * hop; beyond the ends the sound is mirrored.
    """
    missing = config.least_samples - samples.shape[-1]
    padded = F.pad(samples, (missing, 0)) if missing > 0 else samples
    window = torch.hann_window(config.window, dtype=samples.dtype, device=samples.device)
    flat = padded.reshape(-1, padded.shape[-1])
    spectrum = torch.stft(
        flat, config.fft, config.hop, config.window, window, center=True, pad_mode="reflect", return_complex=True
    )
    power = spectrum.real.square() + spectrum.imag.square()  # (…, fft / 2 + 1, t)
    bands = mel_filters(config).to(power) @ power
    decibels = 10 * bands.clamp_min(LEAST_POWER).log10()
    standardised = (decibels - config.mean_db) / config.deviation_db
    return standardised.reshape(*samples.shape[:-1], config.bands, -1)


def mel_filters(config: LogMelConfig = PUBLISHED) -> Tensor:
    """How much each frequency of the spectrum counts in each band: (bands, fft / 2 + 1) float32 in [0, 1]."""
    frequencies = torch.linspace(0, config.rate_hz / 2, config.fft // 2 + 1, dtype=torch.float64)
    edges = _to_hz(torch.linspace(0, _to_mel(config.rate_hz / 2), config.bands + 2, dtype=torch.float64))
    low, centre, high = (edges[i : i + config.bands].unsqueeze(1) for i in range(3))
    rising, falling = (frequencies - low) / (centre - low), (high - frequencies) / (high - centre)
    return torch.minimum(rising, falling).clamp_min(0).float()


def _to_mel(frequency_hz: float) -> float:
    return 2595 * math.log10(1 + frequency_hz / 700)


def _to_hz(mel: Tensor) -> Tensor:
    hz: Tensor = 700 * (10 ** (mel / 2595) - 1)
    return hz
