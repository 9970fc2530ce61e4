"""MQTT: the state of each stream and face at a broker, for Home Assistant, Node-RED and dashboards.

States are retained, so that who comes later sees the last one; `<prefix>/status` says whether this process is there.
"""

import logging
import socket
from typing import Final

import msgspec

from streamaffect.errors import OutletError
from streamaffect.feed.wire import encode
from streamaffect.messages import Estimate, Event, Health, Message, Meta, Voice
from streamaffect.settings import MqttSettings
from streamaffect.sinks.outlets.mqtt.broker import broker_of
from streamaffect.sinks.outlets.mqtt.connection import Connection
from streamaffect.sinks.outlets.mqtt.home_assistant import discovery, topic_of, word
from streamaffect.sinks.outlets.mqtt.outbox import Outbox, Publication
from streamaffect.sinks.outlets.packages import require
from streamaffect.sinks.outlets.slots import ENDS, REMOVES, Slots

log = logging.getLogger(__name__)

SHOWN = ("track", "t_capture_ns", "status", "valence", "arousal", "valence_interval", "arousal_interval", "quality")
RELATIVE = ("valence_relative", "arousal_relative")
ABSENT: Final = msgspec.json.encode(dict.fromkeys(SHOWN) | {"status": "absent", "outputs": {}})
WILDCARDS = "+#\0"


class MqttOutlet:
    """A sink that publishes to a broker, which may be away at any time, also at the start.

    Raises OutletError where the settings name no broker, a file of theirs is not usable, or paho-mqtt is missing.
    """

    name: Final = "mqtt"

    def __init__(self, settings: MqttSettings) -> None:
        require("paho.mqtt", extra="mqtt", flag="--mqtt")
        broker = broker_of(settings)
        for key in ("prefix", "discovery"):
            text = getattr(settings, key)
            if any(one in WILDCARDS for one in text) or text.strip("/") != text or (key == "prefix" and not text):
                raise OutletError(
                    f"mqtt.{key} {text!r}: expected a topic without + and #, for instance lab/streamaffect"
                )
        if broker.shows_password:
            log.warning("mqtt: the password goes to %s unencrypted; mqtts:// encrypts it", broker)
        self._settings = settings
        self._slots = Slots(settings.slots, setting="mqtt.slots")
        self._said: dict[str, tuple[int, str]] = {}
        self._announced: dict[str, Publication] = {}
        self._heard: set[str] = set()
        self._outbox = Outbox()
        client_id = word(f"{settings.prefix}-{socket.gethostname()}")[:64]
        self._connection = Connection(broker, self._outbox, client_id=client_id, status=f"{settings.prefix}/status")

    @property
    def fault(self) -> str:
        """Why the broker gets nothing at the moment."""
        return self._connection.fault

    @property
    def lost(self) -> int:
        """Events that were dropped, since the broker was away for too long."""
        return self._outbox.lost

    def send(self, message: Message) -> None:
        """Let it wait for the broker; refined estimates come too late for a state."""
        at = topic_of(self._settings.prefix, message.stream)
        match message:
            case Meta():
                self._announce(message)
            case Voice():
                self._heard.add(message.stream)
                self._outbox.put(Publication(f"{at}/voice", encode(message), retain=True))
            case Health():
                self._outbox.put(Publication(f"{at}/health", encode(message), retain=True))
            case Estimate() if message.refines is None:
                self._estimate(message, at)
            case Event():
                self._outbox.put(Publication(f"{at}/event", encode(message), qos=1))
                for slot in self._slots.leave(message):
                    self._leave(f"{at}/face{slot}")
                if message.event in ENDS:
                    self._end(message, at)

    def close(self) -> None:
        """Say of every face that it is gone, and goodbye to the broker."""
        for topic in list(self._said):
            self._leave(topic)
        self._connection.close()

    def _announce(self, meta: Meta) -> None:
        for slot in range(1, self._settings.slots + 1):
            topic = f"{topic_of(self._settings.prefix, meta.stream)}/face{slot}"
            if topic not in self._said and meta.stream not in self._announced:
                self._outbox.put(Publication(topic, ABSENT, retain=True))
        if self._settings.discovery:
            found = discovery(
                meta, at=self._settings.discovery, prefix=self._settings.prefix, slots=self._settings.slots
            )
            self._announced[meta.stream] = found
            self._outbox.put(found)

    def _estimate(self, estimate: Estimate, at: str) -> None:
        slot = self._slots.of(estimate)
        if slot is None:
            return
        topic, now_ns = f"{at}/face{slot}", estimate.t_capture_ns
        said_ns, status = self._said.get(topic, (0, ""))
        is_due = self._settings.rate == 0.0 or abs(now_ns - said_ns) >= 1e9 / self._settings.rate
        if is_due or status != estimate.status:
            self._said[topic] = (now_ns, estimate.status)
            self._outbox.put(Publication(topic, _state(estimate), retain=True))

    def _leave(self, topic: str) -> None:
        if self._said.pop(topic, None) is not None:
            self._outbox.put(Publication(topic, ABSENT, retain=True))

    def _end(self, event: Event, at: str) -> None:
        """A stream that was taken away is no device any more; one that has only ended still is."""
        if event.event in REMOVES:
            found = self._announced.pop(event.stream, None)
            if event.stream in self._heard:
                self._heard.discard(event.stream)
                self._outbox.put(Publication(f"{at}/voice", b"", retain=True))
            gone = [f"{at}/health", *(f"{at}/face{slot}" for slot in range(1, self._settings.slots + 1))]
            for topic in gone if found is None else [found.topic, *gone]:
                self._outbox.put(Publication(topic, b"", retain=True))


def _state(estimate: Estimate) -> bytes:
    state: dict[str, object] = {key: getattr(estimate, key) for key in SHOWN}
    for key in RELATIVE:
        value = getattr(estimate, key)
        if isinstance(value, float | int):
            state[key] = value
    return msgspec.json.encode(state | {"outputs": estimate.outputs})
