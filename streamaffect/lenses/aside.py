"""A dear lens in a thread of its own, so that nothing waits for it: of each face it looks at the newest picture.

What it says comes with the first estimate of that face that is made afterwards, and `age_s` is how much older than
that estimate the picture was. Estimates are made on the machine's other cores; where there are no others, the system
prefers them, since this thread and what it starts ask for less (Linux).
"""

import os
import sys
import threading
from collections.abc import Sequence
from dataclasses import replace

from streamaffect.lenses.desk import SLACK
from streamaffect.lenses.view import AGE, DearLens, HoldingLens, LensPart, Reading, TrackKey, View

NICE = 10
JOIN_S = 1.0


class Aside:
    """A `LensPart` that passes views on to another one, and its readings back when they are there."""

    def __init__(self, lens: LensPart) -> None:
        self._lens = lens
        self._period_s = (1 - SLACK) / lens.rate_hz if lens.rate_hz else 0.0
        self._waiting: dict[TrackKey, View] = {}  # of each face the newest; who waits longest is first
        self._looked_s: dict[TrackKey, float] = {}  # of the faces that are known
        self._said: dict[TrackKey, tuple[float, Reading]] = {}
        self._fault: Exception | None = None
        self._is_closed = False
        self._changed = threading.Condition()
        self._thread: threading.Thread | None = None
        self.inputs = lens.inputs
        self.rate_hz = 0.0  # it is asked with each estimate, and looks at its own pace
        self.meta = lens.meta

    def look(self, views: Sequence[View]) -> list[Reading | None]:
        """What has been seen of these faces since they were last asked for, None where nothing has; never waits.

        Raises what the lens has raised.
        """
        with self._changed:
            if self._fault is not None:
                raise self._fault
            if self._thread is None and not self._is_closed:
                self._thread = threading.Thread(target=self._run, name=f"lens-{self.meta.name}", daemon=True)
                self._thread.start()
            readings = [self._take(view) for view in views]
            for view in views:
                if view.time_s - self._looked_s.setdefault(view.key, float("-inf")) >= self._period_s:
                    self._waiting[view.key] = view
            self._changed.notify()
        return readings

    def forget(self, key: TrackKey) -> None:
        """Drop what is known of a face that is lost; of one that is being looked at nothing will be said."""
        with self._changed:
            self._waiting.pop(key, None)
            self._looked_s.pop(key, None)
            self._said.pop(key, None)

    def close(self) -> None:
        """End the thread, and the lens with it; one that is stuck is left behind."""
        with self._changed:
            self._is_closed = True
            self._changed.notify()
        if self._thread is not None and self._thread is not threading.current_thread():
            self._thread.join(JOIN_S)

    def _take(self, view: View) -> Reading | None:
        said = self._said.pop(view.key, None)
        if said is None:
            return None
        time_s, reading = said
        return replace(reading, values=reading.values | {AGE: max(0.0, view.time_s - time_s)})

    def _run(self) -> None:
        _ask_for_less()
        try:
            while (view := self._next()) is not None:
                (reading,) = self._lens.look([view])
                with self._changed:
                    if reading is not None and view.key in self._looked_s:
                        self._said[view.key] = (view.time_s, reading)
        except Exception as error:
            with self._changed:
                self._fault = error
        finally:
            close_lens(self._lens)

    def _next(self) -> View | None:
        """The face that has waited longest; None at the end."""
        with self._changed:
            self._changed.wait_for(lambda: self._waiting or self._is_closed)
            if self._is_closed:
                return None
            key = next(iter(self._waiting))
            view = self._waiting.pop(key)
            self._looked_s[key] = view.time_s
            return view


def set_aside(lenses: Sequence[LensPart]) -> list[LensPart]:
    """The lenses of a live stream: the dear ones each in a thread of its own."""
    return [Aside(lens) if isinstance(lens, DearLens) and lens.is_dear else lens for lens in lenses]


def close_lens(lens: LensPart) -> None:
    """Release a lens that holds something."""
    if isinstance(lens, HoldingLens):
        lens.close()


def _ask_for_less() -> None:
    """Let the thread, and those that begin in it, have what the others leave."""
    if sys.platform == "linux":
        os.setpriority(os.PRIO_PROCESS, threading.get_native_id(), NICE)
