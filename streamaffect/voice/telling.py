"""From readings of a voice to messages: one for each reading, whosever voice it is, and one when there are no more."""

from streamaffect.messages import Voice
from streamaffect.types import Frame, Sightings, VoiceReading


class VoiceTeller:
    """One stream's; it is shown every frame that is spoken of."""

    def __init__(self, stream: str) -> None:
        self._stream = stream
        self._last: VoiceReading | None = None

    def tell(self, sightings: Sightings) -> Voice | None:
        """What is new beside these faces; None where that has been said."""
        reading, last = sightings.voice, self._last
        if reading is last:
            return None
        self._last = reading
        if reading is None:
            assert last is not None
            return self._gone(sightings.frame, last.model)
        return self._message(sightings.frame, reading, sightings.voice_of)

    def _message(self, frame: Frame, reading: VoiceReading, track: int | None) -> Voice:
        back_s = max(0.0, frame.time_s - reading.end_s)
        t_ns = frame.t_capture_ns - round(back_s * 1e9)
        return Voice(
            stream=self._stream,
            t_capture_ns=t_ns,
            t_publish_ns=_publish_ns(frame, t_ns),
            pts_s=None if frame.pts_s is None else frame.pts_s - back_s,
            state="quiet" if reading.arousal is None else "heard",
            activity=reading.activity,
            arousal=reading.arousal,
            arousal_interval=reading.arousal_interval,
            track=track,
            model=reading.model,
        )

    def _gone(self, frame: Frame, model: str) -> Voice:
        return Voice(
            stream=self._stream,
            t_capture_ns=frame.t_capture_ns,
            t_publish_ns=_publish_ns(frame, frame.t_capture_ns),
            pts_s=frame.pts_s,
            state="gone",
            activity=None,
            arousal=None,
            arousal_interval=None,
            track=None,
            model=model,
        )


def _publish_ns(frame: Frame, t_ns: int) -> int:
    """Live, 0 until a sink publishes it, as for an estimate; offline the file's own time."""
    return t_ns if frame.grabbed_ns is None else 0
