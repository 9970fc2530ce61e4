"""Names of streams. A name is a part of topics, of files and of commands, so it has few characters and is short."""

import re
from collections.abc import Collection

from streamaffect.errors import ConfigError

MAX_NAME_BYTES = 64

_NAME = re.compile(r"[A-Za-z0-9_][A-Za-z0-9_.\-]*")
_UNSAFE = re.compile(r"[^A-Za-z0-9_.\-]+")


def is_name(text: str) -> bool:
    """True where every character may stand in a name; it may still be too long."""
    return _NAME.fullmatch(text) is not None


def checked_name(text: str) -> str:
    """The name that a user gave, as it is. Raises ConfigError where it cannot be one."""
    if not is_name(text):
        raise ConfigError(
            f"stream name {text!r}: expected letters, digits, '_', '.' and '-', for instance {made_name(text)}=SOURCE"
        )
    if len(text) > MAX_NAME_BYTES:
        raise ConfigError(
            f"stream name {text[:16]}…: is {len(text)} characters long; at most {MAX_NAME_BYTES} are allowed"
        )
    return text


def made_name(text: str) -> str:
    """A name made from any text, such as the name of a file: shortened, and without what may not stand in one."""
    return _UNSAFE.sub("-", text).strip("-.")[:MAX_NAME_BYTES].rstrip("-.") or "stream"


def free_name(name: str, taken: Collection[str]) -> str:
    """The name itself, or with the first free number behind it."""
    number = 1
    free = name
    while free in taken:
        number += 1
        behind = f"-{number}"
        free = name[: MAX_NAME_BYTES - len(behind)] + behind
    return free
