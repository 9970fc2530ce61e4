"""SIGHUP to a run with `--config`: the file is read again, and what can be changed while it runs is changed.

Streams come and go as `ctl add` and `ctl remove` would have it, thresholds of tracking are followed from the next
picture on, and how cameras and faces are opened by streams that begin later. What only a start can change is named in
the log. Keys need no signal: the list of allowed clients is read all the time.
"""

import logging
import threading
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Final

import msgspec

from streamaffect.config import Config
from streamaffect.control.desk import Desk
from streamaffect.errors import StreamAffectError
from streamaffect.feed.commands import Add, Remove
from streamaffect.names import free_name
from streamaffect.service.retention import Retention
from streamaffect.service.systemd import ServiceManager
from streamaffect.sources.parse import split_name
from streamaffect.verbs.origin import CurrentSettings

log = logging.getLogger(__name__)

ORIGIN = "reload"
AT_ONCE: Final = ("run.sources", "run.keep_days", "tracker.")
LATER: Final = ("faces.", "source.")

Reread = Callable[[], Config]


@dataclass(frozen=True, slots=True)
class Parts:
    """What a reload changes: the desk for streams, the settings in force, who removes old recordings, who is told."""

    desk: Desk
    current: CurrentSettings
    retention: Retention | None
    manager: ServiceManager


class Reloading:
    """Reads the settings again when it is asked to, in a thread of its own, since opening a camera takes long.

    reread: reads file and flags as at the start. Raises ConfigError
    """

    def __init__(self, reread: Reread) -> None:
        self._reread = reread
        self._asked = threading.Event()
        self._closed = False
        self._parts: Parts | None = None
        self._sources: dict[str, str] = {}

    def ask(self) -> None:
        """Reload soon; while the run starts, once it runs."""
        self._asked.set()

    def start(self, parts: Parts) -> None:
        """From here on the run can be changed."""
        self._parts = parts
        self._sources = named(parts.current.config.run.sources)
        threading.Thread(target=self._run, args=(parts,), name="reload", daemon=True).start()

    def close(self) -> None:
        """Reload no more; a camera that is being opened is not waited for."""
        self._closed = True
        self._asked.set()

    def _run(self, parts: Parts) -> None:
        while True:
            self._asked.wait()
            self._asked.clear()
            if self._closed:
                return
            parts.manager.reloading()
            try:
                self._take(self._reread(), parts)
            except StreamAffectError as error:
                log.error("%s; the run goes on with the settings that it has", error)
            parts.manager.ready()

    def _take(self, new: Config, parts: Parts) -> None:
        now = parts.current.config
        changed = differences(now, new)
        wanted = named(new.run.sources)
        parts.current.take(
            msgspec.structs.replace(
                now,
                run=msgspec.structs.replace(now.run, sources=new.run.sources, keep_days=new.run.keep_days),
                faces=new.faces,
                source=new.source,
                tracker=new.tracker,
            )
        )
        if parts.retention is not None:
            parts.retention.keep(new.run.keep_days)
        self._change_streams(wanted, parts.desk)
        _report(changed, keeps_recordings=parts.retention is not None)

    def _change_streams(self, wanted: dict[str, str], desk: Desk) -> None:
        """New ones first, since the last one that runs cannot be removed."""
        for name, spec in wanted.items():
            if name not in self._sources:
                self._do(desk, Add(source=f"{name}={spec}"), name, spec)
            elif self._sources[name] != spec:
                log.warning(
                    "stream %r: has another source now; no name is used twice in a run: give it another name, or start "
                    "the run again",
                    name,
                )
        for name in [name for name in self._sources if name not in wanted]:
            self._do(desk, Remove(name=name), name, None)

    def _do(self, desk: Desk, command: Add | Remove, name: str, spec: str | None) -> None:
        try:
            reply = desk.do(command, origin=ORIGIN)
        except StreamAffectError as error:
            log.warning("reload: %s", error)
            return
        if spec is None:
            del self._sources[name]
        else:
            self._sources[name] = spec
        log.warning("reload: %s", reply.text)


def differences(old: Config, new: Config) -> list[str]:
    """The keys, as `section.key`, whose values differ."""
    before, after = msgspec.to_builtins(old), msgspec.to_builtins(new)
    return [
        f"{section}.{key}" for section, values in after.items() for key in values if before[section][key] != values[key]
    ]


def named(sources: Sequence[str]) -> dict[str, str]:
    """What each stream reads, by the name that it gets at a start. Raises ConfigError where one cannot be read."""
    found: dict[str, str] = {}
    for text in sources:
        name, spec = split_name(text)
        found[free_name(name, set(found))] = spec
    return found


def _report(changed: Sequence[str], *, keeps_recordings: bool) -> None:
    at_once = [key for key in changed if key.startswith(AT_ONCE)]
    if not keeps_recordings and "run.keep_days" in at_once:
        at_once.remove("run.keep_days")
    later = [key for key in changed if key.startswith(LATER)]
    never = [key for key in changed if key not in at_once and key not in later]
    if not changed:
        log.warning("reload: the settings are as they were")
    if at_once:
        log.warning("reload: taken over: %s", ", ".join(at_once))
    if later:
        log.warning("reload: %s: for streams that begin from now on", ", ".join(later))
    if never:
        log.warning("reload: %s: only a new start takes that over", ", ".join(never))
