"""Where markers come from, as the user writes it after --markers, and what each such place is."""

import re
from dataclasses import dataclass
from typing import Literal, Protocol

from streamaffect.errors import ConfigError

MAX_PORT = 65535
EXPECTED = "expected lsl:NAME of a Lab Streaming Layer stream, or tcp:PORT of this machine"
_NAME = re.compile(r"[^'\"\x00-\x1f]{1,128}")


class SetMarker(Protocol):
    """What takes a marker. It never raises: a marker comes from a device that nobody can answer."""

    def __call__(self, text: str, *, origin: str, monotonic_ns: int) -> None:
        """Mark a moment of the monotonic clock with whatever text came."""
        ...


@dataclass(frozen=True, slots=True)
class MarkerSpec:
    """One place: its kind, and the stream's name or the port."""

    kind: Literal["lsl", "tcp"]
    name: str

    def __str__(self) -> str:
        return f"{self.kind}:{self.name}"


def parse_markers(text: str) -> MarkerSpec:
    """`lsl:NAME` or `tcp:PORT`. Raises ConfigError otherwise."""
    kind, _, name = text.partition(":")
    if kind == "lsl":
        if not _NAME.fullmatch(name):
            raise ConfigError(f"markers {text!r}: a stream's name has 1 to 128 characters and no quotes; {EXPECTED}")
        return MarkerSpec("lsl", name)
    if kind == "tcp":
        if not (name.isascii() and name.isdigit() and int(name[:6]) <= MAX_PORT and len(name) <= 5):
            raise ConfigError(f"markers {text!r}: a port is 1 to {MAX_PORT}, or 0 for any free one; {EXPECTED}")
        return MarkerSpec("tcp", name)
    raise ConfigError(f"markers {text!r}: {EXPECTED}")
