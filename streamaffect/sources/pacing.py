"""Live pace for frames that are available at once: each waits until its time has come."""

import threading

from streamaffect.clock import monotonic_ns


class Pacer:
    """Holds frames back until they are due, counted from the first one. `stop` ends every wait, for good."""

    def __init__(self) -> None:
        self._stopped = threading.Event()
        self._zero_ns: int | None = None

    @property
    def stopped(self) -> bool:
        """True once `stop` was called."""
        return self._stopped.is_set()

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
