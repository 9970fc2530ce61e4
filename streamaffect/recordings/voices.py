"""What a recording has heard, as columns over time, one voice for each stream: to be drawn beside its faces."""

from array import array
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from typing import Final

from streamaffect.messages import Message, Voice

NAN: Final = float("nan")
VOICE_VALUES: Final = ("arousal", "arousal_low", "arousal_high", "activity", "track")


@dataclass(frozen=True, slots=True)
class VoiceCourse:
    """The voice of one stream: seconds of the recording (float64), and as many float32 for each of `VOICE_VALUES`.

    NaN where there is no value: nobody is heard, or of `track` the voice is nobody's.
    """

    stream: str
    seconds: "array[float]" = field(default_factory=lambda: array("d"))
    columns: "list[array[float]]" = field(default_factory=lambda: [array("f") for _ in VOICE_VALUES])

    def take(self, voice: Voice, start_ns: int) -> None:
        """Add what is heard next. start_ns: capture time at which the seconds of a live recording begin."""
        low, high = voice.arousal_interval or (None, None)
        values = (voice.arousal, low, high, voice.activity, voice.track)
        self.seconds.append((voice.t_capture_ns - start_ns) / 1e9 if voice.pts_s is None else voice.pts_s)
        for column, value in zip(self.columns, values, strict=True):
            column.append(NAN if value is None else value)


class Heard:
    """The voices of a recording by stream, in the order in which they are first heard.

    start_ns: capture time at which the seconds of a live recording begin
    """

    def __init__(self, start_ns: int) -> None:
        self._start_ns = start_ns
        self._voices: dict[str, VoiceCourse] = {}

    def watch(self, messages: Iterable[Message]) -> Iterator[Message]:
        """The messages as they are, each voice among them noted."""
        for message in messages:
            if isinstance(message, Voice):
                self._voices.setdefault(message.stream, VoiceCourse(message.stream)).take(message, self._start_ns)
            yield message

    @property
    def voices(self) -> list[VoiceCourse]:
        """Those noted so far."""
        return list(self._voices.values())
