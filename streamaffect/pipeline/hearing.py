"""What is heard beside one stream: its ring, and what health and events say of it."""

import logging
import math
import threading
from collections.abc import Callable
from typing import Literal

import numpy as np

from streamaffect.clock import monotonic_ns
from streamaffect.messages import SoundHealth, SoundState
from streamaffect.sources.sound.ear import Ear
from streamaffect.sources.sound.ring import SoundRing
from streamaffect.types import FloatArray, SoundBlock, SoundClock

log = logging.getLogger(__name__)

SoundChange = Literal["sound_lost", "sound_back"]
TellChange = Callable[[SoundChange, float, str], None]

SILENT_S = 3.0  # a live stream that brings no sound for so long, while its pictures come, has lost it
NEVER_S = 10.0
LEVEL_S = 1.0
SHARE_S = 10.0
FLOOR_DB = -120.0


class StreamSound(Ear):
    """An ear with a memory. A thread of the source tells it, any thread asks.

    name: of the stream
    ring: the last seconds of sound, on the clock of `Frame.time_s`
    """

    def __init__(self, name: str) -> None:
        self.ring = SoundRing()
        self._name = name
        self._tell: TellChange = lambda _change, _downtime_s, _detail: None
        self._lock = threading.Lock()
        self._state: SoundState = "waiting"
        self._clock: SoundClock | None = None
        self._reason = ""
        self._heard_ns = monotonic_ns()

    def tell_changes_to(self, tell: TellChange) -> None:
        """Who is told that the sound is lost, or back: change, seconds without it, detail."""
        self._tell = tell

    def hear(self, block: SoundBlock, clock: SoundClock) -> None:
        """Keep a block."""
        self.ring.push(block)
        if not block.heard:
            return
        now_ns = monotonic_ns()
        with self._lock:
            was, away_s = self._state, (now_ns - self._heard_ns) / 1e9
            self._state, self._clock, self._heard_ns, self._reason = "heard", clock, now_ns, ""
        if was == "lost":
            self._tell("sound_back", away_s, "")

    def absent(self, reason: str) -> None:
        """The stream has no sound: said once, and the pictures go on."""
        with self._lock:
            self._state, self._reason = "absent", reason
        log.warning("%s; the stream goes on without it", reason)

    def remark(self, text: str) -> None:
        """Something that a user has to know of this sound."""
        log.warning("%s", text)

    def lost(self, reason: str) -> None:
        """The sound is away from now on."""
        with self._lock:
            if self._state == "lost":
                return
            self._state, self._reason = "lost", reason
        self._tell("sound_lost", 0.0, reason)

    def look(self, now_ns: int) -> None:
        """See whether the sound of a live stream, whose pictures come, has stopped or never begun."""
        with self._lock:
            silent_s = (now_ns - self._heard_ns) / 1e9
            patience_s = {"heard": SILENT_S, "waiting": NEVER_S}.get(self._state, math.inf)
        if silent_s > patience_s:
            self.lost(f"no sound for {silent_s:.1f} s, the pictures go on")

    def health(self, picture_s: float | None) -> SoundHealth:
        """What is to be said of it now. `picture_s` is the time of the newest picture that was looked at."""
        with self._lock:
            state, clock, reason = self._state, self._clock, self._reason
        start_s, end_s = self.ring.start_s, self.ring.end_s
        if start_s is None or end_s is None:
            return SoundHealth(state=state, detail=reason)
        last, recent = (self.ring.read(max(start_s, end_s - past_s), end_s) for past_s in (LEVEL_S, SHARE_S))
        level_db = _level_db(last.samples[last.heard]) if state == "heard" and last.heard.any() else None
        return SoundHealth(
            state=state,
            clock=clock,
            level_db=level_db,
            heard_share=recent.share_heard,
            behind_s=None if picture_s is None else picture_s - end_s,
            detail=reason,
        )


def _level_db(samples: FloatArray) -> float:
    """Root mean square against full scale, in dB."""
    power = float(np.mean(np.square(samples, dtype=np.float64)))
    return max(FLOOR_DB, 10.0 * math.log10(power)) if power > 0.0 else FLOOR_DB
