"""All that a run can send to beside its feed, with somebody at the other end who reads."""

import socket
import threading
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager, suppress

from tests.support.outlets.processes import Process, free_port

READ_S = 1.0


@contextmanager
def outlets() -> Iterator[list[str]]:
    """The words that switch all of them on: LSL, OSC, MQTT, metrics and the page, the last two asked each second."""
    broker_port, metrics, page = free_port(), f"127.0.0.1:{free_port()}", f"127.0.0.1:{free_port()}"
    is_over = threading.Event()
    with (
        Process("mqtt_broker", str(broker_port)) as broker,
        socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as receiver,
    ):
        receiver.bind(("127.0.0.1", 0))
        receiver.settimeout(READ_S)
        readers = [
            threading.Thread(target=_drain_lines, args=(broker, is_over)),
            threading.Thread(target=_drain_datagrams, args=(receiver, is_over)),
            threading.Thread(target=_ask, args=([f"http://{metrics}/metrics", f"http://{page}/v1/latest"], is_over)),
        ]
        for reader in readers:
            reader.start()
        try:
            yield [
                *("--lsl", "--osc", f"127.0.0.1:{receiver.getsockname()[1]}", "--metrics", metrics, "--web", page),
                *("--mqtt", f"mqtt://127.0.0.1:{broker_port}"),
            ]
        finally:
            is_over.set()
            for reader in readers:
                reader.join(10)


def _drain_lines(broker: Process, is_over: threading.Event) -> None:
    while not is_over.is_set():
        with suppress(AssertionError):  # nothing came
            broker.line(READ_S)


def _drain_datagrams(receiver: socket.socket, is_over: threading.Event) -> None:
    while not is_over.is_set():
        with suppress(TimeoutError):
            receiver.recv(65_536)


def _ask(addresses: list[str], is_over: threading.Event) -> None:
    while not is_over.wait(READ_S):
        for address in addresses:
            with suppress(OSError), urllib.request.urlopen(address, timeout=10) as answer:
                answer.read()
