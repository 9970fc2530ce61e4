"""Where a broker is and how it is spoken to: the parts of its URL, the password's file, certificates."""

import ssl
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final
from urllib.parse import unquote, urlsplit

from streamaffect.errors import OutletError
from streamaffect.paths import from_home
from streamaffect.redaction import redact
from streamaffect.settings import MqttSettings

PORTS: Final = {"mqtt": 1883, "mqtts": 8883}
EXPECTED: Final = "expected mqtt://HOST[:PORT] or mqtts://HOST[:PORT], with a user as in mqtt://user:pw@host"
MOST_PASSWORD_BYTES: Final = 65_535


class TlsContext(ssl.SSLContext):
    """How a line is encrypted. It knows the socket that it made last, since paho leaves those open that it gives up."""

    _latest: ssl.SSLSocket | None = None

    def wrap_socket(self, *arguments: Any, **settings: Any) -> ssl.SSLSocket:
        """As in the base class."""
        self._latest = super().wrap_socket(*arguments, **settings)
        return self._latest

    def drop(self) -> None:
        """Close the socket that was made last."""
        if self._latest is not None:
            self._latest.close()
            self._latest = None


@dataclass(frozen=True, slots=True)
class Broker:
    """A broker as the settings name it.

    tls:      how the line is encrypted; None where it is not
    user:     empty where the broker asks for none
    password: never shown
    """

    host: str
    port: int
    tls: TlsContext | None
    user: str
    password: str = field(repr=False)

    def __str__(self) -> str:
        return f"[{self.host}]:{self.port}" if ":" in self.host else f"{self.host}:{self.port}"

    @property
    def shows_password(self) -> bool:
        """True where the password goes over a network as it is."""
        return bool(self.password) and self.tls is None and self.host not in ("localhost", "127.0.0.1", "::1")


def broker_of(settings: MqttSettings) -> Broker:
    """Read URL and files. Raises OutletError where one of them is not usable."""
    shown = redact(settings.url)
    try:
        parts = urlsplit(settings.url.strip())
        host, port = parts.hostname, parts.port
    except ValueError:
        raise OutletError(f"mqtt.url {shown!r}: {EXPECTED}") from None
    if parts.scheme not in PORTS or not host or parts.path.strip("/") or parts.query or parts.fragment or port == 0:
        raise OutletError(f"mqtt.url {shown!r}: {EXPECTED}; topics begin with mqtt.prefix")
    password = _password(settings, unquote(parts.password or ""))
    user = unquote(parts.username or "")
    if password and not user:
        raise OutletError(f"mqtt.url {shown!r}: a password needs a user before it")
    tls = _tls(settings) if parts.scheme == "mqtts" else None
    if tls is None:
        _check_unencrypted(settings)
    return Broker(host, port or PORTS[parts.scheme], tls, user, password)


def _password(settings: MqttSettings, of_url: str) -> str:
    if not settings.password_file:
        return of_url
    if of_url:
        raise OutletError("mqtt.password_file: the URL has a password too; leave one of them out")
    path = _file(settings, "password_file")
    try:
        with path.open("rb") as file:
            text = file.read(MOST_PASSWORD_BYTES + 1).decode()
    except OSError as error:
        raise OutletError(f"mqtt.password_file {path}: cannot be read ({error.strerror})") from None
    except ValueError:
        raise OutletError(f"mqtt.password_file {path}: is no text in UTF-8") from None
    password = text.splitlines()[0].strip() if text.strip() else ""
    if not password or len(text) > MOST_PASSWORD_BYTES:
        raise OutletError(f"mqtt.password_file {path}: its first line should be the password")
    return password


def _tls(settings: MqttSettings) -> TlsContext:
    context = TlsContext(ssl.PROTOCOL_TLS_CLIENT)  # checks certificate and name
    context.minimum_version = ssl.TLSVersion.TLSv1_2
    if not settings.ca_file:
        context.load_default_certs()
    else:
        try:
            context.load_verify_locations(_file(settings, "ca_file"))
        except (ssl.SSLError, OSError) as error:
            raise OutletError(f"mqtt.ca_file {settings.ca_file}: {_file_fault(error)}") from None
    if bool(settings.cert_file) != bool(settings.key_file):
        raise OutletError("mqtt.cert_file and mqtt.key_file belong together: set both or neither")
    if settings.cert_file:
        try:
            context.load_cert_chain(_file(settings, "cert_file"), _file(settings, "key_file"), password=_refuse_to_ask)
        except (ssl.SSLError, OSError, ValueError) as error:
            raise OutletError(f"mqtt.cert_file {settings.cert_file}, mqtt.key_file: {_file_fault(error)}") from None
    return context


def _check_unencrypted(settings: MqttSettings) -> None:
    for key in ("ca_file", "cert_file", "key_file"):
        if getattr(settings, key):
            raise OutletError(f"mqtt.{key} is set, and mqtt:// is not encrypted; write mqtts://")


def _file(settings: MqttSettings, key: str) -> Path:
    """The path that a setting names. Raises OutletError where no file is there: others may be read for ever."""
    path = from_home(Path(getattr(settings, key)))
    try:
        found = path.is_file()
    except (OSError, ValueError):
        found = False
    if not found:
        raise OutletError(f"mqtt.{key} {path}: no such file")
    return path


def _refuse_to_ask() -> str:
    """OpenSSL would ask for the password of a key on the terminal, and wait."""
    raise ValueError("the key is encrypted; use one without a password")


def _file_fault(error: Exception) -> str:
    if isinstance(error, ssl.SSLError):
        return "holds no certificate or key in PEM form that fits"
    return str(error.strerror) if isinstance(error, OSError) and error.strerror else str(error)
