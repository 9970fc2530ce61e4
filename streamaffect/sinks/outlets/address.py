"""HOST:PORT of an outlet, and the moment at which a message was captured as seen from now."""

from dataclasses import dataclass

from streamaffect.clock import Clock, monotonic_ns
from streamaffect.errors import OutletError, WireError
from streamaffect.feed.address import parse_address

OLD_S = 60.0  # what is older than this was not captured now: a file's own time, or a recording's


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


def age_ns(t_ns: int) -> int | None:
    """Nanoseconds since this time of the wire; None for one that is no time of now, as of a file or a recording."""
    clock = Clock.now()
    age = clock.since_ns(t_ns, clock.utc(monotonic_ns()))
    return age if age <= OLD_S * 1e9 else None
