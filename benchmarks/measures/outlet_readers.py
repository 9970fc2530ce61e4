"""Readers of all outlets of a run, in one process.

    python -m benchmarks.measures.outlet_readers LSL OSC MQTT METRICS WEB

LSL is the begin of the outlets' names, the others are ports. It says "ready" once it is connected everywhere, and when
its standard input ends, as one line of JSON, what it has read. What is missing is counted by the channel `seq` of Lab
Streaming Layer; other outlets have no such number.
"""

import json
import socket
import sys
import threading
import time
import urllib.request
from collections import Counter
from collections.abc import Callable

import paho.mqtt.client as mqtt
import pylsl
from paho.mqtt.enums import CallbackAPIVersion

from tests.support.web.pages import Caller

WAIT_S = 30.0
SCRAPE_S = 5.0  # as Prometheus often asks


def main() -> None:
    """Connect, read, report."""
    prefix, osc, broker, metrics, web = sys.argv[1], *map(int, sys.argv[2:])
    read: Counter[str] = Counter({"lsl samples missing": 0})
    inlets = [pylsl.StreamInlet(info) for info in pylsl.resolve_bypred(f"starts-with(name,'{prefix}')", 2, WAIT_S)]
    for inlet in inlets:
        inlet.open_stream(WAIT_S)
    caller = Caller(web)
    receiver = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
    receiver.bind(("127.0.0.1", osc))
    client = mqtt.Client(CallbackAPIVersion.VERSION2)
    client.on_message = lambda *_: read.update(["mqtt messages"])
    client.connect("127.0.0.1", broker)
    client.subscribe("streamaffect/#", qos=1)
    client.loop_start()
    for work in (
        lambda: _pull(inlets, read),
        lambda: _take(lambda: receiver.recv(65_536), "osc bundles", read),
        lambda: _take(lambda: caller.next("update"), "web updates", read),
        lambda: _scrape(metrics, read),
    ):
        threading.Thread(target=work, daemon=True).start()
    sys.stdout.write("ready\n")
    sys.stdout.flush()
    sys.stdin.read()
    sys.stdout.write(json.dumps(read) + "\n")


def _take(receive: Callable[[], object], what: str, read: Counter[str]) -> None:
    try:
        while True:
            receive()
            read[what] += 1
    except (OSError, AssertionError):  # the run has ended
        pass


def _pull(inlets: list[pylsl.StreamInlet], read: Counter[str]) -> None:
    """Everything that has come, twenty times a second, as recorders do."""
    columns = [_column(inlet, "seq") for inlet in inlets]
    last: dict[int, int] = {}
    while True:
        for number, (inlet, column) in enumerate(zip(inlets, columns, strict=True)):
            samples, _ = inlet.pull_chunk(timeout=0.0)
            read["lsl samples"] += len(samples)
            for sample in samples if column is not None else ():
                seq = int(sample[column])
                read["lsl samples missing"] += max(0, seq - last.get(number, seq - 1) - 1)
                last[number] = seq
        time.sleep(0.05)


def _column(inlet: pylsl.StreamInlet, label: str) -> int | None:
    channel, number = inlet.info(WAIT_S).desc().child("channels").child("channel"), 0
    while not channel.empty():
        if channel.child_value("label") == label:
            return number
        channel, number = channel.next_sibling(), number + 1
    return None


def _scrape(port: int, read: Counter[str]) -> None:
    while True:
        try:
            with urllib.request.urlopen(f"http://127.0.0.1:{port}/metrics", timeout=WAIT_S) as answer:
                read["metrics bytes"] += len(answer.read())
                read["metrics scrapes"] += 1
        except OSError:  # the run has ended
            return
        time.sleep(SCRAPE_S)


if __name__ == "__main__":
    main()
