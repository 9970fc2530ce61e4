"""What every inference backend offers: the three graphs of a bundle as three calls."""

from dataclasses import dataclass
from typing import Protocol

from streamaffect.types import BoolArray, FloatArray, ImageArray


@dataclass(frozen=True, slots=True)
class EngineInfo:
    """Which engine runs, and why it was chosen; goes into the log, the display and `meta/`."""

    backend: str
    provider: str
    precision: str
    reason: str

    def __str__(self) -> str:
        return f"{self.backend} {self.provider} {self.precision}"


class Engine(Protocol):
    """The graphs of one bundle, loaded and warm. One thread at a time."""

    @property
    def info(self) -> EngineInfo:
        """Backend, provider, precision and the reason for the choice."""
        ...

    def encode_frames(self, crops: ImageArray) -> FloatArray:
        """crops (N, S, S, 3) uint8 RGB → features (N, D) float32."""
        ...

    def encode_clips(self, features: FloatArray) -> FloatArray:
        """features (N, T, D) float32, oldest first → clip vectors (N, C) float32."""
        ...

    def run_heads(self, clip: FloatArray, context: FloatArray, valid: BoolArray) -> dict[str, FloatArray]:
        """clip (N, C), context (N, K, C), valid (N, K) → one (N, L) float32 array per head, by the head's name."""
        ...

    def close(self) -> None:
        """Release the graphs. Calling it again does nothing."""
        ...
