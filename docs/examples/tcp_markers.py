"""Markers from an experiment over TCP, as PsychoPy, OpenSesame or any Python script sends them; no package is needed.

    streamaffect run --source webcam --markers tcp:5570 --record session.jsonl
    python tcp_markers.py 5570

In PsychoPy, put `Markers` into a code component: `markers = Markers(5570)` at the begin of the experiment, and
`win.callOnFlip(markers.send, "picture on")` at the begin of a routine, so that the marker leaves with the picture.
"""

import socket
import sys
import time


class Markers:
    """A line a marker, to a run on this machine; the run sets it at the moment when it comes."""

    def __init__(self, port: int) -> None:
        self._run = socket.create_connection(("127.0.0.1", port), timeout=2.0)
        self._run.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)  # at once, not with the next one

    def send(self, label: str) -> None:
        """Mark this moment."""
        self._run.sendall(" ".join(label.splitlines()).encode() + b"\n")

    def close(self) -> None:
        """Say good-bye."""
        self._run.close()


def main() -> None:
    """Three stimuli, half a second apart."""
    markers = Markers(int(sys.argv[1]) if len(sys.argv) > 1 else 5570)
    for number in range(1, 4):
        markers.send(f"stimulus {number}")
        time.sleep(0.5)
    markers.close()


if __name__ == "__main__":
    main()
