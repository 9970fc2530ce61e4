"""Sound as an image: the log-mel spectrogram that the joint multimodal transformer's audio backbone looks at.

Waligora et al., CVPR Workshops 2024: 64 mel bands of the power in windows of 20 ms every 10 ms at 44.1 kHz, in
decibels, standardised with the published constants. The bands are triangles on the HTK mel scale, equally high.
`read_wav` reads the sound that goes with a recording.
"""

import math
import wave
from dataclasses import dataclass
from pathlib import Path

import torch
import torch.nn.functional as F
from torch import Tensor

from streamaffect.errors import ConfigError

LEAST_POWER = 1e-10  # -100 dB
SAMPLE_SCALE = {1: 2**7, 2: 2**15, 4: 2**31}  # by the bytes of a PCM sample


@dataclass(frozen=True, slots=True)
class LogMelConfig:
    """The published settings.

    rate_hz:      of the sound; bands: of mel. fft, window, hop: in samples; `window` is centred in `fft`
    mean_db, deviation_db: of the standardisation
    least_samples: shorter sound is padded with silence on the left, so that its end stays at the end
    """

    rate_hz: int = 44100
    bands: int = 64
    fft: int = 1024
    window: int = 882
    hop: int = 441
    mean_db: float = -14.8
    deviation_db: float = 19.895
    least_samples: int = 45599


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


def read_wav(path: Path) -> tuple[Tensor, int]:
    """An uncompressed WAV file as samples (N,) float32 in [-1, 1], the mean of its channels, and its rate in Hz.

    Raises:
        ConfigError: the file is missing, is no PCM WAV, or has samples of 24 bits.
    """
    try:
        with wave.open(str(path), "rb") as sound:
            width, channels, rate = sound.getsampwidth(), sound.getnchannels(), sound.getframerate()
            data = bytearray(sound.readframes(sound.getnframes()))
    except (OSError, EOFError, wave.Error) as error:
        raise ConfigError(f"{path}: cannot be read as PCM WAV ({error}); ffmpeg can convert it") from error
    if width not in SAMPLE_SCALE:
        raise ConfigError(
            f"{path}: has {8 * width}-bit samples, expected 8, 16 or 32; ffmpeg -c:a pcm_s16le converts it"
        )
    if not data:
        return torch.zeros(0), rate
    kind = {1: torch.uint8, 2: torch.int16, 4: torch.int32}[width]
    values = torch.frombuffer(data, dtype=kind).double()
    values = values - SAMPLE_SCALE[1] if width == 1 else values  # 8-bit WAV is unsigned
    return (values / SAMPLE_SCALE[width]).reshape(-1, channels).mean(dim=1).float(), rate


def _to_mel(frequency_hz: float) -> float:
    return 2595 * math.log10(1 + frequency_hz / 700)


def _to_hz(mel: Tensor) -> Tensor:
    hz: Tensor = 700 * (10 ** (mel / 2595) - 1)
    return hz
