"""What is sent to a host: RTSP and HTTP requests without a body."""

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import Literal

from streamaffect.sources.remote.address import Address

Method = Literal["OPTIONS", "DESCRIBE", "GET"]

AGENT = "streamaffect"
AUTHORIZATION = "Authorization"


@dataclass(frozen=True, slots=True)
class Request:
    """One request. fields: beside those that each request has"""

    method: Method
    address: Address
    fields: Mapping[str, str] = field(default_factory=dict)

    @property
    def target(self) -> str:
        """What the first line names: all of an RTSP address, path and query of an HTTP one."""
        return self.address.bare if self.address.is_rtsp else self.address.target

    def signed(self, authorization: str) -> "Request":
        """The same with credentials."""
        return replace(self, fields={**self.fields, AUTHORIZATION: authorization})

    def text(self, number: int) -> bytes:
        """As it is sent. number: counts the requests on RTSP connections"""
        if self.address.is_rtsp:
            version, fixed = "RTSP/1.0", {"CSeq": str(number), "Accept": "application/sdp"}
        else:
            version = "HTTP/1.1"
            fixed = {"Host": self.address.authority, "Accept": "*/*", "Accept-Encoding": "identity"}
        fields = fixed | {"User-Agent": AGENT} | dict(self.fields)
        lines = [f"{self.method} {self.target} {version}", *(f"{name}: {value}" for name, value in fields.items())]
        return ("\r\n".join(lines) + "\r\n\r\n").encode()


def question(address: Address, fields: Mapping[str, str]) -> Request:
    """The request for the description of an RTSP stream, or for what is at an HTTP address."""
    return Request("DESCRIBE" if address.is_rtsp else "GET", address, fields)
