"""Removal of credentials from any text that a person, a log, a feed or a file will see.

A URL may carry a user and password before its host, and tokens in its path and query. All are hidden wherever they
stand in a text, also where the address was mistyped; the rest of the text stays as it is. Where it is not clear what
belongs to a password, too much is hidden rather than too little.

Where an address stands in the middle of a text, nobody can say where a password with spaces ends. So the command line
also has the words and settings that it was given remembered, each of which is one value from its first character to its
last: what is secret in them is hidden by itself too, and however libraries spell it.
"""

import base64
import json
import re
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from functools import partial
from urllib.parse import quote, unquote

HIDDEN = "***"
# As messages and help spell them: nobody's secret.
EXAMPLES = ("user:password@host", "user:pw@host", "HOST:PORT", "tcp://10.0.0.7:5556=keys/a")

_EXAMPLE = re.compile("(" + "|".join(map(re.escape, EXAMPLES)) + ")")
_SECRET_NAME = re.compile("pass|pwd|psw|token|secret|auth|key|sig|credential|session|user|login|^(u|p|pw|usr)$", re.I)

# With one slash, or none, only those that nobody would take for the beginning of a path or a sentence.
_NETWORK = r"(?:rtspu?|rtsps|rtmps?|https?|ftps?|mms|srt|udp|tcp|wss?|mqtts?)"
_SCHEME = re.compile(rf"[A-Za-z][A-Za-z0-9+.\-]{{0,31}}://|\b{_NETWORK}:[/\\]*(?=\S)", re.IGNORECASE)
_SPACE = re.compile(r"\s|$")
_LINE = re.compile(r"[\r\n]|$")
_NAMED_VALUE = re.compile(r"([/?&;#_,])([^=/?&;#\s]{1,64}?)=([^&#\s]*)")
_NAMED_VALUE_ANYWHERE = re.compile(r"([?&;])([^=/?&;#\s]{1,64})=([^&#\s]*)")
# user:password up to a space, where the password is no port: what follows the space belongs to it.
_BROKEN_PASSWORD = re.compile(r"[^\s/?#\[\]]*:(?!\d*[^\w]*(?:[/?#]|$))")
_PORT_THEN_AT = re.compile(r"[^\s/?#\[\]]*:\d*[^\w\s]*[ \t]+[^\s@:/]+@(?=\S)")
# What stands between two schemes and belongs to the credentials of the first: `user:` without a host yet, or an @.
_INSIDE_CREDENTIALS = re.compile(r"[^\s/?#\[\]@]*:(?!\d+[^\w\s]+$)[^\s@]*|[^\s]*@")
_ESCAPED = re.compile(r"%3A%2F%2F[^\s&;\"']*", re.IGNORECASE)
_AUTHORIZATION = re.compile(r"(authorization\s*:\s*\w+\s+)[^\r\n]+", re.IGNORECASE)
_WORD = r"[^\s/\\:@\"'=,;|()\[\]{}<>]"
_BARE = re.compile(rf"(?<!{_WORD})(?!(?:replay|webcam|synthetic):){_WORD}{{1,256}}:\S{{0,1024}}@(?=\S)")

DEEPEST = 8  # lists of values in values; what is deeper is hidden
SHORTEST = 4  # characters; what is shorter stands in every other word, and is hidden in addresses alone
_PARTS = re.compile(r"[\s/\\?#@:;,&|\"']+")
_NAMED_VALUE_TO_THE_END = re.compile(r"[/?&;#_,]([^=/?&;#]{1,64}?)=([^&#]*)")
_WHO = re.compile("login|user|^(u|usr)$", re.IGNORECASE)  # names of values that are no secret where they stand alone


class _Given:
    """The secrets that this process was given. One for all threads, since no text that leaves it knows where it began.

    scopes: within none, nothing is remembered
    """

    def __init__(self) -> None:
        self.scopes = 0
        self._secrets: set[str] = set()
        self._pattern: re.Pattern[str] | None = None

    def add(self, secrets: Iterable[str]) -> None:
        self._secrets |= {form for secret in secrets for form in _forms(secret) if len(form) >= SHORTEST}
        longest_first = sorted(self._secrets, key=len, reverse=True)
        self._pattern = re.compile("|".join(map(re.escape, longest_first))) if longest_first else None

    def forget(self) -> None:
        self._secrets.clear()
        self._pattern = None

    def hide(self, text: str) -> str:
        pattern = self._pattern
        return text if pattern is None else pattern.sub(HIDDEN, text)


_given = _Given()


@contextmanager
def remembering() -> Iterator[None]:
    """In here, `redact` also hides what `remember` has found. Without it, `remember` does nothing."""
    _given.scopes += 1
    try:
        yield
    finally:
        _given.scopes -= 1
        if not _given.scopes:
            _given.forget()


def remember(*values: str) -> None:
    """Note what is secret in each of these values: a word of a command line, a setting, a line of a file."""
    if _given.scopes:
        _given.add(secret for value in values for secret in _secrets_of(value))


def remember_words(words: Sequence[str]) -> None:
    """The same for the words of a command line, where an address with a space may stand in several of them."""
    remember(*words)
    for i, word in enumerate(words):
        schemes = _schemes(word)
        if not schemes or "@" in word or not _BROKEN_PASSWORD.match(word[schemes[-1][1] :]):
            continue
        for end in range(i + 1, len(words)):
            if words[end].startswith("--"):
                break
            if "@" in words[end]:
                remember(" ".join(words[i : end + 1]))
                break


def redact(text: str) -> str:
    """`text` with user, password and token-like values of everything like a URL replaced by `***`.

    A password may contain `/`, `?`, `#`, quotes, spaces or `@` unescaped, as people type it: everything up to the last
    `@` before the next space or URL counts as credentials, and beyond the space where the password clearly goes on.
    """
    text = _given.hide(text)
    if "@" not in text and "=" not in text and ":" not in text and "%" not in text:
        return text
    text = _AUTHORIZATION.sub(rf"\1{HIDDEN}", _ESCAPED.sub(_redact_escaped, text))
    return "".join(part if part in EXAMPLES else _redact_part(part) for part in _EXAMPLE.split(text))


def clean(text: str) -> str:
    """`text` without credentials, and with characters alone that UTF-8 has: a file's name may hold others."""
    return redact(text).encode("utf-8", "replace").decode()


def _redact_part(text: str) -> str:
    schemes = _schemes(text)
    ends = [*(start for start, _ in schemes[1:]), len(text)]
    first = schemes[0][0] if schemes else len(text)
    pieces = [
        text[start:after] + _redact_after_scheme(text[after:end])
        for (start, after), end in zip(schemes, ends, strict=False)  # without a scheme, the end alone
    ]
    return "".join([_redact_bare(text[:first]), *pieces])


def _schemes(text: str) -> list[tuple[int, int]]:
    """Where each `rtsp://` begins and ends; one in the password of another address is none."""
    schemes: list[tuple[int, int]] = []
    for match in _SCHEME.finditer(text):
        if not schemes or not _INSIDE_CREDENTIALS.fullmatch(text[schemes[-1][1] : match.start()]):
            schemes.append(match.span())
    return schemes


def _redact_escaped(match: re.Match[str]) -> str:
    """An address as a value of another: `http://proxy/?url=rtsp%3A%2F%2F…`."""
    shown = match.group()
    return f"%3A%2F%2F{HIDDEN}" if unquote(shown) != redact(unquote(shown)) else shown


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
    return _redact_nested(match, depth=0)


def _redact_nested(match: re.Match[str], depth: int) -> str:
    mark, name, value = match.groups()
    if _SECRET_NAME.search(unquote(name)) or depth == DEEPEST:
        return f"{mark}{name}={HIDDEN}"
    # A value may be a list of names and values itself, as in some cameras' paths.
    return f"{mark}{name}={_NAMED_VALUE.sub(partial(_redact_nested, depth=depth + 1), value)}"


def _secrets_of(value: str) -> Iterator[str]:
    """Credentials in one value, whole and in the parts in which an error may mention them."""
    schemes = _schemes(value)
    ends = [*(start for start, _ in schemes[1:]), len(value)]
    for (_, after), end in zip(schemes, ends, strict=False):
        yield from _credentials(value[after:end])
    if not schemes and ":" in value.partition("@")[0] and "@" in value:
        yield from _credentials(value)
    for name, secret in _NAMED_VALUE_TO_THE_END.findall(value):
        if _SECRET_NAME.search(unquote(name).replace(" ", "")) and not _WHO.search(unquote(name)):
            yield secret


def _credentials(address: str) -> Iterator[str]:
    """User and password of an address up to its last @, the password, and what it has between marks."""
    credentials, at, _ = address.rpartition("@")
    _, colon, password = credentials.partition(":")
    if not at or not colon:
        return
    yield from (credentials, password)
    yield base64.b64encode(unquote(credentials).encode("utf-8", "replace")).decode()
    if not _SCHEME.search(password):
        yield from _PARTS.split(password)


def _forms(secret: str) -> Iterator[str]:
    """A secret as it was written, without and with escapes of an address, and as it stands in quotes."""
    for form in (secret, unquote(secret)):
        yield from (form, quote(form, safe="", errors="replace"), repr(form)[1:-1], json.dumps(form)[1:-1])
        yield json.dumps(form, ensure_ascii=False)[1:-1]
