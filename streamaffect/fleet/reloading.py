"""SIGHUP to a fleet: its file is read again, and groups and cameras come and go while the others run on."""

import logging
import threading
from collections.abc import Callable

import msgspec

from streamaffect.errors import StreamAffectError
from streamaffect.feed.commands import Add, Remove
from streamaffect.fleet.config import stream_names
from streamaffect.fleet.desk import FleetDesk
from streamaffect.fleet.settings import FleetConfig, GroupSettings
from streamaffect.fleet.supervisor import Supervisor
from streamaffect.service.systemd import ServiceManager
from streamaffect.sources.parse import split_name

log = logging.getLogger(__name__)

ORIGIN = "reload"
ONLY_AT_A_START = ("cluster", "feed", "control", "web")


class Reloading:
    """Reads the settings again when it is asked to, in a thread of its own, since opening a camera takes long.

    reread: reads file and flags as at the start. Raises ConfigError
    """

    def __init__(self, reread: Callable[[], FleetConfig]) -> None:
        self._reread = reread
        self._asked = threading.Event()
        self._closed = False

    def ask(self) -> None:
        """Reload soon; while the fleet starts, once it runs."""
        self._asked.set()

    def start(self, supervisor: Supervisor, desk: FleetDesk, manager: ServiceManager) -> None:
        """From here on the fleet can be changed."""
        threading.Thread(target=self._run, args=(supervisor, desk, manager), name="reload", daemon=True).start()

    def close(self) -> None:
        """Reload no more."""
        self._closed = True
        self._asked.set()

    def _run(self, supervisor: Supervisor, desk: FleetDesk, manager: ServiceManager) -> None:
        while True:
            self._asked.wait()
            self._asked.clear()
            if self._closed:
                return
            manager.reloading()
            try:
                new = self._reread()
            except StreamAffectError as error:
                log.error("%s; the fleet goes on with the settings that it has", error)
            else:
                for line in take(new, supervisor, desk):
                    log.warning("reload: %s", line)
            manager.ready()


def take(new: FleetConfig, supervisor: Supervisor, desk: FleetDesk) -> list[str]:
    """Go on with other settings; returns what was done, a line each."""
    old = supervisor.config
    done: list[str] = []
    for name, group in new.groups.items():
        before = old.groups.get(name)
        if before is not None and before != group and _differs_in_streams_alone(before, group):
            lines, complete = _change_streams(name, supervisor.sources()[name], group, desk)
            done += lines
            if complete:
                supervisor.keep(new, name)
    done += supervisor.take(new)
    fixed = [section for section in ONLY_AT_A_START if getattr(old, section) != getattr(new, section)]
    if fixed:
        done.append(f"{', '.join(f'[{section}]' for section in fixed)}: only a new start takes that over")
    return done or ["the settings are as they were"]


def _differs_in_streams_alone(before: GroupSettings, after: GroupSettings) -> bool:
    """True where cameras have come and gone, at least one stays, and no name has another camera now."""
    if msgspec.structs.replace(before, sources=after.sources) != after:
        return False
    named, wanted = _by_name(before.sources), _by_name(after.sources)
    stays = named.keys() & wanted.keys()
    return bool(stays) and all(named[name] == wanted[name] for name in stays)


def _by_name(sources: list[str]) -> dict[str, str]:
    return dict(zip(stream_names(sources), (split_name(source)[1] for source in sources), strict=True))


def _change_streams(name: str, now: list[str], group: GroupSettings, desk: FleetDesk) -> tuple[list[str], bool]:
    """Add and remove streams of a group that runs; False where one could not, so that the group has to start anew."""
    done: list[str] = []
    running, wanted = _by_name(now), _by_name(group.sources)
    try:
        commands: list[Add | Remove] = [  # new ones first, since the last stream of a run cannot be removed
            *(Add(source=f"{stream}={wanted[stream]}", group=name) for stream in wanted if stream not in running),
            *(Remove(name=stream) for stream in running if stream not in wanted),
        ]
        for command in commands:
            done.append(desk.do(command, origin=ORIGIN).text)  # noqa: PERF401  what was done before a failure counts
    except StreamAffectError as error:
        return [*done, f"group {name}: {error}"], False
    return done, True
