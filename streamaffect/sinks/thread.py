"""The thread and the bounded queue that keep a sink from slowing the pipeline or another sink."""

import logging
import math
import threading
from collections import deque
from collections.abc import Callable
from typing import Literal

from streamaffect.clock import monotonic_ns
from streamaffect.errors import RecordingError
from streamaffect.messages import Message
from streamaffect.sinks.base import ConnectedSink, IdlingSink, Sink

log = logging.getLogger(__name__)

Policy = Literal["drop_oldest", "wait"]
FATAL = (RecordingError,)
GLANCE_S = 0.1  # how often a caller that waits looks whether it may go


class SinkThread:
    """A sink behind its own queue and thread.

    policy:   "drop_oldest" never makes the caller wait and counts what it drops (live); "wait" loses nothing (offline)
    capacity: so many messages may wait; live, a bound of memory that no rate of messages should reach
    keep_s:   live, messages that have waited for longer are dropped: a queue of so many seconds at any rate

    A RecordingError ends the sink: nothing more will be written, and the pipeline goes on.
    """

    def __init__(self, sink: Sink, *, capacity: int, policy: Policy, keep_s: float = math.inf) -> None:
        self.name = sink.name
        self._sink = sink
        self._capacity = capacity
        self._policy = policy
        self._keep_ns = keep_s * 1e9
        self._queue: deque[tuple[int, Message]] = deque()
        self._changed = threading.Condition()
        self._closing = False
        self._hurried = False
        self._ended = False
        self._has_failed = False
        self._dropped = 0
        self._failures = 0
        self._thread = threading.Thread(target=self._run, name=f"sink-{sink.name}", daemon=True)
        self._thread.start()

    @property
    def dropped(self) -> int:
        """Messages that were given to `put` and never reached the sink, or went no further than that."""
        return self._dropped + (self._sink.lost if isinstance(self._sink, ConnectedSink) else 0)

    @property
    def queued(self) -> int:
        """Messages that wait for the sink."""
        return len(self._queue)

    @property
    def fault(self) -> str:
        """Why what the sink hands on reaches nobody; empty where all is well."""
        return self._sink.fault if isinstance(self._sink, ConnectedSink) else ""

    @property
    def failures(self) -> int:
        """Messages that the sink failed to take."""
        return self._failures

    @property
    def has_failed(self) -> bool:
        """True once an error has ended the sink for good, or it has ended with one."""
        return self._has_failed

    def put(self, message: Message) -> None:
        """Queue a message. After `close`, or once the sink has ended, it is dropped and counted."""
        with self._changed:
            if self._policy == "wait":
                while not self._changed.wait_for(self._may_go, GLANCE_S):
                    pass
            if self._done:
                self._dropped += 1
                return
            now_ns = monotonic_ns()
            while len(self._queue) >= self._capacity or (self._queue and now_ns - self._queue[0][0] > self._keep_ns):
                self._queue.popleft()
                self._dropped += 1
            self._queue.append((now_ns, message))
            self._changed.notify_all()

    def hurry(self) -> None:
        """Let no caller wait any more, since the run is to end. Callable from a signal handler: it takes no lock."""
        self._hurried = True

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

    def _may_go(self) -> bool:
        return self._done or self._hurried or len(self._queue) < self._capacity

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
        """The next message, or None when the queue is closed and empty, or the sink has ended while it was idle."""
        idling = self._sink if isinstance(self._sink, IdlingSink) else None
        while True:
            with self._changed:
                self._changed.wait_for(
                    lambda: self._queue or self._closing, timeout=idling.idle_s if idling is not None else None
                )
                if self._queue:
                    _, message = self._queue.popleft()
                    if self._policy == "wait":
                        self._changed.notify_all()
                    return message
                if self._closing:
                    return None
            if idling is not None and not self._guarded(idling.idle):
                return None

    def _deliver(self, message: Message) -> bool:
        """Hand one message over. False when the sink has ended for good."""
        return self._guarded(lambda: self._sink.send(message))

    def _guarded(self, call: Callable[[], None]) -> bool:
        """Whatever a sink raises stays here. False where it is the end of the sink."""
        try:
            call()
        except FATAL as error:
            if not self._has_failed:  # an error at closing only follows from the first one
                log.error("%s has ended: %s", self.name, error)
            self._has_failed = True
            return False
        except Exception as error:
            self._report(error)
        return True

    def _report(self, error: Exception) -> None:
        """Log the first failure; the others are only counted, since they come at frame rate."""
        self._failures += 1
        if self._failures == 1:
            trace = error if log.isEnabledFor(logging.DEBUG) else None
            log.error("%s: %s: %s (logged once)", self.name, type(error).__name__, error, exc_info=trace)
