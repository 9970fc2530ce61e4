"""Where the page is offered, and under which names a browser may ask for it."""

import ipaddress
import re
from dataclasses import dataclass

from streamaffect.errors import ConfigError
from streamaffect.settings import WebSettings

EXAMPLE = "127.0.0.1:8765"
MAX_PORT = 65535
LOCAL_NAMES = frozenset({"localhost", "127.0.0.1", "::1"})
_HOST_AND_PORT = re.compile(r"(?P<host>\[[0-9a-fA-F:.]+\]|[0-9A-Za-z.-]+):(?P<port>\d{1,5})")
_ORIGIN = re.compile(r"https?://(?:\[[0-9a-f:.]+\]|[0-9a-z._-]+)(?::\d{1,5})?")
_NAME = re.compile(r"(?P<host>\[[0-9a-fA-F:.]+\]|[0-9A-Za-z._-]+)(?::\d{1,5})?")


@dataclass(frozen=True, slots=True)
class PageAddress:
    """A checked HOST:PORT; the host without brackets. Port 0 takes any free one."""

    host: str
    port: int

    @property
    def is_local(self) -> bool:
        """True where only this machine can connect."""
        return self.host == "localhost" or _is_loopback(self.host)

    @property
    def url(self) -> str:
        """What a browser of this machine opens."""
        host = {"0.0.0.0": "127.0.0.1", "::": "::1"}.get(self.host, self.host)
        return f"http://[{host}]:{self.port}/" if ":" in host else f"http://{host}:{self.port}/"


def page_address(settings: WebSettings) -> PageAddress:
    """Where to offer the page.

    Raises ConfigError where that is no HOST:PORT, or where other machines could look and no token keeps them out.
    """
    found = _HOST_AND_PORT.fullmatch(settings.bind)
    if found is None or int(found["port"]) > MAX_PORT:
        raise ConfigError(f"--web {settings.bind!r}: expected HOST:PORT, for instance {EXAMPLE}")
    address = PageAddress(found["host"].strip("[]"), int(found["port"]))
    if not address.is_local and not settings.token_file:
        raise ConfigError(
            f"--web {settings.bind} can be reached from other machines: give --web-token FILE, whose token a browser "
            f"must know (the file is made where it does not exist), or use {EXAMPLE}"
        )
    return address


@dataclass(frozen=True, slots=True)
class Hosts:
    """The names under which the page may be asked for. Any other name that leads here is somebody's trick.

    A page of another site may make its own name point to this machine (DNS rebinding), and would then read what is
    here as if it were its own. A literal address cannot be made to point elsewhere.
    """

    names: frozenset[str]
    any_address: bool

    @classmethod
    def of(cls, address: PageAddress, further: list[str]) -> "Hosts":
        """Loopback's names, the host that is bound and those of the settings; bound to others, literal addresses."""
        return cls(LOCAL_NAMES | {address.host.lower(), *(name.lower() for name in further)}, not address.is_local)

    def allow(self, host: str) -> bool:
        """Whether a `Host` header, a name with or without a port, is one of ours."""
        found = _NAME.fullmatch(host)
        if found is None:
            return False
        name = found["host"].strip("[]").lower()
        return name in self.names or (self.any_address and _is_literal(name))


def checked_origins(origins: list[str]) -> frozenset[str]:
    """The addresses whose pages may read, as browsers write them. Raises ConfigError where one is no such address."""
    found = frozenset(origin.lower().removesuffix("/") for origin in origins)
    for origin in found:
        if _ORIGIN.fullmatch(origin) is None:
            raise ConfigError(
                f"web.origins {origin!r}: expected SCHEME://HOST:PORT, for instance http://localhost:8000"
            )
    return found


def _is_loopback(host: str) -> bool:
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return False


def _is_literal(host: str) -> bool:
    try:
        ipaddress.ip_address(host)
    except ValueError:
        return False
    return True
