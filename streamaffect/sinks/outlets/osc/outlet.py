"""Open Sound Control by UDP, for TouchDesigner, Max, Pure Data, SuperCollider and whatever else listens to it."""

import errno
import logging
import socket
import time
from collections.abc import Iterator
from typing import Final

from streamaffect.errors import OutletError
from streamaffect.messages import Estimate, Event, Health, Message, Meta, Voice
from streamaffect.settings import OscSettings
from streamaffect.sinks.outlets.address import HostPort, parse_host_port
from streamaffect.sinks.outlets.osc.messages import (
    Part,
    datagrams,
    parts_of_estimate,
    parts_of_event,
    parts_of_health,
    parts_of_voice,
)
from streamaffect.sinks.outlets.packages import require
from streamaffect.sinks.outlets.slots import Slots

log = logging.getLogger(__name__)

FAULT_S = 2.0  # UDP tells of a missing listener now and then, and of one that listens never


class OscOutlet:
    """A sink that sends bundles to one receiver, and never waits for it.

    replays: times are those of a recording, and no time tags of now
    Raises OutletError where the address is none, its host is unknown, or python-osc is not installed.
    """

    name: Final = "osc"

    def __init__(self, settings: OscSettings, *, replays: bool = False) -> None:
        require("pythonosc", extra="osc", flag="--osc")
        self._target = parse_host_port(settings.address, key="osc.address", example="127.0.0.1:9000")
        self._slots = Slots(settings.slots, setting="osc.slots") if settings.faces == "slots" else None
        self._places: dict[tuple[str, int], int] = {}
        self._replays = replays
        self._live: set[str] = set()
        self._socket = _connected(self._target)
        self._fault, self._fault_s = "", 0.0
        self._lost = 0

    @property
    def fault(self) -> str:
        """Why nothing arrives, as far as this machine was told in the last seconds."""
        return self._fault if time.monotonic() - self._fault_s < FAULT_S else ""

    @property
    def lost(self) -> int:
        """Datagrams that the system did not take."""
        return self._lost

    def send(self, message: Message) -> None:
        """Send a message; `meta` has no counterpart in OSC."""
        match message:
            case Meta():
                if message.live and not self._replays:
                    self._live.add(message.stream)
            case Estimate() if message.refines is None:
                if (face := self._face(message)) is not None:
                    self._send(parts_of_estimate(message, face), self._tag(message.stream, message.t_capture_ns))
            case Voice():
                self._send(
                    parts_of_voice(message, self._place_of(message)), self._tag(message.stream, message.t_capture_ns)
                )
            case Event():
                self._send(parts_of_event(message, self._face_of(message)), self._tag(message.stream, message.t_ns))
            case Health():
                self._send(parts_of_health(message), self._tag(message.stream, message.t_ns))

    def close(self) -> None:
        """Give the socket back."""
        self._socket.close()

    def _face(self, estimate: Estimate) -> int | None:
        if self._slots is None:
            return estimate.track
        slot = self._slots.of(estimate)
        if slot is not None:
            self._places[estimate.stream, estimate.track] = slot
        return slot

    def _place_of(self, voice: Voice) -> int | None:
        if self._slots is None or voice.track is None:
            return voice.track
        return self._places.get((voice.stream, voice.track))

    def _face_of(self, event: Event) -> int | None:
        if self._slots is None or event.track is None:
            return event.track
        self._slots.leave(event)
        if event.event == "track_lost":
            return self._places.pop((event.stream, event.track), None)
        return self._places.get((event.stream, event.track))

    def _tag(self, stream: str, t_ns: int) -> int | None:
        return t_ns if stream in self._live else None

    def _send(self, parts: Iterator[Part], t_ns: int | None) -> None:
        for datagram in datagrams(parts, t_ns):
            if not self._sent(datagram) and not self._sent(datagram):
                self._lost += 1

    def _sent(self, datagram: bytes) -> bool:
        """False where the system refuses; what it refuses for may be an earlier datagram that nobody took."""
        try:
            self._socket.send(datagram)
        except OSError as error:
            self._note(error)
            return False
        return True

    def _note(self, error: OSError) -> None:
        if error.errno == errno.ECONNREFUSED:
            fault = f"nobody listens at {self._target}"
        else:
            fault = f"{self._target}: {error.strerror or error}"
        if not self._fault:
            log.warning("osc: %s; it is sent all the same (logged once)", fault)
        self._fault, self._fault_s = fault, time.monotonic()


def _connected(target: HostPort) -> socket.socket:
    """A socket whose datagrams go there, and which hears when nobody takes them."""
    try:
        found = socket.getaddrinfo(target.host, target.port, type=socket.SOCK_DGRAM)
    except (OSError, UnicodeError) as error:
        may_pass = isinstance(error, socket.gaierror) and error.errno == socket.EAI_AGAIN
        raise OutletError(f"osc.address {target}: unknown host {target.host}", transient=may_pass) from error
    family, kind, protocol, _, address = found[0]
    opened = socket.socket(family, kind, protocol)
    opened.settimeout(0.0)
    try:
        opened.connect(address)
    except OSError as error:
        opened.close()
        raise OutletError(f"osc.address {target}: cannot be sent to ({error.strerror})") from error
    return opened
