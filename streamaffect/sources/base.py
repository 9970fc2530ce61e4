"""What every source of frames is: opened once, read frame by frame, closed from any thread."""

from dataclasses import dataclass
from types import TracebackType
from typing import Literal, Protocol, Self

from streamaffect.types import Frame

# `replay` gives messages and no frames: it is `recordings.replay`, and no `Source`.
SourceKind = Literal["webcam", "file", "rtsp", "http", "demo", "synthetic", "replay"]


@dataclass(frozen=True, slots=True)
class SourceInfo:
    """What is known of a source once it is open.

    address:    what the user named, without credentials
    live:       True where a frame that is not taken in time is lost
    width, height: pixels of the first frame, after any rotation that the file asks for
    fps:        nominal frames per second; None where nobody says
    frames, duration_s: the length of a file as its container states it; None where it has no end or does not say
    """

    kind: SourceKind
    address: str
    live: bool
    width: int
    height: int
    fps: float | None
    frames: int | None
    duration_s: float | None


class Source(Protocol):
    """A stream of frames.

    One thread calls `open` and `read`; any thread may call `close`. The context manager closes; it does not open.
    """

    def open(self) -> SourceInfo:
        """Connect, and wait until a first frame is known to be readable.

        Calling it again after a `SourceStalledError` connects anew.

        Raises:
            SourceOpenError: it cannot be opened, or gives no frame in time.
            SourceEndedError: `close` was called.
        """

    def read(self) -> Frame:
        """Wait for the next frame; of a live source, for one that is newer than the last.

        Raises:
            SourceStalledError: a live source is silent or its connection broke.
            SourceEndedError: there are no more frames, or `close` was called.
        """

    def close(self) -> None:
        """Let go of everything, for good; a blocked `open` or `read` returns soon. May be called again."""

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()
