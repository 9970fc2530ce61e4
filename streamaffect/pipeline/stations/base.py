"""A thread that works with a part that may fail or hang, and goes on with another one when it does.

The detector of each stream and the engine stand in such stations. A call that raises is answered in the thread itself;
one that does not come back is noticed by whoever watches, who relieves the thread: it is left alone with its part, and
another thread with another part takes its place.
"""

import logging
import threading
from abc import ABC, abstractmethod
from collections.abc import Callable
from dataclasses import dataclass
from typing import Generic, Literal, TypeVar

from streamaffect.clock import monotonic_ns
from streamaffect.errors import FaultError, StreamAffectError
from streamaffect.pipeline.channel import Closed
from streamaffect.sources.supervise import Backoff

log = logging.getLogger(__name__)

Part = TypeVar("Part")
Job = TypeVar("Job")
Result = TypeVar("Result")

Change = Literal["lost", "back"]
Tell = Callable[[Change, float, str], None]
MOST_IN_A_ROW = 3


@dataclass(frozen=True, slots=True)
class Care:
    """How a station meets failures.

    stop:     set when the run is to end
    pauses:   between a failure and the next part
    lossless: a piece of work is done again with the next part, and after some failures in a row the station gives up;
              otherwise the piece is dropped, and the station never gives up
    tell:     called in the station's thread when its part is lost, or another one has taken over: the change, how long
              there was none, and a line for people
    """

    stop: threading.Event
    pauses: Backoff
    lossless: bool
    tell: Tell


class _Relieved(Exception):  # noqa: N818 - a way to end
    """Another thread has taken over."""


class _Shift(Generic[Part, Job]):
    """One thread's time at the station; only this thread uses `part`.

    job:  the piece of work at hand
    lost: why the part must be replaced before anything else; None: it need not
    """

    def __init__(self, part: Part, job: Job | None = None, lost: str | None = None) -> None:
        self.part = part
        self.job = job
        self.lost = lost
        self.at_work: int | None = None
        self.is_relieved = False


class Station(ABC, Generic[Part, Job, Result]):
    """The thread, its part, and what happens when that fails.

    name:        of the thread; title: what people call it
    replaceable: another part can be opened; otherwise the first failure ends the station
    fault:   why there is no working part at the moment; empty where there is one
    failure: what has ended the station for good
    """

    def __init__(self, name: str, title: str, part: Part, care: Care, *, replaceable: bool) -> None:
        self.name = name
        self._title = title
        self.fault = ""
        self.failure: Exception | None = None
        self._care = care
        self._replaceable = replaceable
        self._lock = threading.Lock()
        self._shift: _Shift[Part, Job] = _Shift(part)
        self._threads: list[threading.Thread] = []
        self._begun = 0
        self._failures = 0

    @property
    def work(self) -> int | None:
        """Which piece of work is at hand, by a number of its own; None while the station waits for one."""
        return self._shift.at_work

    @property
    def is_alive(self) -> bool:
        """True while a thread of the station runs, be it one that was left behind."""
        return any(thread.is_alive() for thread in self._threads)

    def start(self) -> None:
        """Begin."""
        shift = self._shift
        # A daemon, since one that is stuck in native code must not keep the process alive.
        thread = threading.Thread(target=self._run, args=(shift,), name=self.name, daemon=True)
        self._threads = [one for one in self._threads if one.is_alive()] + [thread]
        thread.start()

    def relieve(self, work: int, why: str) -> None:
        """Leave the thread alone that is at this piece of work, unless it has just finished, and go on with another."""
        with self._lock:
            old = self._shift
            if old.at_work != work:
                return
            old.is_relieved = True
            job = old.job
            self._shift = _Shift(old.part, job if self._care.lossless else None, why)
        if job is not None and not self._care.lossless:
            self._drop(job)
        self.start()

    def join(self, deadline_ns: int) -> None:
        """Wait for the thread; one that is stuck at the deadline is left behind."""
        for thread in self._threads:
            thread.join(max(0.0, (deadline_ns - monotonic_ns()) / 1e9))

    @abstractmethod
    def _next(self) -> Job:
        """Wait for a piece of work; raises Closed at the end."""

    @abstractmethod
    def _do(self, part: Part, job: Job) -> Result:
        """The call that may fail or hang. It changes nothing outside the part."""

    @abstractmethod
    def _hand_over(self, part: Part, job: Job, result: Result) -> None:
        """Pass the result on."""

    @abstractmethod
    def _drop(self, job: Job) -> None:
        """Nothing will come of this piece of work."""

    @abstractmethod
    def _another(self, part: Part, failures: int) -> tuple[Part, str]:
        """Open the part that takes over after so many failures in a row, and say which it is."""

    @abstractmethod
    def _let_go(self, part: Part) -> None:
        """Close a part."""

    @abstractmethod
    def _ended(self) -> None:
        """No further result will come."""

    def _run(self, shift: _Shift[Part, Job]) -> None:
        try:
            if shift.lost is not None:
                self._replace(shift, FaultError(shift.lost))
            while True:
                if shift.job is None:
                    shift.job = self._next()
                self._serve(shift, shift.job)
        except _Relieved:
            return
        except Closed:
            pass
        except Exception as error:
            log.error("%s", _told(error), exc_info=log.isEnabledFor(logging.DEBUG))
            self.failure = error
        self._ended()

    def _serve(self, shift: _Shift[Part, Job], job: Job) -> None:
        """Do the piece of work at hand; what is to be done again stays there."""
        with self._lock:
            self._begun += 1
            shift.at_work = self._begun
        try:
            result = self._do(shift.part, job)
        except Exception as error:
            self._finish(shift)
            log.debug("%s: the call that failed", self.name, exc_info=error)
            threading.Thread(target=self._closed, args=(shift.part,), name=f"{self.name}-end", daemon=True).start()
            if not self._care.lossless:
                shift.job = None
                self._drop(job)
            self._replace(shift, error)
            return
        self._finish(shift)
        self._failures = 0
        shift.job = None
        self._hand_over(shift.part, job, result)

    def _finish(self, shift: _Shift[Part, Job]) -> None:
        with self._lock:
            if shift.is_relieved:
                raise _Relieved
            shift.at_work = None

    def _closed(self, part: Part) -> None:
        """Close a part that has failed, in a thread of its own: that may fail or hang, too."""
        try:
            self._let_go(part)
        except Exception as error:
            log.debug("%s: closing what had failed", self.name, exc_info=error)

    def _replace(self, shift: _Shift[Part, Job], error: Exception) -> None:
        """Pause, and open another part, as often as it takes."""
        lost_ns = monotonic_ns()
        self.fault = _told(error)
        self._care.tell("lost", 0.0, self.fault)
        while True:
            self._failures += 1
            if not self._replaceable or (self._care.lossless and self._failures >= MOST_IN_A_ROW):
                times = "" if self._failures == 1 else f" {self._failures} times in a row"
                raise FaultError(f"{self._title} failed{times}: {_told(error)}") from error
            if self._care.stop.wait(self._care.pauses.wait_s(self._failures - 1)):
                raise Closed
            try:
                shift.part, described = self._another(shift.part, self._failures)
            except Exception as another:
                error = another
                self.fault = _told(error)
                continue
            break
        self.fault = ""
        self._care.tell("back", (monotonic_ns() - lost_ns) / 1e9, described)


def _told(error: Exception) -> str:
    """One line for people."""
    if isinstance(error, StreamAffectError):
        return str(error)
    lines = str(error).strip().splitlines()
    return f"{type(error).__name__}: {lines[0][:200]}" if lines else type(error).__name__
