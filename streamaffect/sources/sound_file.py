"""The sound of a file whose pictures nobody wants, or that has none."""

from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

from av.error import FFmpegError

from streamaffect.errors import SourceOpenError
from streamaffect.sources.sound.anchor import Anchor, Piece
from streamaffect.sources.sound.in_file import SoundInFile
from streamaffect.sources.sound.tracks import chosen_sound
from streamaffect.sources.video.container import Container, open_file
from streamaffect.sources.video.path import checked_file, printable


def read_sound(path: Path, *, rate_hz: int, track: int | None = None) -> Iterator[Piece]:
    """The sound of a file from its start to its end, one channel at `rate_hz`, gaps as gaps.

    track: which of several audio tracks, counted from 0; None is the file's default

    Raises:
        SourceOpenError: the file is not there, holds no sound, or none that can be decoded.
    """
    label = printable(path)
    with closing(_open(path, label)) as container:
        start_s = container.start_s or 0.0
        chosen = chosen_sound(container.sound_tracks, track, label=label)
        sound = SoundInFile(chosen.stream, rate_hz, start_s=start_s)
        anchor = Anchor(rate_hz)
        for packet in container.packets(on_error=lambda: None):
            if packet.stream_index == sound.index:
                for placed in sound.take(packet):
                    yield from anchor.place(placed.samples, placed.time_s)
        for placed in sound.rest():
            yield from anchor.place(placed.samples, placed.time_s)
        if anchor.end_s is None and sound.errors:
            raise SourceOpenError(f"{label}: its sound cannot be decoded; the file is damaged")


def has_sound(path: Path) -> bool:
    """Whether a file has an audio track.

    Raises:
        SourceOpenError: the file is not there, or is no media file.
    """
    with closing(_open(path, printable(path))) as container:
        return container.has_sound


def _open(path: Path, label: str) -> Container:
    try:
        return open_file(str(checked_file(path)), label)
    except (FFmpegError, ValueError) as error:
        raise SourceOpenError(f"{label}: is no sound or video that FFmpeg can read") from error
