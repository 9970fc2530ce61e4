"""Where a run takes commands: beside its feed, so that who knows the one address finds the other.

Unless told otherwise that is a socket file in a folder of this user alone; the system keeps everybody else out. Its
name comes from the feed's address, so that several runs have several.
"""

import hashlib
import os
import stat
import tempfile
from pathlib import Path

from streamaffect.errors import WireError
from streamaffect.feed.address import Address, parse_address
from streamaffect.settings import ControlSettings, FeedSettings

AUTO, OFF = "auto", "off"
_PRIVATE = stat.S_IRWXG | stat.S_IRWXO


class NoPlaceError(WireError):
    """Nothing may be written anywhere, as on a read-only system."""


def control_path(feed_address: str) -> Path:
    """The socket file that belongs to a feed. Raises WireError where the address is none."""
    address = parse_address(feed_address)
    if address.transport == "tcp":
        name = f"tcp-{address.port}"
    else:
        path = address.path if address.path.startswith("@") else os.path.abspath(address.path)  # noqa: PTH100
        name = f"ipc-{hashlib.sha256(os.fsencode(path)).hexdigest()[:16]}"
    return _folder() / f"{name}.control"


def control_address(settings: ControlSettings, feed: FeedSettings, feed_address: str) -> Address | None:
    """Where to take commands; None where nobody wants to give any.

    Raises WireError where the address is not usable, or could be reached by others without keys.
    """
    if settings.bind == OFF:
        return None
    if settings.bind == AUTO:
        path = control_path(feed_address)
        _make_private(path.parent)
        return parse_address(f"ipc://{path}")
    address = parse_address(settings.bind)
    if not address.is_local and not feed.server_key:
        raise WireError(
            f"control.bind {settings.bind} can be reached from other machines: commands are taken there with keys "
            "alone, feed.server_key and feed.allowed_clients (`streamaffect keys DIR` makes them); or bind it to "
            "127.0.0.1"
        )
    return address


def found_address(text: str) -> Address:
    """Where to send commands, by the control address itself or by that of the feed that it stands beside.

    Raises WireError where the text is no address.
    """
    address = parse_address(text)
    try:
        path = control_path(text)
    except NoPlaceError:
        return address
    if address.is_local and path.exists():
        return parse_address(f"ipc://{path}")
    return address


def _folder() -> Path:
    runtime = os.environ.get("XDG_RUNTIME_DIR", "")
    if runtime and _is_ours(Path(runtime)):
        return Path(runtime) / "streamaffect"
    try:
        return Path(tempfile.gettempdir()) / f"streamaffect-{os.getuid()}"
    except OSError:
        raise NoPlaceError(
            "there is no folder to write to, for a socket file; name another place with --control ADDRESS"
        ) from None


def _make_private(folder: Path) -> None:
    """Make the folder, for this user alone. Raises WireError where it is somebody else's."""
    try:
        folder.mkdir(mode=0o700, exist_ok=True)
        ours = _is_ours(folder)
    except OSError as error:
        raise WireError(
            f"{folder}: {error.strerror}; name another place with --control ADDRESS, or none: off"
        ) from None
    if not ours:
        raise WireError(
            f"{folder}: belongs to somebody else or is open to others; name another place with --control ADDRESS, or "
            "take no commands with --control off"
        )


def _is_ours(folder: Path) -> bool:
    try:
        found = folder.lstat()
    except OSError:
        return False
    return stat.S_ISDIR(found.st_mode) and found.st_uid == os.getuid() and not found.st_mode & _PRIVATE
