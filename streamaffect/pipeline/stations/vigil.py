"""Time as the process lived through it, by the visits of whoever watches over it.

A process that was stopped, or a machine that slept, finds its clocks far ahead. Nothing has hung meanwhile: that time
does not count. What was captured before it is old, though, and no live picture any more.
"""

from streamaffect.clock import monotonic_ns

LONGEST_GAP_S = 1.0  # visits come far more often; after more than this, the process has stood still


class Vigil:
    """Knows how long each piece of work has taken, and whether a picture is from before a standstill.

    One thread visits; any thread may ask for `is_stale`.
    """

    def __init__(self) -> None:
        self._visited_ns = monotonic_ns()
        self._resumed_ns = self._visited_ns - 1_000_000_000_000_000_000
        self._lived_s = 0.0
        self._begun: dict[str, tuple[int, float]] = {}

    def visit(self) -> None:
        """Note that the process is alive."""
        now_ns = monotonic_ns()
        gap_s = (now_ns - self._visited_ns) / 1e9
        if gap_s > LONGEST_GAP_S:
            self._resumed_ns = now_ns
        self._lived_s += min(gap_s, LONGEST_GAP_S)
        self._visited_ns = now_ns

    def busy_s(self, who: str, work: int | None) -> float:
        """Seconds that `who` has been at the same piece of work, since this was first asked; 0 at none."""
        if work is None:
            self._begun.pop(who, None)
            return 0.0
        known, since_s = self._begun.get(who, (None, 0.0))
        if known != work:
            self._begun[who] = (work, self._lived_s)
            return 0.0
        return self._lived_s - since_s

    def is_stale(self, captured_ns: int) -> bool:
        """True for a picture from before the last standstill, also before anybody has noticed that."""
        now_ns = monotonic_ns()
        stands_still = now_ns - self._visited_ns > LONGEST_GAP_S * 1e9
        return captured_ns < self._resumed_ns or (stands_still and now_ns - captured_ns > LONGEST_GAP_S * 1e9)
