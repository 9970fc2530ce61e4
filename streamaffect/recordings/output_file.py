"""Output files: refused before the work starts where they cannot be written, and whole or absent at its end."""

import os
from collections.abc import Iterator
from contextlib import contextmanager
from itertools import count
from pathlib import Path
from typing import BinaryIO

from streamaffect.errors import RecordingError


def check_output(path: Path, *, overwrite: bool) -> None:
    """Raise RecordingError where a new file cannot stand at `path`: a folder, no parent folder, a file that exists."""
    try:
        _check(path, overwrite=overwrite)
    except OSError as error:
        raise unwritable(path, error) from error


def free_name(path: Path) -> Path:
    """The first of `name-2.suffix`, `name-3.suffix`, … that does not exist yet."""
    candidates = (path.with_name(f"{path.stem}-{number}{path.suffix}") for number in count(2))
    return next(candidate for candidate in candidates if not os.path.lexists(candidate))


def part_path(path: Path) -> Path:
    """Where a file is written that takes the name `path` later. In the same folder, so that the renaming is atomic."""
    return path.with_name(f".{path.name}.{os.getpid()}.part")


def unwritable(path: Path, error: OSError) -> RecordingError:
    """The error for a file that the system refuses to write."""
    reason = error.strerror or str(error)
    return RecordingError(f"{path}: cannot be written ({reason}); choose a place with room that you may write to")


@contextmanager
def whole_file(path: Path, *, overwrite: bool) -> Iterator[BinaryIO]:
    """A new binary file that takes its name when the block ends, and disappears when the block fails.

    Raises RecordingError where the file cannot be written.
    """
    check_output(path, overwrite=overwrite)
    part = part_path(path)
    try:
        try:
            with part.open("xb") as file:
                yield file
                file.flush()
                os.fsync(file.fileno())
            part.replace(path)
        finally:
            part.unlink(missing_ok=True)
    except OSError as error:
        raise unwritable(path, error) from error


def _check(path: Path, *, overwrite: bool) -> None:
    if path.is_dir():
        raise RecordingError(f"{path}: is a folder; give the name of a file in it")
    if not path.parent.is_dir():
        raise RecordingError(f"{path}: there is no folder {path.parent}; create it first")
    if not os.path.lexists(path):
        return
    if not overwrite:
        raise RecordingError(
            f"{path}: already exists; choose another name, e.g. {free_name(path)}, or ask to overwrite it"
        )
    if not path.is_file():
        raise RecordingError(f"{path}: is not a regular file; choose another name")
