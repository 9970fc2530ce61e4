"""Removal of credentials from any text that a person or a log will see.

A URL may carry a user and password before its host, and tokens in its query. Both are hidden wherever a URL stands
in a text; the rest of the text stays as it is.
"""

import re
from urllib.parse import unquote

HIDDEN = "***"

_SECRET_WORDS = ("pass", "pwd", "token", "secret", "auth", "key", "sig", "credential", "session", "user", "login")

_SCHEME = re.compile(r"[A-Za-z][A-Za-z0-9+.\-]*://")
_URL_END = re.compile(r"[\s\"'<>`]|$")
_QUERY_VALUE = re.compile(r"([?&;#])([^=?&;#\s]+)=([^&;#\s\"'<>`]*)")


def redact(text: str) -> str:
    """`text` with user, password and token-like query values of every URL replaced by `***`.

    A password may itself contain `/`, `?`, `#` or `@` unescaped, as people type it: everything up to the last `@`
    before the next space, quote or scheme counts as credentials. That hides too much rather than too little.
    """
    starts = [match.end() for match in _SCHEME.finditer(text)]
    if not starts:
        return text
    pieces = [text[: starts[0]]]
    for start, following in zip(starts, [*starts[1:], None], strict=True):
        pieces.append(_redact_after_scheme(text[start:following]))
    return "".join(pieces)


def _redact_after_scheme(text: str) -> str:
    """`text` begins after `://` and reaches to the next URL or the end of the whole text."""
    boundary = _URL_END.search(text)
    end = boundary.start() if boundary else len(text)
    address, rest = text[:end], text[end:]
    _, at, host_and_path = address.rpartition("@")
    hidden = f"{HIDDEN}@{host_and_path}" if at else address
    return _QUERY_VALUE.sub(_redact_value, hidden) + rest


def _redact_value(match: re.Match[str]) -> str:
    mark, name, _ = match.groups()
    if any(word in unquote(name).lower() for word in _SECRET_WORDS):
        return f"{mark}{name}={HIDDEN}"
    return match.group()
