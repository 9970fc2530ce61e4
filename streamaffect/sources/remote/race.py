"""Several places at which one host may be: the first that takes a connection is the one (RFC 8305).

A name often stands for numbers of both internet protocols, of which one leads nowhere.
"""

import contextlib
import errno
import os
import select
import socket
from collections.abc import Callable, Sequence
from itertools import zip_longest

from streamaffect.sources.remote.limits import Deadline
from streamaffect.sources.remote.resolver import Place

APART_S = 0.25  # so long one place is waited for before the next is tried as well

Keep = Callable[[socket.socket], socket.socket]
Drop = Callable[[socket.socket], None]


def first_connected(places: Sequence[Place], deadline: Deadline, *, keep: Keep, drop: Drop) -> socket.socket:
    """A connection to one of the places.

    keep, drop: called with each socket when it is made, and when it is not needed, which closes it

    Raises:
        OSError: no place takes one: the first reason that was given. TimeoutError: none was.
    """
    race = _Race(keep, drop)
    try:
        for place in by_turns(places):
            race.start(place)
            winner = race.wait(Deadline(min(APART_S, deadline.left_s())))
            if winner is not None:
                return winner
        while race.is_open:
            winner = race.wait(deadline)
            if winner is not None:
                return winner
            deadline.left_s()
        raise race.failure or OSError("no address")
    except TimeoutError:
        raise race.failure or TimeoutError("no answer") from None
    finally:
        race.end()


def by_turns(places: Sequence[Place]) -> list[Place]:
    """The places of both protocols in turn, beginning with the one that the system prefers."""
    families = dict.fromkeys(family for family, _ in places)
    lanes = [[place for place in places if place[0] == family] for family in families]
    return [place for turn in zip_longest(*lanes) for place in turn if place is not None]


class _Race:
    """Connections on their way. failure: the first reason why one was not taken"""

    def __init__(self, keep: Keep, drop: Drop) -> None:
        self.failure: OSError | None = None
        self._keep, self._drop = keep, drop
        self._running: dict[int, socket.socket] = {}
        self._poll = select.poll()

    @property
    def is_open(self) -> bool:
        """True while a connection is on its way."""
        return bool(self._running)

    def start(self, place: Place) -> None:
        """Try this place too."""
        family, where = place
        try:
            runner = self._keep(socket.socket(family, socket.SOCK_STREAM))
        except ConnectionAbortedError:
            raise
        except OSError as error:  # a protocol that this machine does not have
            self._note(error)
            return
        self._running[runner.fileno()] = runner
        self._poll.register(runner, select.POLLOUT)
        runner.settimeout(0.0)
        code = runner.connect_ex(where)
        if code not in (0, errno.EINPROGRESS):
            self._lose(runner, code)

    def wait(self, deadline: Deadline) -> socket.socket | None:
        """Whoever has arrived; None where all have failed or, at the latest, when the time is over."""
        with contextlib.suppress(TimeoutError):
            while self._running:
                for descriptor, _ in self._poll.poll(deadline.left_s() * 1000):
                    runner = self._running[descriptor]
                    code = runner.getsockopt(socket.SOL_SOCKET, socket.SO_ERROR)
                    if code == 0 and _is_connected(runner):
                        self._forget(runner)
                        return runner
                    self._lose(runner, code or errno.ECONNABORTED)
        return None

    def end(self) -> None:
        """Close all that are still on their way."""
        for runner in list(self._running.values()):
            self._forget(runner)
            self._drop(runner)

    def _lose(self, runner: socket.socket, code: int) -> None:
        self._forget(runner)
        self._drop(runner)
        self._note(OSError(code, os.strerror(code)))

    def _forget(self, runner: socket.socket) -> None:
        self._poll.unregister(runner)
        del self._running[runner.fileno()]

    def _note(self, error: OSError) -> None:
        self.failure = self.failure or error


def _is_connected(runner: socket.socket) -> bool:
    """False where it was cut on its way."""
    try:
        runner.getpeername()
    except OSError:
        return False
    return True
