"""What happens once in a run: told by any of its threads, passed on by the one that iterates over the messages."""

import logging
from collections.abc import Iterable, Iterator, Mapping
from functools import partial
from queue import Empty, SimpleQueue
from typing import Final

from streamaffect.affect.votes import votes_in_words
from streamaffect.clock import Clock, Step, monotonic_ns
from streamaffect.messages import Event, EventName, Votes
from streamaffect.pipeline.hearing import SoundChange, TellChange
from streamaffect.pipeline.stations.base import Change, Tell
from streamaffect.pipeline.stats import StreamStats
from streamaffect.sources.supervise import SourceChange

log = logging.getLogger(__name__)

_ENGINE: Final[Mapping[Change, EventName]] = {"lost": "engine_lost", "back": "engine_back"}
_DETECTOR: Final[Mapping[Change, EventName]] = {"lost": "detector_lost", "back": "detector_back"}


class Bulletin:
    """Events of all streams, in the order in which they were told. It is also logged, for whoever reads logs.

    stats: of each stream; they say whether it has ended, and what time it is there
    """

    def __init__(self, stats: Mapping[str, StreamStats], clock: Clock) -> None:
        self._stats = stats
        self._clock = clock
        self._told: SimpleQueue[Event] = SimpleQueue()

    def pending(self) -> Iterator[Event]:
        """What was told since this was last asked."""
        while True:
            try:
                yield self._told.get_nowait()
            except Empty:
                return

    def source(self, stream: str, change: SourceChange, downtime_s: float, detail: str) -> None:
        """A source was lost, or is back."""
        if change == "source_lost":
            self._stats[stream].source_lost()
            log.warning("%s: source lost: %s", stream, detail)
        else:
            self._stats[stream].source_back(downtime_s)
            log.warning("%s: source back after %.1f s", stream, downtime_s)
        self._tell([stream], change, downtime_s if change == "source_back" else None, detail)

    def of_sound(self, stream: str) -> TellChange:
        """What tells of the sound of a stream."""
        return partial(self._sound, stream)

    def engine(self, change: Change, downtime_s: float, detail: str) -> None:
        """The engine was lost, or another one has taken over; it serves all streams."""
        _log("the engine", change, downtime_s, detail)
        self._tell(list(self._stats), _ENGINE[change], downtime_s if change == "back" else None, detail)

    def of_detector(self, stream: str) -> Tell:
        """What tells of the face detector of a stream."""
        return partial(self._detector, stream)

    def clock_step(self, step: Step) -> None:
        """The system clock was set, or the machine has slept."""
        log.warning("%s", step)
        for stream, stats in self._stats.items():
            if stats.is_live and stats.state != "ended":
                t_ns = self.now_ns(stats)
                self._told.put(
                    Event(stream=stream, t_ns=t_ns, event="clock_stepped", step_s=step.by_s, detail=str(step))
                )

    def command(self, stream: str, event: EventName, detail: str) -> Event:
        """What somebody has told the run to do with a stream, now."""
        return Event(stream=stream, t_ns=self.now_ns(self._stats[stream]), event=event, detail=detail)

    def votes(self, stream: str, votes: Iterable[tuple[int, Votes]]) -> Iterator[Event]:
        """What the frames of each face of a file say together."""
        t_ns = self.now_ns(self._stats[stream])
        for track, its in votes:
            yield Event(stream=stream, t_ns=t_ns, event="votes", track=track, votes=its, detail=votes_in_words(its))

    def ended(self, stream: str, detail: str) -> Event:
        """A stream that has ended now."""
        self._stats[stream].source_ended()
        return Event(stream=stream, t_ns=self.now_ns(self._stats[stream]), event="source_ended", detail=detail)

    def _detector(self, stream: str, change: Change, downtime_s: float, detail: str) -> None:
        _log(f"{stream}: the face detector", change, downtime_s, detail)
        self._tell([stream], _DETECTOR[change], downtime_s if change == "back" else None, detail)

    def _sound(self, stream: str, change: SoundChange, downtime_s: float, detail: str) -> None:
        if change == "sound_lost":
            log.warning("%s: sound lost: %s", stream, detail)
        else:
            log.warning("%s: sound back after %.1f s", stream, downtime_s)
        self._tell([stream], change, downtime_s if change == "sound_back" else None, detail)

    def _tell(self, streams: Iterable[str], event: EventName, downtime_s: float | None, detail: str) -> None:
        for stream in streams:
            stats = self._stats.get(stream)
            if stats is not None and stats.state != "ended":
                t_ns = self.now_ns(stats)
                self._told.put(Event(stream=stream, t_ns=t_ns, event=event, downtime_s=downtime_s, detail=detail))

    def now_ns(self, stats: StreamStats) -> int:
        """UTC; offline the file's own time: a recording must not depend on when it was made."""
        return self._clock.utc(monotonic_ns()) if stats.is_live else stats.last_capture_ns


def _log(what: str, change: Change, downtime_s: float, detail: str) -> None:
    if change == "lost":
        log.warning("%s failed: %s", what, detail)
    else:
        log.warning("%s works again after %.1f s: %s", what, downtime_s, detail)
