"""CURVE key pairs that encrypt a feed and say who may read it, in the text format of ZeroMQ's own tools.

`write_keys(DIR)` lays them out by who needs them:

    DIR/server.key_secret        stays with the publisher
    DIR/allowed/NAME.key         public, the publisher's list of subscribers
    DIR/NAME/client.key_secret   goes to the subscriber, together with
    DIR/NAME/server.key          public, by which it knows the publisher
"""

import logging
import re
from dataclasses import dataclass
from pathlib import Path

import zmq

from streamaffect.errors import WireError
from streamaffect.feed.key_files import KeyPair, check_secret, load_pair, load_public, write_key_file

log = logging.getLogger(__name__)

SERVER_SECRET, SERVER_PUBLIC, CLIENT_SECRET, ALLOWED = "server.key_secret", "server.key", "client.key_secret", "allowed"
_CLIENT_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,63}")


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
        written.allowed_clients.mkdir(mode=0o755, exist_ok=True)
        if not written.server_key.exists():
            write_key_file(written.server_key, *zmq.curve_keypair())
        public, secret = zmq.curve_keypair()
        write_key_file(secret_path, public, secret)
        write_key_file(public_path, public)
        write_key_file(written.client / SERVER_PUBLIC, load_pair(written.server_key).public)
    except OSError as error:
        raise WireError(f"{error.filename}: {error.strerror}; keys need a folder that can be written") from error
    return written


def load_client(folder: Path) -> ClientKeys:
    """A subscriber's keys from its folder. Raises WireError where a file is missing or is no key."""
    secret = folder / CLIENT_SECRET
    own = load_pair(secret)
    try:
        check_secret(secret)
    except WireError as error:  # who holds it may read the feed, and can change nothing in it
        log.warning("%s", error)
    return ClientKeys(own=own, server=load_public(folder / SERVER_PUBLIC))


def load_server(path: Path, *, may_be_read: bool = False) -> KeyPair:
    """The publisher's key pair. Raises WireError where there is none, or where others can read it and should not."""
    pair = load_pair(path)
    check_secret(path, may_be_read=may_be_read)
    return pair


def check_curve() -> None:
    """Raise WireError where this libzmq was built without encryption."""
    if not zmq.has("curve"):
        raise WireError(
            f"libzmq {zmq.zmq_version()} was built without CURVE encryption; install a pyzmq wheel from PyPI"
        )
