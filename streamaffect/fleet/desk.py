"""The desk of a fleet: commands as to a run, carried out by the group that they are about, or by all of them."""

import logging
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import assert_never

from streamaffect.clock import Clock, monotonic_ns
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
    Streams,
    VoiceOf,
    checked_label,
)
from streamaffect.fleet.ledger import Ledger
from streamaffect.fleet.supervisor import Supervisor
from streamaffect.names import checked_name
from streamaffect.sources.parse import split_name

log = logging.getLogger(__name__)

ANSWER_S = 4.0  # of the five for which a controller waits
OPENING_S = 55.0


class FleetDesk:
    """Carries out commands, from any number of threads.

    feed: address of the joint feed; stop: ends the fleet
    """

    def __init__(self, supervisor: Supervisor, ledger: Ledger, *, feed: str, stop: Callable[[], None]) -> None:
        self._supervisor = supervisor
        self._ledger = ledger
        self._feed = feed
        self._stop = stop
        self._clock = Clock.now()
        self._started_ns = monotonic_ns()
        self._markers = 0

    def do(self, command: Command, *, origin: str) -> Reply:
        """Carry out a command of `origin`. Raises StreamAffectError where it is refused, and why."""
        match command:
            case Mark():
                return self._mark(command)
            case BaselineStart() | BaselineClear() | VoiceOf():
                return self._told(self._groups_of(command.stream), command)[0]
            case Prompts():
                return self._told(self._groups_of(None), command)[0]
            case Add() | Remove():
                return self._add(command) if isinstance(command, Add) else self._remove(command)
            case Streams() | Status():
                return self._status() if isinstance(command, Status) else self._streams()
            case Drain() | Restart() | Stop():
                return Reply(ok=True, text=self._change(command, origin))
        assert_never(command)

    def _change(self, command: Drain | Restart | Stop, origin: str) -> str:
        log.info("%s: %s", origin, command)
        match command:
            case Drain():
                return self._supervisor.drain(command.name)
            case Restart():
                return self._supervisor.restart(command.name)
        self._stop()
        return "the fleet is ending"

    def _mark(self, command: Mark) -> Reply:
        """One moment for all groups, whenever they hear of it."""
        checked_label(command.label)
        t_ns = self._clock.utc(monotonic_ns()) if command.t_ns is None else command.t_ns
        self._told(self._groups_of(command.stream), Mark(label=command.label, stream=command.stream, t_ns=t_ns))
        self._markers += 1
        return Reply(ok=True, text=f"marked: {command.label}", t_ns=t_ns)

    def _add(self, command: Add) -> Reply:
        sources = self._supervisor.sources()
        name, _ = split_name(command.source)
        checked_name(name)
        if taken := next((one for one in self._supervisor.groups() if name in one.streams), None):
            raise ControlError(
                f"stream {name!r}: group {taken.group} has one of that name; choose another: NAME=SOURCE"
            )
        running = [one.group for one in self._supervisor.groups() if one.state == "running"]
        group = command.group or min(running, key=lambda one: len(sources[one]), default="")
        if not group:
            raise ControlError("no group runs at the moment", transient=True)
        reply = self._supervisor.ask(group, Add(source=command.source), OPENING_S)
        self._supervisor.note_sources(group, lambda now: [*now, command.source])
        return Reply(ok=True, text=f"{reply.text}, to group {group}")

    def _remove(self, command: Remove) -> Reply:
        (group,) = self._groups_of(command.name)
        reply = self._supervisor.ask(group, command, ANSWER_S)
        self._supervisor.note_sources(
            group, lambda now: [source for source in now if split_name(source)[0] != command.name]
        )
        return reply

    def _groups_of(self, stream: str | None) -> list[str]:
        """The groups that a command is about. Raises ControlError where there is none."""
        groups = self._supervisor.groups()
        if stream is None:
            running = [one.group for one in groups if one.state == "running"]
            if not running:
                raise ControlError("no group runs at the moment", transient=True)
            return running
        found = [one.group for one in groups if stream in one.streams]
        if not found:
            known = ", ".join(sorted(one for group in groups for one in group.streams))
            raise ControlError(f"stream {stream!r}: none of that name runs; there is {known or 'none'}")
        return found

    def _told(self, groups: list[str], command: Command) -> list[Reply]:
        """Tell all of these groups at once. Raises ControlError where none of them does it."""
        with ThreadPoolExecutor(max_workers=len(groups)) as pool:
            asked = [pool.submit(self._supervisor.ask, group, command, ANSWER_S) for group in groups]
        failed = [
            f"group {group}: {one.exception()}" for group, one in zip(groups, asked, strict=True) if one.exception()
        ]
        done = [one.result() for one in asked if not one.exception()]
        if not done:
            raise ControlError("; ".join(failed))
        for fault in failed:
            log.warning("%s", fault)
        return done

    def _streams(self) -> Reply:
        return Reply(ok=True, streams=self._ledger.reports())

    def _status(self) -> Reply:
        first = self._ledger.first_meta()
        run = RunReport(
            software="" if first is None else first.software,
            model="" if first is None else first.model,
            engine="" if first is None else first.engine,
            feed=self._feed,
            uptime_s=round((monotonic_ns() - self._started_ns) / 1e9, 3),
            markers=self._markers,
        )
        return Reply(ok=True, run=run, streams=self._ledger.reports(), groups=self._supervisor.groups())
