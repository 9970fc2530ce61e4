"""The fan-out of a run: every message to every sink, so that none waits for another."""

import logging
import threading
import time
from collections.abc import Iterable

from streamaffect.messages import Message
from streamaffect.sinks.base import Sink
from streamaffect.sinks.publishing import presentable
from streamaffect.sinks.thread import Policy, SinkThread

log = logging.getLogger(__name__)

QUEUE = 256  # offline: so many messages may wait before the pipeline does
MOST = 50_000  # live: a bound of memory, 100 MB or so; what counts is how long messages wait
KEEP_S = 2.0
CLOSE_S = 1.0
REMOVE_S = 5.0


class FanOut:
    """The sinks of a run, each behind a queue and a thread of its own."""

    def __init__(self) -> None:
        self._threads: list[SinkThread] = []
        self._must_have_all: set[SinkThread] = set()
        self._completed: set[str] = set()
        self._telling = threading.Lock()
        self._closing = False

    def add(self, sink: Sink, policy: Policy, *, keep_s: float = KEEP_S, must_have_all: bool = False) -> None:
        """Take a sink over: from here on it belongs to its thread, which also closes it, in the order of adding.

        keep_s:        live, how long a message may wait for a sink that is slow
        must_have_all: a message that this sink doesn't get is a failure of the run, and said
        """
        capacity = QUEUE if policy == "wait" else MOST
        thread = SinkThread(sink, capacity=capacity, policy=policy, keep_s=keep_s)
        with self._telling:
            self._threads = [*self._threads, thread]  # never changed, since others may be walking through it
        if must_have_all:
            self._must_have_all.add(thread)

    def feed(self, messages: Iterable[Message]) -> None:
        """Hand every message to every sink; at the end give them a second to deliver what is queued."""
        try:
            for message in messages:
                shown = presentable(message)
                for thread in self._threads:
                    thread.put(shown)
        finally:
            self._close()

    def remove(self, name: str) -> bool:
        """End the sinks of this name, from any thread; False where one has not delivered all that it was given."""
        with self._telling:
            ended = [thread for thread in self._threads if thread.name == name]
            self._threads = [thread for thread in self._threads if thread.name != name]
        failed = [thread for thread in ended if not thread.close(REMOVE_S) or self._failed(thread)]
        if not failed:
            self._completed.add(name)
        return not failed

    def tell(self, message: Message) -> bool:
        """Hand over a message beside those of `feed`, from any thread; False where the run is about to end."""
        shown = presentable(message)
        with self._telling:
            if self._closing:
                return False
            for thread in self._threads:
                thread.put(shown)
        return True

    def hurry(self) -> None:
        """Wait for no sink any more, since the run is to end; callable from a signal handler."""
        for thread in self._threads:
            thread.hurry()

    def dropped(self) -> dict[str, int]:
        """Messages that each sink had to drop, where there are any."""
        return {thread.name: thread.dropped for thread in self._threads if thread.dropped}

    def queued(self) -> dict[str, int]:
        """Messages that wait for each sink."""
        return {thread.name: thread.queued for thread in self._threads}

    def faults(self) -> dict[str, str]:
        """Why what a sink hands on reaches nobody, for those of which it is so."""
        return {thread.name: fault for thread in self._threads if (fault := thread.fault)}

    @property
    def has_failed(self) -> bool:
        """True where an error has ended a sink before the run, or where one lacks messages that it must have."""
        return any(map(self._failed, self._threads))

    def is_complete(self, name: str) -> bool:
        """True where the sink of this name is there and has not failed."""
        found = [thread for thread in self._threads if thread.name == name]
        return not any(map(self._failed, found)) and (bool(found) or name in self._completed)

    def _failed(self, thread: SinkThread) -> bool:
        return thread.has_failed or (thread in self._must_have_all and thread.dropped > 0)

    def _close(self) -> None:
        with self._telling:
            self._closing = True
        deadline_s = time.monotonic() + CLOSE_S
        for thread in self._threads:
            if not thread.close(max(0.1, deadline_s - time.monotonic())):
                log.warning("%s: did not deliver all of its messages within %.0f s", thread.name, CLOSE_S)
            if thread.failures > 1:
                log.error("%s: failed %d times in all", thread.name, thread.failures)
            if thread in self._must_have_all and thread.dropped and not thread.has_failed:
                log.error("%s: lacks %d messages, which it was too slow to take", thread.name, thread.dropped)
