"""Plausible messages of a live stream, without a camera or a model: what a display has to cope with.

Each stream is a pure function of time. Faces wander slowly about the plane, warm up, are hidden now and then, and one
of them is too blurred for an estimate for a while.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from math import cos, exp, sin

from streamaffect.messages import (
    NOTICE,
    Estimate,
    Event,
    HeadMeta,
    Health,
    LatencySummary,
    Message,
    Meta,
    Status,
)
from streamaffect.types import Box

START_NS = 1_763_660_000_000_000_000
EMOTIONS = ("neutral", "happiness", "surprise", "sadness", "anger", "disgust", "fear", "contempt")
WARM_S = 3.2


@dataclass(frozen=True, slots=True)
class Feeder:
    """A stream with `faces` faces at `fps`. The source is away between the two times of `lost`, where given.

    length_s: of the file that it pretends to be; None for a live source
    """

    stream: str = "webcam"
    source: str = "webcam"
    faces: int = 3
    fps: float = 30.0
    lost: tuple[float, float] | None = None
    length_s: float | None = None

    def messages(self, seconds: float) -> Iterator[tuple[float, Message]]:
        """(when in seconds, message) in the order in which they would come."""
        yield 0.0, self.meta()
        yield 0.0, self.health(0.0)
        seq = 0
        for frame in range(round(seconds * self.fps)):
            time_s = frame / self.fps
            yield from self._events(frame)
            if not self._away(time_s):
                for track in range(1, self.faces + 1):
                    yield time_s, self.estimate(track, seq, time_s)
                    seq += 1
            if frame and frame % round(self.fps) == 0:
                yield time_s, self.health(time_s)

    def meta(self) -> Meta:
        """What a subscriber gets first."""
        return Meta(
            stream=self.stream,
            t_ns=START_NS,
            source=self.source,
            live=self.length_s is None,
            model="default@1.0",
            bundle_sha256="0" * 64,
            heads=[
                HeadMeta(name="affect", kind="regression", outputs=[]),
                HeadMeta(name="emotions", kind="classification", outputs=[]),
            ],
            clip_s=0.64,
            context_s=3.2,
            engine="onnxruntime CPU fp32",
            engine_reason="the default preset names it for a CPU; no TensorRT engine was built for this bundle",
            software="streamaffect 0.1.0",
            notice=NOTICE,
        )

    def health(self, time_s: float) -> Health:
        """The state of the stream at a time."""
        away = self._away(time_s)
        frames = round(time_s * self.fps)
        return Health(
            stream=self.stream,
            t_ns=START_NS + round(time_s * 1e9),
            state="starting" if time_s == 0 else "lost" if away else "live",
            uptime_s=time_s,
            fps_in=self.fps,
            fps_out=0.0 if away else self.fps - 0.2,
            frames=frames,
            skipped=frames // 250,
            faces=self.faces,
            estimates=frames * self.faces,
            latency_ms=LatencySummary(p50=11.2, p95=18.7, p99=31.0),
            reconnects=1 if self.lost and time_s > self.lost[1] else 0,
            downtime_s=self.lost[1] - self.lost[0] if self.lost and time_s > self.lost[1] else 0.0,
            memory_mb=312.0,
            progress=None if self.length_s is None else min(1.0, time_s / self.length_s),
        )

    def estimate(self, track: int, seq: int, time_s: float) -> Estimate:
        """The estimate of a face at a time."""
        status = self._status(track, time_s)
        phase = track * 1.7
        valence = max(-1.0, min(1.0, 0.55 * sin(0.55 * time_s + phase) + 0.25 * sin(1.3 * time_s + 2 * phase)))
        arousal = max(-1.0, min(1.0, 0.5 * cos(0.4 * time_s + phase) + 0.18 * sin(1.9 * time_s + phase)))
        spread = 0.14 + 0.05 * sin(0.3 * time_s + track) + (0.15 if status == "warming" else 0.0)
        known = status != "abstain"
        weights = [exp(2.2 * sin(0.45 * time_s + phase + index)) for index in range(len(EMOTIONS))]
        return Estimate(
            stream=self.stream,
            track=track,
            seq=seq,
            t_capture_ns=START_NS + round(time_s * 1e9),
            t_publish_ns=START_NS + round((time_s + 0.011) * 1e9),
            pts_s=None,
            valence=valence if known else None,
            arousal=arousal if known else None,
            valence_interval=(max(-1.0, valence - spread), min(1.0, valence + spread)) if known else None,
            arousal_interval=(max(-1.0, arousal - spread), min(1.0, arousal + spread)) if known else None,
            status=status,
            coverage=0.94,
            context_fill=min(1.0, time_s / WARM_S),
            lookahead_s=0.0,
            refines=None,
            box=Box(0.1 * track, 0.2, 0.22 - 0.02 * track, 0.35 - 0.02 * track),
            face_score=0.93,
            quality=0.8,
            outputs={"emotions": {name: weight / sum(weights) for name, weight in zip(EMOTIONS, weights, strict=True)}}
            if known
            else {},
            latency_ms={"total": 11.0},
            model="default@1.0",
        )

    def _away(self, time_s: float) -> bool:
        return self.lost is not None and self.lost[0] <= time_s < self.lost[1]

    def _status(self, track: int, time_s: float) -> Status:
        if time_s < WARM_S:
            return "warming"
        if track == 2 and time_s % 10 > 8.5:
            return "held"
        if track == 3 and time_s % 12 > 9:
            return "abstain"
        return "ok"

    def _events(self, frame: int) -> Iterator[tuple[float, Message]]:
        time_s = frame / self.fps
        now_ns = START_NS + round(time_s * 1e9)
        if frame == 0:
            for track in range(1, self.faces + 1):
                yield time_s, Event(stream=self.stream, t_ns=now_ns, event="track_born", track=track)
        if self.lost is None:
            return
        if frame == round(self.lost[0] * self.fps):
            yield time_s, Event(stream=self.stream, t_ns=now_ns, event="source_lost", detail="no frame for 5 s")
        if frame == round(self.lost[1] * self.fps):
            away = self.lost[1] - self.lost[0]
            yield time_s, Event(stream=self.stream, t_ns=now_ns, event="source_back", downtime_s=away)
