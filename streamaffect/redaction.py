"""Removal of credentials from any text that a person, a log, a feed or a file will see.

A URL may carry a user and password before its host, and tokens in its path and query. All are hidden wherever they
stand in a text, also where the address was mistyped; the rest of the text stays as it is. Where it is not clear what
belongs to a password, too much is hidden rather than too little.
"""

import re
from urllib.parse import unquote

HIDDEN = "***"
EXAMPLES = ("user:password@host", "user:pw@host", "HOST:PORT")  # as messages and help spell them: nobody's secret

_EXAMPLE = re.compile("(" + "|".join(EXAMPLES) + ")")
_SECRET_NAME = re.compile("pass|pwd|psw|token|secret|auth|key|sig|credential|session|user|login|^(u|p|pw|usr)$", re.I)

# With one slash, or none, only those that nobody would take for the beginning of a path or a sentence.
_NETWORK = r"(?:rtspu?|rtsps|rtmps?|https?|ftps?|mms|srt|udp|tcp|wss?|mqtts?)"
_SCHEME = re.compile(rf"[A-Za-z][A-Za-z0-9+.\-]*://|\b{_NETWORK}:[/\\]*(?=\S)", re.IGNORECASE)
_SPACE = re.compile(r"\s|$")
_LINE = re.compile(r"[\r\n]|$")
_NAMED_VALUE = re.compile(r"([/?&;#_,])([^=/?&;#\s]+?)=([^&#\s]*)")
_NAMED_VALUE_ANYWHERE = re.compile(r"([?&;])([^=/?&;#\s]+)=([^&#\s]*)")
# user:password up to a space, where the password is no port: what follows the space belongs to it.
_BROKEN_PASSWORD = re.compile(r"[^\s/?#\[\]]*:(?!\d*[^\w]*(?:[/?#]|$))")
_PORT_THEN_AT = re.compile(r"[^\s/?#\[\]]*:\d*[ \t]+[^\s@:/]+@(?=\S)")
_WORD = r"[^\s/\\:@\"'=,;|()\[\]{}<>]"
_BARE = re.compile(rf"(?<!{_WORD})(?!(?:replay|webcam|synthetic):){_WORD}+:\S*@(?=\S)")


def redact(text: str) -> str:
    """`text` with user, password and token-like values of everything like a URL replaced by `***`.

    A password may contain `/`, `?`, `#`, quotes, spaces or `@` unescaped, as people type it: everything up to the last
    `@` before the next space or URL counts as credentials, and beyond the space where the password clearly goes on.
    """
    if "@" not in text and "=" not in text and ":" not in text:
        return text
    return "".join(part if part in EXAMPLES else _redact_part(part) for part in _EXAMPLE.split(text))


def clean(text: str) -> str:
    """`text` without credentials, and with characters alone that UTF-8 has: a file's name may hold others."""
    return redact(text).encode("utf-8", "replace").decode()


def _redact_part(text: str) -> str:
    starts = [match.end() for match in _SCHEME.finditer(text)]
    ends = [*starts[1:], None]
    pieces = [_redact_after_scheme(text[start:end]) for start, end in zip(starts, ends, strict=True)] if starts else []
    return "".join([_redact_bare(text[: starts[0]] if starts else text), *pieces])


def _redact_after_scheme(text: str) -> str:
    """`text` begins after `://` and reaches to the next URL or the end of the whole text."""
    end = _end_of_address(text)
    address, rest = text[:end], text[end:]
    _, at, host_and_path = address.rpartition("@")
    if at:
        shown = f"{HIDDEN}@{host_and_path}"
    elif _BROKEN_PASSWORD.match(address):
        shown = HIDDEN
    else:
        shown = address
    return _NAMED_VALUE.sub(_redact_value, shown) + _redact_bare(rest)


def _end_of_address(text: str) -> int:
    """Where the address ends: at the first space, or at a later one where the password has spaces in it."""
    space = _first(_SPACE, text)
    if "@" not in text[:space]:
        line = text[: _first(_LINE, text)]
        spaced = _PORT_THEN_AT.match(line)
        if spaced or _BROKEN_PASSWORD.match(text[:space]):
            at = spaced.end() if spaced else line.rfind("@") + 1
            if at > space:
                return at + _first(_SPACE, text[at:])
    return space


def _first(pattern: re.Pattern[str], text: str) -> int:
    found = pattern.search(text)
    return found.start() if found else len(text)


def _redact_bare(text: str) -> str:
    """What is like a URL and has no scheme: `user:password@host`, `host/path?token=…`."""
    shown = _BARE.sub(f"{HIDDEN}@", text) if "@" in text else text
    return _NAMED_VALUE_ANYWHERE.sub(_redact_value, shown) if "=" in shown else shown


def _redact_value(match: re.Match[str]) -> str:
    mark, name, value = match.groups()
    if _SECRET_NAME.search(unquote(name)):
        return f"{mark}{name}={HIDDEN}"
    # A value may be a list of names and values itself, as in some cameras' paths.
    return f"{mark}{name}={_NAMED_VALUE.sub(_redact_value, value)}"
