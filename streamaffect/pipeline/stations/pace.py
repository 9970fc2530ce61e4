"""How many frames a second of each stream are analysed, so that what cannot be done is left out evenly.

Live, more frames may come than can be looked at. Where that happens to most streams at once, the machine has too much
to do: first the detectors look less often, then the rate of all streams falls together, to what can be done, each by
its priority; both go back step by step. A stream that is alone in being late is too slow by itself, and slows no other
down. A cap on the rate holds for files, too.
"""

import logging
import threading
from collections import Counter, deque
from collections.abc import Mapping
from typing import NamedTuple

from streamaffect.clock import monotonic_ns
from streamaffect.messages import SkipReason

log = logging.getLogger(__name__)

WINDOW_S = 1.0
LATE_SHARE, LATE_FRAMES = 0.04, 2  # of a window's frames, from which on a stream is late
IN_A_ROW = 2  # windows: a single one is a hiccup
SPARE = 0.92  # of what has been done of late is what can be done
RISE, FALL = 1.2, 0.7  # by one step, the latter at most: what takes the processors for a second is soon over
WAIT_S, LONGEST_WAIT_S = 2.0, 16.0  # without a late stream, before more is tried again; twice as long after a relapse
LEAST_FPS = 1.0
USUAL = 0.1  # weight of the last gap between two frames in the usual one
GOLDEN = 0.618034  # multiples of it lie evenly between whole numbers, however many there are


class Gate:
    """Which frames of one stream go on. The capture thread asks, and the main one says what was finished.

    cap_fps: so many a second at most; None: all
    phase:   where between two frames of the others its own ones lie, [0, 1), once the rate of all falls
    weight:  its rate then, in multiples of that of a stream of priority 1
    """

    def __init__(self, cap_fps: float | None = None, phase: float = 0.0, weight: float = 1.0) -> None:
        self.weight = weight
        self.pressed = False
        self.overload_fps: float | None = None
        self.offered = self.admitted = 0
        self.why: Counter[SkipReason] = Counter()
        self._trouble: SkipReason = "late"
        self._cap_fps = cap_fps
        self._phase = phase
        self._due_s = -1e18
        self._before_s: float | None = None
        self._gap_s = 0.0
        self._refused: deque[tuple[int, SkipReason]] = deque()
        self._next = 0

    @property
    def limit_fps(self) -> float | None:
        """Frames a second that go on at most; None: all do."""
        limits = [limit for limit in (self._cap_fps, self.overload_fps) if limit is not None]
        return min(limits, default=None)

    def admits(self, index: int, time_s: float) -> bool:
        """Whether this frame is analysed; asked for each in turn. Those that are lie as evenly in time as can be."""
        self._note_gap(time_s)
        limit_fps = self.limit_fps
        self.offered += 1
        if limit_fps is None:
            self._due_s = -1e18
        else:
            period_s = 1 / limit_fps
            if self._due_s < 0 and limit_fps != self._cap_fps:
                self._due_s = time_s + self._phase * period_s
            # A frame that comes a little early is nearer to its time than the next one will be.
            if time_s < self._due_s - min(self._gap_s, period_s) / 2 - 1e-9:
                self._refused.append((index, "cap" if limit_fps == self._cap_fps else "overload"))
                return False
            next_s = self._due_s + period_s
            self._due_s = next_s if next_s > time_s else time_s + period_s
        self.admitted += 1
        return True

    def swapped(self, index: int) -> None:
        """The frame that was refused last goes on after all, in the place of this older one."""
        _, why = self._refused.pop()
        self._refused.append((index, why))

    def _note_gap(self, time_s: float) -> None:
        """Keep how far frames are apart, usually."""
        if self._before_s is not None:
            gap_s = time_s - self._before_s
            self._gap_s += (gap_s - self._gap_s) * (USUAL if self._gap_s else 1.0)
        self._before_s = time_s

    def in_trouble(self, reason: SkipReason) -> None:
        """Why the frames up to the next finished one are not looked at; without a word it is a lack of time."""
        self._trouble = reason

    def finished(self, index: int) -> None:
        """Count why each frame since the last finished one was skipped."""
        missing = max(0, index - self._next)
        self._next = index + 1
        while self._refused and self._refused[0][0] < index:
            self.why[self._refused.popleft()[1]] += 1
            missing -= 1
        self.why[self._trouble] += max(0, missing)
        self._trouble = "late"


class Load(NamedTuple):
    """What a stream has asked for, in frames, and the weight of the stream."""

    offered: int
    admitted: int
    late: int
    weight: float

    def since(self, before: "Load") -> "Load":
        """What it has asked for after that."""
        return Load(
            self.offered - before.offered, self.admitted - before.admitted, self.late - before.late, self.weight
        )


class Pace:
    """The gates of all streams of a run, and what is asked of their detectors.

    cap_fps:    frames a second of each stream that are analysed at most; None: all
    priorities: by stream, its share of what can be done where that is too little, beside 1 of any other
    """

    def __init__(self, cap_fps: float | None = None, priorities: Mapping[str, float] | None = None) -> None:
        self._cap_fps = cap_fps
        self._priorities = dict(priorities or {})
        self._lock = threading.Lock()
        self._gates: dict[str, Gate] = {}
        self._pressed = False
        self._rate_fps: float | None = None
        self._window_ns = monotonic_ns()
        self._before: dict[str, Load] = {}
        self._bad = 0
        self._good_s = 0.0
        self._wait_s = WAIT_S
        self._rose = False

    def gate(self, stream: str) -> Gate:
        """The gate of a stream; it is made when it is first asked for."""
        with self._lock:
            if stream not in self._gates:
                phase, weight = len(self._gates) * GOLDEN % 1, self._priorities.get(stream, 1.0)
                self._gates[stream] = self._of_now(Gate(self._cap_fps, phase, weight))
            return self._gates[stream]

    def leave(self, stream: str) -> None:
        """Forget a stream."""
        with self._lock:
            self._gates.pop(stream, None)

    def look(self, now_ns: int, troubles: Mapping[str, SkipReason | None]) -> None:
        """See whether there is too much to do, once a second; to be called more often. Live only.

        troubles: what keeps a stream from getting estimates at the moment, if anything does; what is skipped
                  meanwhile says nothing of the load
        """
        with self._lock:
            gates = dict(self._gates)
        for stream, gate in gates.items():
            if (trouble := troubles.get(stream)) is not None:
                gate.in_trouble(trouble)
        elapsed_s = (now_ns - self._window_ns) / 1e9
        if elapsed_s < WINDOW_S:
            return
        self._window_ns = now_ns
        totals = {
            stream: Load(gate.offered, gate.admitted, gate.why["late"], gate.weight) for stream, gate in gates.items()
        }
        loads = [
            totals[stream].since(before)
            for stream, before in self._before.items()
            if stream in totals and troubles.get(stream) is None
        ]
        self._before = totals
        running = [load for load in loads if load.offered]
        if running and elapsed_s < 2 * WINDOW_S:  # who has slept has not been late
            self._judge(running, elapsed_s)
        for gate in gates.values():
            self._of_now(gate)

    def _judge(self, loads: list[Load], elapsed_s: float) -> None:
        late = [load for load in loads if load.late >= max(LATE_FRAMES, LATE_SHARE * load.admitted)]
        if 2 * len(late) > len(loads):
            self._bad, self._good_s = self._bad + 1, 0.0
            if self._bad >= IN_A_ROW:
                self._bad = 0
                self._slow_down(late, elapsed_s)
            return
        self._bad = 0
        self._good_s += elapsed_s
        if self._good_s >= self._wait_s and (self._pressed or self._rate_fps is not None):
            self._good_s = 0.0
            self._speed_up(max(load.offered / load.weight for load in loads) / elapsed_s)

    def _slow_down(self, late: list[Load], elapsed_s: float) -> None:
        if self._rose:
            self._wait_s = min(2 * self._wait_s, LONGEST_WAIT_S)
            self._rose = False
        if not self._pressed:
            self._pressed = True
            return
        weight = sum(load.weight for load in late)
        admitted_fps = sum(load.admitted for load in late) / weight / elapsed_s
        done_fps = sum(load.admitted - load.late for load in late) / weight / elapsed_s
        is_first = self._rate_fps is None
        self._rate_fps = max(LEAST_FPS, FALL * admitted_fps, SPARE * done_fps)
        if is_first:
            log.warning("too much to do: all streams are analysed at %.1f frames a second for now", self._rate_fps)

    def _speed_up(self, offered_fps: float) -> None:
        self._rose = True
        if self._rate_fps is None:
            self._pressed = False
            return
        self._rate_fps *= RISE
        if self._rate_fps >= offered_fps:
            self._rate_fps = None
            log.warning("all frames are analysed again")

    def _of_now(self, gate: Gate) -> Gate:
        gate.pressed = self._pressed
        gate.overload_fps = None if self._rate_fps is None else self._rate_fps * gate.weight
        return gate
