"""Which audio track is meant: the one that the user names, else the container's default; and why there may be none."""

from collections.abc import Sequence
from dataclasses import dataclass

from av.audio.stream import AudioStream
from av.stream import Disposition

from streamaffect.errors import SourceOpenError


@dataclass(frozen=True, slots=True)
class SoundTrack:
    """An audio track, and its number among several, counted from 0; None where it is the only one."""

    stream: AudioStream
    number: int | None


def chosen_sound(tracks: Sequence[AudioStream], number: int | None, *, label: str) -> SoundTrack:
    """The track to listen to. Speech for people who cannot see is taken only where nothing else is there.

    Raises:
        SourceOpenError: there is no such track, none at all, or no decoder for it.
    """
    if not tracks:
        raise SourceOpenError(f"{label}: has no sound")
    if number is not None and number >= len(tracks):
        has = (
            "it has one audio track, #audio=0"
            if len(tracks) == 1
            else f"#audio=0 to #audio={len(tracks) - 1} are there"
        )
        raise SourceOpenError(f"{label}: has no #audio={number}; {has}")
    track = tracks[number] if number is not None else _default(tracks)
    if track.codec_context is None:
        raise SourceOpenError(f"{label}: FFmpeg has no decoder for its sound; convert it to AAC where it was made")
    return SoundTrack(track, tracks.index(track) if len(tracks) > 1 else None)


def _default(tracks: Sequence[AudioStream]) -> AudioStream:
    usual = [track for track in tracks if not track.disposition & (Disposition.descriptions | Disposition.comment)]
    defaults = [track for track in usual if track.disposition & Disposition.default]
    return (defaults or usual or list(tracks))[0]
