"""The recipe of a voice model."""

from typing import Annotated, Literal

import msgspec

from streamaffect.voice.prosody import FEATURES
from streamaffect.voice.timbre import KNOWN

from ...config import Count, NotNegative, OptimiserConfig, Positive

Speed = Annotated[float, msgspec.Meta(ge=0.5, le=1)]


class VoiceRecipe(msgspec.Struct, frozen=True, forbid_unknown_fields=True, tag_field="method", tag="voice"):
    """Everything that defines the run, but for the data's folder.

    data:     "speech" reads `clips.csv` below `--data`, see `train.audiovisual.speech`; "drawn" makes voices
    tier:     the clips to learn from are those of this folder alone; its corpora appear in no measurement
    window_s: what is looked at at a time; hop_s: between the windows of one clip
    cuts:     further windows of each clip that is trained on, of random place and length
    shortest_s: of those
    deepened: further ones of its voice played more slowly, which is deeper then, as if of a longer throat;
    deepest:  the least speed of those, 1 is its own
    noisy:    further ones of deeper voices again, with white noise 15 to 45 dB below them
    reads:    of a window: the numbers of `streamaffect/voice/prosody.py`, or those of `timbre.py` too
    hidden:   units of a layer between; 0: the model is linear
    noise:    deviations of a feature that are added to it while training
    drawn:    voices of "drawn"
    version, licence: of the model; credits: whose speech it has learned from, for its card
    """

    name: str
    seed: int
    data: Literal["speech", "drawn"]
    optimiser: OptimiserConfig
    tier: str = "open"
    window_s: Positive = 2.0
    hop_s: Positive = 0.5
    cuts: int = 0
    shortest_s: Positive = 0.8
    deepened: int = 0
    deepest: Speed = 0.8
    noisy: int = 0
    reads: Literal["prosody", "all"] = "prosody"
    hidden: int = 0
    noise: NotNegative = 0.5
    drawn: Count = 200
    version: str = "0.1"
    licence: str = "not stated"
    credits: tuple[str, ...] = ()

    @property
    def features(self) -> tuple[str, ...]:
        """The names of what is read, in order."""
        return FEATURES if self.reads == "prosody" else KNOWN
