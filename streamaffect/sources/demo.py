"""The demo: a short clip of a real face that ships with the package, looped for ever at its own frame rate.

The clip's last frame leads into its first, so that a track survives the loop. Its origin is in assets/THIRD_PARTY.md.
"""

from pathlib import Path

from streamaffect.clock import Clock, monotonic_ns
from streamaffect.errors import SourceEndedError
from streamaffect.sources.base import Source, SourceInfo
from streamaffect.sources.pacing import Pacer
from streamaffect.sources.video.reader import VideoReader, open_video
from streamaffect.types import Frame, ImageArray, Picture

DEMO_CLIP = Path(__file__).resolve().parents[1] / "assets" / "demo.mp4"


class DemoSource(Source):
    """A video file looped without end, in live pace; time and index go on through the loop."""

    def __init__(self, path: Path = DEMO_CLIP) -> None:
        self._path = path
        self._pacer = Pacer()
        self._reader: VideoReader | None = None
        self._clock = Clock.now()
        self._fps = 25.0
        self._index = 0

    def open(self) -> SourceInfo:
        """Open the clip and decode its first frame."""
        if self._pacer.stopped:
            raise SourceEndedError("demo: was closed")
        reader = self._reader = open_video(self._path)
        self._fps = reader.fps or self._fps
        width, height = reader.size
        return SourceInfo(
            "demo", "demo", live=True, width=width, height=height, fps=reader.fps, frames=None, duration_s=None
        )

    def read(self) -> Frame:
        """The next frame when it is due."""
        picture = self._next_picture()
        index, self._index = self._index, self._index + 1
        if not self._pacer.wait(index / self._fps):
            raise SourceEndedError("demo: was closed")
        grabbed_ns = monotonic_ns()
        return Frame(picture, index, grabbed_ns * 1e-9, self._clock.utc(grabbed_ns), grabbed_ns)

    def close(self) -> None:
        """Stop waiting and release the clip."""
        self._pacer.stop()
        if self._reader:
            self._reader.close()

    def _next_picture(self) -> ImageArray | Picture:
        while self._reader and not self._pacer.stopped:
            decoded = self._reader.next()
            if decoded:
                return decoded[1]
            self._reader.rewind()
        raise SourceEndedError("demo: is not open")
