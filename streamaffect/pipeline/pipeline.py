"""The running stream: sources, face stages and the affect stage on their threads, and the messages that come out.

Each stream has a capture thread and a thread that finds its faces; one thread with the engine serves all streams. The
thread that iterates over `messages` does none of that work: it passes messages on, reports the health of the streams,
and watches over the others, so that one which hangs is seen and replaced. Live, a frame that nobody has looked at yet
is replaced by a newer one, so latency never grows; offline, every queue makes its producer wait, and nothing is lost
or reordered.
"""

import logging
import os
import threading
from collections.abc import Callable, Generator, Iterator, Mapping, Sequence

import msgspec

from streamaffect.affect.assemble import Assembler
from streamaffect.affect.votes import VoteCounter, voted_on
from streamaffect.clock import Clock, monotonic_ns
from streamaffect.errors import ControlError, FaultError, SourceError
from streamaffect.lenses.view import LensPart
from streamaffect.messages import Estimate, Event, Message, Meta
from streamaffect.pipeline.at_exit import close_at_exit
from streamaffect.pipeline.bulletin import Bulletin
from streamaffect.pipeline.changes import Changes
from streamaffect.pipeline.channel import Channel, Closed
from streamaffect.pipeline.exchange import Exchange, Mailbox
from streamaffect.pipeline.meta import head_metas, make_meta
from streamaffect.pipeline.remarks import remark
from streamaffect.pipeline.stations.base import Care, Tell
from streamaffect.pipeline.stations.engine import Ended, EngineStation, Estimated, OpenEngine, Output
from streamaffect.pipeline.stations.pace import Pace
from streamaffect.pipeline.stations.vigil import Vigil
from streamaffect.pipeline.stations.watch import Watch
from streamaffect.pipeline.stats import NO_SINKS, Deliveries, StreamStats
from streamaffect.pipeline.turns import Turns
from streamaffect.pipeline.worker import OFFLINE_FRAMES, Stream, Worker
from streamaffect.runtime.bundle import Bundle
from streamaffect.runtime.engine import EngineInfo, StreamEngine
from streamaffect.settings import SourceSettings, TrackerSettings, Whose
from streamaffect.sources.parse import split_name
from streamaffect.sources.supervise import Backoff
from streamaffect.types import Sightings

log = logging.getLogger(__name__)

HEALTH_PERIOD_S = 1.0
POLL_S = 0.1
JOIN_S = 0.7
PATIENCE_S = 10.0
LIVE_OUTPUTS = 2
ENOUGH_S = 2.0  # of a run that somebody has stopped, for a word on what it has not shown


class Pipeline:
    """Everything that runs between the sources and the sinks.

    streams:     opened sources; they are closed with the pipeline
    settings:    how a live source that is lost is tried again
    max_seconds: end after so long: of a file's own time offline, of real time live
    deliveries:  what the sinks say of the messages; without sinks they say nothing
    reopen:      opens an engine in the place of one that failed: from what that was, and how often in a row; without
                 it, an engine that fails ends the run
    pauses:      between a failure of an engine or a detector and the next one
    patience_s:  a call of an engine or a detector that takes longer has hung
    open_stream: opens a further stream, from "NAME=SOURCE"; without it none can be added
    lenses:      look at what the engine computes, and add outputs
    cap_fps:     frames a second of each stream that are analysed at most; None: all
    priorities:  by stream, its share of what can be done under overload, beside 1 of any other
    look:        is shown each picture of a stream, with its faces, after its estimates; it must not wait
    run:         id of the run, for `meta`; empty where it has none
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
        reopen: OpenEngine | None = None,
        pauses: Backoff | None = None,
        patience_s: float = PATIENCE_S,
        open_stream: Callable[[str], Stream] | None = None,
        lenses: Sequence[LensPart] = (),
        cap_fps: float | None = None,
        priorities: Mapping[str, float] | None = None,
        look: Callable[[str, Sightings], None] | None = None,
        run: str = "",
    ) -> None:
        self.is_live = any(stream.info.live for stream in streams)
        self.stats: dict[str, StreamStats] = {stream.name: _stats(stream) for stream in streams}
        self._streams = list(streams)
        self._bundle = bundle
        self.lenses = lenses
        self._run_id = run
        self._lens_metas = [lens.meta for lens in lenses]
        self._clock = Clock.now()
        self._seen_step = self._clock.last_step.number
        self._process = os.getpid()
        self._stop = threading.Event()
        self._max_s = max_seconds
        self._pace = Pace(cap_fps, priorities)
        self._deliveries = deliveries
        self._bulletin = Bulletin(self.stats, self._clock)
        self._announced: set[str] = set()
        # A camera has no end at which its frames could be counted.
        self._files = {stream.name for stream in streams if not stream.info.live or stream.info.duration_s is not None}
        self._votes = VoteCounter(voted_on([*head_metas(bundle), *self._lens_metas]))
        self._is_cut_short = False
        self._pauses = pauses or Backoff()
        names = list(self.stats)
        self._turns: Turns[Sightings] | None = Turns(names) if self.is_live else None
        self._exchange: Exchange[Sightings] = self._turns or Mailbox(names, capacity=OFFLINE_FRAMES)
        self._changes = Changes(used=names)
        self._open_stream = open_stream
        self._look = look
        self._outputs: Channel[Output] = Channel(LIVE_OUTPUTS if self.is_live else OFFLINE_FRAMES, newest_wins=False)
        vigil = Vigil()
        self._engine = EngineStation(
            bundle,
            engine,
            self._care(self._bulletin.engine),
            assemblers={one.name: Assembler(one.name, bundle, one.fusion, one.both) for one in streams},
            exchange=self._exchange,
            outputs=self._outputs,
            vigil=vigil if self.is_live else None,
            reopen=reopen,
            lenses=lenses,
        )
        self._settings = settings
        self._workers = [self._worker(stream) for stream in streams]
        faces = {worker.stream.name: worker.faces for worker in self._workers}
        self._watch = Watch(self._engine, faces, vigil, patience_s=patience_s)
        self._sounds = {stream.name: stream.sound for stream in streams if stream.sound is not None}
        for name, sound in self._sounds.items():
            sound.tell_changes_to(self._bulletin.of_sound(name))
        self._speaker = engine.info

    @property
    def metas(self) -> Sequence[Meta]:
        """What a subscriber must know of each stream, now."""
        return self._metas(self._speaker)

    @property
    def lengths_s(self) -> Mapping[str, float]:
        """Seconds of those streams that are files of a known length."""
        lengths = {stream.name: stream.info.duration_s for stream in self._streams}
        return {name: length_s for name, length_s in lengths.items() if length_s is not None}

    @property
    def remarks(self) -> Sequence[str]:
        """Which streams have given no estimates, and why; to be asked once, at the end."""
        surveys = {stream.name: stream.faces.survey for stream in self._streams}
        told = {name: stats for name, stats in self.stats.items() if stats.span_s >= ENOUGH_S or not self._is_cut_short}
        remarks = (remark(stats, surveys[name]) for name, stats in told.items())
        return [text for text in remarks if text is not None]

    def now_ns(self, stream: str) -> int | None:
        """What time it is in a stream, as its estimates count it; None where there is no such stream."""
        stats = self.stats.get(stream)
        return None if stats is None else self._bulletin.now_ns(stats)

    def add(self, source: str) -> str:
        """Open "SOURCE" or "NAME=SOURCE" and let it begin, while the others go on; returns the stream's name.

        Callable from any thread but that of the messages. Raises ControlError, ConfigError or SourceError where it
        cannot be done.
        """
        open_stream = self._open_stream
        if self._turns is None or open_stream is None:
            raise ControlError("files that are read offline have their streams from the start; start another run")
        name = split_name(source)[0]
        self._changes.add(name, lambda: open_stream(source))
        return name

    def remove(self, name: str) -> None:
        """End a stream, while the others go on; callable from any thread. Raises ControlError where that can't be."""
        running = [stream for stream, stats in list(self.stats.items()) if stats.state != "ended"]
        if name not in self.stats:
            raise ControlError(f"stream {name!r}: there is none; there are {', '.join(self.stats)}")
        if running == [name]:
            raise ControlError(f"stream {name!r}: is the only one that runs; `streamaffect ctl stop` ends the run")
        if self._turns is None:
            raise ControlError("files that are read offline end by themselves; `streamaffect ctl stop` ends the run")
        self._changes.remove(name)
        for worker in self._workers:
            if worker.stream.name == name:
                worker.close()

    def give_voice(self, name: str, whose: Whose) -> None:
        """Say whose voice a stream hears from now on; callable from any thread. Raises ControlError where none is."""
        speaker = next((stream.faces.speaker for stream in list(self._streams) if stream.name == name), None)
        if speaker is None:
            raise ControlError(f"stream {name!r}: nobody listens; start the run with --sound auto or --sound mic")
        speaker.give(whose)

    def retune(self, tracker: TrackerSettings, source: SourceSettings) -> None:
        """Follow the faces of all streams by other settings, and try lost sources of later streams by others.

        Callable from any thread.
        """
        self._settings = source
        for worker in list(self._workers):
            worker.faces.retune(tracker)

    def stop(self) -> None:
        """End soon; callable from any thread and from a signal handler."""
        self._is_cut_short = True
        self._stop.set()

    def close(self) -> None:
        """End within a second; what is stuck in native code is left behind. May be called again."""
        if os.getpid() != self._process:
            return  # a fork has copied this run, but none of its threads
        self._stop.set()
        self._changes.close()
        self._outputs.close()
        for worker in self._workers:
            worker.close()
        deadline_ns = monotonic_ns() + round(JOIN_S * 1e9)
        self._engine.join(deadline_ns)
        for worker in self._workers:
            worker.join(deadline_ns)
        self._engine.close()

    @property
    def has_stuck_threads(self) -> bool:
        """True where native code did not come back: then the interpreter cannot end in order."""
        return self._engine.is_alive or any(worker.is_alive for worker in self._workers)

    @property
    def has_failed(self) -> bool:
        """True where a source ended before its time."""
        return any(worker.failure is not None for worker in self._workers)

    def messages(self) -> Generator[Message, None, None]:
        """Start, and yield all messages in order until every source has ended or `stop` was called.

        Raises the first failure that was not a source's own, after the other streams have ended.
        """
        close_at_exit(self)
        self._engine.start()
        for worker in self._workers:
            worker.start()
        try:
            yield from self._run()
        finally:
            self.close()
        for failure in (self._engine.failure, *(worker.failure for worker in self._workers)):
            if failure is not None and not isinstance(failure, SourceError):
                raise failure

    def _run(self) -> Iterator[Message]:
        started_ns = looked_ns = health_ns = monotonic_ns()
        while not self._stop.is_set():
            try:
                output = self._outputs.poll(POLL_S)
            except Closed:
                break
            now_ns = monotonic_ns()
            if now_ns - looked_ns >= POLL_S * 1e9:
                looked_ns = now_ns
                self._look_around()
            yield from self._news()
            yield from self._change()
            if isinstance(output, Estimated):
                yield from self._finish(output)
            elif isinstance(output, Ended):
                yield from self._end(output.stream)
                yield from self._let_go(output.stream)
            if now_ns - health_ns >= HEALTH_PERIOD_S * 1e9:
                health_ns = now_ns
                yield from self._health()
            if self.is_live and self._max_s is not None and now_ns - started_ns >= self._max_s * 1e9:
                break
        yield from self._news()
        # Files end here even if one was longer: where exactly its end was noticed depends on the load.
        for stream in self.stats:
            yield from self._end(stream)
        yield from self._health()

    def _change(self) -> Iterator[Message]:
        """Take in the streams that were opened meanwhile, and end those that are to leave."""
        for arrival in self._changes.opened():
            yield from self._take_in(arrival.stream)
            arrival.done.set()
        for name in self._changes.leaving():
            if name in self._announced:  # it had ended by itself
                yield from self._let_go(name)
        for name in self._changes.left():
            self._forget(name)

    def _take_in(self, stream: Stream) -> Iterator[Message]:
        turns = self._turns
        assert turns is not None  # `add` has seen to it
        self.stats[stream.name] = _stats(stream)
        turns.join(stream.name)
        self._engine.join_stream(stream.name, Assembler(stream.name, self._bundle, stream.fusion, stream.both))
        worker = self._worker(stream)
        self._streams.append(stream)
        self._workers.append(worker)
        self._watch.join(stream.name, worker.faces)
        worker.start()
        t_ns = self._clock.utc(monotonic_ns()) if stream.info.live else 0
        yield self._meta(stream, self._speaker, t_ns)
        yield self._bulletin.command(stream.name, "stream_added", stream.info.address)

    def _let_go(self, name: str) -> Iterator[Message]:
        """The last words of a stream that was removed; what it holds is given back by a thread of its own."""
        if self._changes.is_leaving(name):
            yield self.stats[name].health(
                self._clock.utc(monotonic_ns()),
                dropped=self._deliveries.dropped(),
                latency_ms=None,
                gate=self._pace.gate(name),
            )
            yield self._bulletin.command(name, "stream_removed", "")
            self._changes.let_go(next(worker for worker in self._workers if worker.stream.name == name))

    def _forget(self, name: str) -> None:
        """Its threads are gone: let nothing remember the stream."""
        assert self._turns is not None
        self._turns.leave(name)
        self._engine.leave_stream(name)
        self._watch.leave(name)
        self._pace.leave(name)
        self._workers = [worker for worker in self._workers if worker.stream.name != name]
        self._streams = [stream for stream in self._streams if stream.name != name]
        self._announced.discard(name)
        del self.stats[name]

    def _look_around(self) -> None:
        """See what no thread tells of itself: that one hangs, that the system clock was set, that there was a fork."""
        if os.getpid() != self._process:
            raise FaultError(f"this run belongs to process {self._process}, and so do its threads; start another one")
        self._watch.pass_by()
        if self.is_live:
            self._pace.look(monotonic_ns(), {name: self._watch.trouble(name) for name in self.stats})
        self._listen()
        self._clock.follow()
        step = self._clock.last_step
        if step.number != self._seen_step:
            self._seen_step = step.number
            self._bulletin.clock_step(step)
            if step.slept_s > 0:
                self._engine.start_contexts_anew()

    def _listen(self) -> None:
        """See which live stream shows pictures and has gone quiet."""
        now_ns = monotonic_ns()
        for name, sound in self._sounds.items():
            if self.stats[name].is_live and self.stats[name].state == "live":
                sound.look(now_ns)

    def _news(self) -> Iterator[Message]:
        """What was told since this was last asked; after a change of engines or prompts, who speaks now."""
        yield from self._bulletin.pending()
        engine, lens_metas = self._engine.engine, [lens.meta for lens in self.lenses]
        if engine is not self._speaker or any(
            new is not old and new != old for new, old in zip(lens_metas, self._lens_metas, strict=True)
        ):
            self._speaker, self._lens_metas = engine, lens_metas
            yield from self._metas(engine)

    def _finish(self, output: Estimated) -> Iterator[Message]:
        for message in output.messages:
            if isinstance(message, Estimate):
                self.stats[message.stream].take_estimate(has_values=message.status != "abstain")
                if message.stream in self._files:
                    self._votes.take(message)
            yield message
        for stream, sightings in output.batch:
            if stream in output.stale:
                self._pace.gate(stream).in_trouble("stale")
            else:
                self.stats[stream].take_frame(sightings)
                self._pace.gate(stream).finished(sightings.frame.index)
                if self._look is not None:
                    self._look(stream, sightings)

    def _health(self) -> Iterator[Message]:
        dropped, outlets = self._deliveries.dropped(), self._deliveries.faults()
        t_ns = self._clock.utc(monotonic_ns())
        for stats in self.stats.values():
            if self._changes.is_gone(stats.stream):
                continue
            latency_ms, fault = self._deliveries.latency(stats.stream), self._watch.fault(stats.stream)
            sound = self._sounds.get(stats.stream)
            heard = msgspec.UNSET if sound is None else sound.health(stats.last_s)
            yield stats.health(
                t_ns,
                dropped=dropped,
                latency_ms=latency_ms,
                fault=fault,
                outlets=outlets,
                sound=heard,
                gate=self._pace.gate(stats.stream),
            )

    def _end(self, stream: str) -> Iterator[Event]:
        """Announce that a stream has ended, once."""
        if stream in self._announced:
            return
        self._announced.add(stream)
        failure = next(worker.failure for worker in self._workers if worker.stream.name == stream)
        yield from self._bulletin.votes(stream, self._votes.pop(stream))
        yield self._bulletin.ended(stream, str(failure) if failure is not None else "")

    def _care(self, tell: Tell) -> Care:
        return Care(self._stop, self._pauses, lossless=not self.is_live, tell=tell)

    def _worker(self, stream: Stream) -> Worker:
        return Worker(
            stream,
            self._exchange,
            self._care(self._bulletin.of_detector(stream.name)),
            on_source=self._bulletin.source,
            backoff=Backoff.of(self._settings),
            max_file_s=None if self.is_live else self._max_s,
            gate=self._pace.gate(stream.name),
        )

    def _metas(self, engine: EngineInfo) -> list[Meta]:
        t_ns = self._clock.utc(monotonic_ns())
        return [self._meta(stream, engine, t_ns if stream.info.live else 0) for stream in self._streams]

    def _meta(self, stream: Stream, engine: EngineInfo, t_ns: int) -> Meta:
        return make_meta(stream, self._bundle, engine, t_ns=t_ns, lenses=self._lens_metas, run=self._run_id)


def _stats(stream: Stream) -> StreamStats:
    live = stream.info.live
    return StreamStats(stream.name, duration_s=None if live else stream.info.duration_s, is_live=live)
