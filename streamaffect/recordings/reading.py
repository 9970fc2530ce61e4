"""Recordings: JSON Lines, first a header, then one wire message per line. docs/recordings.md describes the file.

A recording may end in the middle of a line, since its writer may have been killed: that line is ignored and reported.
"""

from collections.abc import Iterator, Mapping, Sequence
from datetime import UTC, datetime
from pathlib import Path

import msgspec

from streamaffect.errors import RecordingError, WireError
from streamaffect.feed import wire
from streamaffect.types import HeadMeta, Message, Meta

VERSION = 1
MAX_HEADER_BYTES = 1 << 20

_MALFORMED = (msgspec.DecodeError, UnicodeDecodeError, RecursionError)
_REMEDY = "give a file that was made with --record"


class RecordedStream(msgspec.Struct, frozen=True, kw_only=True):
    """One stream of a recording; `source` without its credentials, `live` False for a file read offline."""

    stream: str
    source: str
    live: bool


class RecordingHeader(msgspec.Struct, frozen=True, kw_only=True, tag_field="kind", tag="recording"):
    """The first line of a recording: what its messages mean and how they came about.

    v:       version of the file's layout; schema: version of the messages
    options: the settings of the run, as far as they influence the estimates; JSON values
    created: UTC, ISO 8601; None where every stream is a file read offline, so that equal runs give equal bytes
    The other fields are those of `streamaffect.types.Meta`.
    """

    v: int = VERSION
    schema: int = wire.SCHEMA
    software: str
    model: str
    bundle_sha256: str
    engine: str
    heads: list[HeadMeta]
    clip_s: float
    context_s: float
    options: dict[str, object] = {}
    streams: list[RecordedStream]
    created: str | None = None
    notice: str

    @classmethod
    def of(cls, metas: Sequence[Meta], *, options: Mapping[str, object]) -> "RecordingHeader":
        """The header of a run with these streams: at least one, all with the same model."""
        first = metas[0]
        started_ns = min((meta.t_ns for meta in metas if meta.live), default=None)
        return cls(
            software=first.software,
            model=first.model,
            bundle_sha256=first.bundle_sha256,
            engine=first.engine,
            heads=first.heads,
            clip_s=first.clip_s,
            context_s=first.context_s,
            options=dict(options),
            streams=[RecordedStream(stream=meta.stream, source=meta.source, live=meta.live) for meta in metas],
            created=None if started_ns is None else datetime.fromtimestamp(started_ns // 10**9, UTC).isoformat(),
            notice=first.notice,
        )

    def metas(self) -> list[Meta]:
        """What a subscriber must know of each stream, as when it was recorded; `t_ns` in whole seconds, 0 offline."""
        created_ns = 0 if self.created is None else int(datetime.fromisoformat(self.created).timestamp()) * 10**9
        return [
            Meta(
                stream=recorded.stream,
                t_ns=created_ns,
                source=recorded.source,
                live=recorded.live,
                model=self.model,
                bundle_sha256=self.bundle_sha256,
                heads=self.heads,
                clip_s=self.clip_s,
                context_s=self.context_s,
                engine=self.engine,
                engine_reason="as recorded",
                software=self.software,
                notice=self.notice,
            )
            for recorded in self.streams
        ]

    @property
    def live_streams(self) -> frozenset[str]:
        """The names of the streams that were live."""
        return frozenset(recorded.stream for recorded in self.streams if recorded.live)


class Recording:
    """The header and, by iterating, the messages of a recording. Each iteration reads the file from its start.

    torn:       True once an iteration has met a last line that was never written to its end
    bytes_read: how far the latest iteration has come
    """

    def __init__(self, path: Path, header: RecordingHeader) -> None:
        self.path = path
        self.header = header
        self.torn = False
        self.bytes_read = 0

    def __iter__(self) -> Iterator[Message]:
        """The messages in the order of the file. Raises RecordingError with the number of a line that is broken."""
        try:
            with self.path.open("rb") as file:
                self.bytes_read = len(file.readline())
                for number, line in enumerate(file, start=2):
                    self.bytes_read += len(line)
                    message = self._decode(line, number)
                    if message is not None:
                        yield message
        except OSError as error:
            raise _unreadable(self.path, error) from error

    def _decode(self, line: bytes, number: int) -> Message | None:
        """The message; None for a torn last line, and for kinds that a later release of this schema has added."""
        try:
            return wire.decode(line)
        except WireError as error:
            if not line.endswith(b"\n"):
                self.torn = True
                return None
            raise RecordingError(
                f"{self.path}: line {number}: {error}; the file was altered: delete this line or use a copy"
            ) from error


def read_recording(path: str | Path) -> Recording:
    """Open a recording and read its header; the messages are read while they are iterated over.

    Raises RecordingError where there is no file, where it is not a recording, or where its version is not known.
    """
    path = Path(path)
    try:
        with path.open("rb") as file:
            line = file.readline(MAX_HEADER_BYTES)
    except OSError as error:
        raise _unreadable(path, error) from error
    return Recording(path, _decode_header(path, line))


def encode_header(header: RecordingHeader) -> bytes:
    """The first line, without its newline; equal headers give equal bytes."""
    return msgspec.json.encode(header, order="deterministic")


class _Versions(msgspec.Struct):
    kind: str
    v: int
    schema: int = wire.SCHEMA


def _decode_header(path: Path, line: bytes) -> RecordingHeader:
    if not line:
        raise RecordingError(f"{path}: is empty; {_REMEDY}")
    try:
        found = msgspec.json.decode(line, type=_Versions)
    except _MALFORMED as error:
        raise RecordingError(
            f"{path}: is not a streamaffect recording (its first line is no header); {_REMEDY}"
        ) from error
    if found.kind != "recording":
        raise RecordingError(f"{path}: is not a streamaffect recording (its first line is {found.kind!r}); {_REMEDY}")
    if (found.v, found.schema) != (VERSION, wire.SCHEMA):
        raise RecordingError(
            f"{path}: recording of version {found.v}, schema {found.schema}; this release reads version {VERSION}, "
            f"schema {wire.SCHEMA}: install a newer streamaffect"
        )
    try:
        return msgspec.json.decode(line, type=RecordingHeader)
    except _MALFORMED as error:
        raise RecordingError(f"{path}: line 1: {error}; the header was altered: use a copy") from error


def _unreadable(path: Path, error: OSError) -> RecordingError:
    return RecordingError(f"{path}: cannot be read ({error.strerror or error}); {_REMEDY}")
