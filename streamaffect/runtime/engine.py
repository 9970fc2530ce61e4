"""What every inference backend offers: the three graphs of a bundle as three calls.

The estimator keeps what the graphs give: the vectors themselves with an `Engine`, with a `RowEngine` only the numbers
of the rows where the engine keeps them, such as in a GPU's memory.
"""

from dataclasses import dataclass
from typing import Protocol, TypeAlias, runtime_checkable

from streamaffect.types import BoolArray, FloatArray, ImageArray, RowArray


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


@runtime_checkable
class MapEngine(Protocol):
    """An engine that can give the frame encoder's spatial map in the same call, for lenses that read it."""

    @property
    def gives_map(self) -> bool:
        """Whether its frame encoder has the output `map`."""
        ...

    def encode_frames_and_map(self, crops: ImageArray) -> tuple[FloatArray, FloatArray]:
        """crops (N, S, S, 3) uint8 RGB → features (N, D), the same bits as without it, and maps (N, C, H, W)."""
        ...


@runtime_checkable
class RowEngine(Protocol):
    """An engine that keeps features and clip vectors in a memory of its own; what it gives and takes are their rows.

    Rows are (…, 1) int64, so that they pass through the estimator as vectors do. A row that was given out keeps its
    vector until it is handed back. One thread at a time.
    """

    @property
    def info(self) -> EngineInfo:
        """Backend, provider, precision and the reason for the choice."""
        ...

    def encode_frames(self, crops: ImageArray) -> RowArray:
        """crops (N, S, S, 3) uint8 RGB → rows (N, 1) of their features."""
        ...

    def encode_clips(self, features: RowArray) -> RowArray:
        """features (N, T, 1), oldest first → rows (N, 1) of the clip vectors."""
        ...

    def run_heads(self, clip: RowArray, context: RowArray, valid: BoolArray) -> dict[str, FloatArray]:
        """clip (N, 1), context (N, K, 1), valid (N, K) → one (N, L) float32 array per head, by the head's name."""
        ...

    def free_features(self, rows: RowArray) -> None:
        """Hand back rows (n, 1) of features that are not needed any more."""
        ...

    def free_clips(self, rows: RowArray) -> None:
        """Hand back rows (n, 1) of clip vectors that are not needed any more."""
        ...

    def close(self) -> None:
        """Release graphs and memory. Calling it again does nothing."""
        ...


StreamEngine: TypeAlias = Engine | RowEngine
