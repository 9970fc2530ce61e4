"""The thread and the bounded queue that keep a sink from slowing the pipeline or another sink."""

import logging
import threading
from collections import deque
from collections.abc import Callable
from typing import Literal

from streamaffect.errors import RecordingError
from streamaffect.sinks.base import IdlingSink, Sink
from streamaffect.types import Message

log = logging.getLogger(__name__)

Policy = Literal["drop_oldest", "wait"]
FATAL = (RecordingError,)


class SinkThread:
    """A sink behind its own queue and thread.

    policy "drop_oldest" never makes the caller wait and counts what it drops (live); "wait" loses nothing (offline).
    A RecordingError ends the sink: nothing more will be written, and the pipeline goes on.
    """

    def __init__(self, sink: Sink, *, capacity: int, policy: Policy) -> None:
        self.name = sink.name
        self._sink = sink
        self._capacity = capacity
        self._policy = policy
        self._queue: deque[Message] = deque()
        self._changed = threading.Condition()
        self._closing = False
        self._ended = False
        self._has_failed = False
        self._dropped = 0
        self._failures = 0
        self._thread = threading.Thread(target=self._run, name=f"sink-{sink.name}", daemon=True)
        self._thread.start()

    @property
    def dropped(self) -> int:
        """Messages that were given to `put` and never reached the sink."""
        return self._dropped

    @property
    def failures(self) -> int:
        """Messages that the sink failed to take."""
        return self._failures

    @property
    def has_failed(self) -> bool:
        """True once an error has ended the sink for good."""
        return self._has_failed

    def put(self, message: Message) -> None:
        """Queue a message. After `close`, or once the sink has ended, it is dropped and counted."""
        with self._changed:
            if self._policy == "wait":
                self._changed.wait_for(lambda: self._done or len(self._queue) < self._capacity)
            if self._done:
                self._dropped += 1
                return
            if len(self._queue) >= self._capacity:
                self._queue.popleft()
                self._dropped += 1
            self._queue.append(message)
            self._changed.notify_all()

    def close(self, timeout_s: float | None = None) -> bool:
        """Deliver what is queued, within the timeout, and close the sink. True if all of it was delivered in time.

        What is still queued at the deadline is dropped and counted.
        """
        with self._changed:
            self._closing = True
            self._changed.notify_all()
        self._thread.join(timeout_s)
        with self._changed:
            in_time = not self._thread.is_alive()
            self._discard()
        return in_time

    @property
    def _done(self) -> bool:
        return self._closing or self._ended

    def _discard(self) -> None:
        self._dropped += len(self._queue)
        self._queue.clear()

    def _run(self) -> None:
        try:
            while (message := self._next()) is not None and self._deliver(message):
                pass
        finally:
            with self._changed:
                self._ended = True
                self._discard()
                self._changed.notify_all()
            self._guarded(self._sink.close)

    def _next(self) -> Message | None:
        """The next message, or None when the queue is closed and empty."""
        idling = self._sink if isinstance(self._sink, IdlingSink) else None
        while True:
            with self._changed:
                self._changed.wait_for(
                    lambda: self._queue or self._closing, timeout=idling.idle_s if idling is not None else None
                )
                if self._queue:
                    message = self._queue.popleft()
                    self._changed.notify_all()
                    return message
                if self._closing:
                    return None
            if idling is not None:
                self._guarded(idling.idle)

    def _deliver(self, message: Message) -> bool:
        """Hand one message over. False when the sink has ended for good."""
        try:
            self._sink.send(message)
        except FATAL as error:
            log.error("%s has ended: %s", self.name, error)
            self._ended = self._has_failed = True
            return False
        except Exception as error:
            self._report(error)
        return True

    def _guarded(self, call: Callable[[], None]) -> None:
        try:
            call()
        except Exception as error:
            self._report(error)

    def _report(self, error: Exception) -> None:
        """Log the first failure in full; the others are only counted, since they come at frame rate."""
        self._failures += 1
        if self._failures == 1:
            log.error("%s: %s: %s (logged once)", self.name, type(error).__name__, error, exc_info=error)
