"""The values that flow through the stream, in the order in which they come into being.

All are frozen. Boxes are shares of the frame's width and height; times are seconds on the stream's own clock
(`*_s`) or nanoseconds (`*_ns`); pictures are uint8, BGR as captured and RGB as cropped.
"""

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any, Literal, NamedTuple, Protocol

import msgspec
import numpy as np
import numpy.typing as npt

ImageArray = npt.NDArray[np.uint8]
FloatArray = npt.NDArray[np.float32]
TimeArray = npt.NDArray[np.float64]
BoolArray = npt.NDArray[np.bool_]
RowArray = npt.NDArray[np.int64]
VectorArray = npt.NDArray[Any]  # vectors, or the rows where an engine keeps them
Channels = tuple[ImageArray, ImageArray, ImageArray]  # blue, green and red, (H, W) each
Window = tuple[int, int, int, int]  # left, top, right and bottom in pixels, the last two not included

SOUND_RATE_HZ = 16_000
Light = Literal["good", "fair", "poor"]
Flaw = Literal["size", "sharpness", "inside", "score", "turned"]  # why a face is not looked at
SoundClock = Literal["container", "sender", "arrival", "device"]


class Box(NamedTuple):
    """A rectangle as shares of the frame: left, top, width, height. It may reach outside [0, 1]."""

    x: float
    y: float
    w: float
    h: float


Point = tuple[float, float]


class Square(NamedTuple):
    """The square of a frame that the model sees of a face, by three of its corners, x and y as shares of the frame.

    It may be turned, and may reach outside [0, 1]. The fourth corner is top_right + bottom_left − top_left.
    """

    top_left: Point
    top_right: Point
    bottom_left: Point


class Picture(Protocol):
    """A picture whose pixels are made when somebody asks for them, and no more of them than are asked for."""

    @property
    def shape(self) -> tuple[int, int, int]:
        """Height, width and 3, as of the array that it stands for."""
        ...

    def whole(self) -> ImageArray:
        """All pixels, (H, W, 3) uint8 BGR."""
        ...

    def part(self, window: Window, size: tuple[int, int]) -> ImageArray:
        """The pixels in a window, averaged down to `size` (width, height): (height, width, 3) uint8 BGR."""
        ...

    @property
    def channels(self) -> Channels | None:
        """All pixels by colour, where they are there; None where they are not made yet."""
        ...


def pixels(picture: ImageArray | Picture) -> ImageArray:
    """All pixels of a picture, (H, W, 3) uint8 BGR."""
    return picture if isinstance(picture, np.ndarray) else picture.whole()


@dataclass(frozen=True, slots=True)
class Frame:
    """One picture of a source.

    picture:      (H, W, 3) uint8 BGR, or what becomes it when somebody asks
    index:        0, 1, 2, …, counting the frames that were grabbed and then skipped
    time_s:       seconds on the source's own clock, strictly increasing: container timestamps, or monotonic grab times
    t_capture_ns: UTC nanoseconds at the grab; for a file read offline, its timestamp in nanoseconds
    grabbed_ns:   monotonic nanoseconds at the grab, for latencies; None for a file read offline
    pts_s:        the container's timestamp in seconds; None for a live source
    """

    picture: ImageArray | Picture
    index: int
    time_s: float
    t_capture_ns: int
    grabbed_ns: int | None
    pts_s: float | None = None

    @property
    def image(self) -> ImageArray:
        """All pixels, (H, W, 3) uint8 BGR."""
        return pixels(self.picture)


@dataclass(frozen=True, slots=True)
class SoundBlock:
    """A stretch of sound of a source, on the clock of its frames.

    samples:      (N,) float32 in [-1, 1], one channel at `SOUND_RATE_HZ`
    time_s:       of the first sample, on the clock of `Frame.time_s`
    t_capture_ns: of the first sample, as in `Frame`
    heard:        False for a gap: zeros in the place of what nobody heard; they take no memory, however long it is
    pts_s:        of the first sample since the file's start; None for a live source
    """

    samples: FloatArray
    time_s: float
    t_capture_ns: int
    heard: bool = True
    pts_s: float | None = None

    @property
    def end_s(self) -> float:
        """Where the next sample belongs."""
        return self.time_s + len(self.samples) / SOUND_RATE_HZ


@dataclass(frozen=True, slots=True)
class VoiceReading:
    """What a window of sound says of a voice.

    activity: share of the window in which somebody speaks, [0, 1]
    arousal:  in [-1, 1]; None where too little was said
    arousal_interval: 90 % conformal interval (low, high) within [-1, 1], where there is an arousal
    end_s:    where the window ends, on the clock of `Frame.time_s`
    model:    name@version of what has read it
    prosody:  (F,) float32, the numbers of `voice.prosody`, where there is an arousal
    """

    activity: float
    arousal: float | None = None
    arousal_interval: tuple[float, float] | None = None
    end_s: float = 0.0
    model: str = ""
    prosody: FloatArray | None = field(default=None, compare=False)


@dataclass(frozen=True, slots=True)
class Face:
    """One detection.

    box:       shares of the frame
    score:     the detector's confidence in [0, 1]
    keypoints: (6, 2) float32 shares of the frame: right eye, left eye (the person's), nose tip, mouth, right and left
               ear tragion; None where the box was given by hand
    doubtful:  it may lie on its side or stand on its head, for all that could be seen
    """

    box: Box
    score: float
    keypoints: FloatArray | None = None
    doubtful: bool = False


@dataclass(frozen=True, slots=True)
class Quality:
    """How well a crop shows its face, each in [0, 1], 1 is best.

    size: pixels of the face against what the crop needs; sharpness: against blur; inside: share of the crop that lies
    in the frame; score: the detector's.
    """

    size: float
    sharpness: float
    inside: float
    score: float

    @property
    def overall(self) -> float:
        """The weakest of the four: a face is as usable as its worst property."""
        return min(self.size, self.sharpness, self.inside, self.score)

    @property
    def weakest(self) -> Flaw:
        """Which of the four that is."""
        values: dict[Flaw, float] = {
            "size": self.size,
            "sharpness": self.sharpness,
            "inside": self.inside,
            "score": self.score,
        }
        return min(values, key=values.__getitem__)


class PictureLights(msgspec.Struct, frozen=True):
    """How well the picture shows a face, as traffic lights.

    light: neither dark nor overexposed; distance: large enough and not cut off; blur: sharp; pose: towards the camera
    """

    light: Light
    distance: Light
    blur: Light
    pose: Light


@dataclass(frozen=True, slots=True)
class TrackedFace:
    """A track at one frame.

    track:     an id that is never used again in this stream
    face:      smoothed box and keypoints; while the face is hidden, where it was seen last
    visible:   False while the face is lost for a moment
    """

    track: int
    face: Face
    visible: bool


@dataclass(frozen=True, slots=True)
class Sighting:
    """One tracked face at one frame, ready for the frame encoder.

    visible: False while the face is hidden for a moment; `face` then says where it was last
    crop:    (S, S, 3) uint8 RGB; None while the face is hidden or shown too poorly to be looked at
    quality: overall quality of the crop in [0, 1]; None while the face is hidden
    advice:  what would make the picture better, a sentence; None where nothing must
    lights:  the same as traffic lights; None while the face is hidden
    flaw:    why a visible face has no crop: its weakest quality, or that it may lie on its side
    """

    track: int
    face: Face
    visible: bool
    crop: ImageArray | None
    quality: float | None
    advice: str | None = None
    lights: PictureLights | None = None
    flaw: Flaw | None = None


@dataclass(frozen=True, slots=True)
class Sightings:
    """What the face stage found in one frame.

    born, lost:            tracks that began, or ended, with this frame
    left_out:              faces in view that are not followed, since there are too many
    detected:              faces in view, whether they are believed or not
    started_ns, ended_ns:  monotonic nanoseconds around the work
    voice:                 what is heard beside the frame; None where nothing is, or nobody listens
    voice_of:              the track whose voice that is; None where it is nobody's
    """

    frame: Frame
    faces: Sequence[Sighting]
    born: Sequence[int]
    lost: Sequence[int]
    started_ns: int
    ended_ns: int
    left_out: int = 0
    detected: int = 0
    voice: VoiceReading | None = None
    voice_of: int | None = None
