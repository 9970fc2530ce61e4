"""The running stream: sources, face stages and the affect stage on their threads, and the messages that come out.

Each stream has a capture thread and a face thread; one affect stage, in the thread that iterates over `messages`,
serves all streams. Live, a capture thread replaces frames that nobody has looked at yet, so latency never grows;
offline, every queue makes its producer wait, and nothing is lost or reordered.
"""

import logging
import threading
from collections.abc import Callable, Generator, Iterator, Mapping, Sequence
from dataclasses import dataclass
from queue import Empty, SimpleQueue
from typing import Literal

from streamaffect.assemble import Assembler
from streamaffect.channel import Channel, Closed, Mailbox
from streamaffect.clock import Clock, monotonic_ns
from streamaffect.errors import SourceError
from streamaffect.estimate import Estimator
from streamaffect.runtime.bundle import Bundle
from streamaffect.runtime.engine import Engine
from streamaffect.sources.base import Source, SourceInfo, SourceSettings
from streamaffect.sources.supervise import Backoff, frames
from streamaffect.stages import AffectStage, FaceStage
from streamaffect.stats import StreamStats
from streamaffect.types import Estimate, Event, EventName, Frame, Message, Sightings

log = logging.getLogger(__name__)

OFFLINE_FRAMES = 8
HEALTH_PERIOD_S = 1.0
POLL_S = 0.1
JOIN_S = 1.0


@dataclass(frozen=True, slots=True)
class Stream:
    """A source that has been opened, its name on the wire, and the stage that will look at its frames."""

    name: str
    source: Source
    info: SourceInfo
    faces: FaceStage

    def close(self) -> None:
        """Let go of the source and of the detector."""
        self.source.close()
        self.faces.close()


class _Worker:
    """The capture and face threads of one stream."""

    def __init__(
        self,
        stream: Stream,
        mailbox: Mailbox[Sightings],
        stop: threading.Event,
        on_source: Callable[[str, Literal["source_lost", "source_back"], float, str], None],
        *,
        backoff: Backoff,
        max_file_s: float | None,
    ) -> None:
        self.stream = stream
        self.failure: Exception | None = None
        self._mailbox = mailbox
        self._stop = stop
        self._on_source = on_source
        self._backoff = backoff
        self._max_file_s = max_file_s
        live = stream.info.live
        self._frames: Channel[Frame] = Channel(1 if live else OFFLINE_FRAMES, newest_wins=live)
        self._threads = [
            threading.Thread(target=self._guard, args=(self._capture,), name=f"capture-{stream.name}", daemon=True),
            threading.Thread(target=self._guard, args=(self._look,), name=f"faces-{stream.name}", daemon=True),
        ]

    def start(self) -> None:
        for thread in self._threads:
            thread.start()

    def close(self) -> None:
        """Stop both threads; one that is stuck in native code is left behind as a daemon."""
        self._frames.close()
        self._mailbox.close(self.stream.name)
        self.stream.source.close()
        for thread in self._threads:
            thread.join(JOIN_S)
        if not self._threads[1].is_alive():
            self.stream.faces.close()

    def _guard(self, work: Callable[[], None]) -> None:
        try:
            work()
        except Closed:
            pass
        except Exception as error:
            log.error("%s: %s: %s", self.stream.name, type(error).__name__, error)
            self.failure = error
        finally:
            self._frames.close()
            if work == self._look:
                self._mailbox.close(self.stream.name)

    def _capture(self) -> None:
        first_s: float | None = None
        for frame in frames(
            self.stream.source,
            stop=self._stop,
            on_event=lambda event, downtime_s, detail: self._on_source(self.stream.name, event, downtime_s, detail),
            backoff=self._backoff,
        ):
            first_s = frame.time_s if first_s is None else first_s
            if self._max_file_s is not None and frame.time_s - first_s >= self._max_file_s:
                return
            self._frames.put(frame)

    def _look(self) -> None:
        while True:
            self._mailbox.put(self.stream.name, self.stream.faces.look(self._frames.get()))


class Pipeline:
    """Everything that runs between the sources and the sinks.

    streams:     opened sources; they are closed with the pipeline
    settings:    how a live source that is lost is tried again
    max_seconds: end after so long: of a file's own time offline, of real time live
    dropped:     counts of what each sink had to drop, asked for each health message
    """

    def __init__(
        self,
        streams: Sequence[Stream],
        bundle: Bundle,
        engine: Engine,
        *,
        settings: SourceSettings,
        max_seconds: float | None = None,
        dropped: Callable[[], dict[str, int]] = dict,
    ) -> None:
        self.is_live = any(stream.info.live for stream in streams)
        self.stats: Mapping[str, StreamStats] = {
            stream.name: StreamStats(stream.name, duration_s=None if stream.info.live else stream.info.duration_s)
            for stream in streams
        }
        self._clock = Clock.now()
        self._stop = threading.Event()
        self._max_live_s = max_seconds if self.is_live else None
        self._dropped = dropped
        self._events: SimpleQueue[Event] = SimpleQueue()
        self._mailbox: Mailbox[Sightings] = Mailbox(list(self.stats), capacity=1 if self.is_live else OFFLINE_FRAMES)
        self._affect = AffectStage(
            Estimator(bundle, engine), {stream.name: Assembler(stream.name, bundle) for stream in streams}
        )
        self._last_capture_ns = dict.fromkeys(self.stats, 0)
        self._workers = [
            _Worker(
                stream,
                self._mailbox,
                self._stop,
                self._source_event,
                backoff=Backoff.of(settings),
                max_file_s=None if self.is_live else max_seconds,
            )
            for stream in streams
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
        for worker in self._workers:
            if worker.failure is not None and not isinstance(worker.failure, SourceError):
                raise worker.failure

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
            now_ns = monotonic_ns()
            if now_ns - health_ns >= HEALTH_PERIOD_S * 1e9:
                health_ns = now_ns
                yield from self._health(now_ns)
            if self._max_live_s is not None and now_ns - started_ns >= self._max_live_s * 1e9:
                break
        yield from self._pending_events()
        yield from self._ended()

    def _estimate(self, batch: list[tuple[str, Sightings]]) -> Iterator[Message]:
        for message in self._affect.estimate(batch):
            if isinstance(message, Estimate):
                self.stats[message.stream].take_estimate(message)
            yield message
        for stream, sightings in batch:
            self._last_capture_ns[stream] = sightings.frame.t_capture_ns
            self.stats[stream].take_frame(sightings)

    def _health(self, now_ns: int) -> Iterator[Message]:
        dropped = self._dropped()
        for stats in self.stats.values():
            yield stats.health(self._clock.utc(now_ns), dropped)

    def _ended(self) -> Iterator[Message]:
        for worker in self._workers:
            name = worker.stream.name
            self.stats[name].source_ended()
            # Offline the event carries the file's own time: a recording must not depend on when it was made.
            t_ns = self._clock.utc(monotonic_ns()) if worker.stream.info.live else self._last_capture_ns[name]
            detail = str(worker.failure) if worker.failure is not None else ""
            yield Event(stream=name, t_ns=t_ns, event="source_ended", detail=detail)
        yield from self._health(monotonic_ns())

    def _source_event(self, stream: str, event: EventName, downtime_s: float, detail: str) -> None:
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
