"""The file that a stream was made from, for tools that show it beside the annotations."""

import mimetypes
from dataclasses import dataclass

from streamaffect.recordings.header import RecordedStream

TRACK_SUFFIX = "#video="  # of a source that names a track of the file


@dataclass(frozen=True, slots=True)
class Medium:
    """A file of pictures or sound: its path as the user wrote it, and its MIME type."""

    path: str
    mime_type: str


def medium_of(recorded: RecordedStream | None) -> Medium | None:
    """The medium; None for cameras, addresses and everything else that is no file of a known kind."""
    if recorded is None or "://" in recorded.source:
        return None
    path = recorded.source.partition(TRACK_SUFFIX)[0]
    mime_type = mimetypes.guess_type(path)[0]
    if mime_type is None or mime_type.partition("/")[0] not in ("video", "audio", "image"):
        return None
    return Medium(path, mime_type)
