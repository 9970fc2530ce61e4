"""The list of those who may subscribe to an encrypted feed: a folder with the public key of each, as `NAME.key`."""

import errno
import logging
import stat
from dataclasses import dataclass, field
from os import stat_result
from pathlib import Path

from streamaffect.errors import WireError
from streamaffect.feed.key_files import load_public, parse_keys, read_file

log = logging.getLogger(__name__)

ALL_OF_IT = (errno.EMFILE, errno.ENFILE, errno.ENOMEM, errno.EIO, errno.ESTALE)  # the trouble of no single file

Stamp = tuple[int, int, int, int]


@dataclass(frozen=True, slots=True)
class AllowedKeys:
    """The list as it was at one time.

    keys:  public keys, 40 characters of Z85
    files: what each file held, None where that was no key, by path; with the stamp by which a change is noticed
    """

    keys: frozenset[bytes]
    files: dict[Path, tuple[Stamp, bytes | None]] = field(repr=False)


def load_allowed(folder: Path) -> AllowedKeys:
    """The list at the start of a run, when what is wrong with it can be said to somebody.

    Raises WireError where it is no folder, where a file in it is no key, or where others could add a key.
    """
    if not folder.is_dir():
        raise WireError(f"{folder}: no such folder; expected one with a *.key file for each allowed subscriber")
    _check_folder(folder)
    for path in sorted(folder.glob("*.key")):
        _check_mode(path)
        load_public(path)
    return read_allowed(folder)


def read_allowed(folder: Path, known: AllowedKeys | None = None) -> AllowedKeys:
    """The list now; of files that are as they were in `known`, nothing is read again.

    What is no key, no regular file, or could have been written by others admits nobody. Raises OSError where the folder
    cannot be read.
    """
    before = known.files if known is not None else {}
    files: dict[Path, tuple[Stamp, bytes | None]] = {}
    for path in folder.iterdir():
        if path.suffix != ".key":
            continue
        try:
            found = path.stat()
            stamp = (found.st_ino, found.st_size, found.st_mtime_ns, found.st_ctime_ns)
            old = before.get(path)
            files[path] = old if old is not None and old[0] == stamp else (stamp, _public_key(path, found))
        except OSError as error:
            if error.errno in ALL_OF_IT:
                raise
    return AllowedKeys(frozenset(key for _, key in files.values() if key is not None), files)


def _public_key(path: Path, found: stat_result) -> bytes | None:
    if not stat.S_ISREG(found.st_mode) or found.st_mode & stat.S_IWOTH:
        return None
    keys = parse_keys(read_file(path))
    return None if keys is None else keys[0]


def _check_folder(folder: Path) -> None:
    _check_mode(folder)
    if folder.stat().st_mode & stat.S_IWGRP:
        log.warning("%s: its group may admit subscribers too; chmod g-w %s keeps that to its owner", folder, folder)


def _check_mode(path: Path) -> None:
    mode = path.stat().st_mode
    if mode & stat.S_IWOTH:
        raise WireError(
            f"{path}: anybody on this machine could write to it (mode {stat.S_IMODE(mode):04o}) and admit subscribers; "
            f"run: chmod o-w {path}"
        )
