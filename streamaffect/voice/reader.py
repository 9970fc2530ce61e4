"""What is read of the sound of one stream, as time goes by: twice a second, and kept until the next time."""

import math
from dataclasses import replace

from streamaffect.sources.sound.ring import SoundRing
from streamaffect.types import VoiceReading
from streamaffect.voice.model import VoiceModel
from streamaffect.voice.speaker import Speaker

PERIOD_S = 0.5


class VoiceReader:
    """One thread at a time.

    Windows end at whole multiples of half a second of the stream's clock, whatever frames come: the same file gives
    the same readings.

    speaker: whose voice it is
    """

    def __init__(self, model: VoiceModel, ring: SoundRing, speaker: Speaker | None = None) -> None:
        self.speaker = speaker or Speaker()
        self._model = model
        self._ring = ring
        self._step: int | None = None
        self._reading: VoiceReading | None = None

    def read(self, time_s: float) -> VoiceReading | None:
        """What was heard until `time_s`, at most half a second ago; None where nothing was."""
        step = math.floor(time_s / PERIOD_S + 1e-6)
        if step != self._step:
            self._step = step
            self._reading = self._look(step * PERIOD_S)
        return self._reading

    def _look(self, end_s: float) -> VoiceReading | None:
        window = self._ring.read(end_s - self._model.manifest.window_s, end_s)
        if not window.heard.any():
            return None
        return replace(self._model.read(window.samples), end_s=end_s, model=self._model.manifest.label)
