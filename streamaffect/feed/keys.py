"""CURVE key pairs that encrypt a feed and say who may read it, in the text format of ZeroMQ's own tools.

`write_keys(DIR)` lays them out by who needs them:

    DIR/server.key_secret        stays with the publisher
    DIR/allowed/NAME.key         public, the publisher's list of subscribers
    DIR/NAME/client.key_secret   goes to the subscriber, together with
    DIR/NAME/server.key          public, by which it knows the publisher
"""

import os
import re
import struct
from dataclasses import dataclass, field
from pathlib import Path

import zmq
import zmq.auth
from zmq.utils import z85

from streamaffect.errors import WireError

SERVER_SECRET, SERVER_PUBLIC, CLIENT_SECRET, ALLOWED = "server.key_secret", "server.key", "client.key_secret", "allowed"
KEY_LENGTH = 40
_CLIENT_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,63}")


@dataclass(frozen=True, slots=True)
class KeyPair:
    """A CURVE key pair, each 40 characters of Z85."""

    public: bytes
    secret: bytes = field(repr=False)


@dataclass(frozen=True, slots=True)
class ClientKeys:
    """What a subscriber needs: its own pair and the publisher's public key."""

    own: KeyPair
    server: bytes


@dataclass(frozen=True, slots=True)
class WrittenKeys:
    """Where `write_keys` has put the publisher's secret, its list of subscribers, and the folder of one subscriber."""

    server_key: Path
    allowed_clients: Path
    client: Path

    def __str__(self) -> str:
        """What to do with them, for people."""
        return (
            f"publisher:  streamaffect run … --set feed.server_key={self.server_key} "
            f"--set feed.allowed_clients={self.allowed_clients}\n"
            f"subscriber: copy the folder {self.client}, then: streamaffect listen ADDRESS --keys {self.client}"
        )


@dataclass(frozen=True, slots=True)
class AllowedClients:
    """The subscribers whose public keys lie in a folder. It is read at every handshake, so that it may change."""

    folder: Path

    def callback(self, domain: str, key: bytes) -> bool:  # noqa: ARG002  the interface of zmq.auth
        """True where this public key may subscribe. A file that cannot be read admits nobody."""
        return any(_public_key_or_none(path) == key for path in self.folder.glob("*.key"))


def write_keys(folder: Path, *, client: str = "client", overwrite: bool = False) -> WrittenKeys:
    """Make keys for one subscriber, and for the publisher where it has none yet.

    overwrite: replace this subscriber's keys where they exist; the publisher's are never replaced
    Raises WireError where they exist and `overwrite` is False, where the folder cannot be written, or without CURVE.
    """
    check_curve()
    if not _CLIENT_NAME.fullmatch(client) or client == ALLOWED:
        raise WireError(f"client name {client!r}: expected letters, digits, '.', '_' or '-', and not {ALLOWED!r}")
    written = WrittenKeys(folder / SERVER_SECRET, folder / ALLOWED, folder / client)
    secret_path, public_path = written.client / CLIENT_SECRET, written.allowed_clients / f"{client}.key"
    existing = next((path for path in (secret_path, public_path) if path.exists()), None)
    if existing is not None and not overwrite:
        raise WireError(
            f"{existing} exists: choose another client name, or replace this client's keys with --overwrite"
        )
    try:
        written.client.mkdir(mode=0o700, parents=True, exist_ok=True)
        written.allowed_clients.mkdir(exist_ok=True)
        if not written.server_key.exists():
            _write(written.server_key, *zmq.curve_keypair())
        public, secret = zmq.curve_keypair()
        _write(secret_path, public, secret)
        _write(public_path, public)
        _write(written.client / SERVER_PUBLIC, load_pair(written.server_key).public)
    except OSError as error:
        raise WireError(f"{error.filename}: {error.strerror}; keys need a folder that can be written") from error
    return written


def load_pair(path: Path) -> KeyPair:
    """The key pair in a `*.key_secret` file. Raises WireError where there is none."""
    public, secret = _load(path)
    if secret is None:
        raise WireError(
            f"{path}: holds no secret key; expected a file *.key_secret as `streamaffect keys DIR` writes it"
        )
    return KeyPair(public, secret)


def load_client(folder: Path) -> ClientKeys:
    """A subscriber's keys from its folder. Raises WireError where a file is missing or is no key."""
    return ClientKeys(own=load_pair(folder / CLIENT_SECRET), server=_load(folder / SERVER_PUBLIC)[0])


def load_allowed(folder: Path) -> AllowedClients:
    """The publisher's list of subscribers. Raises WireError where it is no folder or a file in it is no key."""
    if not folder.is_dir():
        raise WireError(f"{folder}: no such folder; expected one with a *.key file for each allowed subscriber")
    for path in folder.glob("*.key"):
        _load(path)
    return AllowedClients(folder)


def check_curve() -> None:
    """Raise WireError where this libzmq was built without encryption."""
    if not zmq.has("curve"):
        raise WireError(
            f"libzmq {zmq.zmq_version()} was built without CURVE encryption; install a pyzmq wheel from PyPI"
        )


def _load(path: Path) -> tuple[bytes, bytes | None]:
    try:
        public, secret = zmq.auth.load_certificate(path)
        z85.decode(public + (secret or b""))
    except OSError as error:
        reason = error.strerror or "no such file"
        raise WireError(f"{path}: {reason}; `streamaffect keys DIR` makes the keys of a feed") from error
    except (ValueError, KeyError, struct.error) as error:
        raise _no_key(path) from error
    if len(public) != KEY_LENGTH or (secret is not None and len(secret) != KEY_LENGTH):
        raise _no_key(path)
    return public, secret


def _no_key(path: Path) -> WireError:
    return WireError(f"{path}: is no CURVE key; expected a file as `streamaffect keys DIR` writes it")


def _public_key_or_none(path: Path) -> bytes | None:
    try:
        return _load(path)[0]
    except WireError:
        return None


def _write(path: Path, public: bytes, secret: bytes | None = None) -> None:
    """Write a key file; a secret is never readable by others, not even for a moment."""
    lines = ["metadata", "curve", f'    public-key = "{public.decode()}"']
    if secret is not None:
        lines.append(f'    secret-key = "{secret.decode()}"')
    path.unlink(missing_ok=True)
    descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o644 if secret is None else 0o600)
    with os.fdopen(descriptor, "w", encoding="ascii") as file:
        file.write("\n".join(lines) + "\n")
