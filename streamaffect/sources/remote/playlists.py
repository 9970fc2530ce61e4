"""What an HLS playlist lists, opened for FFmpeg: further playlists and pieces of video, at hosts that may be asked."""

import io
import re
from collections.abc import Mapping

from streamaffect.errors import SourceError
from streamaffect.sources.remote.body import Body
from streamaffect.sources.remote.limits import Deadline
from streamaffect.sources.remote.question import Asker

MARK = b"#EXTM3U"
PARTIAL = 206  # the status of a reply with the part that was asked for; some hosts send the whole
SIZE_LIMIT = 1 << 20  # bytes of a playlist

_ATTRIBUTE = re.compile(r'URI="([^"]*)"')
_TARGET = re.compile(rb"#EXT-X-TARGETDURATION:\s*(\d{1,3})")


class Playlist(io.BytesIO):
    """A playlist that was read to its end. name: where it is from, for the references in it"""

    def __init__(self, text: bytes, name: str) -> None:
        super().__init__(text)
        self.name = name


class Playlists:
    """Opens playlists and what they list. It never raises: what cannot be opened is empty, and `trouble` says why.

    target_s: the longest piece of video, as the last playlist states it
    """

    def __init__(self, asker: Asker, *, silence_s: float) -> None:
        self.target_s = 0.0
        self.trouble: SourceError | None = None
        self._asker = asker
        self._silence_s = silence_s

    def read(self, body: Body) -> Playlist:
        """A playlist, from the body of a reply.

        Raises:
            SourceOpenError: it refers to something that may not be asked.
        """
        text = body.whole(SIZE_LIMIT)
        body.close()
        for reference in _references(text):
            self._asker.check(reference)
        found = _TARGET.search(text)
        self.target_s = float(found.group(1)) if found else self.target_s
        return Playlist(text, body.name)

    def open(self, url: str, flags: int, options: Mapping[str, str]) -> Playlist | Body:  # noqa: ARG002
        """What FFmpeg asks for. options: those of its HTTP protocol"""
        first, end = int(options.get("offset", 0)), int(options.get("end_offset", 0))
        try:
            reply = self._asker.ask(url, _range(first, end))
        except SourceError as error:
            self.trouble = error
            return Playlist(b"", url)
        body = Body(reply, silence_s=self._silence_s, opening=Deadline(self._asker.limits.open_s))
        if reply.head.status != PARTIAL:
            body.narrow(first, end - first if end else None)
        if body.begins_with(len(MARK)) != MARK:
            body.opened()
            return body
        try:
            return self.read(body)
        except SourceError as error:
            self.trouble = error
            return Playlist(b"", url)


def _references(text: bytes) -> list[str]:
    """The addresses in a playlist: a line each, or attributes of a tag."""
    lines = text.decode("utf-8", "replace").splitlines()
    plain = [line for line in lines if line.strip() and not line.startswith("#")]
    return plain + [found for line in lines if line.startswith("#") for found in _ATTRIBUTE.findall(line)]


def _range(first: int, end: int) -> dict[str, str]:
    """The request's field for a part of what is at an address; an `end` of 0 is its own."""
    return {"Range": f"bytes={first}-{end - 1 if end else ''}"} if first or end else {}
