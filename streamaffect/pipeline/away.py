"""A live source that could not be opened at the start of a run that others can begin without it."""

from streamaffect.errors import SourceOpenError, SourceStalledError
from streamaffect.sources.base import Source, SourceInfo, SourceKind
from streamaffect.types import Frame


class AwaySource(Source):
    """The source, as one that was lost before its first frame: whoever reads it opens it again, and finds out.

    error: why it could not be opened
    """

    def __init__(self, source: Source, error: SourceOpenError) -> None:
        self._source = source
        self._error: SourceOpenError | None = error

    def open(self) -> SourceInfo:
        """Try again; see `Source.open`."""
        info = self._source.open()
        self._error = None
        return info

    def read(self) -> Frame:
        """The next frame; a SourceStalledError until the source was opened."""
        if self._error is not None:
            raise SourceStalledError(str(self._error))
        return self._source.read()

    def close(self) -> None:
        """Let go of it for good."""
        self._source.close()


def away_info(kind: SourceKind, address: str) -> SourceInfo:
    """What is known of a source that has not been opened yet: nearly nothing.

    address: without credentials
    """
    return SourceInfo(kind, address, live=True, width=0, height=0, fps=None, frames=None, duration_s=None)
