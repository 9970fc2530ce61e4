"""A stimulus program in a process of its own: `python -m tests.support.control.lsl_outlet NAME COUNT`.

It waits until somebody listens, then sends markers whose label is the time, UTC nanoseconds, that they mark: half of
them now, half of them a moment ago, as a program does that marks a picture which has been shown. At the end it waits
for a line on standard input, and vanishes without a word.
"""

import os
import sys
import time

import pylsl

AGO_S = 0.04


def utc_at(lsl_s: float) -> int:
    """UTC of a reading of LSL's clock, by reading both now."""
    before_s, now_ns, after_s = float(pylsl.local_clock()), time.time_ns(), float(pylsl.local_clock())
    return now_ns + round((lsl_s - (before_s + after_s) / 2) * 1e9)


def main() -> None:
    name, count = sys.argv[1], int(sys.argv[2])
    outlet = pylsl.StreamOutlet(pylsl.StreamInfo(name, "Markers", 1, 0.0, "string", f"test-{name}"))
    if not outlet.wait_for_consumers(60.0):
        sys.exit(1)
    time.sleep(0.5)  # consumers are there a moment before samples reach them
    for number in range(count):
        at_s = pylsl.local_clock() - (AGO_S if number % 2 else 0.0)
        outlet.push_sample([str(utc_at(at_s))], at_s)
        if number % 100 < 20:
            time.sleep(0.01)
    sys.stdout.write("sent\n")
    sys.stdout.flush()
    sys.stdin.readline()
    os._exit(0)


if __name__ == "__main__":
    main()
