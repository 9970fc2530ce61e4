"""A first question to a network source, so that a failure can be named before FFmpeg is asked.

FFmpeg through OpenCV answers only "cannot open". One short exchange of our own tells an unknown host from a refused
connection, a silent host, missing or wrong credentials and an unknown path. It sends credentials only where the host
asks for the Basic scheme, as FFmpeg does too. Encrypted schemes are checked up to the TCP connection.
"""

import base64
import socket
from dataclasses import dataclass
from urllib.parse import SplitResult, unquote, urlsplit

from streamaffect.errors import SourceForbiddenError, SourceOpenError
from streamaffect.redaction import redact

DEFAULT_PORTS = {"rtsp": 554, "rtsps": 322, "http": 80, "https": 443}
REPLY_LIMIT = 65536


@dataclass(frozen=True, slots=True)
class Answer:
    """What the host said.

    status:     0 where it was not asked
    challenges: the authentication schemes that it offers, in lower case
    """

    status: int
    challenges: frozenset[str] = frozenset()


def probe(url: str, *, timeout_s: float) -> Answer:
    """Ask the host of `url` whether it would serve it; return its last answer.

    An answer of 401 means that only a Digest exchange, left to FFmpeg, can tell whether the credentials are right.

    Raises:
        SourceOpenError: with the reason in one line, without credentials.
    """
    parts = urlsplit(url)
    label = redact(url)
    with _connect(parts, label, timeout_s) as connection:
        if parts.scheme.lower() not in ("rtsp", "http"):
            return Answer(0)
        try:
            answer = _ask(connection, parts, label, authorization=None)
        except TimeoutError as error:
            message = f"{label}: the host takes the connection and says nothing for {timeout_s:g} s; is the port right?"
            raise SourceOpenError(message) from error
        except OSError as error:
            raise SourceOpenError(f"{label}: the host closed the connection; is the port right?") from error
    if answer.status == 401:
        answer = _authenticate(parts, label, answer, timeout_s)
    _check(answer, label)
    return answer


def _connect(parts: SplitResult, label: str, timeout_s: float) -> socket.socket:
    port = parts.port or DEFAULT_PORTS[parts.scheme.lower()]
    try:
        return socket.create_connection((parts.hostname or "", port), timeout=timeout_s)
    except socket.gaierror as error:
        raise SourceOpenError(f"{label}: the host name is unknown; check the name and the network") from error
    except ConnectionRefusedError as error:
        message = f"{label}: the host refuses connections on port {port}; is the server running, is the port right?"
        raise SourceOpenError(message) from error
    except TimeoutError as error:
        message = f"{label}: no answer on port {port} within {timeout_s:g} s; is the host on, is a firewall between?"
        raise SourceOpenError(message) from error
    except OSError as error:
        reason = (error.strerror or type(error).__name__).lower()
        raise SourceOpenError(f"{label}: the host cannot be reached ({reason}); check the network") from error


def _authenticate(parts: SplitResult, label: str, challenge: Answer, timeout_s: float) -> Answer:
    if parts.username is None:
        message = f"{label}: the host asks for a user and password; give them as {parts.scheme}://user:password@host/…"
        raise SourceForbiddenError(message)
    if "basic" not in challenge.challenges:
        return challenge
    pair = f"{unquote(parts.username)}:{unquote(parts.password or '')}"
    authorization = base64.b64encode(pair.encode()).decode("ascii")
    with _connect(parts, label, timeout_s) as connection:
        try:
            answer = _ask(connection, parts, label, authorization=authorization)
        except OSError as error:
            raise SourceOpenError(f"{label}: the host closed the connection after the credentials") from error
    if answer.status == 401:
        raise wrong_credentials(label)
    return answer


def wrong_credentials(label: str) -> SourceForbiddenError:
    """The error for credentials that the host does not take."""
    return SourceForbiddenError(
        f"{label}: the host refuses this user and password (401); check them, %-escape @ : / in them"
    )


def _check(answer: Answer, label: str) -> None:
    if answer.status == 404:
        raise SourceOpenError(f"{label}: the host knows no such path (404); check what follows the host name")
    if answer.status == 403:
        raise SourceForbiddenError(f"{label}: the host forbids access (403); check the permissions of this user there")
    if answer.status >= 400 and answer.status != 401:
        raise SourceOpenError(f"{label}: the host answers with status {answer.status}; expected 200")


def _ask(connection: socket.socket, parts: SplitResult, label: str, *, authorization: str | None) -> Answer:
    """Send one DESCRIBE or GET and read the head of the reply."""
    host = parts.netloc.rpartition("@")[2]
    path = (parts.path or "/") + (f"?{parts.query}" if parts.query else "")
    if parts.scheme.lower() == "rtsp":
        lines = [f"DESCRIBE rtsp://{host}{path} RTSP/1.0", "CSeq: 1", "Accept: application/sdp"]
    else:
        lines = [f"GET {path} HTTP/1.0", f"Host: {host}"]
    lines.append("User-Agent: streamaffect")
    if authorization:
        lines.append(f"Authorization: Basic {authorization}")
    connection.sendall(("\r\n".join(lines) + "\r\n\r\n").encode())
    return _parse(_head(connection), parts, label)


def _head(connection: socket.socket) -> bytes:
    head = b""
    while b"\r\n\r\n" not in head and len(head) < REPLY_LIMIT:
        received = connection.recv(4096)
        if not received:
            break
        head += received
    return head.partition(b"\r\n\r\n")[0]


def _parse(head: bytes, parts: SplitResult, label: str) -> Answer:
    first, *headers = head.decode("latin-1").split("\r\n")
    words = first.split()
    if len(words) < 2 or not words[0].startswith(("RTSP/", "HTTP/")) or not words[1].isdigit():
        raise SourceOpenError(f"{label}: the host does not speak {parts.scheme}; check scheme and port")
    named = [header.partition(":") for header in headers]
    challenges = [value.split()[0].lower() for name, _, value in named if _is_challenge(name) and value.split()]
    return Answer(int(words[1]), frozenset(challenges))


def _is_challenge(name: str) -> bool:
    return name.strip().lower() == "www-authenticate"
