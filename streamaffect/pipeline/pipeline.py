"""The running stream: sources, face stages and the affect stage on their threads, and the messages that come out.

Each stream has a capture thread and a face thread; one affect stage, in the thread that iterates over `messages`,
serves all streams. Live, a capture thread replaces frames that nobody has looked at yet, so latency never grows;
offline, every queue makes its producer wait, and nothing is lost or reordered.
"""

import logging
import threading
from collections.abc import Callable, Generator, Iterator, Mapping, Sequence
from queue import Empty, SimpleQueue

from streamaffect.affect.assemble import Assembler
from streamaffect.affect.estimate import Estimator
from streamaffect.clock import Clock, monotonic_ns
from streamaffect.errors import SourceError
from streamaffect.pipeline.channel import Closed, Mailbox
from streamaffect.pipeline.meta import make_meta
from streamaffect.pipeline.stages import AffectStage
from streamaffect.pipeline.stats import NO_SINKS, Deliveries, StreamStats
from streamaffect.pipeline.worker import OFFLINE_FRAMES, Stream, Worker
from streamaffect.runtime.bundle import Bundle
from streamaffect.runtime.engine import StreamEngine
from streamaffect.settings import SourceSettings
from streamaffect.sources.supervise import Backoff, SourceChange
from streamaffect.types import Estimate, Event, Message, Meta, Sightings

log = logging.getLogger(__name__)

HEALTH_PERIOD_S = 1.0
POLL_S = 0.1
JOIN_S = 1.0


class Pipeline:
    """Everything that runs between the sources and the sinks.

    streams:     opened sources; they are closed with the pipeline
    settings:    how a live source that is lost is tried again
    max_seconds: end after so long: of a file's own time offline, of real time live
    deliveries:  what the sinks say of the messages; without sinks they say nothing
    metas:       what a subscriber must know of each stream
    """

    def __init__(
        self,
        streams: Sequence[Stream],
        bundle: Bundle,
        engine: StreamEngine,
        *,
        settings: SourceSettings,
        max_seconds: float | None = None,
        deliveries: Deliveries = NO_SINKS,
    ) -> None:
        self.is_live = any(stream.info.live for stream in streams)
        self.stats: Mapping[str, StreamStats] = {
            stream.name: StreamStats(stream.name, duration_s=None if stream.info.live else stream.info.duration_s)
            for stream in streams
        }
        self._clock = Clock.now()
        started_ns = self._clock.utc(monotonic_ns())
        self.metas: Sequence[Meta] = [
            make_meta(stream, bundle, engine.info, t_ns=started_ns if stream.info.live else 0) for stream in streams
        ]
        self._stop = threading.Event()
        self._max_live_s = max_seconds if self.is_live else None
        self._deliveries = deliveries
        self._events: SimpleQueue[Event] = SimpleQueue()
        self._mailbox: Mailbox[Sightings] = Mailbox(list(self.stats), capacity=1 if self.is_live else OFFLINE_FRAMES)
        self._affect = AffectStage(
            Estimator(bundle, engine), {stream.name: Assembler(stream.name, bundle) for stream in streams}
        )
        self._last_capture_ns = dict.fromkeys(self.stats, 0)
        self._announced: set[str] = set()
        self._workers = [
            Worker(
                stream,
                self._mailbox,
                self._stop,
                on_source=self._source_event,
                backoff=Backoff.of(settings),
                max_file_s=None if self.is_live else max_seconds,
            )
            for stream in streams
        ]

    @property
    def remarks(self) -> Sequence[str]:
        """Which streams have shown no face."""
        return [
            f"{stats.stream}: no face was found in {stats.finished} frames"
            for stats in self.stats.values()
            if stats.finished and not stats.frames_with_face
        ]

    def stop(self) -> None:
        """End soon; callable from any thread and from a signal handler."""
        self._stop.set()

    def messages(self) -> Generator[Message, None, None]:
        """Start, and yield all messages in order until every source has ended or `stop` was called.

        Raises the first failure that was not a source's own, after the other streams have ended.
        """
        for worker in self._workers:
            worker.start()
        try:
            yield from self._run()
        finally:
            self._stop.set()
            for worker in self._workers:
                worker.close()
            deadline_ns = monotonic_ns() + round(JOIN_S * 1e9)
            for worker in self._workers:
                worker.join(deadline_ns)
            failures = [worker.failure for worker in self._workers]
            # They refer back to this pipeline: without them, frames and engine are freed at once, not some time later.
            self._workers.clear()
        for failure in failures:
            if failure is not None and not isinstance(failure, SourceError):
                raise failure

    def _run(self) -> Iterator[Message]:
        take = self._mailbox.take_ready if self.is_live else self._mailbox.take_turn
        started_ns = health_ns = monotonic_ns()
        while not self._stop.is_set():
            try:
                batch = take(POLL_S)
            except Closed:
                break
            yield from self._pending_events()
            if batch:
                yield from self._estimate(batch)
            if self.is_live:
                yield from self._ends(self._mailbox.has_ended)
            now_ns = monotonic_ns()
            if now_ns - health_ns >= HEALTH_PERIOD_S * 1e9:
                health_ns = now_ns
                yield from self._health(now_ns)
            if self._max_live_s is not None and now_ns - started_ns >= self._max_live_s * 1e9:
                break
        yield from self._pending_events()
        # Files end here even if one was longer: where exactly its end was noticed depends on the load.
        yield from self._ends(lambda _: True)
        yield from self._health(monotonic_ns())

    def _estimate(self, batch: list[tuple[str, Sightings]]) -> Iterator[Message]:
        for message in self._affect.process(batch):
            if isinstance(message, Estimate):
                self.stats[message.stream].take_estimate()
            yield message
        for stream, sightings in batch:
            self._last_capture_ns[stream] = sightings.frame.t_capture_ns
            self.stats[stream].take_frame(sightings)

    def _health(self, now_ns: int) -> Iterator[Message]:
        dropped = self._deliveries.dropped()
        for stats in self.stats.values():
            latency_ms = self._deliveries.latency(stats.stream)
            yield stats.health(self._clock.utc(now_ns), dropped=dropped, latency_ms=latency_ms)

    def _ends(self, has_ended: Callable[[str], bool]) -> Iterator[Event]:
        """Announce each stream that has ended, once."""
        for worker in self._workers:
            name = worker.stream.name
            if name in self._announced or not has_ended(name):
                continue
            self._announced.add(name)
            self.stats[name].source_ended()
            # Offline the event carries the file's own time: a recording must not depend on when it was made.
            t_ns = self._clock.utc(monotonic_ns()) if worker.stream.info.live else self._last_capture_ns[name]
            detail = str(worker.failure) if worker.failure is not None else ""
            yield Event(stream=name, t_ns=t_ns, event="source_ended", detail=detail)

    def _source_event(self, stream: str, event: SourceChange, downtime_s: float, detail: str) -> None:
        """Called by capture threads."""
        if event == "source_lost":
            self.stats[stream].source_lost()
            log.warning("%s: source lost: %s", stream, detail)
        else:
            self.stats[stream].source_back(downtime_s)
            log.warning("%s: source back after %.1f s", stream, downtime_s)
        self._events.put(
            Event(
                stream=stream,
                t_ns=self._clock.utc(monotonic_ns()),
                event=event,
                downtime_s=downtime_s if event == "source_back" else None,
                detail=detail,
            )
        )

    def _pending_events(self) -> Iterator[Event]:
        while True:
            try:
                yield self._events.get_nowait()
            except Empty:
                return
