"""How long an attempt to open a camera may take: as long as the user says at first, and little once it is away.

A host that is away is found again soon by asking it often, and not by waiting long for each answer. What is little is
measured: a host behind a slow line gets a multiple of what it has needed.
"""

from dataclasses import dataclass

from streamaffect.clock import monotonic_ns

GENEROUS = 4.0  # times what the host has needed when it worked
PATIENT_EACH = 4  # as long as it has never worked, every so many attempts have all the time


@dataclass(frozen=True, slots=True)
class Limits:
    """Seconds of one attempt.

    connect_s: to find the host and connect to it
    answer_s:  for its answer to a question
    open_s:    until its stream is open
    """

    connect_s: float
    answer_s: float
    open_s: float


LEAST = Limits(connect_s=0.75, answer_s=2.0, open_s=2.0)


class Deadline:
    """A time at which waiting ends; `seconds` is how far off it was at the beginning."""

    def __init__(self, seconds: float) -> None:
        self.seconds = seconds
        self._end_ns = monotonic_ns() + round(seconds * 1e9)

    @property
    def is_over(self) -> bool:
        """True once there is no time left."""
        return monotonic_ns() >= self._end_ns

    def left_s(self) -> float:
        """Seconds that are left, above 0.

        Raises:
            TimeoutError: none are.
        """
        left_ns = self._end_ns - monotonic_ns()
        if left_ns <= 0:
            raise TimeoutError(f"nothing within {self.seconds:g} s")
        return left_ns / 1e9


class Patience:
    """The limits of one attempt after the other. `open_timeout_s` is what the user allows."""

    def __init__(self, open_timeout_s: float) -> None:
        # Half of the time for each step, so that its message comes before that of the whole opening.
        self._most = Limits(open_timeout_s / 2, open_timeout_s / 2, open_timeout_s)
        self._attempts = 0
        self._needed: Limits | None = None

    def next(self) -> Limits:
        """The limits of the next attempt."""
        attempt, self._attempts = self._attempts, self._attempts + 1
        needed, most = self._needed, self._most
        if attempt == 0 or (needed is None and attempt % PATIENT_EACH == 0):
            return most
        return Limits(
            connect_s=min(most.connect_s, max(LEAST.connect_s, GENEROUS * needed.connect_s if needed else 0.0)),
            answer_s=min(most.answer_s, max(LEAST.answer_s, GENEROUS * needed.answer_s if needed else 0.0)),
            open_s=min(most.open_s, max(LEAST.open_s, GENEROUS * needed.open_s if needed else 0.0)),
        )

    def worked(self, *, asked_s: float, opened_s: float) -> None:
        """Note what an attempt has needed: for the host's answer, from connecting on, and then until it was open."""
        self._needed = Limits(asked_s, asked_s, opened_s)
