"""Output files: refused before the work starts where they cannot be written, and whole or absent at its end.

Nothing is destroyed. A file that exists is replaced when that was asked for, and even then never one that the run
reads, one that another run is writing, nor what a link points to. What is written is readable by its owner alone, since
it is about people.
"""

import errno
import fcntl
import os
import secrets
import stat
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, suppress
from io import FileIO
from itertools import count
from pathlib import Path
from typing import BinaryIO

from streamaffect.errors import RecordingError
from streamaffect.paths import from_home

MODE = 0o600
MAY_PASS = (errno.ENOSPC, errno.EDQUOT, errno.EIO, errno.ESTALE, errno.ETIMEDOUT, errno.EMFILE, errno.ENFILE)


def output_path(text: str | Path, *, wanted: str) -> Path:
    """The path of an output file as the user wrote it, with `~` for the user's home.

    wanted: what the file is to be and how to name it, as in "a recording is a file, e.g. session.jsonl"
    Raises RecordingError where the text names no file.
    """
    written = str(text)
    if not written.strip() or "\0" in written:
        raise RecordingError(f"{written!r}: is not the name of a file; {wanted}")
    if written == "-":
        raise RecordingError(f"-: standard output is not possible here; {wanted}")
    if "://" in written:
        raise RecordingError(f"{written}: is an address; {wanted}")
    if written.endswith(("/", "/.", "/..")) or written in (".", ".."):
        raise RecordingError(f"{written}: names a folder; {wanted}")
    return from_home(written)


def check_output(
    path: Path,
    *,
    overwrite: bool,
    inputs: Sequence[Path] = (),
    objection: Callable[[Path], str | None] = lambda _: None,
) -> None:
    """Raise RecordingError where a new file cannot stand at `path`, and say why.

    inputs:    files that are being read
    objection: what speaks against replacing a file that exists, although it was asked for; None where nothing does
    """
    try:
        _check(path, overwrite=overwrite, inputs=inputs, objection=objection)
    except OSError as error:
        raise unwritable(path, error) from error


def free_name(path: Path) -> Path:
    """The first of `name-2.suffix`, `name-3.suffix`, … that does not exist yet."""
    candidates = (path.with_name(f"{path.stem}-{number}{path.suffix}") for number in count(2))
    return next(candidate for candidate in candidates if not os.path.lexists(candidate))


def part_path(path: Path) -> Path:
    """Where a file is written that takes the name `path` later. In the same folder, so that the renaming is atomic."""
    return path.with_name(f".{path.name}.{secrets.randbelow(10**9)}.part")


def create(path: Path) -> FileIO:
    """A new file for its owner alone, unbuffered, locked against other runs until it is closed. Raises OSError."""
    descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW | os.O_CLOEXEC, MODE)
    with suppress(OSError):  # some network file systems have no locks
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    return os.fdopen(descriptor, "wb", buffering=0)


def is_being_written(path: Path) -> bool:
    """True where another run has this file open for writing."""
    try:
        descriptor = os.open(path, os.O_RDONLY | os.O_NONBLOCK | os.O_CLOEXEC)
    except OSError:
        return False
    try:
        fcntl.flock(descriptor, fcntl.LOCK_SH | fcntl.LOCK_NB)
    except BlockingIOError:
        return True
    except OSError:
        return False
    finally:
        os.close(descriptor)
    return False


def remove_dead_parts(path: Path) -> None:
    """Remove what runs that were killed have left beside `path`: unfinished files that nobody writes any more."""
    with suppress(OSError):
        for part in path.parent.iterdir():
            words = part.name.rsplit(".", 2)
            if words[0] == f".{path.name}" and words[-1] == "part" and words[1].isdigit() and _is_dead(part):
                part.unlink(missing_ok=True)


def unwritable(path: Path, error: OSError) -> RecordingError:
    """The error for a file that the system refuses to write."""
    reason = error.strerror or str(error)
    return RecordingError(
        f"{path}: cannot be written ({reason}); choose a place with room that you may write to",
        transient=error.errno in MAY_PASS,
    )


@contextmanager
def whole_file(path: Path, *, overwrite: bool, inputs: Sequence[Path] = ()) -> Iterator[BinaryIO]:
    """A new binary file that takes its name when the block ends, and disappears when the block fails.

    Raises RecordingError where the file cannot be written.
    """
    check_output(path, overwrite=overwrite, inputs=inputs)
    remove_dead_parts(path)
    part = part_path(path)
    try:
        try:
            with create(part) as raw, os.fdopen(os.dup(raw.fileno()), "wb") as file:
                yield file
                file.flush()
                os.fsync(file.fileno())
                take_name(part, path, overwrite=overwrite)
        finally:
            part.unlink(missing_ok=True)
    except OSError as error:
        raise unwritable(path, error) from error


def take_name(part: Path, path: Path, *, overwrite: bool) -> None:
    """Give a file its final name; without `overwrite`, only where nothing has come to stand there meanwhile.

    Raises OSError, or RecordingError where another run has begun to write there.
    """
    if overwrite:
        if is_being_written(path):
            raise RecordingError(f"{path}: another run has begun to write it; choose another name")
        part.replace(path)
        return
    try:
        path.hardlink_to(part)
    except FileExistsError:
        raise
    except OSError:  # a file system without links
        if os.path.lexists(path):
            raise FileExistsError(errno.EEXIST, os.strerror(errno.EEXIST)) from None
        part.replace(path)


def _is_dead(part: Path) -> bool:
    return stat.S_ISREG(part.lstat().st_mode) and not is_being_written(part)


def _check(path: Path, *, overwrite: bool, inputs: Sequence[Path], objection: Callable[[Path], str | None]) -> None:
    if path.is_symlink():
        raise RecordingError(f"{path}: is a symbolic link, and what it points to is not replaced; name the file itself")
    if path.is_dir():
        raise RecordingError(f"{path}: is a folder; give the name of a file in it")
    if not path.parent.is_dir():
        raise RecordingError(f"{path}: there is no folder {path.parent}; create it first")
    if not os.path.lexists(path):
        return
    for source in inputs:
        if source.exists() and path.samefile(source):
            raise RecordingError(f"{path}: is what is being read; choose another name, e.g. {free_name(path)}")
    if not overwrite:
        raise RecordingError(
            f"{path}: already exists; choose another name, e.g. {free_name(path)}, or ask to overwrite it"
        )
    if not path.is_file():
        raise RecordingError(f"{path}: is not a regular file; choose another name")
    if is_being_written(path):
        raise RecordingError(f"{path}: another run is writing it; choose another name, e.g. {free_name(path)}")
    if (found := objection(path)) is not None:
        raise RecordingError(f"{path}: {found}")
