"""The address of a camera, taken apart; and where it may lead."""

from collections.abc import Sequence
from dataclasses import dataclass
from urllib.parse import SplitResult, quote, unquote, urljoin, urlsplit

from streamaffect.errors import SourceOpenError
from streamaffect.redaction import redact

DEFAULT_PORTS = {"rtsp": 554, "rtsps": 322, "http": 80, "https": 443}
ENCRYPTED = frozenset({"rtsps", "https"})
ANY_HOST = "*"
READABLE = "%/:?#[]@!$&'()*+,;=~"  # what needs no escape in a path and a query, or is one


@dataclass(frozen=True, slots=True)
class Address:
    """An URL with a scheme of `DEFAULT_PORTS`.

    scheme, host: in lower case; a host by its IPv6 number is without brackets
    target:       path and query, as they are asked for
    user:         None where there is none; user and password are as the host knows them, without escapes
    """

    url: str
    scheme: str
    host: str
    port: int
    target: str
    user: str | None
    password: str

    @classmethod
    def of(cls, url: str) -> "Address":
        """The address that a usable URL names."""
        parts = urlsplit(url)
        scheme = parts.scheme.lower()
        user = None if parts.username is None else unquote(parts.username)
        return cls(
            url=url,
            scheme=scheme,
            host=(parts.hostname or "").lower(),
            port=parts.port or DEFAULT_PORTS[scheme],
            target=_target(parts),
            user=user,
            password=unquote(parts.password or ""),
        )

    @property
    def label(self) -> str:
        """What messages call it, without credentials."""
        return redact(self.url)

    @property
    def authority(self) -> str:
        """Host and, where it is not the usual one, port."""
        host = f"[{self.host}]" if ":" in self.host else self.host
        return host if self.port == DEFAULT_PORTS[self.scheme] else f"{host}:{self.port}"

    @property
    def bare(self) -> str:
        """The URL without credentials."""
        return f"{self.scheme}://{self.authority}{self.target}"

    @property
    def is_rtsp(self) -> bool:
        """True for RTSP, False for HTTP."""
        return self.scheme.startswith("rtsp")

    @property
    def is_encrypted(self) -> bool:
        """True where nobody on the way can read along."""
        return self.scheme in ENCRYPTED


@dataclass(frozen=True, slots=True)
class Reach:
    """Which addresses a camera may lead to, by redirects and playlists.

    named:   the one that the user gave; its host may be asked, over the same protocol
    further: hosts that may be asked beside it; `ANY_HOST` is all
    """

    named: Address
    further: Sequence[str] = ()

    def follow(self, reference: str, *, base: Address) -> Address:
        """The address that `reference`, found at `base`, means; the named host gets the user's credentials again.

        Raises:
            SourceOpenError: it is none that may be asked.
        """
        label = self.named.label
        try:
            parts = urlsplit(urljoin(base.bare, reference.strip()))
            scheme, host, port = parts.scheme.lower(), (parts.hostname or "").lower(), parts.port
        except ValueError as error:
            raise SourceOpenError(f"{label}: the host refers to something that is no address") from error
        if scheme not in self._schemes(base):
            allowed = " or ".join(f"{name}://" for name in self._schemes(base))
            raise SourceOpenError(
                f"{label}: the host refers to {scheme or 'no'}://, which is not allowed; {allowed} is"
            )
        if host != self.named.host and not {host, ANY_HOST} & set(self.further):
            raise SourceOpenError(
                f"{label}: the host refers to another one, {host}, which was not asked; if that is right, allow it by "
                f"--set 'source.redirect_hosts=[\"{host}\"]'"
            )
        is_same = host == self.named.host
        target = _target(parts)
        return Address(
            url=f"{scheme}://{parts.netloc.rpartition('@')[2]}{target}",
            scheme=scheme,
            host=host,
            port=port or DEFAULT_PORTS[scheme],
            target=target,
            user=self.named.user if is_same else None,
            password=self.named.password if is_same else "",
        )

    def _schemes(self, base: Address) -> tuple[str, ...]:
        """The protocol of the named address; never back from an encrypted one to one that is not."""
        plain, encrypted = ("rtsp", "rtsps") if self.named.is_rtsp else ("http", "https")
        return (encrypted,) if base.is_encrypted else (plain, encrypted)


def _target(parts: SplitResult) -> str:
    """Path and query, escaped; bytes of a command line that are no text are asked for as they are."""
    target = (parts.path or "/") + (f"?{parts.query}" if parts.query else "")
    return quote(target, safe=READABLE, errors="surrogateescape")
