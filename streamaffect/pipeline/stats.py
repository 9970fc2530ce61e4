"""What a stream reports about itself each second: counts, and rates over the last seconds."""

import logging
import resource
import sys
from collections import Counter, deque
from collections.abc import Callable
from dataclasses import dataclass

import msgspec
from msgspec import UNSET, UnsetType

from streamaffect.clock import RECENT_S, monotonic_ns
from streamaffect.messages import Health, LatencySummary, SoundHealth, SourceState
from streamaffect.pipeline.stations.pace import Gate
from streamaffect.types import Flaw, PictureLights, Sightings

log = logging.getLogger(__name__)

SILENT_S = 1.5
PICTURES_ADVISED = 30
CROWD_SETTLES_S = 1.0  # so long after the first face without room, the others have been seen, too
USUAL_GAPS = 3.0  # times the usual time from frame to frame


@dataclass(frozen=True, slots=True)
class Deliveries:
    """What the sinks say of the messages that they were given; asked for each health message.

    dropped: how many each of them had to drop, by its name
    latency: of a stream, from capture to publishing; only who publishes can know it
    faults:  why what one hands on reaches nobody, by its name, where it is so
    """

    dropped: Callable[[], dict[str, int]]
    latency: Callable[[str], LatencySummary | None]
    faults: Callable[[], dict[str, str]] = dict


NO_SINKS = Deliveries(dropped=dict, latency=lambda _: None)


class Rate:
    """Events per second over the last `RECENT_S` seconds."""

    def __init__(self) -> None:
        self._samples: deque[tuple[int, int]] = deque()

    def add(self, now_ns: int, total: int) -> None:
        """Note the running total."""
        self._samples.append((now_ns, total))
        self._expire(now_ns)

    def per_second(self, now_ns: int, total: int) -> float:
        """Rate up to now; 0 before two notes, and in a silence as long as the window."""
        self._expire(now_ns)
        if not self._samples:
            return 0.0
        first_ns, first = self._samples[0]
        elapsed_s = (now_ns - first_ns) / 1e9
        return (total - first) / elapsed_s if elapsed_s > 0 else 0.0

    def _expire(self, now_ns: int) -> None:
        """Keep the notes of the window and the last one before it, from which the window's events are counted."""
        while len(self._samples) > 1 and now_ns - self._samples[1][0] >= RECENT_S * 1e9:
            self._samples.popleft()


class StreamStats:
    """The counters of one stream. Written by the capture thread (`source_lost`, `source_back`) and the main one.

    last_capture_ns: capture time of the last frame that has finished
    last_s:          its time on the source's own clock; None before the first one
    frames_with_face, frames_with_detection: frames in which a face was followed, or at least seen
    has_values: an estimate was more than an abstention
    flaws: how many faces, frame by frame, were not looked at, and why
    """

    def __init__(self, stream: str, *, duration_s: float | None, is_live: bool = True) -> None:
        self.stream = stream
        self.is_live = is_live
        self.state: SourceState = "starting"
        self.frames_with_face = self.frames_with_detection = 0
        self.has_values = False
        self.flaws: Counter[Flaw] = Counter()
        self.last_capture_ns = 0
        self._finished_ns = monotonic_ns()
        self._left_out = self._most_left_out = self._most_followed = 0
        self._left_out_since_s: float | None = None
        self._has_told_of_left_out = False
        self._duration_s = duration_s
        self._started_ns = monotonic_ns()
        self._grabbed = self._finished = self._skipped = self._estimates = self._faces = 0
        self._first_s: float | None = None
        self.last_s: float | None = None
        self._rate_in, self._rate_out = Rate(), Rate()
        self._advised: deque[str | None] = deque(maxlen=PICTURES_ADVISED)
        self._lights: deque[PictureLights | None] = deque(maxlen=PICTURES_ADVISED)
        self._reconnects = 0
        self._downtime_s = 0.0
        self._lost_ns: int | None = None

    @property
    def finished(self) -> int:
        """Frames that went through the whole pipeline."""
        return self._finished

    @property
    def span_s(self) -> float:
        """Seconds from the first frame to the last, on the stream's own clock."""
        return 0.0 if self._first_s is None or self.last_s is None else self.last_s - self._first_s

    @property
    def frame_gap_s(self) -> float:
        """Seconds from frame to frame, on average, on the stream's own clock; 0 before there are two."""
        return self.span_s / (self._finished - 1) if self._finished > 1 else 0.0

    @property
    def skipped(self) -> int:
        """Frames that were grabbed and replaced by a newer one before anybody looked at them."""
        return self._skipped

    def take_frame(self, sightings: Sightings) -> None:
        """Count a frame whose estimates have been made."""
        frame = sightings.frame
        now_ns = self._finished_ns = monotonic_ns()
        self.last_capture_ns = frame.t_capture_ns
        self.state = "live" if self.state == "starting" else self.state
        self._first_s = frame.time_s if self._first_s is None else self._first_s
        self.last_s = frame.time_s
        self._skipped += max(0, frame.index - self._grabbed)
        self._grabbed, self._finished = frame.index + 1, self._finished + 1
        self._note_advice(sightings)
        self._faces = sum(face.visible for face in sightings.faces)
        self.frames_with_face += self._faces > 0
        self.frames_with_detection += sightings.detected > 0
        self.flaws.update(face.flaw for face in sightings.faces if face.flaw is not None)
        self._note_left_out(sightings.left_out, frame.time_s)
        self._rate_in.add(now_ns, self._grabbed)
        self._rate_out.add(now_ns, self._finished)

    def take_estimate(self, *, has_values: bool) -> None:
        """Count an estimate."""
        self._estimates += 1
        self.has_values = self.has_values or has_values

    def source_lost(self) -> None:
        """The source is away from now on."""
        self.state, self._lost_ns = "lost", monotonic_ns()

    def source_back(self, downtime_s: float) -> None:
        """The source works again."""
        self.state, self._lost_ns = "live", None
        self._finished_ns = monotonic_ns()  # it has not been silent
        self._reconnects += 1
        self._downtime_s += downtime_s

    def source_ended(self) -> None:
        """No further frames will come."""
        self.state = "ended"
        self._tell_of_left_out()

    def health(
        self,
        t_ns: int,
        *,
        dropped: dict[str, int],
        latency_ms: LatencySummary | None,
        fault: str = "",
        outlets: dict[str, str] | None = None,
        sound: SoundHealth | msgspec.UnsetType = msgspec.UNSET,
        gate: Gate | None = None,
    ) -> Health:
        """The state now, with what the sinks say of the messages so far.

        fault:   why no estimates can be made at the moment, where that is known; silence is noticed here
        outlets: why some of them reach nobody
        gate:    why frames were skipped, and how many may be analysed
        """
        now_ns = monotonic_ns()
        away_s = (now_ns - self._lost_ns) / 1e9 if self._lost_ns is not None else 0.0
        fault = "" if self.state == "ended" else fault or self._silence(now_ns)
        return Health(
            stream=self.stream,
            t_ns=t_ns,
            state="stalled" if fault and self.state == "live" else self.state,
            fault=fault,
            uptime_s=(now_ns - self._started_ns) / 1e9,
            fps_in=self._rate_in.per_second(now_ns, self._grabbed),
            fps_out=self._rate_out.per_second(now_ns, self._finished),
            frames=self._grabbed,
            skipped=self.skipped,
            faces=self._faces,
            faces_left_out=self._left_out,
            estimates=self._estimates,
            dropped=dropped,
            outlets=outlets or msgspec.UNSET,
            latency_ms=latency_ms,
            reconnects=self._reconnects,
            downtime_s=self._downtime_s + away_s,
            memory_mb=peak_memory_mb(),
            progress=self._progress(),
            sound=sound,
            advice=self._advice(),
            analysis_fps=UNSET if gate is None or gate.limit_fps is None else gate.limit_fps,
            skipped_why=UNSET if gate is None or not self.skipped else dict(+gate.why),
            picture=self._picture(),
        )

    def _note_advice(self, sightings: Sightings) -> None:
        visible = [face for face in sightings.faces if face.visible]
        largest = max(visible, key=lambda face: face.face.box.w, default=None)
        self._advised.append(None if largest is None else largest.advice)
        self._lights.append(None if largest is None else largest.lights)

    def _advice(self) -> str | UnsetType:
        """What most of the last pictures say."""
        found = [advice for advice in self._advised if advice is not None]
        usual, count = Counter(found).most_common(1)[0] if found else ("", 0)
        return usual if self.is_live and self.state == "live" and 2 * count > len(self._advised) else UNSET

    def _picture(self) -> PictureLights | UnsetType:
        """Each light as most of the last pictures have it; unset where most have no face."""
        seen = [one for one in self._lights if one is not None]
        if not self.is_live or self.state != "live" or 2 * len(seen) <= len(self._lights):
            return UNSET
        names = ("light", "distance", "blur", "pose")
        return PictureLights(*(Counter(getattr(one, name) for one in seen).most_common(1)[0][0] for name in names))

    def _silence(self, now_ns: int) -> str:
        """What is missing, where a live stream has gone without a frame for much longer than it used to."""
        if not self.is_live or self.state != "live":
            return ""
        silent_s = (now_ns - self._finished_ns) / 1e9
        rate = self._rate_out.per_second(now_ns, self._finished)
        is_usual = silent_s < SILENT_S or (rate > 0 and silent_s < USUAL_GAPS / rate)
        return "" if is_usual else f"no picture for {silent_s:.1f} s"

    def _note_left_out(self, count: int, time_s: float) -> None:
        """Count them, and tell of them when all that are in view will have been seen."""
        self._left_out = count
        if count > self._most_left_out:
            self._most_left_out, self._most_followed = count, self._faces
        if count and self._left_out_since_s is None:
            self._left_out_since_s = time_s
        if self._left_out_since_s is not None and time_s - self._left_out_since_s >= CROWD_SETTLES_S:
            self._tell_of_left_out()

    def _tell_of_left_out(self) -> None:
        count, followed = self._most_left_out, self._most_followed
        if not count or self._has_told_of_left_out:
            return
        self._has_told_of_left_out = True
        log.warning(
            "%s: %s left out, %d %s followed; --set tracker.max_faces=%d would follow all",
            self.stream,
            "1 face in view is" if count == 1 else f"{count} faces in view are",
            followed,
            "is" if followed == 1 else "are",
            followed + count,
        )

    def _progress(self) -> float | None:
        if not self._duration_s:
            return None
        if self._first_s is None or self.last_s is None:
            return 0.0
        return 1.0 if self.state == "ended" else min(1.0, (self.last_s - self._first_s) / self._duration_s)


def peak_memory_mb() -> float:
    """The highest resident memory of this process so far, in MiB."""
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    return peak / 2**20 if sys.platform == "darwin" else peak / 2**10
