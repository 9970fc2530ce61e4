"""The fan-out of a run: every message to every sink, so that none waits for another."""

import logging
import time
from collections.abc import Iterable

from streamaffect.sinks.base import Sink
from streamaffect.sinks.thread import Policy, SinkThread
from streamaffect.types import Message

log = logging.getLogger(__name__)

QUEUE = 256
CLOSE_S = 1.0


class FanOut:
    """The sinks of a run, each behind a queue and a thread of its own."""

    def __init__(self) -> None:
        self._threads: list[SinkThread] = []

    def add(self, sink: Sink, policy: Policy) -> None:
        """Take a sink over: from here on it belongs to its thread, which also closes it."""
        self._threads.append(SinkThread(sink, capacity=QUEUE, policy=policy))

    def feed(self, messages: Iterable[Message]) -> None:
        """Hand every message to every sink; at the end give them a second to deliver what is queued."""
        try:
            for message in messages:
                for thread in self._threads:
                    thread.put(message)
        finally:
            self._close()

    def dropped(self) -> dict[str, int]:
        """Messages that each sink had to drop, where there are any."""
        return {thread.name: thread.dropped for thread in self._threads if thread.dropped}

    @property
    def has_failed(self) -> bool:
        """True where an error has ended a sink before the run."""
        return any(thread.has_failed for thread in self._threads)

    def _close(self) -> None:
        deadline_s = time.monotonic() + CLOSE_S
        for thread in self._threads:
            if not thread.close(max(0.1, deadline_s - time.monotonic())):
                log.warning("%s: did not deliver all of its messages within %.0f s", thread.name, CLOSE_S)
            if thread.failures > 1:
                log.error("%s: failed %d times in all", thread.name, thread.failures)
