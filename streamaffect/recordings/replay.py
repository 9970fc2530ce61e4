"""A recording as a source of messages: played back by its own clock, so that any consumer can be tried on it.

Nothing is estimated again and nothing is changed: seq, tracks, times, gaps and losses are the recorded ones.
"""

import heapq
import logging
import threading
import time
from collections.abc import Iterable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Final, NoReturn

from streamaffect.errors import ControlError, RecordingError, WireError
from streamaffect.feed.wire import topic_prefix
from streamaffect.messages import Estimate, Message, Meta, Voice
from streamaffect.recordings.reading import read_recording

UNCHANGED: Final = "a recording is played back as it is; nothing is added to it or taken from it"

log = logging.getLogger(__name__)


class Replay:
    """Plays a recording back, in live pace."""

    is_live = True
    has_failed = False
    has_stuck_threads = False

    def __init__(self, path: str | Path) -> None:
        """Read the header.

        Raises RecordingError where it is no recording, or several in one file of which none is named, or has a stream
        that cannot be published.
        """
        self._recording = read_recording(path)
        for recorded in self._recording.header.streams:
            try:
                topic_prefix("meta", recorded.stream)
            except WireError as error:
                raise RecordingError(f"{self._recording.path}: line 1: {error}") from error
        self._stop = threading.Event()

    @property
    def metas(self) -> Sequence[Meta]:
        """What a subscriber must know of each stream, as it was recorded."""
        return self._recording.header.metas()

    @property
    def lengths_s(self) -> Mapping[str, float]:
        """Nobody has kept how long the files were."""
        return {}

    @property
    def lenses(self) -> Sequence[NoReturn]:
        """What is played back was looked at before."""
        return ()

    @property
    def remarks(self) -> Sequence[str]:
        """What there is to say at the end: nothing."""
        return ()

    def now_ns(self, stream: str) -> NoReturn:  # noqa: ARG002 - whatever the stream is
        """Nothing is added to what was recorded. Raises ControlError."""
        raise ControlError(UNCHANGED)

    def add(self, source: str) -> NoReturn:  # noqa: ARG002
        """Nothing is added to what was recorded. Raises ControlError."""
        raise ControlError(UNCHANGED)

    def remove(self, name: str) -> NoReturn:  # noqa: ARG002
        """Nothing is taken from what was recorded. Raises ControlError."""
        raise ControlError(UNCHANGED)

    def give_voice(self, name: str, whose: object) -> NoReturn:  # noqa: ARG002
        """Whose a voice was is recorded. Raises ControlError."""
        raise ControlError(UNCHANGED)

    def stop(self) -> None:
        """End soon; callable from any thread and from a signal handler."""
        self._stop.set()

    def messages(self) -> Iterator[Message]:
        """Yield each message when it is due, counted from the first one, until the end or `stop`.

        A consumer that is late gets the waiting messages at once: none is skipped. Raises RecordingError where another
        recording has been put behind this one meanwhile.
        """
        messages = iter(self._in_order())
        first = next(messages, None)
        if first is None:
            return
        start_s, start_ns = time.monotonic(), published_ns(first)
        yield first
        for message in messages:
            due_s = start_s + (published_ns(message) - start_ns) / 1e9
            if self._stop.wait(max(0.0, due_s - time.monotonic())):
                return
            yield message
        if (complaint := self._recording.complaint) is not None:
            log.warning("%s: %s", self._recording.path, complaint)

    def _in_order(self) -> Iterable[Message]:
        """The messages in the order in which they were published.

        The lines of a live recording have that order. Of several files that were read offline, each counts its time
        from its own start, while their lines stand in the order in which they were computed.
        """
        header = self._recording.header
        streams = [recorded.stream for recorded in header.streams]
        if len(streams) == 1 or header.created is not None:
            return self._recording
        return heapq.merge(*map(self._of_stream, streams), key=published_ns)

    def _of_stream(self, stream: str) -> Iterator[Message]:
        return (message for message in self._recording if message.stream == stream)


def published_ns(message: Message) -> int:
    """When a message was published; for a file read offline, its place in the file."""
    return message.t_publish_ns if isinstance(message, Estimate | Voice) else message.t_ns
