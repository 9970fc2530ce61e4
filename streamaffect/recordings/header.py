"""The header of a recording, its first line: what the messages mean and how they came about."""

from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from pathlib import Path

import msgspec

from streamaffect.errors import RecordingError
from streamaffect.feed import wire
from streamaffect.messages import HeadMeta, Meta
from streamaffect.redaction import clean

VERSION = 1
MAX_HEADER_BYTES = 1 << 20
BEGINNING = b'{"kind":"recording"'
BOM = b"\xef\xbb\xbf"
REMEDY = "give a file that was made with --record"


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
    The other fields are those of `streamaffect.messages.Meta`.
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
            heads=list({head.name: head for meta in metas for head in meta.heads}.values()),
            clip_s=first.clip_s,
            context_s=first.context_s,
            options=dict(options),
            streams=[RecordedStream(stream=meta.stream, source=clean(meta.source), live=meta.live) for meta in metas],
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

    def with_added(self, metas: Sequence[Meta]) -> "RecordingHeader":
        """The header with the streams too that were added while it was recorded."""
        known = {recorded.stream for recorded in self.streams}
        added = {meta.stream: meta for meta in metas if meta.stream not in known}
        return msgspec.structs.replace(
            self,
            streams=[
                *self.streams,
                *(RecordedStream(stream=meta.stream, source=meta.source, live=meta.live) for meta in added.values()),
            ],
        )

    @property
    def live_streams(self) -> frozenset[str]:
        """The names of the streams that were live."""
        return frozenset(recorded.stream for recorded in self.streams if recorded.live)


def encode_header(header: RecordingHeader) -> bytes:
    """The first line, without its newline; equal headers give equal bytes."""
    return msgspec.json.encode(header, order="deterministic")


def is_recording(path: Path) -> bool:
    """True for a file that begins as a recording does, whatever is wrong with the rest. Raises OSError."""
    with path.open("rb") as file:
        return file.read(len(BEGINNING)) == BEGINNING


class _Versions(msgspec.Struct):
    kind: str
    v: int
    schema: int = wire.SCHEMA


def decode_header(path: Path, content: bytes, *, line: int = 1) -> RecordingHeader:
    """The header in a line of `path`. Raises RecordingError where it is none, or of another version."""
    content = content.removeprefix(BOM)  # of an editor
    place = "its first line" if line == 1 else f"line {line}"
    if not content:
        raise RecordingError(f"{path}: is empty; {REMEDY}")
    try:
        found = msgspec.json.decode(content, type=_Versions)
    except wire.MALFORMED as error:
        raise RecordingError(f"{path}: is not a streamaffect recording ({place} is no header); {REMEDY}") from error
    if found.kind != "recording":
        raise RecordingError(f"{path}: is not a streamaffect recording ({place} is {found.kind!r}); {REMEDY}")
    if (found.v, found.schema) != (VERSION, wire.SCHEMA):
        raise RecordingError(
            f"{path}: recording of version {found.v}, schema {found.schema}; this release reads version {VERSION}, "
            f"schema {wire.SCHEMA}: install a newer streamaffect"
        )
    try:
        header = msgspec.json.decode(content, type=RecordingHeader)
        header.metas()  # the time of its creation is a time
    except (*wire.MALFORMED, ValueError, OverflowError) as error:
        raise RecordingError(f"{path}: line {line}: {error}; the header was altered: use a copy") from error
    return header
