"""Several recordings in one file, as `cat` makes them: where each begins, and which one is meant.

Times, sequences and ids of faces start anew in each, so that read as one they would be wrong without anybody noticing.
A file with more than one is refused, unless its reader says which: `session.jsonl#part=2`.
"""

import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO

from streamaffect.errors import RecordingError, WireError
from streamaffect.feed import wire
from streamaffect.paths import from_home
from streamaffect.recordings.header import BEGINNING, MAX_HEADER_BYTES, decode_header

MAX_LINE_BYTES = MAX_HEADER_BYTES
KIND = "recording"
BLANK = b"\0 \t\r\n"
_NAMED = re.compile(r"#part=(\d{1,4})$")
_QUOTED_KIND = f'"{KIND}"'.encode()


@dataclass(frozen=True, slots=True)
class Part:
    """One recording of a file.

    line:       number of the line in which its header stands, from 1
    start, end: its bytes; `end` is None for the last, which may still grow
    """

    line: int
    start: int
    end: int | None


def named_part(path: str | Path) -> tuple[Path, int | None]:
    """The file that is meant, and which part of it: `a.jsonl#part=2` is ("a.jsonl", 2). `~` is the user's home.

    A file whose own name ends like that is meant as it is.
    """
    whole, named = from_home(path), _NAMED.search(str(path))
    if named is None or _exists(whole):
        return whole, None
    return from_home(str(path)[: named.start()]), int(named.group(1))


def find_parts(file: BinaryIO) -> list[Part]:
    """The recordings in an open file; the first begins with the file, whatever stands there."""
    starts, offset = [(1, 0)], 0
    for number, line in enumerate(lines(file), start=1):
        at = None if number == 1 else header_at(line)
        if at is not None:
            starts.append((number, offset + at))
        offset = file.tell()
    ends = [start for _, start in starts[1:]]
    return [Part(line, start, end) for (line, start), end in zip(starts, [*ends, None], strict=True)]


def header_at(line: bytes) -> int | None:
    """Where in a line a header stands: at its beginning, or behind what was torn or never written; None for no header.

    No text in a message looks like one, since quotation marks are escaped within texts.
    """
    if _QUOTED_KIND not in line:
        return None
    at = line.find(BEGINNING)
    if at >= 0:
        return at
    try:
        is_header = wire.read_envelope(line.strip(BLANK)).kind == KIND
    except WireError:
        return None
    return len(line) - len(line.lstrip(BLANK)) if is_header else None


def choose(path: Path, file: BinaryIO, wanted: int | None) -> Part:
    """The part that is meant, the only one where none is named.

    Raises RecordingError where there is no such part, or where one has to be named.
    """
    parts = find_parts(file)
    if wanted is None and len(parts) == 1:
        return parts[0]
    if wanted is not None and 0 < wanted <= len(parts):
        return parts[wanted - 1]
    if len(parts) == 1:
        raise RecordingError(f"{path}#part={wanted}: {path.name} holds one recording; leave #part={wanted} away")
    told = "; ".join(f"line {part.line}: {_described(path, file, part)}" for part in parts[:3])
    more = f"; and {len(parts) - 3} more" if len(parts) > 3 else ""
    if wanted is None:
        problem = f"{path}: {len(parts)} recordings were put together in it, and their times and faces start anew"
    else:
        problem = f"{path}#part={wanted}: there is no such part of {len(parts)}"
    raise RecordingError(f"{problem} ({told}{more}); say which one is meant: {path}#part=1 to {path}#part={len(parts)}")


def lines(file: BinaryIO, end: int | None = None) -> Iterator[bytes]:
    """Lines with their newline, up to the byte `end`; of one that is too long to be a message, its beginning."""
    at = file.tell()
    while line := file.readline(MAX_LINE_BYTES):
        rest = line
        while rest and not rest.endswith(b"\n") and len(rest) == MAX_LINE_BYTES:
            rest = file.readline(MAX_LINE_BYTES)
        if end is not None and file.tell() >= end:
            if at < end:
                yield line[: end - at]
            return
        at = file.tell()
        yield line if rest is line else line + rest[-1:]


def _described(path: Path, file: BinaryIO, part: Part) -> str:
    """What a header says of its recording, for whoever has to choose."""
    file.seek(part.start)
    try:
        header = decode_header(path, file.readline(MAX_HEADER_BYTES))
    except RecordingError:
        return "its header is damaged"
    streams = ", ".join(stream.stream for stream in header.streams[:3])
    return f"{streams}, {header.created or 'read from files'}"


def _exists(path: Path) -> bool:
    try:
        return path.exists()
    except (OSError, ValueError):
        return False
