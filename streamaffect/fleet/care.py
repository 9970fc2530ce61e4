"""The care of one group: finds it room, starts it, listens to it, and starts it again when it has died.

A process that has died is seen at once, one that hangs or is cut off by its silence; of both, the next run begins with
a new id, and what the old one should still publish is heard by nobody, since its feed was left.
"""

import logging
import secrets
from collections.abc import Callable
from pathlib import Path
from typing import Protocol

import msgspec
import zmq

from streamaffect.config import Config
from streamaffect.errors import StreamAffectError
from streamaffect.feed.key_files import KeyPair
from streamaffect.feed.keys import ClientKeys
from streamaffect.fleet.config import run_config, stream_names
from streamaffect.fleet.group import Group, Rooms, Seat
from streamaffect.fleet.ledger import Ledger
from streamaffect.fleet.nodes import Shunned
from streamaffect.fleet.reports import Order, Report
from streamaffect.fleet.settings import FleetConfig
from streamaffect.messages import Message

log = logging.getLogger(__name__)

ELSEWHERE_S = 2.0  # without room, after which a node will do that has been silent
WORD_S = 3.0  # without room, after which that is said
LEASE = 3.0  # times the silence after which a process is given up, it gives itself up
EXIT_USER = 2


class JointFeed(Protocol):
    """The address at which all groups are published; see `streamaffect.sinks.zmq.proxy.Proxy`."""

    def join(self, address: str, *, keys: ClientKeys | Path | None = None) -> None:
        """Publish what a feed sends."""
        ...

    def leave(self, address: str) -> None:
        """Hear it no more."""
        ...

    def publish(self, message: Message) -> None:
        """Publish a message of our own."""
        ...


class Care:
    """Cares for groups, one look at a time; none of its calls waits. Used under the supervisor's lock.

    rooms:     the cluster
    feed:      where the groups are heard
    shunned:   nodes on which none is to be started
    folder:    for sockets of feeds on this machine
    config:    the settings by now
    is_ending: nothing is started any more
    """

    def __init__(
        self, config: FleetConfig, rooms: Rooms, feed: JointFeed, ledger: Ledger, shunned: Shunned, *, folder: Path
    ) -> None:
        self.config = config
        self.is_ending = False
        self._rooms = rooms
        self._feed = feed
        self._ledger = ledger
        self._shunned = shunned
        self._folder = folder
        self._own = KeyPair(*zmq.curve_keypair())
        self._fleet = secrets.token_hex(3)
        self._runs = 0

    def look_at(self, group: Group, now_s: float, *, looks_for_room: bool) -> None:
        """Do what is due for a group; `looks_for_room`: also whether there is room by now."""
        if group.seat is not None:
            self._listen(group, group.seat, now_s)
        elif group.state == "pausing" and now_s >= group.retry_s:
            group.enter("waiting", now_s)
        if group.state == "waiting" and (looks_for_room or group.room is not None):
            self._find_room(group, now_s)

    def drain(self, group: Group, now_s: float, *, wanted: bool) -> None:
        """End a group in order; `wanted`: and start it again after that."""
        group.wanted = wanted
        if group.seat is not None:
            if group.state != "draining":
                group.enter("draining", now_s)
                group.seat.stop()
        elif not wanted and group.state != "drained":
            self._drained(group, now_s)

    def again(self, group: Group, now_s: float, *, anew: bool = False) -> None:
        """Start a group anew; `anew`: with other needs, so that its room is given back."""
        group.wanted, group.moves = True, group.moves or anew
        group.patience.forget()
        if group.seat is not None:
            self.drain(group, now_s, wanted=True)
        else:
            if anew:
                self.let_room_go(group)
            group.enter("waiting", now_s)

    def let_room_go(self, group: Group) -> None:
        """Give the room of a group back."""
        if group.room is not None:
            group.room.release()
            group.room = None

    def say(self, messages: list[Message]) -> None:
        """Publish messages of our own."""
        for message in messages:
            self._feed.publish(message)

    def _find_room(self, group: Group, now_s: float) -> None:
        avoided = self._shunned.drained if group.for_s(now_s) > ELSEWHERE_S else self._shunned.now(now_s)
        if group.room is None:
            group.avoided = avoided
            group.room = self._rooms.find(group.settings, name=group.name, avoid=avoided)
        node = group.room.node()
        if node is None and group.avoided != avoided:  # what a room avoids cannot be changed
            self.let_room_go(group)
        if node is None:
            if group.for_s(now_s) > WORD_S and not group.detail:
                gpus = f" and {group.settings.gpus:g} GPU(s)" if group.settings.gpus else ""
                labels = ", ".join(f"{key} = {value}" for key, value in group.settings.labels.items())
                where = f" where {labels}" if labels else ""
                group.detail = f"no machine has {group.settings.cpus:g} CPU(s){gpus} free{where}"
                log.warning("group %s: waits for room: %s", group.name, group.detail)
            return
        self._launch(group, group.room.launch, node, now_s)

    def _launch(self, group: Group, launch: Callable[[Order], Seat], node: tuple[str, str], now_s: float) -> None:
        self._runs += 1
        group.run = f"{self._fleet}-{self._runs}"
        try:
            config = run_config(self.config, group.name, sources=group.sources, run=group.run)
        except StreamAffectError as error:
            self._give_up(group, str(error), now_s)
            return
        group.node_id, group.node = node
        here = group.node_id == self._rooms.here()
        group.seat = launch(
            Order(
                group=group.name,
                settings=_sections(config),
                host="" if here else group.node,
                socket=str(self._folder / f"{group.run}.feed"),
                reader=self._own.public.decode(),
                silence_s=LEASE * self.config.supervision.silence_s,
            )
        )
        group.heard_s = now_s
        group.has_answered = False
        group.enter("starting", now_s)

    def _listen(self, group: Group, seat: Seat, now_s: float) -> None:
        last = seat.end()
        if last is not None:
            if last.unreachable:
                self._lose(group, seat, last.error, now_s)
            else:
                self._over(group, last, now_s)
            return
        report = seat.report()
        supervision = self.config.supervision
        if report is not None:
            self._hear(group, report, now_s)
        elif group.state == "draining" and group.for_s(now_s) > supervision.drain_s:
            seat.kill()
            self._over(group, Report(state="over"), now_s)
        elif now_s - group.heard_s > (supervision.silence_s if group.has_answered else supervision.start_s):
            self._lose(
                group, seat, f"its process on {group.node} has not answered for {now_s - group.heard_s:.0f} s", now_s
            )
        if group.state == "starting" and group.for_s(now_s) > supervision.start_s:
            self._lose(group, seat, f"it has not begun within {supervision.start_s:g} s", now_s)

    def _hear(self, group: Group, report: Report, now_s: float) -> None:
        group.heard_s, group.has_answered = now_s, True
        group.process = report.process
        group.cpu_s, group.memory_mb = report.cpu_s, report.memory_mb
        for line in report.log:
            log.warning("group %s: %s", group.name, line)
        if group.state == "starting" and report.state == "running":
            keys = ClientKeys(self._own, report.key.encode()) if report.key else None
            group.feed = report.feed
            self._feed.join(report.feed, keys=keys)
            group.enter("running", now_s)
            group.ran_since_s = now_s
            log.info("group %s: runs on %s as %s", group.name, group.node, group.run)
        if group.feed and (streams := self._ledger.streams(group.feed)):
            group.streams = streams

    def _lose(self, group: Group, seat: Seat, why: str, now_s: float) -> None:
        """Give up a process that does not answer, and for a while its node too."""
        self._shunned.silent(group.node_id, now_s)
        seat.kill()
        self.let_room_go(group)
        self._over(group, Report(state="over", code=1, error=why), now_s)

    def _over(self, group: Group, report: Report, now_s: float) -> None:
        """A process has ended: what now?"""
        was, group.seat = group.state, None
        if group.feed:
            self._feed.leave(group.feed)
            group.feed = ""
        for line in report.log:
            log.warning("group %s: %s", group.name, line)
        ran_s = 0.0 if group.ran_since_s is None else now_s - group.ran_since_s
        group.ran_since_s = None
        if was == "draining":
            self._drained(group, now_s)
        elif report.code == EXIT_USER:
            self._give_up(group, report.error, now_s)
        elif report.code == 0 and not report.error:
            self.let_room_go(group)
            group.enter("ended", now_s)
            log.warning("group %s: its sources have ended", group.name)
        else:
            self._start_again(group, report.error or "its run has failed", ran_s, now_s)

    def _start_again(self, group: Group, why: str, ran_s: float, now_s: float) -> None:
        wait_s = group.patience.failed(ran_s)
        group.restarts += 1
        group.retry_s = now_s + wait_s
        group.enter("pausing", now_s, why)
        log.warning(
            "group %s: %s; it is started again%s", group.name, why, f" in {wait_s:g} s" if wait_s else " at once"
        )
        self.say(self._ledger.lost(self._streams(group), f"group {group.name}: {why}", now_s))
        if not wait_s:
            group.enter("waiting", now_s)

    def _give_up(self, group: Group, why: str, now_s: float) -> None:
        self.let_room_go(group)
        group.enter("failed", now_s, why)
        log.error("group %s: %s; no restart cures that", group.name, why)
        self.say(self._ledger.lost(self._streams(group), f"group {group.name}: {why}", now_s))

    def _drained(self, group: Group, now_s: float) -> None:
        if group.wanted and not self.is_ending:
            if group.node_id in self._shunned.now(now_s) or group.moves:
                self.let_room_go(group)
            group.moves = False
            group.patience.forget()
            self.say(self._ledger.lost(self._streams(group), f"group {group.name}: is started anew", now_s))
            group.enter("waiting", now_s)
            return
        self.let_room_go(group)
        group.enter("drained", now_s)
        if not self.is_ending:
            self.say(self._ledger.removed(self._streams(group)))
            group.streams = set()

    def _streams(self, group: Group) -> set[str]:
        return group.streams or set(stream_names(group.sources))


def _sections(config: Config) -> dict[str, dict[str, object]]:
    """All settings of a run but those that the process decides itself."""
    settings: dict[str, dict[str, object]] = msgspec.to_builtins(config)
    return {section: values for section, values in settings.items() if section not in ("feed", "control", "web")}
