"""The answer to a host that asks who one is: the schemes Basic and Digest, alike in RTSP and HTTP (RFC 7617, 7616)."""

import base64
import hashlib
import re
import secrets
from collections.abc import Callable, Sequence
from dataclasses import dataclass

_CHALLENGE = re.compile(r"(?:^|,)\s*(basic|digest)\b(?=\s|$)", re.IGNORECASE)
_VALUE = re.compile(r'([a-z-]+)\s*=\s*(?:"((?:[^"\\]|\\.)*)"|([^\s,"]+))', re.IGNORECASE)
_DIGESTS = {"md5": hashlib.md5, "sha-256": hashlib.sha256}


@dataclass(frozen=True, slots=True)
class Asked:
    """What is asked for, which a digest covers. target: as the request's first line names it."""

    method: str
    target: str


@dataclass(frozen=True, slots=True)
class _Identity:
    user: str
    password: str
    count: int


class Signer:
    """Signs one request after the other for a host, as it asked for last.

    user: None signs nothing
    """

    def __init__(self, user: str | None, password: str) -> None:
        self._user = user
        self._password = password
        self._challenges: Sequence[str] = ()
        self._count = 0

    def learn(self, challenges: Sequence[str]) -> None:
        """The host asks for this from now on."""
        self._challenges, self._count = challenges, 0

    def sign(self, asked: Asked) -> str | None:
        """The value of the field Authorization; None where nothing is to be signed, or in no way that is known."""
        if self._user is None or not self._challenges:
            return None
        self._count += 1
        return authorization(self._challenges, asked, user=self._user, password=self._password, count=self._count)


def authorization(challenges: Sequence[str], asked: Asked, *, user: str, password: str, count: int = 1) -> str | None:
    """The value of the field Authorization; None where the host offers no scheme that is known.

    challenges: the values of the reply's fields WWW-Authenticate. Of several schemes the one that hides the password.
    count:      how often the last challenge has been answered, with this answer
    """
    offered = [found for challenge in challenges for found in _split(challenge)]
    for scheme, values in offered:
        algorithm = values.get("algorithm", "MD5")
        if scheme == "digest" and algorithm.lower().removesuffix("-sess") in _DIGESTS:
            return _digest(values, algorithm, asked, _Identity(user, password, count))
    if any(scheme == "basic" for scheme, _ in offered):
        return "Basic " + base64.b64encode(f"{user}:{password}".encode()).decode("ascii")
    return None


def is_stale(challenges: Sequence[str]) -> bool:
    """True where only the host's number was too old, and the same credentials may be right."""
    return any(values.get("stale", "").lower() == "true" for challenge in challenges for _, values in _split(challenge))


def _split(challenge: str) -> list[tuple[str, dict[str, str]]]:
    """The schemes of one field, in lower case, with their values by name."""
    starts = list(_CHALLENGE.finditer(challenge))
    ends = [*(start.start() for start in starts[1:]), len(challenge)]
    return [(start.group(1).lower(), _values(challenge[start.end() : end])) for start, end in zip(starts, ends)]  # noqa: B905


def _values(text: str) -> dict[str, str]:
    return {name.lower(): quoted or bare for name, quoted, bare in _VALUE.findall(text)}


def _digest(challenge: dict[str, str], algorithm: str, asked: Asked, who: _Identity) -> str:
    hashed = _hash(algorithm)
    realm, nonce = challenge.get("realm", ""), challenge.get("nonce", "")
    own = secrets.token_hex(8)
    secret = hashed(f"{who.user}:{realm}:{who.password}")
    if algorithm.lower().endswith("-sess"):
        secret = hashed(f"{secret}:{nonce}:{own}")
    what = hashed(f"{asked.method}:{asked.target}")
    values = {"username": who.user, "realm": realm, "nonce": nonce, "uri": asked.target}
    if "auth" in re.split(r"[\s,]+", challenge.get("qop", "")):
        values["response"] = hashed(f"{secret}:{nonce}:{who.count:08x}:{own}:auth:{what}")
        unquoted = {"qop": "auth", "nc": f"{who.count:08x}"}
        values["cnonce"] = own
    else:
        values["response"] = hashed(f"{secret}:{nonce}:{what}")
        unquoted = {}
    if "opaque" in challenge:
        values["opaque"] = challenge["opaque"]
    if "algorithm" in challenge:
        unquoted["algorithm"] = algorithm
    quoted = [f'{name}="{value}"' for name, value in values.items()]
    return "Digest " + ", ".join([*quoted, *(f"{name}={value}" for name, value in unquoted.items())])


def _hash(algorithm: str) -> Callable[[str], str]:
    function = _DIGESTS[algorithm.lower().removesuffix("-sess")]
    return lambda text: function(text.encode(), usedforsecurity=False).hexdigest()
