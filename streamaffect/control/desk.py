"""The desk of a run: where commands are carried out, from the control address, a key or a marker of another program.

It sees the messages pass, so that it knows the streams as their subscribers do, and adds events beside them.
"""

import logging
import threading
from collections.abc import Callable, Iterable, Iterator
from contextlib import suppress
from dataclasses import dataclass, field
from typing import Protocol, assert_never

from streamaffect.affect.baselines import Baselines
from streamaffect.clock import Clock
from streamaffect.clock import monotonic_ns as read_monotonic_ns
from streamaffect.errors import ControlError
from streamaffect.feed.commands import (
    Add,
    BaselineClear,
    BaselineStart,
    Command,
    Drain,
    Mark,
    Prompts,
    Remove,
    Reply,
    Restart,
    RunReport,
    Status,
    Stop,
    StreamReport,
    Streams,
    VoiceOf,
    checked_label,
    made_label,
)
from streamaffect.messages import Event, EventName, Health, Message, Meta
from streamaffect.prompts.lens import PromptLens
from streamaffect.prompts.reading import checked_prompts
from streamaffect.redaction import clean
from streamaffect.settings import Whose

log = logging.getLogger(__name__)

ENDING = "the run is about to end"
EARLIEST_S = 600.0  # how long ago a moment may be that is marked now
LATEST_S = 1.0


class Run(Protocol):
    """What a desk needs of where the messages come from; see `streamaffect.verbs.origin.Origin`."""

    def now_ns(self, stream: str) -> int | None:
        """What time it is in a stream."""
        ...

    def add(self, source: str) -> str:
        """Begin a stream, return its name."""
        ...

    def remove(self, name: str) -> None:
        """End a stream."""
        ...

    def give_voice(self, name: str, whose: Whose) -> None:
        """Say whose voice a stream hears."""
        ...


@dataclass(frozen=True, slots=True)
class Office:
    """What a desk works with.

    tell:      hands an event to all sinks, False where the run is about to end; stop: ends the run
    feed:      the address of the feed
    recording: where the run is recorded, empty where it is not; asked each time
    baselines: see the messages before the desk does
    prompts:   the lens whose sentences may be changed; None where the run has none
    """

    tell: Callable[[Message], bool]
    stop: Callable[[], None]
    feed: str
    recording: Callable[[], str]
    baselines: Baselines = field(default_factory=Baselines)
    prompts: PromptLens | None = None


class Desk:
    """Carries out commands, from any number of threads; `watch` belongs to the thread of the messages."""

    def __init__(self, run: Run, office: Office) -> None:
        self._run = run
        self._office = office
        self._clock = Clock.now()
        self._lock = threading.Lock()
        self._metas: dict[str, Meta] = {}
        self._health: dict[str, Health] = {}
        self._ended: set[str] = set()
        self._baselines: dict[str, str] = {}
        self._baseline_events: dict[str, int] = {}
        self._markers = 0
        self._started_ns = read_monotonic_ns()

    @property
    def prompts(self) -> PromptLens | None:
        """The lens whose sentences may be changed, where the run has one."""
        return self._office.prompts

    def watch(self, messages: Iterable[Message]) -> Iterator[Message]:
        """The messages as they are, of which the desk takes note."""
        for message in messages:
            if not isinstance(message, Meta | Health | Event):
                yield message
                continue
            with self._lock:
                self._note(message)
            yield message

    def do(self, command: Command, *, origin: str) -> Reply:
        """Carry out a command of `origin`. Raises StreamAffectError where it is refused, and why."""
        match command:
            case Mark():
                t_ns = self.mark(command.label, origin=origin, stream=command.stream, t_ns=command.t_ns)
                return Reply(ok=True, text=f"marked: {command.label}", t_ns=t_ns)
            case BaselineStart() | BaselineClear():
                return self._baseline(command, origin)
            case Prompts():
                return self._prompts(command, origin)
            case VoiceOf() | Add() | Remove():
                return self._change(command, origin)
            case Streams() | Status():
                run = self._report() if isinstance(command, Status) else None
                return Reply(ok=True, streams=self._streams(), run=run)
            case Stop():
                with suppress(ControlError):  # nothing runs any more, or what is played back takes no event
                    self._tell_all("stop_asked", origin=origin)
                self._office.stop()
                return Reply(ok=True, text="the run is ending")
            case Drain() | Restart():
                raise ControlError("this is a single run; drain and restart are for the groups of `streamaffect fleet`")
        assert_never(command)

    def mark(self, label: str, *, origin: str, stream: str | None = None, t_ns: int | None = None) -> int:
        """Mark a moment in one stream or in all that run; returns it as UTC nanoseconds.

        t_ns: the moment, None is now; a file that is read offline is marked at the picture that has come last
        Raises ControlError where the label cannot be one, where there is no such stream, or the moment is not of now.
        """
        now_ns = self._clock.utc(read_monotonic_ns())
        checked_label(label)
        if t_ns is not None and not -EARLIEST_S * 1e9 <= t_ns - now_ns <= LATEST_S * 1e9:
            raise ControlError(
                f"t_ns {t_ns}: is {abs(t_ns - now_ns) / 1e9:.1f} s {'before' if t_ns < now_ns else 'after'} now "
                f"({now_ns}); a moment of the last {EARLIEST_S:g} s can be marked, in UTC nanoseconds"
            )
        at_ns = now_ns if t_ns is None else t_ns
        for name, live in self._running(stream):
            own_ns = self._run.now_ns(name)
            own_ns = at_ns if live or own_ns is None else own_ns
            event = Event(stream=name, t_ns=own_ns, event="marker", label=label, origin=origin)
            if not self._office.tell(event):
                raise ControlError(ENDING)
        with self._lock:
            self._markers += 1
        return at_ns

    def mark_whatever(self, text: str, *, origin: str, monotonic_ns: int) -> None:
        """Mark a moment with what a device has sent. Never raises, and loses nothing while a stream runs."""
        t_ns = self._clock.utc(monotonic_ns)
        now_ns = self._clock.utc(read_monotonic_ns())
        if not -EARLIEST_S * 1e9 <= t_ns - now_ns <= LATEST_S * 1e9:
            log.warning("%s: a marker's time is %.1f s off; it is set where it came", origin, (t_ns - now_ns) / 1e9)
            t_ns = now_ns
        try:
            self.mark(made_label(text), origin=origin, t_ns=t_ns)
        except ControlError as error:
            log.warning("%s: the marker %r was not set: %s", origin, text[:60], error)

    def _baseline(self, command: BaselineStart | BaselineClear, origin: str) -> Reply:
        for name, _ in self._running(command.stream):
            self._run.now_ns(name)  # a recording that is played back refuses
        if isinstance(command, BaselineClear):
            self._office.baselines.clear(stream=command.stream, origin=origin)
            return Reply(ok=True, text="the baseline is cleared")
        self._office.baselines.start(command.seconds, stream=command.stream, origin=origin)
        return Reply(ok=True, text=f"a neutral face, please, for {command.seconds:g} s")

    def _prompts(self, command: Prompts, origin: str) -> Reply:
        lens = self._office.prompts
        if lens is None:
            raise ControlError(
                "this run looks for no prompts; start it with --prompts, e.g. --prompts 'she is beaming'"
            )
        if command.prompts:
            lens.change(checked_prompts(command.prompts))
            self.tell_of_prompts(lens, origin=origin)
        return Reply(ok=True, text="\n".join(lens.in_words))

    def tell_of_prompts(self, lens: PromptLens, *, origin: str) -> None:
        """Say in all streams that run that other sentences are looked for."""
        with suppress(ControlError):  # no stream has begun, or all have ended
            self._tell_all("prompts_changed", origin=origin, detail="; ".join(lens.names))

    def _give_voice(self, command: VoiceOf, origin: str) -> Reply:
        name, whose = command.stream, command.track
        [(_, live)] = self._running(name)
        self._run.give_voice(name, whose)
        track = whose if isinstance(whose, int) else None
        words = {"only": "the face that is alone in view", "largest": "the largest face", "nobody": "nobody"}
        detail = f"to face {whose}" if isinstance(whose, int) else f"to {words[whose]}"
        now_ns = self._run.now_ns(name)
        t_ns = self._clock.utc(read_monotonic_ns()) if live or now_ns is None else now_ns
        self._office.tell(Event(stream=name, t_ns=t_ns, event="voice_given", track=track, origin=origin, detail=detail))
        return Reply(ok=True, text=f"{name}: the voice belongs {detail}")

    def _change(self, command: VoiceOf | Add | Remove, origin: str) -> Reply:
        if isinstance(command, VoiceOf):
            return self._give_voice(command, origin)
        if isinstance(command, Add):
            return Reply(ok=True, text=f"{self._run.add(command.source)}: added")
        self._run.remove(command.name)
        return Reply(ok=True, text=f"{command.name}: is being removed")

    def _note(self, message: Meta | Health | Event) -> None:
        match message:
            case Meta():
                self._metas[message.stream] = message
            case Health():
                self._health[message.stream] = message
            case Event(event="source_ended"):
                self._ended.add(message.stream)
            case Event(event=str(event)) if event.startswith("baseline_"):
                track = "" if message.track is None else f" of face {message.track}"
                self._baseline_events[message.stream] = self._baseline_events.get(message.stream, 0) + 1
                words = f"{event.replace('_', ' ')}{track}"
                self._baselines[message.stream] = f"{words}: {message.detail}" if message.detail else words
            case Event(event="stream_removed"):
                self._metas.pop(message.stream, None)
                self._health.pop(message.stream, None)
                self._ended.discard(message.stream)

    def _running(self, stream: str | None) -> list[tuple[str, bool]]:
        """The streams that a command is about, and whether each is live. Raises ControlError where there is none."""
        with self._lock:
            running = {name: meta.live for name, meta in self._metas.items() if name not in self._ended}
        if stream is not None:
            if stream not in running:
                raise ControlError(
                    f"stream {stream!r}: none of that name runs; there is {', '.join(running) or 'none'}"
                )
            return [(stream, running[stream])]
        if not running:
            raise ControlError("no stream runs at the moment")
        return list(running.items())

    def _tell_all(self, event: EventName, *, origin: str, detail: str = "") -> None:
        for name, live in self._running(None):
            now_ns = self._run.now_ns(name)
            t_ns = self._clock.utc(read_monotonic_ns()) if live or now_ns is None else now_ns
            self._office.tell(Event(stream=name, t_ns=t_ns, event=event, origin=origin, detail=detail))

    def _streams(self) -> list[StreamReport]:
        with self._lock:
            return [self._stream(meta, self._health.get(name)) for name, meta in self._metas.items()]

    def _stream(self, meta: Meta, health: Health | None) -> StreamReport:
        source = clean(meta.source)
        if health is None:
            return StreamReport(stream=meta.stream, source=source, live=meta.live, state="starting")
        return StreamReport(
            stream=meta.stream,
            source=source,
            live=meta.live,
            state="ended" if meta.stream in self._ended else health.state,
            fault=clean(health.fault),
            fps_out=round(health.fps_out, 3),
            faces=health.faces,
            estimates=health.estimates,
            baseline=self._baselines.get(meta.stream, ""),
            baseline_events=self._baseline_events.get(meta.stream, 0),
        )

    def _report(self) -> RunReport:
        with self._lock:
            first = next(iter(self._metas.values()), None)
            markers = self._markers
        return RunReport(
            software="" if first is None else first.software,
            model="" if first is None else first.model,
            engine="" if first is None else first.engine,
            feed=self._office.feed,
            uptime_s=round((read_monotonic_ns() - self._started_ns) / 1e9, 3),
            recording=clean(self._office.recording()),
            markers=markers,
        )
