"""From a host's name to its addresses, without waiting longer than one wants.

The system's own look-up cannot be broken off. It runs in a thread, at most one for each name: whoever asks again while
a name server hangs waits for the same thread.
"""

import contextlib
import ipaddress
import socket
import threading
from dataclasses import dataclass, field

from streamaffect.errors import SourceOpenError
from streamaffect.sources.remote.limits import Deadline

Place = tuple[socket.AddressFamily, tuple[str, int] | tuple[str, int, int, int] | tuple[int, bytes]]

SOON_S = 0.25  # so long an answer is waited for where an older one is known
UNANSWERED = (socket.EAI_AGAIN, socket.EAI_FAIL)


class Resolver:
    """Looks up names, from any thread."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._pending: dict[str, _LookUp] = {}
        self._known: dict[str, list[Place]] = {}

    def places(self, host: str, port: int, deadline: Deadline, *, label: str) -> list[Place]:
        """Where a host can be reached, at least one place; where it was before, if no name server answers now.

        Raises:
            SourceOpenError: nobody knows the name, or no answer came in time.
        """
        if _is_number(host):
            return _look_up(host, port)
        with self._lock:
            running = self._pending.get(host)
            if running is None:
                running = self._pending[host] = _LookUp(host, port)
                running.thread.start()
        known = self._known.get(host)
        with contextlib.suppress(TimeoutError):
            running.thread.join(min(deadline.left_s(), SOON_S) if known else deadline.left_s())
        if running.thread.is_alive():
            if known is None:
                raise SourceOpenError(
                    f"{label}: no name server answers within {deadline.seconds:g} s; check the network"
                )
            return _at(known, port)
        with self._lock:
            self._pending.pop(host, None)
        if running.found:
            self._known[host] = running.found
        elif not (running.is_unanswered and known):
            reason = (
                "no name server answers; check"
                if running.is_unanswered
                else "the host name is unknown; check the name and"
            )
            raise SourceOpenError(f"{label}: {reason} the network")
        return _at(self._known[host], port)


@dataclass
class _LookUp:
    host: str
    port: int
    found: list[Place] = field(default_factory=list)
    is_unanswered: bool = False

    def __post_init__(self) -> None:
        self.thread = threading.Thread(target=self._run, name=f"look-up {self.host}", daemon=True)

    def _run(self) -> None:
        try:
            self.found = _look_up(self.host, self.port)
        except (OSError, UnicodeError) as error:  # also a label that no name can have
            self.is_unanswered = isinstance(error, socket.gaierror) and error.errno in UNANSWERED


def _at(places: list[Place], port: int) -> list[Place]:
    return [(family, (where[0], port, *where[2:])) for family, where in places]


def _look_up(host: str, port: int) -> list[Place]:
    found = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)
    return [(family, where) for family, _, _, _, where in found]


def _is_number(host: str) -> bool:
    try:
        ipaddress.ip_address(host.partition("%")[0])
    except ValueError:
        return False
    return True
