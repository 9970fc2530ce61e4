"""A recording as a source of messages: played back by its own clock, so that any consumer can be tried on it.

Nothing is estimated again and nothing is changed: seq, tracks, times, gaps and losses are the recorded ones.
"""

import heapq
import logging
import math
import threading
import time
from collections.abc import Iterable, Iterator
from pathlib import Path

from streamaffect.errors import ConfigError
from streamaffect.recordings.header import RecordingHeader
from streamaffect.recordings.reading import read_recording
from streamaffect.types import Estimate, Message

logger = logging.getLogger(__name__)


class Replay:
    """Plays a recording back.

    speed: 2.0 plays twice as fast; math.inf does not wait at all
    loop:  starts again at the end; `seq` and all times start again with it, as after a restart of the publisher
    """

    def __init__(self, path: str | Path, *, speed: float = 1.0, loop: bool = False) -> None:
        """Read the header. Raises RecordingError where it is no recording, ConfigError for a speed that is not > 0."""
        if math.isnan(speed) or speed <= 0.0:
            raise ConfigError(f"replay speed {speed}: expected a number above 0, e.g. 1 for the recorded speed")
        self._recording = read_recording(path)
        self._speed = speed
        self._loop = loop

    @property
    def header(self) -> RecordingHeader:
        """What was recorded; `header.metas()` is the meta message of each stream."""
        return self._recording.header

    def messages(self, stop: threading.Event) -> Iterator[Message]:
        """Yield each message when it is due, counted from the first one; return at the end or when `stop` is set.

        A consumer that is late gets the waiting messages at once: none is skipped. Raises RecordingError at a broken
        line.
        """
        while True:
            messages = iter(self._in_order())
            first = next(messages, None)
            if first is None:
                return
            start_s, start_ns = time.monotonic(), published_ns(first)
            yield first
            for message in messages:
                due_s = start_s + (published_ns(message) - start_ns) / 1e9 / self._speed
                if stop.wait(max(0.0, due_s - time.monotonic())):
                    return
                yield message
            if self._recording.torn:
                logger.warning("%s: the last line is torn and was ignored", self._recording.path)
            if not self._loop or stop.is_set():
                return

    def _in_order(self) -> Iterable[Message]:
        """The messages in the order in which they were published.

        The lines of a live recording have that order. Of several files that were read offline, each counts its time
        from its own start, while their lines stand in the order in which they were computed.
        """
        streams = [recorded.stream for recorded in self.header.streams]
        if len(streams) == 1 or self.header.created is not None:
            return self._recording
        return heapq.merge(*map(self._of_stream, streams), key=published_ns)

    def _of_stream(self, stream: str) -> Iterator[Message]:
        return (message for message in self._recording if message.stream == stream)


def published_ns(message: Message) -> int:
    """When a message was published; for a file read offline, its place in the file."""
    return message.t_publish_ns if isinstance(message, Estimate) else message.t_ns
