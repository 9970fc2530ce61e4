"""Words to the service manager: that a run is ready, alive, reloading or about to end; systemd's protocol of sd_notify.

One datagram a word, to the socket that `NOTIFY_SOCKET` names; without that name nothing is sent. The thread that
passes messages on says that the run is alive: it does so about each second, whether or not pictures come, and where it
hangs nothing else would help.
"""

import logging
import os
import socket
import time
from collections.abc import Iterable, Iterator, Mapping
from typing import Final

from streamaffect.messages import Health, Message

log = logging.getLogger(__name__)

NAME: Final = "NOTIFY_SOCKET"
WATCHDOG_US, WATCHDOG_PID = "WATCHDOG_USEC", "WATCHDOG_PID"
SHARE: Final = 4.0  # so many times within the watchdog's time
LONGEST_S: Final = 5.0  # between two words on how the run does


class ServiceManager:
    """Whoever has started this process, if it wants to be told; callable from any thread, and nothing ever waits.

    environment: where the socket and the watchdog's time are named
    """

    def __init__(self, environment: Mapping[str, str] = os.environ) -> None:
        self._address = _address(environment.get(NAME, ""))
        self._socket = None if self._address is None else socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
        if self._socket is not None:
            self._socket.settimeout(0.0)
        self._period_s = min(LONGEST_S, _watchdog_s(environment) / SHARE)
        self._told_s = 0.0
        self._health: dict[str, Health] = {}
        self._complained = self._is_stopping = False

    def watch(self, messages: Iterable[Message]) -> Iterator[Message]:
        """The messages as they are: with the first one the run is ready, and while they come it is alive."""
        if self._socket is None:
            yield from messages
            return
        is_ready = False
        for message in messages:
            if isinstance(message, Health):
                self._health[message.stream] = message
            if not is_ready:
                is_ready = True
                self.ready()
            self.beat()
            yield message
        self.stopping()

    def ready(self) -> None:
        """The run has begun, or goes on after a reload."""
        self._tell("READY=1")

    def beat(self) -> None:
        """The run is alive; said as often as the watchdog wants, with how the streams do."""
        now_s = time.monotonic()
        if now_s - self._told_s >= self._period_s:
            self._told_s = now_s
            self._tell("WATCHDOG=1", f"STATUS={self._status()}")

    def reloading(self) -> None:
        """The settings are being read again; `ready` follows."""
        self._tell("RELOADING=1", f"MONOTONIC_USEC={time.monotonic_ns() // 1000}")

    def stopping(self) -> None:
        """The run is about to end."""
        if not self._is_stopping:
            self._is_stopping = True
            self._tell("STOPPING=1")

    def close(self) -> None:
        """Say nothing any more."""
        if self._socket is not None:
            self._socket.close()

    def _status(self) -> str:
        """How the streams do, as `systemctl status` shows it."""
        health = [one for one in self._health.values() if one.state != "ended"]
        if not health:
            return "starting"
        faces, fps = sum(one.faces for one in health), sum(one.fps_out for one in health)
        poor = [f"{one.stream} is {one.state}" for one in health if one.state not in ("live", "starting")]
        return "; ".join([f"{len(health)} stream(s), {faces} face(s), {fps:.1f} frames/s", *poor])

    def _tell(self, *words: str) -> None:
        if self._socket is None:
            return
        try:
            self._socket.sendto("\n".join(words).encode("utf-8", "replace"), self._address or "")
        except BlockingIOError:
            pass  # it is busy; the next word comes soon
        except OSError as error:
            if not self._complained:
                self._complained = True
                log.warning("the service manager cannot be told (%s: %s); the run goes on", NAME, error.strerror)


def _address(name: str) -> str | None:
    """A path, or with `@` a name without a file; None for none, and for kinds that only virtual machines have."""
    if name.startswith("@"):
        return "\0" + name[1:]
    if name and not name.startswith("/"):
        log.warning("%s is %s: expected a path or @NAME; nobody is told that the run is ready", NAME, name)
    return name if name.startswith("/") else None


def _watchdog_s(environment: Mapping[str, str]) -> float:
    """The time within which a word must come; infinite where nobody waits for one."""
    text, process = environment.get(WATCHDOG_US, ""), environment.get(WATCHDOG_PID, "")
    if not text.isdecimal() or int(text) == 0 or (process and process != str(os.getpid())):
        return float("inf")
    return int(text) / 1e6
