"""Live pace for frames that are available at once: each waits until its time has come."""

import threading

from streamaffect.clock import monotonic_ns

MOST_LATE_S = 0.5
MOST_EARLY_S = 30.0  # longer than any burst


class Pacer:
    """Holds frames back until they are due, counted from the first one. `stop` ends every wait, for good."""

    def __init__(self) -> None:
        self._stopped = threading.Event()
        self._zero_ns: int | None = None

    @property
    def stopped(self) -> bool:
        """True once `stop` was called."""
        return self._stopped.is_set()

    @property
    def zero_s(self) -> float:
        """The monotonic time of second 0, known from the first wait on."""
        return (self._zero_ns or 0) / 1e9

    def wait(self, due_s: float) -> bool:
        """Wait until `due_s` seconds after the first call's due time; return False where `stop` came first."""
        now_ns = monotonic_ns()
        due_ns = round(due_s * 1e9)
        if self._zero_ns is None:
            self._zero_ns = now_ns - due_ns
        return not self._stopped.wait(timeout=max(0, self._zero_ns + due_ns - now_ns) * 1e-9)

    def stop(self) -> None:
        """End the current wait and every later one."""
        self._stopped.set()


class LivePacer:
    """Holds back pictures that come in bursts until their time has come, by their own time stamps.

    A picture that is late, or far too early, sets the clock anew: after a gap the stream goes on at its own pace.
    """

    def __init__(self) -> None:
        self._stopped = threading.Event()
        self._zero_s: float | None = None

    def wait(self, time_s: float | None) -> None:
        """Wait until the picture of this time stamp is due; at once where it has none, or after `stop`."""
        if time_s is None:
            return
        now_s = monotonic_ns() / 1e9
        early_s = 0.0 if self._zero_s is None else self._zero_s + time_s - now_s
        if self._zero_s is None or not -MOST_LATE_S <= early_s <= MOST_EARLY_S:
            self._zero_s, early_s = now_s - time_s, 0.0
        self._stopped.wait(max(0.0, early_s))

    def stop(self) -> None:
        """End the current wait and every later one."""
        self._stopped.set()
