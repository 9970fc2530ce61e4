"""The backbone for spectrograms, of sound or of a muscle's current, and sound as the samples that it is made from.

Waligora et al., CVPR Workshops 2024, and Aslam et al., FG 2024, take a ResNet-18 with one input channel, pooled over
time and frequency alike. Here only time is pooled: in small networks the rows are what says how high a sound is.
"""

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from ..models.frame_encoder import ConvNorm, ResidualBlock
from .log_mel import LEAST_POWER, LogMelConfig, mel_filters


class SpectrogramEncoder(nn.Module):
    """Residual blocks over a spectrogram, their mean over time, one linear map. (N, rows, t) → (N, D).

    rows:   frequencies. dim: D
    widths: channels of the stages; the stem and each stage after the first halve both axes
    depths: residual blocks per stage; a ResNet-18 has widths (64, 128, 256, 512) and depths (2, 2, 2, 2)
    """

    def __init__(self, rows: int, dim: int, *, widths: tuple[int, ...], depths: tuple[int, ...]) -> None:
        super().__init__()
        self.dim = dim
        self.shrink = 2 ** len(widths)
        self.stem = ConvNorm(1, widths[0], stride=2)
        blocks: list[nn.Module] = []
        channels = widths[0]
        for stage, (width, depth) in enumerate(zip(widths, depths, strict=True)):
            for index in range(depth):
                stride = 2 if stage > 0 and index == 0 else 1
                blocks.append(ResidualBlock(channels, width, stride=stride, excitation=False))
                channels = width
        self.blocks = nn.Sequential(*blocks)
        self.project = nn.Linear(channels * -(-rows // self.shrink), dim)
        self.norm = nn.LayerNorm(dim)

    def forward(self, spectrograms: Tensor) -> Tensor:
        """Encode each by itself; both axes are filled up with zeros to a multiple of what the stages halve."""
        rows, columns = (-size % self.shrink for size in spectrograms.shape[1:])
        maps = F.relu(self.stem(F.pad(spectrograms, (0, columns, 0, rows)).unsqueeze(1)))
        features: Tensor = self.norm(self.project(self.blocks(maps).mean(dim=3).flatten(1)))
        return features


class LogMel(nn.Module):
    """`log_mel` of sounds of a fixed length, from plain operations that any engine has: (N, L) → (N, bands, t).

    The Fourier transform is a convolution with windowed cosines and sines; L is `config.least_samples`.
    """

    waves: Tensor
    filters: Tensor

    def __init__(self, config: LogMelConfig) -> None:
        super().__init__()
        self.config = config
        self.offset = (config.fft - config.window) // 2  # of the window within the transform
        place = torch.arange(self.offset, self.offset + config.window, dtype=torch.float64)
        frequency = torch.arange(config.fft // 2 + 1, dtype=torch.float64)
        angles = 2 * torch.pi / config.fft * frequency.unsqueeze(1) * place
        waves = torch.cat([angles.cos(), angles.sin()]) * torch.hann_window(config.window, dtype=torch.float64)
        self.register_buffer("waves", waves.float().unsqueeze(1), persistent=False)  # (2 F, 1, window)
        self.register_buffer("filters", mel_filters(config), persistent=False)

    def forward(self, samples: Tensor) -> Tensor:
        """Standardised decibels."""
        config = self.config
        before = config.fft // 2 - self.offset
        after = config.window - before
        sounds = F.pad(samples.unsqueeze(1), (before, after), mode="reflect")
        spectrum = F.conv1d(sounds, self.waves, stride=config.hop)[:, :, : samples.shape[1] // config.hop + 1]
        real, imaginary = spectrum.chunk(2, dim=1)
        bands = self.filters @ (real.square() + imaginary.square())
        return (10 * bands.clamp_min(LEAST_POWER).log10() - config.mean_db) / config.deviation_db


class SoundEncoder(nn.Module):
    """What a bundle hears with: samples (N, L) in [-1, 1] → features (N, D)."""

    def __init__(self, config: LogMelConfig, encoder: SpectrogramEncoder) -> None:
        super().__init__()
        self.log_mel = LogMel(config)
        self.encoder = encoder

    def forward(self, samples: Tensor) -> Tensor:
        """Spectrogram, then features."""
        features: Tensor = self.encoder(self.log_mel(samples))
        return features
