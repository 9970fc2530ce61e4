"""Where a feed is offered: the parts of an address, and whether it may be bound as the settings ask."""

import ipaddress
import os
import re
from dataclasses import dataclass
from typing import Literal

from streamaffect.errors import WireError
from streamaffect.settings import DEFAULT_ADDRESS, FeedSettings

MAX_PORT = 65535
_TCP = re.compile(r"(?P<host>\[[0-9a-fA-F:.]+\]|[^\[\]:/\s]+):(?P<port>\d+|\*)")


@dataclass(frozen=True, slots=True)
class Address:
    """A checked ZeroMQ address.

    text: as ZeroMQ takes it; host: without brackets, empty for ipc; path: of the ipc socket, empty for tcp
    """

    text: str
    transport: Literal["tcp", "ipc"]
    host: str = ""
    port: str = ""
    path: str = ""

    @property
    def is_local(self) -> bool:
        """True where only this machine can connect."""
        if self.transport == "ipc" or self.host == "localhost":
            return True
        try:
            return ipaddress.ip_address(self.host).is_loopback
        except ValueError:
            return False

    @property
    def has_file(self) -> bool:
        """True for an ipc socket with a file that we name: neither an abstract one of Linux nor any free one."""
        return self.transport == "ipc" and self.path != "*" and not self.path.startswith("@")

    @property
    def is_ipv6(self) -> bool:
        """True for a literal IPv6 host."""
        return ":" in self.host


def parse_address(text: str) -> Address:
    """The parts of `tcp://HOST:PORT` or `ipc://PATH`, in which `~` is the user's home. Raises WireError otherwise."""
    if not _is_text(text):
        raise WireError(f"address {text!r}: has characters that are no text; expected tcp://HOST:PORT or ipc://PATH")
    transport, _, rest = text.partition("://")
    if transport == "ipc" and rest and "\0" not in rest:
        path = os.path.expanduser(rest)  # noqa: PTH111  a Path would take `a//b` and `a/` for something else
        return Address(text=f"ipc://{path}", transport="ipc", path=path)
    found = _TCP.fullmatch(rest) if transport == "tcp" else None
    if found is None:
        raise WireError(f"address {text!r}: expected tcp://HOST:PORT or ipc://PATH, for instance {DEFAULT_ADDRESS}")
    port = found["port"]
    if port != "*" and int(port) > MAX_PORT:
        raise WireError(
            f"address {text!r}: port {port} is above {MAX_PORT}; use 1 to {MAX_PORT}, or 0 for any free one"
        )
    return Address(text=text, transport="tcp", host=found["host"].strip("[]"), port=port)


def _is_text(text: str) -> bool:
    try:
        text.encode()
    except UnicodeEncodeError:
        return False
    return True


def check_protection(settings: FeedSettings) -> Address:
    """The address to bind. Raises WireError where others could read the feed and nobody has asked for that."""
    address = parse_address(settings.bind)
    if bool(settings.server_key) != bool(settings.allowed_clients):
        raise WireError(
            "feed.server_key and feed.allowed_clients belong together: one proves who publishes, the other says who "
            "may subscribe; set both (`streamaffect keys DIR` makes them) or neither"
        )
    if not settings.server_key and not address.is_local and not settings.insecure_bind:
        raise WireError(
            f"feed.bind {settings.bind} can be reached from other machines: encrypt it with feed.server_key and "
            "feed.allowed_clients (`streamaffect keys DIR` makes them), or publish it unprotected with --insecure-bind"
        )
    return address
