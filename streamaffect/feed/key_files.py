"""A file with a CURVE key, in the text format of ZeroMQ's own tools: read without waiting, written for its owner."""

import logging
import os
import re
import stat
import struct
from dataclasses import dataclass, field
from pathlib import Path

from zmq.utils import z85

from streamaffect.errors import WireError

log = logging.getLogger(__name__)

KEY_LENGTH = 40
MAX_FILE_BYTES = 1 << 16
_LINE = re.compile(rb"""^\s*(public|secret)-key\s*=[ \t'"]*([^\s'"]*)""", re.MULTILINE)


@dataclass(frozen=True, slots=True)
class KeyPair:
    """A CURVE key pair, each 40 characters of Z85."""

    public: bytes
    secret: bytes = field(repr=False)


def load_pair(path: Path) -> KeyPair:
    """The key pair in a `*.key_secret` file. Raises WireError where there is none."""
    public, secret = _load(path)
    if secret is None:
        raise WireError(
            f"{path}: holds no secret key; expected a file *.key_secret as `streamaffect keys DIR` writes it"
        )
    return KeyPair(public, secret)


def load_public(path: Path) -> bytes:
    """The public key in a file. Raises WireError where there is none."""
    return _load(path)[0]


def read_file(path: Path) -> bytes:
    """The content of a regular file. Raises OSError, also for a pipe or a device, at which reading might wait."""
    descriptor = os.open(path, os.O_RDONLY | os.O_NONBLOCK | os.O_CLOEXEC)
    try:
        if not stat.S_ISREG(os.fstat(descriptor).st_mode):
            raise OSError(0, "is no regular file")
        return os.read(descriptor, MAX_FILE_BYTES)
    finally:
        os.close(descriptor)


def parse_keys(content: bytes) -> tuple[bytes, bytes | None] | None:
    """Public and, where there is one, secret key of a file's content; None where it holds no valid key."""
    found = dict(_LINE.findall(content))
    public, secret = found.get(b"public"), found.get(b"secret")
    return (public, secret) if public and _is_key(public) and (secret is None or _is_key(secret)) else None


def write_key_file(path: Path, public: bytes, secret: bytes | None = None) -> None:
    """Write a key file; a secret is never readable by others, not even for a moment."""
    lines = ["metadata", "curve", f'    public-key = "{public.decode()}"']
    if secret is not None:
        lines.append(f'    secret-key = "{secret.decode()}"')
    path.unlink(missing_ok=True)
    descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o644 if secret is None else 0o600)
    with os.fdopen(descriptor, "w", encoding="ascii") as file:
        file.write("\n".join(lines) + "\n")


def check_secret(path: Path, *, may_be_read: bool = False) -> None:
    """Raise WireError where others than the owner and its group can read a secret key, or replace it.

    In a container, secrets are mounted read-only, with modes that nobody on this side could change. There, and with
    `may_be_read`, a key that others can read is a warning.
    """
    found = path.stat()
    mode = stat.S_IMODE(found.st_mode)
    if mode & (stat.S_IWOTH | stat.S_IWGRP) or (mode & stat.S_IRWXO and not may_be_read and not _is_mounted(path)):
        raise WireError(
            f"{path}: is open to others (mode {mode:04o}), so that it is no secret; run: chmod 600 {path}"
            + ("" if mode & (stat.S_IWOTH | stat.S_IWGRP) else ", or allow it by --set feed.insecure_key=true")
        )
    if mode & stat.S_IRWXO:
        log.warning("%s: other users of this machine or container can read it (mode %04o)", path, mode)


def _is_mounted(path: Path) -> bool:
    """True for a file on a read-only mount, whose mode is not ours to change."""
    return bool(os.statvfs(path).f_flag & os.ST_RDONLY)


def _load(path: Path) -> tuple[bytes, bytes | None]:
    try:
        content = read_file(path)
    except OSError as error:
        reason = "no such file" if isinstance(error, FileNotFoundError) else error.strerror
        raise WireError(f"{path}: {reason}; `streamaffect keys DIR` makes the keys of a feed") from error
    keys = parse_keys(content)
    if keys is None:
        raise WireError(f"{path}: is no CURVE key; expected a file as `streamaffect keys DIR` writes it")
    return keys


def _is_key(text: bytes) -> bool:
    try:
        return len(text) == KEY_LENGTH and len(z85.decode(text)) > 0
    except (ValueError, KeyError, struct.error):
        return False
