"""Removal of credentials from any text that a person or a log will see.

A URL may carry a user and password before its host, and tokens in its query. Both are hidden wherever a URL stands
in a text; the rest of the text stays as it is.
"""

import re
from urllib.parse import unquote

HIDDEN = "***"

_SECRET_WORDS = ("pass", "pwd", "token", "secret", "auth", "key", "sig", "credential", "session", "user", "login")

_SCHEME = re.compile(r"[A-Za-z][A-Za-z0-9+.\-]*://")
_SPACE = re.compile(r"\s|$")
_NAMED_VALUE = re.compile(r"([/?&;#])([^=/?&;#\s]+)=[^&#\s]*")


def redact(text: str) -> str:
    """`text` with user, password and token-like values of every URL replaced by `***`.

    A password may contain `/`, `?`, `#`, quotes or `@` unescaped, as people type it: everything up to the last `@`
    before the next space or URL counts as credentials. That hides too much rather than too little.
    """
    starts = [match.end() for match in _SCHEME.finditer(text)]
    ends = [*starts[1:], None]
    pieces = [_redact_after_scheme(text[start:end]) for start, end in zip(starts, ends, strict=True)] if starts else []
    return "".join([text[: starts[0]] if starts else text, *pieces])


def _redact_after_scheme(text: str) -> str:
    """`text` begins after `://` and reaches to the next URL or the end of the whole text."""
    space = _SPACE.search(text)
    end = space.start() if space else len(text)
    address, rest = text[:end], text[end:]
    _, at, host_and_path = address.rpartition("@")
    shown = f"{HIDDEN}@{host_and_path}" if at else address
    return _NAMED_VALUE.sub(_redact_value, shown) + rest


def _redact_value(match: re.Match[str]) -> str:
    mark, name = match.groups()
    secret = any(word in unquote(name).lower() for word in _SECRET_WORDS)
    return f"{mark}{name}={HIDDEN}" if secret else match.group()
