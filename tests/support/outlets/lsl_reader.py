"""A recorder of Lab Streaming Layer in a process of its own: `python -m … lsl_reader PREFIX OUTLETS`.

It waits for that many outlets whose name begins so, opens them as a recorder does, says "ready", and prints as JSON
lines what each one is and each sample that comes: name, capture time as UTC nanoseconds, and values.
"""

import json
import sys
import time
from typing import Any

import pylsl

WAIT_S = 30.0


def utc_ns(lsl_s: float) -> int:
    """UTC of a reading of LSL's clock: of several readings of both clocks the closest."""
    readings = []
    for _ in range(5):
        before_s = pylsl.local_clock()
        now_ns = time.time_ns()
        readings.append((pylsl.local_clock() - before_s, now_ns, before_s))
    took_s, now_ns, before_s = min(readings)
    return int(now_ns + round((lsl_s - before_s - took_s / 2) * 1e9))


def described(info: Any) -> dict[str, object]:
    labels, units = [], []
    channel = info.desc().child("channels").child("channel")
    while not channel.empty():
        labels.append(channel.child_value("label"))
        units.append(channel.child_value("unit"))
        channel = channel.next_sibling()
    return {
        "name": info.name(),
        "type": info.type(),
        "rate": info.nominal_srate(),
        "labels": labels,
        "units": units,
        "model": info.desc().child("acquisition").child_value("model"),
    }


def main() -> None:
    prefix, outlets = sys.argv[1], int(sys.argv[2])
    found = pylsl.resolve_bypred(f"starts-with(name,'{prefix}')", outlets, WAIT_S)
    inlets = [pylsl.StreamInlet(info) for info in found]
    for inlet in inlets:
        inlet.open_stream(WAIT_S)
        _say(described(inlet.info(WAIT_S)))
    _say({"ready": len(inlets)})
    while True:
        for inlet in inlets:
            while (pulled := inlet.pull_sample(0.0))[0] is not None:
                _say({"name": inlet.info().name(), "t_ns": utc_ns(pulled[1]), "values": pulled[0]})
        time.sleep(0.01)


def _say(line: dict[str, object]) -> None:
    sys.stdout.write(json.dumps(line) + "\n")
    sys.stdout.flush()


if __name__ == "__main__":
    main()
