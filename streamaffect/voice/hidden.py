"""What a stream knows of faces that it does not see: since when, and what a joint fusion says of them meanwhile."""

from dataclasses import dataclass

from streamaffect.types import FloatArray, VoiceReading
from streamaffect.voice.joint import Fused, JointFusion
from streamaffect.voice.steps import StepMemory

KEEP_S = 10.0  # so long a face may be hidden while its voice goes on


@dataclass(frozen=True, slots=True)
class Glimpse:
    """A track in a frame. clip: (C,) float32, coverage: the share of it that is real; reading: of its voice."""

    time_s: float
    clip: FloatArray | None
    coverage: float
    is_seen: bool
    reading: VoiceReading | None


@dataclass(frozen=True, slots=True)
class Unseen:
    """What is known beside the estimate itself.

    hidden_s:   for how long the face has been hidden, 0 while it is seen
    fused:      where there is a fusion to ask
    is_weighed: the bundle's own fusion has answered, for face and voice together
    """

    hidden_s: float = 0.0
    fused: Fused | None = None
    is_weighed: bool = False


IN_VIEW = Unseen()


class HiddenFaces:
    """The tracks of one stream. fusion: None where none fits the bundle, or nobody listens."""

    def __init__(self, fusion: JointFusion | None = None) -> None:
        self._fusion = fusion
        self._seen_s: dict[int, float] = {}
        self._steps: dict[int, StepMemory] = {}

    def look(self, track: int, glimpse: Glimpse) -> Unseen:
        """Take the next frame of a track, and say what is known of it."""
        sound = None if self._fusion is None else self._fusion.sound(glimpse.reading)
        self._remember(track, glimpse, sound)
        if glimpse.is_seen:
            self._seen_s[track] = glimpse.time_s
            return IN_VIEW
        hidden_s = max(0.0, glimpse.time_s - self._seen_s.get(track, glimpse.time_s))
        return Unseen(hidden_s, None if sound is None else self._fuse(track))

    def forget(self, track: int) -> None:
        """Drop a track that is lost."""
        self._seen_s.pop(track, None)
        self._steps.pop(track, None)

    def _remember(self, track: int, glimpse: Glimpse, sound: FloatArray | None) -> None:
        if self._fusion is None or glimpse.clip is None:
            return
        if track not in self._steps:
            manifest = self._fusion.manifest
            widths = (len(glimpse.clip), len(manifest.features))
            self._steps[track] = StepMemory(manifest.steps, manifest.step_s, widths)
        self._steps[track].push(glimpse.time_s, glimpse.clip, glimpse.coverage, sound)

    def _fuse(self, track: int) -> Fused | None:
        """What the fusion says of the steps until now; None where there are none."""
        if self._fusion is None or track not in self._steps:
            return None
        return self._fusion.fuse(self._steps[track].window())
