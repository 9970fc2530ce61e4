"""Which video track is meant: the one that the user names, else the container's default; and why there may be none."""

import re

from av.stream import Disposition
from av.video.stream import VideoStream

from streamaffect.errors import SourceOpenError
from streamaffect.sources.video.container import Container

STILLS = Disposition.attached_pic | Disposition.timed_thumbnails | Disposition.still_image
OWN_LENGTH = "DURATION"  # a Matroska track's, as hours:minutes:seconds


def chosen_track(container: Container, number: int | None) -> tuple[VideoStream, int | None]:
    """The track to read, and its number among several, counted from 0; None where it is the only one.

    Raises:
        SourceOpenError: there is no such track, none at all, or no decoder for it.
    """
    moving = [track for track in container.video_tracks if not track.disposition & STILLS]
    if not moving:
        raise SourceOpenError(f"{container.label}: {_instead(container)}")
    if number is not None and number >= len(moving):
        raise SourceOpenError(f"{container.label}: has no #video={number}; {_listed(len(moving))}")
    track = moving[number] if number is not None else _default(container, moving)
    if track.codec_context is None:
        raise SourceOpenError(
            f"{container.label}: its video is {_codec(container, track)}, for which FFmpeg has no decoder here; "
            "convert it to H.264 where it was made"
        )
    return track, moving.index(track) if len(moving) > 1 else None


def duration_s(track: VideoStream) -> float | None:
    """Length of the track as its container states it for this track alone."""
    if track.duration and track.time_base:
        return float(track.duration * track.time_base)
    hours, _, rest = track.metadata.get(OWN_LENGTH, "").partition(":")
    minutes, _, seconds = rest.partition(":")
    try:
        return int(hours) * 3600.0 + int(minutes) * 60.0 + float(seconds) or None
    except ValueError:
        return None


def stated_end_s(track: VideoStream, start_s: float | None) -> float | None:
    """When the track should end, in seconds since the file's start; None where the container does not say."""
    length_s = duration_s(track)
    if length_s is None or track.start_time is None or start_s is None or not track.time_base:
        return length_s
    return float(track.start_time * track.time_base) - start_s + length_s


def _default(container: Container, moving: list[VideoStream]) -> VideoStream:
    defaults = [track for track in moving if track.disposition & Disposition.default]
    # Many containers know no default, and some call every track one.
    if len(defaults) == 1 or (defaults and len(defaults) < len(moving)):
        return defaults[0]
    best = container.best_track()
    return best if best in moving else moving[0]


def _instead(container: Container) -> str:
    if not container.has_sound:
        return "has neither moving pictures nor sound; expected a video"
    cover = ", and a cover picture that stands still" if container.video_tracks else ""
    return f"has sound{cover}, but no moving picture; expected a video"


def _listed(count: int) -> str:
    if count == 1:
        return "it has one video track, #video=0"
    return f"its {count} video tracks are #video=0 to #video={count - 1}"


def _codec(container: Container, track: VideoStream) -> str:
    """The name of a codec without decoder, or the four letters by which the container calls it."""
    found = re.search(rf"Stream #0:{track.index}\b.*?: Video: ([^\s,]+)(?: \(([^)/]+?) /)?", container.describe())
    if found is None:
        return "of an unknown codec"
    name, letters = found.groups()
    return f"coded as {letters or name}" if name == "none" else f"coded as {name}"
