"""The line to a broker, in a thread of its own: connects, sends what waits, and connects again for ever."""

import logging
import socket
import ssl
import threading
import time
from typing import Any, Final

from streamaffect.sinks.outlets.mqtt.broker import Broker
from streamaffect.sinks.outlets.mqtt.outbox import Outbox, Publication

log = logging.getLogger(__name__)

KEEP_ALIVE_S: Final = 15
CONNECT_S: Final = 5.0
WELCOME_S: Final = 10.0  # how long a broker may take to answer once the line is there
BACKOFF_S: Final = (0.5, 15.0)
REFUSED_S: Final = 30.0  # brokers lock out who asks with a wrong password too often
POLL_S: Final = 0.05
FAREWELL_S: Final = 0.5


class Connection:
    """Follows a broker until `close`.

    status: the topic that says "online", and "offline" once this process has gone, however it went
    """

    def __init__(self, broker: Broker, outbox: Outbox, *, client_id: str, status: str) -> None:
        from paho.mqtt.client import Client
        from paho.mqtt.enums import CallbackAPIVersion

        self._broker = broker
        self._outbox = outbox
        self._status = status
        self._fault = "not connected yet"
        self._said = ""
        self._up = False
        self._refused = ""
        self._stop = threading.Event()
        self._client: Any = Client(CallbackAPIVersion.VERSION2, client_id=client_id, reconnect_on_failure=False)
        self._client.connect_timeout = CONNECT_S
        self._client.max_queued_messages_set(1000)
        self._client.will_set(status, b"offline", qos=1, retain=True)
        if broker.user:
            self._client.username_pw_set(broker.user, broker.password or None)
        if broker.tls is not None:
            self._client.tls_set_context(broker.tls)
        self._client.on_connect = self._on_connect
        self._thread = threading.Thread(target=self._run, name="mqtt-broker", daemon=True)
        self._thread.start()

    @property
    def fault(self) -> str:
        """Why the broker gets nothing at the moment; empty where it does."""
        return self._fault

    def close(self) -> None:
        """Send what waits and say goodbye, within half a second."""
        self._stop.set()
        self._thread.join(FAREWELL_S + POLL_S)

    def _run(self) -> None:
        wait_s, longest_s = BACKOFF_S
        while not self._stop.is_set():
            was_up = self._attempt()
            wait_s = BACKOFF_S[0] if was_up else min(2 * wait_s, longest_s)
            self._stop.wait(REFUSED_S if self._refused else wait_s)
        self._client.on_connect = None
        self._client = None  # the last reference: paho closes its sockets with the client

    def _attempt(self) -> bool:
        """Connect, and serve the line until it breaks. True where the broker had answered."""
        self._up, self._refused = False, ""
        try:
            self._client.connect(self._broker.host, self._broker.port, KEEP_ALIVE_S)
            fault = self._serve()
        except (OSError, ValueError) as error:
            fault = reason_of(error, self._broker)
        except Exception as error:  # paho's own, of what a peer sends that is no MQTT
            fault = f"{self._broker} does not speak MQTT ({type(error).__name__})"
        if self._broker.tls is not None:
            self._broker.tls.drop()
        was_up, self._up = self._up, False
        self._tell(self._refused or fault)
        return was_up

    def _serve(self) -> str:
        """Until it breaks or `close`; returns why."""
        from paho.mqtt.client import error_string
        from paho.mqtt.enums import MQTTErrorCode

        begun_s = time.monotonic()
        while not self._stop.is_set():
            code = self._client.loop(POLL_S)
            if code != MQTTErrorCode.MQTT_ERR_SUCCESS:
                return f"{self._broker}: the line broke ({error_string(code).rstrip('.')})"
            if self._up:
                self._send_waiting()
            elif time.monotonic() - begun_s > WELCOME_S:
                return f"{self._broker} does not answer"
        self._farewell()
        return ""

    def _send_waiting(self) -> None:
        """What waits, for as long as the line takes it."""
        while not self._client.want_write() and (publication := self._outbox.take()) is not None:
            self._publish(publication)

    def _publish(self, publication: Publication) -> None:
        self._client.publish(publication.topic, publication.payload, qos=publication.qos, retain=publication.retain)

    def _farewell(self) -> None:
        if not self._up:
            return
        deadline_s = time.monotonic() + FAREWELL_S
        while not self._outbox.is_empty and time.monotonic() < deadline_s:
            self._send_waiting()
            self._client.loop(POLL_S)
        self._publish(Publication(self._status, b"offline", retain=True))
        while self._client.want_write() and time.monotonic() < deadline_s:
            self._client.loop(POLL_S)
        self._client.disconnect()
        self._client.loop(POLL_S)

    def _on_connect(self, _client: Any, _data: object, _flags: object, reason: Any, _properties: object) -> None:
        if reason.is_failure:
            self._refused = f"{self._broker} refuses: {reason}; see the user in mqtt.url, and mqtt.password_file"
            return
        self._up = True
        self._publish(Publication(self._status, b"online", retain=True, qos=1))
        self._outbox.again()
        if self._said:
            log.warning("mqtt: connected to %s", self._broker)
        self._fault = self._said = ""

    def _tell(self, fault: str) -> None:
        """Say each new reason once."""
        if self._stop.is_set():
            return
        self._fault = fault
        if fault != self._said:
            self._said = fault
            log.warning("mqtt: %s; it is tried again", fault)


def reason_of(error: Exception, broker: Broker) -> str:
    """Why a broker cannot be reached, in one line that says what to do."""
    match error:
        case ssl.SSLCertVerificationError():
            reason = f"{broker}: its certificate is not accepted ({error.verify_message}); see mqtt.ca_file"
        case ssl.SSLError():
            reason = f"{broker}: no TLS there ({error.reason or 'the line was closed'}); mqtt:// is without it"
        case socket.gaierror():
            reason = f"unknown host {broker.host} ({error.strerror})"
        case ConnectionRefusedError():
            reason = f"no broker listens at {broker}"
        case TimeoutError():
            reason = f"{broker} does not answer"
        case _:
            reason = f"{broker}: {getattr(error, 'strerror', None) or error or type(error).__name__}"
    return reason
