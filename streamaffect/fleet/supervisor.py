"""Keeps the groups of a fleet running: looks at each ten times a second, drains, restarts, and takes other settings.

One thread looks at every group and waits for none of them; what one group needs is in `streamaffect.fleet.care`.
"""

import logging
import threading
import time
from collections import deque
from collections.abc import Callable
from pathlib import Path

import msgspec

from streamaffect.errors import ControlError
from streamaffect.feed.commands import Command, GroupReport, Reply
from streamaffect.fleet.care import Care, JointFeed
from streamaffect.fleet.group import Group, Rooms, Seat
from streamaffect.fleet.ledger import Ledger
from streamaffect.fleet.nodes import Shunned
from streamaffect.fleet.settings import FleetConfig

log = logging.getLogger(__name__)

TICK_S = 0.1
LOOK_S = 0.25  # for room
FAULT_S = 1.0


class Supervisor:
    """All groups of a fleet. `start` begins; every method may be called from any thread.

    rooms:  the cluster
    feed:   where the groups are heard
    folder: for sockets of feeds on this machine
    clock:  seconds that never go back
    """

    def __init__(
        self,
        config: FleetConfig,
        rooms: Rooms,
        feed: JointFeed,
        ledger: Ledger,
        *,
        folder: Path,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._clock = clock
        self._ledger = ledger
        self._shunned = Shunned(rooms)
        self._care = Care(config, rooms, feed, ledger, self._shunned, folder=folder)
        self._lock = threading.RLock()
        self._looked_s = 0.0
        self._rolling: deque[str] = deque()
        self._now_rolling = ""
        self._stopped = threading.Event()
        now_s = self._clock()
        self._groups = {name: self._new_group(name, now_s) for name in config.groups}
        self._thread = threading.Thread(target=self._run, name="supervisor", daemon=True)

    def start(self) -> None:
        """Begin to start the groups."""
        self._thread.start()

    def stop(self) -> None:
        """Begin to end all groups in order; `close` waits for that."""
        with self._lock:
            self._care.is_ending = True
            for group in self._groups.values():
                self._care.drain(group, self._clock(), wanted=False)

    def close(self, within_s: float) -> None:
        """Wait for the groups to end, for so long; what runs then is ended at once."""
        self.stop()
        deadline_s = time.monotonic() + within_s
        while time.monotonic() < deadline_s and not self.is_over:
            time.sleep(TICK_S / 2)
        self._stopped.set()
        self._thread.join(TICK_S + 1.0)
        with self._lock:
            for group in self._groups.values():
                if group.seat is not None:
                    group.seat.kill()

    @property
    def is_over(self) -> bool:
        """True once nothing runs, and nothing will by itself."""
        with self._lock:
            return all(group.state in ("drained", "ended", "failed") for group in self._groups.values())

    @property
    def is_done(self) -> bool:
        """True once all groups have ended by themselves, or were given up."""
        with self._lock:
            return all(group.state in ("ended", "failed") for group in self._groups.values())

    @property
    def has_failed(self) -> bool:
        """True where a group was given up."""
        with self._lock:
            return any(group.state == "failed" for group in self._groups.values())

    @property
    def config(self) -> FleetConfig:
        """The settings by now."""
        with self._lock:
            return self._care.config

    def groups(self) -> list[GroupReport]:
        """How the groups do."""
        with self._lock:
            return [group.report for group in self._groups.values()]

    def sources(self) -> dict[str, list[str]]:
        """What each group reads by now."""
        with self._lock:
            return {name: list(group.sources) for name, group in self._groups.items()}

    def ask(self, name: str, command: Command, timeout_s: float) -> Reply:
        """Have a group carry out a command. Raises ControlError where it does not run, refuses or doesn't answer."""
        seat = self._seat_of(name)
        reply = seat.ask(command, timeout_s)
        if not reply.ok:
            raise ControlError(reply.error)
        return reply

    def note_sources(self, name: str, change: Callable[[list[str]], list[str]]) -> None:
        """Change what a group reads from its next start on; what runs was told already."""
        with self._lock:
            self._groups[name].sources = change(self._groups[name].sources)

    def drain(self, name: str) -> str:
        """End a group in order, or move all groups of a node; returns what is done. Raises ControlError."""
        with self._lock:
            if name in self._groups:
                self._care.drain(self._groups[name], self._clock(), wanted=False)
                return f"group {name}: is being drained; `ctl restart {name}` starts it again"
            node = self._shunned.drain(name)
            moving = [group.name for group in self._groups.values() if group.node_id == node.id and group.seat]
            self._rolling.extend(one for one in moving if one not in self._rolling)
            return (
                f"node {name}: {', '.join(moving) or 'no group'} moves elsewhere; `ctl restart {name}` lets it in again"
            )

    def restart(self, name: str | None) -> str:
        """Start a group anew, or all of them one after the other, or let a node in again. Raises ControlError."""
        with self._lock:
            if name is None:
                self._rolling = deque(self._groups)
                return f"{len(self._groups)} group(s) are started anew, one after the other"
            if name in self._groups:
                self._care.again(self._groups[name], self._clock())
                return f"group {name}: is started anew"
            if self._shunned.admit(name):
                return f"node {name}: takes groups again"
            raise ControlError(f"{name!r}: is no group and no drained node; groups are {', '.join(self._groups)}")

    def take(self, config: FleetConfig) -> list[str]:
        """Go on with other settings: groups come, go and are started anew; returns what is done, a line each."""
        done: list[str] = []
        now_s = self._clock()
        with self._lock:
            before, self._care.config = self._care.config, config
            for name in [name for name in self._groups if name not in config.groups]:
                self._care.drain(self._groups[name], now_s, wanted=False)
                done.append(f"group {name}: is removed")
            for name, settings in config.groups.items():
                if name not in self._groups:
                    self._groups[name] = self._new_group(name, now_s)
                    done.append(f"group {name}: is added")
                elif settings != before.groups.get(name) or config.settings != before.settings:
                    group = self._groups[name]
                    group.settings, group.sources = settings, list(settings.sources)
                    self._care.again(group, now_s, anew=True)
                    done.append(f"group {name}: is started anew with its new settings")
        return done

    def keep(self, config: FleetConfig, group: str) -> None:
        """Take the settings of one group over without starting it anew: its streams have been changed already."""
        with self._lock:
            groups = {**self._care.config.groups, group: config.groups[group]}
            self._care.config = msgspec.structs.replace(self._care.config, groups=groups)
            self._groups[group].settings = config.groups[group]

    def _run(self) -> None:
        while not self._stopped.wait(TICK_S):
            try:
                self.look(self._clock())
            except Exception as error:
                trace = error if log.isEnabledFor(logging.DEBUG) else None
                log.error("the supervisor: %s: %s", type(error).__name__, error, exc_info=trace)
                self._stopped.wait(1.0)

    def look(self, now_s: float) -> None:
        """Look at every group once, and do what is due."""
        with self._lock:
            looks_for_room = now_s - self._looked_s >= LOOK_S
            if looks_for_room:
                self._looked_s = now_s
            for group in list(self._groups.values()):
                self._care.look_at(group, now_s, looks_for_room=looks_for_room)
            gone = [group.name for group in self._groups.values() if group.state == "drained" and not self._has(group)]
            for name in gone:
                del self._groups[name]
            self._roll(now_s)
            self._care.say(self._ledger.due(now_s))

    def _roll(self, now_s: float) -> None:
        """Start the next group of a rolling restart anew, once the one before it runs again."""
        if self._now_rolling:
            group = self._groups.get(self._now_rolling)
            if group is not None and not group.is_settled:
                return
            if group is not None and group.state == "failed" and self._rolling:
                log.error("group %s does not run again; the others are left as they are", group.name)
                self._rolling.clear()
            self._now_rolling = ""
        while self._rolling and not self._now_rolling:
            name = self._rolling.popleft()
            if (group := self._groups.get(name)) is not None and group.wanted and group.state != "ended":
                self._now_rolling = name
                self._care.again(group, now_s)

    def _seat_of(self, name: str) -> Seat:
        with self._lock:
            group = self._groups.get(name)
            if group is None:
                raise ControlError(f"group {name!r}: there is none of that name; there is {', '.join(self._groups)}")
            if group.seat is None or group.state != "running":
                raise ControlError(f"group {name} does not run at the moment: it is {group.state}", transient=True)
            return group.seat

    def _new_group(self, name: str, now_s: float) -> Group:
        return Group(name, self._care.config.groups[name], self._care.config.supervision, now_s)

    def _has(self, group: Group) -> bool:
        return group.name in self._care.config.groups
