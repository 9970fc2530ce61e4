"""How fast the pictures of a track follow each other, and whether its container has a clock at all."""

from dataclasses import dataclass

from av.video.stream import VideoStream

MOST_FPS = 1000.0  # more is a clock's resolution and no rate
ASSUMED_FPS = 25.0
# FFmpeg's formats that are a bare stream of pictures: their times are made from a rate, often from an assumed one.
BARE_STREAMS = frozenset(
    ("h261", "h263", "h264", "hevc", "vvc", "m4v", "mpegvideo", "mjpeg", "cavsvideo", "dirac", "vc1")
)


@dataclass(frozen=True, slots=True)
class Rate:
    """fps: nominal frames per second, None where nobody says; warning: what a user has to know of it."""

    fps: float | None
    warning: str | None = None

    @property
    def is_the_only_clock(self) -> bool:
        """True where the container has no time stamps of its own."""
        return self.warning is not None


def rate_of(track: VideoStream, container_format: str) -> Rate:
    """The rate of a track: the container's, or the stream's own where the container is none."""
    if container_format not in BARE_STREAMS and not container_format.endswith("_pipe"):
        return Rate(_usable(track.average_rate) or _usable(track.guessed_rate))
    own = _usable(track.codec_context.framerate)
    if own is None:
        return Rate(ASSUMED_FPS, f"is a bare stream without time stamps and rate; {ASSUMED_FPS:g} frames/s are assumed")
    return Rate(own, f"is a bare stream without time stamps; its own rate of {own:g} frames/s is its clock")


def _usable(rate: object) -> float | None:
    value = float(rate) if rate else 0.0  # type: ignore[arg-type]
    return value if 0.0 < value <= MOST_FPS else None
