"""HOST:PORT of an outlet: where it sends to, or is offered."""

from dataclasses import dataclass

from streamaffect.errors import OutletError, WireError
from streamaffect.feed.address import parse_address


@dataclass(frozen=True, slots=True)
class HostPort:
    """Where an outlet sends to, or is offered.

    is_local: only this machine is there
    """

    host: str
    port: int
    is_local: bool

    def __str__(self) -> str:
        return f"[{self.host}]:{self.port}" if ":" in self.host else f"{self.host}:{self.port}"


def parse_host_port(text: str, *, key: str, example: str) -> HostPort:
    """The parts of HOST:PORT. Raises OutletError, which names the setting `key`, otherwise."""
    try:
        address = parse_address(f"tcp://{text}")
        port = int(address.port)
    except (WireError, ValueError):
        raise OutletError(f"{key} {text!r}: expected HOST:PORT, for instance {example}") from None
    return HostPort(address.host, port, address.is_local)
