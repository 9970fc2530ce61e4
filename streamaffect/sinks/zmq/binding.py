"""Binding the feed's socket. Of an ipc socket the file is looked at first: only a dead one of its kind is replaced."""

import errno
import os
import socket as unix
import stat
from dataclasses import dataclass
from pathlib import Path
from types import MappingProxyType
from typing import Final

import zmq

from streamaffect.errors import WireError
from streamaffect.feed.address import Address
from streamaffect.settings import DEFAULT_ADDRESS

PROBE_S = 1.0
_REASONS: Final = MappingProxyType(
    {
        errno.EADDRINUSE: "the address is in use; stop the other run, or choose another one: "
        "{flag} tcp://127.0.0.1:5557, or port 0 for any free one",
        errno.EADDRNOTAVAIL: f"this machine has no such address; use one of its own, for instance {DEFAULT_ADDRESS}",
        errno.ENODEV: f"this machine has no such address or network interface; use, for instance, {DEFAULT_ADDRESS}",
        errno.EACCES: "no permission; use a port above 1023, or a folder that can be written",
        errno.ENOENT: "the folder of the socket does not exist; create it first",
        errno.EMFILE: "too many files are open; raise the limit (ulimit -n)",
    }
)
_MAY_PASS = (errno.EADDRINUSE, errno.EADDRNOTAVAIL, errno.EMFILE)


@dataclass(frozen=True, slots=True)
class SocketFile:
    """The file of an ipc socket that we have bound."""

    path: Path
    device: int
    inode: int

    def remove(self) -> None:
        """Remove the file, unless another socket has taken its place."""
        try:
            found = self.path.lstat()
            if (found.st_dev, found.st_ino) == (self.device, self.inode):
                self.path.unlink()
        except OSError:
            pass  # it is gone, or the folder is


def bind(socket: "zmq.Socket[bytes]", address: Address, *, flag: str = "--bind") -> SocketFile | None:
    """Bind the socket; for ipc, return its file. Raises WireError where the address cannot be used, and says why.

    flag: by which the user chooses another address
    """
    if address.has_file:
        _check_free(Path(address.path), address.text, flag)
    try:
        socket.bind(address.text)
    except zmq.ZMQError as error:
        raise _refused(address.text, error.errno or 0, str(error.strerror), flag) from error
    if not address.has_file:
        return None
    found = Path(address.path).lstat()
    return SocketFile(Path(address.path), found.st_dev, found.st_ino)


def _check_free(path: Path, text: str, flag: str) -> None:
    """Raise WireError unless nothing stands at the path, or a socket that nobody listens at: ZeroMQ asks nobody."""
    try:
        mode = path.lstat().st_mode
    except FileNotFoundError:
        return
    except OSError as error:
        raise _refused(text, error.errno or 0, error.strerror or "", flag) from error
    if stat.S_ISLNK(mode):
        raise WireError(f"{text}: is a symbolic link, and what it points to is not replaced; choose another path")
    if not stat.S_ISSOCK(mode):
        kind = "a folder" if stat.S_ISDIR(mode) else "a file that is no socket"
        raise WireError(f"{text}: is {kind}, and is not replaced; choose another path")
    if not _is_dead(path):
        raise _refused(text, errno.EADDRINUSE, "", flag)


def _is_dead(path: Path) -> bool:
    """True where nobody listens at a socket's file."""
    with unix.socket(unix.AF_UNIX, unix.SOCK_STREAM) as probe:
        probe.settimeout(PROBE_S)
        try:
            probe.connect(os.fspath(path))
        except ConnectionRefusedError:
            return True
        except OSError:  # nobody knows: not ours to replace
            return False
    return False


def _refused(text: str, number: int, reason: str, flag: str) -> WireError:
    return WireError(f"{text}: {_REASONS.get(number, reason).replace('{flag}', flag)}", transient=number in _MAY_PASS)
