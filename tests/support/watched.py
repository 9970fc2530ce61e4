"""A supervised source that is read in a thread, as the pipeline does, with what it gave and reported."""

import threading
from collections.abc import Callable
from types import TracebackType
from typing import Self

from streamaffect.clock import monotonic_ns
from streamaffect.settings import SourceSettings
from streamaffect.sources.base import Source
from streamaffect.sources.supervise import Backoff, SourceChange, frames
from streamaffect.types import Frame

LONG_S = 60.0


class Watched:
    """Opens the source and reads it until `end`.

    frames: all that came; events: change, downtime and detail of each
    """

    def __init__(self, source: Source, settings: SourceSettings) -> None:
        self.frames: list[Frame] = []
        self.events: list[tuple[SourceChange, float, str]] = []
        self._changed = threading.Condition()
        self._stop = threading.Event()
        self._source = source
        self._backoff = Backoff.of(settings)
        self._thread = threading.Thread(target=self._run)
        source.open()
        self._thread.start()

    def count(self, change: SourceChange) -> int:
        """How often this was reported."""
        return [name for name, _, _ in self.events].count(change)

    def wait_for_frames(self, more: int) -> None:
        """Wait until so many more have come."""
        wanted = len(self.frames) + more
        self._wait(lambda: len(self.frames) >= wanted)

    def wait_for_event(self, change: SourceChange, *, times: int = 1) -> None:
        """Wait until this was reported so often in all."""
        self._wait(lambda: self.count(change) >= times)

    def seconds_until_frames(self, more: int) -> float:
        """Wait as `wait_for_frames`, and say how long."""
        began_ns = monotonic_ns()
        self.wait_for_frames(more)
        return (monotonic_ns() - began_ns) / 1e9

    def end(self) -> None:
        """Stop reading, which must not take long whatever the source does."""
        self._stop.set()
        self._source.close()
        self._thread.join(10)
        assert not self._thread.is_alive()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.end()

    def _wait(self, condition: Callable[[], bool]) -> None:
        with self._changed:
            assert self._changed.wait_for(condition, LONG_S)

    def _run(self) -> None:
        for frame in frames(self._source, stop=self._stop, on_event=self._tell, backoff=self._backoff):
            with self._changed:
                self.frames.append(frame)
                self._changed.notify_all()

    def _tell(self, change: SourceChange, downtime_s: float, detail: str) -> None:
        with self._changed:
            self.events.append((change, downtime_s, detail))
            self._changed.notify_all()
