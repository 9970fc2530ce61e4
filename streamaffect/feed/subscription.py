"""One connection to a feed: the socket, what it subscribes to, and what ZeroMQ tells of the connection."""

import time
from collections.abc import Mapping
from contextlib import suppress
from pathlib import Path
from types import MappingProxyType
from typing import Final, Literal

import zmq
from zmq.utils.monitor import recv_monitor_message

from streamaffect.errors import WireError
from streamaffect.feed.address import parse_address
from streamaffect.feed.alive import ALIVE
from streamaffect.feed.keys import ClientKeys, check_curve, load_client
from streamaffect.feed.wire import topic_prefix
from streamaffect.paths import from_home

State = Literal["waiting", "connected", "refused"]
SUBSCRIBED: Final = ("meta", "event", "health", "affect", "voice")  # meta first: it tells of a new run
RECONNECT_MS, RECONNECT_MAX_MS = 100, 2000
_REFUSALS = zmq.EVENT_HANDSHAKE_FAILED_NO_DETAIL | zmq.EVENT_HANDSHAKE_FAILED_PROTOCOL | zmq.EVENT_HANDSHAKE_FAILED_AUTH
_EVENTS = zmq.EVENT_HANDSHAKE_SUCCEEDED | zmq.EVENT_DISCONNECTED | _REFUSALS
NO_OPTIONS: Final = MappingProxyType[int, int]({})


class Subscription:
    """A SUB socket with its monitor; both are used by one thread. ZeroMQ connects, and connects again, by itself.

    address: tcp://HOST:PORT or ipc://PATH; the publisher need not be there yet
    stream:  only this stream; None takes all of them
    keys:    a subscriber's key folder, or its content, for an encrypted feed
    options: further ones of ZeroMQ's

    Raises WireError where the address or a key is not usable.
    """

    def __init__(
        self,
        context: "zmq.Context[zmq.Socket[bytes]]",
        address: str,
        *,
        stream: str | None = None,
        keys: ClientKeys | Path | str | None = None,
        options: Mapping[int, int] = NO_OPTIONS,
    ) -> None:
        self.address = address
        self.state: State = "waiting"
        self._refused_s: float | None = None
        parsed = parse_address(address)
        self._bound = parsed.text
        self.socket = context.socket(zmq.SUB)
        values: dict[int, int] = {
            zmq.LINGER: 0,
            zmq.RECONNECT_IVL: RECONNECT_MS,
            zmq.RECONNECT_IVL_MAX: RECONNECT_MAX_MS,
            zmq.IPV6: int(parsed.is_ipv6),
            **ALIVE,
            **options,
        }
        for option, value in values.items():
            self.socket.setsockopt(option, value)
        if keys is not None:
            check_curve()
            client = keys if isinstance(keys, ClientKeys) else load_client(from_home(keys))
            self.socket.curve_publickey, self.socket.curve_secretkey = client.own.public, client.own.secret
            self.socket.curve_serverkey = client.server
        for kind in SUBSCRIBED:
            self.socket.subscribe(topic_prefix(kind, stream))
        self.monitor = self.socket.get_monitor_socket(_EVENTS)  # first, so that no event is missed
        try:
            self.socket.connect(self._bound)
        except zmq.ZMQError as error:
            raise WireError(f"{address}: {error.strerror}; expected tcp://HOST:PORT or ipc://PATH") from error

    def note(self) -> None:
        """Take note of what the monitor has to tell."""
        event = int(recv_monitor_message(self.monitor)["event"])
        if event == zmq.EVENT_HANDSHAKE_SUCCEEDED:
            self.state = "connected"
        elif event & _REFUSALS:
            self.state = "refused"
        elif self.state == "connected":
            self.state = "waiting"
        self._refused_s = time.monotonic() if self.state == "refused" else None

    def look(self) -> None:
        """After a refusal ZeroMQ gives an address up for ever; the feed may come back with other keys, though."""
        if self._refused_s is not None and time.monotonic() - self._refused_s > RECONNECT_MAX_MS / 1000:
            self._refused_s = None
            with suppress(zmq.ZMQError):
                self.socket.disconnect(self._bound)
            self.socket.connect(self._bound)

    def close(self) -> None:
        """Watch no more; the sockets end with their context."""
        self.socket.disable_monitor()
