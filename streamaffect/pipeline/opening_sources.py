"""Opening the sources of a run: network cameras all at once, and a run begins without those that are away."""

import logging
import threading
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass

from streamaffect.errors import SourceForbiddenError, SourceOpenError
from streamaffect.names import free_name
from streamaffect.pipeline.away import AwaySource, away_info
from streamaffect.pipeline.hearing import StreamSound
from streamaffect.redaction import redact
from streamaffect.settings import SourceSettings
from streamaffect.sources.base import Source, SourceInfo, SourceKind
from streamaffect.sources.parse import kind_of, make_source, split_name

log = logging.getLogger(__name__)

NETWORK: frozenset[SourceKind] = frozenset({"rtsp", "http"})
MAY_BE_AWAY: frozenset[SourceKind] = NETWORK | {"webcam"}


@dataclass(frozen=True, slots=True)
class OpenSource:
    """A source that gives frames, or will when it is back, and its name on the wire."""

    name: str
    source: Source
    info: SourceInfo
    sound: StreamSound | None = None


class _Opening:
    """One source on its way; `error` says why it did not open."""

    def __init__(self, name: str, spec: str, source: Source, sound: StreamSound | None) -> None:
        self.name = name
        self.kind = kind_of(spec)
        self.error: Exception | None = None
        self._address = redact(spec)
        self._source = source
        self._sound = sound
        self._info = away_info(self.kind, self._address)
        self._thread = threading.Thread(target=self._open, name=f"open-{name}", daemon=True)

    @property
    def is_away(self) -> bool:
        """True where the source can be expected to come back."""
        return isinstance(self.error, SourceOpenError) and self.kind in MAY_BE_AWAY

    def start(self) -> None:
        """Open a network source in a thread of its own."""
        if self.kind in NETWORK:
            self._thread.start()

    def finish(self) -> None:
        """Wait for it; what is no network source opens here, one after another."""
        if self.kind in NETWORK:
            self._thread.join()
        else:
            self._open()
        # A camera that is off, or a network that is not up yet: a restart may find it.
        if isinstance(self.error, SourceOpenError) and self.is_away:
            self.error.transient = not isinstance(self.error, SourceForbiddenError)

    def result(self) -> OpenSource:
        """The open source, or its place holder."""
        if isinstance(self.error, SourceOpenError):
            return OpenSource(self.name, AwaySource(self._source, self.error), self._info, self._sound)
        return OpenSource(self.name, self._source, self._info, self._sound)

    def close(self) -> None:
        """Give up; a blocked opening returns soon."""
        self._source.close()

    def _open(self) -> None:
        try:
            self._info = self._source.open()
        except Exception as error:
            self.error = error


def open_sources(
    texts: Sequence[str], settings: SourceSettings, *, realtime: bool, require_all: bool
) -> list[OpenSource]:
    """Open every source, in order; what was opened is closed again if one fails that the run cannot begin without.

    texts:       each "SOURCE" or "name=SOURCE"
    require_all: no source may be away; otherwise one that works is enough, and the others are tried again
    Raises SourceOpenError or ConfigError.
    """
    with _closed_on_failure() as openings:
        for text in texts:
            name, spec = split_name(text)
            name = free_name(name, {one.name for one in openings})
            sound = None if settings.sound == "off" else StreamSound(name)
            ear = sound if settings.microphone is None else None  # of a microphone the sources know nothing
            source = make_source(spec, realtime=realtime, settings=settings, ear=ear)
            openings.append(_Opening(name, spec, source, sound))
        for opening in openings:
            opening.start()
        for opening in sorted(openings, key=lambda one: one.kind in NETWORK):  # the others don't wait for the network
            opening.finish()
            if opening.error is not None and (require_all or not opening.is_away):
                raise opening.error
        _check_that_one_works(openings)
        return [opening.result() for opening in openings]


@contextmanager
def _closed_on_failure() -> Iterator[list[_Opening]]:
    openings: list[_Opening] = []
    try:
        yield openings
    except BaseException:
        for opening in openings:
            opening.close()
        raise


def _check_that_one_works(openings: Sequence[_Opening]) -> None:
    errors = [opening.error for opening in openings if isinstance(opening.error, SourceOpenError)]
    if errors and len(errors) == len(openings):
        raise next((error for error in errors if error.transient), errors[0])
    for error in errors:
        log.warning("%s (the others start without it; it is tried again)", error)
