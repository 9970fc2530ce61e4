"""A PsychoPy experiment that marks its stimuli by Lab Streaming Layer or over TCP; --plain runs it without a screen.

    streamaffect run --source webcam --markers lsl:stimuli --record session.jsonl
    python psychopy_stimuli.py                  # PsychoPy's Python, with `pip install pylsl`
    python psychopy_stimuli.py --tcp 7788       # to a run with --markers tcp:7788; no package is needed

In PsychoPy's Builder, put `markers = LslMarkers("stimuli")` into a code component at the begin of the experiment, and
`win.callOnFlip(markers.send, "film 1")` at the begin of a routine.
"""

import argparse
import socket
import time
from typing import Protocol


class Markers(Protocol):
    """Where markers go."""

    def send(self, label: str) -> None:
        """Mark this moment."""


class LslMarkers:
    """A marker stream, as every program of Lab Streaming Layer finds it; LabRecorder may record it beside."""

    def __init__(self, name: str) -> None:
        import pylsl

        # The last word identifies the stream: whoever listens finds it again after this program was started anew.
        self._outlet = pylsl.StreamOutlet(
            pylsl.StreamInfo(name, "Markers", 1, pylsl.IRREGULAR_RATE, "string", f"psychopy-{name}")
        )
        if not self._outlet.wait_for_consumers(30.0):
            raise SystemExit(f"nobody listens within 30 s; begin the run first, with --markers lsl:{name}")
        time.sleep(0.5)  # a listener is announced a moment before samples reach it

    def send(self, label: str) -> None:
        """Mark this moment: LSL stamps it here, so that its way costs nothing."""
        self._outlet.push_sample([label])


class TcpMarkers:
    """A line a marker, to a run on this machine, which marks the moment when it comes."""

    def __init__(self, port: int) -> None:
        self._run = socket.create_connection(("127.0.0.1", port), timeout=2.0)
        self._run.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)  # at once, not with the next one

    def send(self, label: str) -> None:
        """Mark this moment."""
        self._run.sendall(label.encode() + b"\n")


def show(markers: Markers, begins_s: list[float], last_s: float) -> None:
    """In PsychoPy: each stimulus at its time. `callOnFlip` sends the marker when the picture is on the screen."""
    from psychopy import core, visual

    window, clock = visual.Window(fullscr=True), core.Clock()
    cross = visual.TextStim(window, text="+")
    for number, begin_s in enumerate(begins_s, 1):
        cross.draw()
        window.flip()
        core.wait(max(0.0, begin_s - clock.getTime()))
        film = visual.TextStim(window, text=f"film {number}")  # here would be a visual.MovieStim
        film.draw()
        window.callOnFlip(markers.send, f"film {number}")
        window.flip()
        core.wait(last_s)
        window.callOnFlip(markers.send, f"film {number} ends")
        window.flip()
    window.close()


def pretend(markers: Markers, begins_s: list[float], last_s: float) -> None:
    """The same times and markers without a screen, to try a session out."""
    start_s = time.monotonic()
    for number, begin_s in enumerate(begins_s, 1):
        time.sleep(max(0.0, start_s + begin_s - time.monotonic()))
        markers.send(f"film {number}")
        time.sleep(last_s)
        markers.send(f"film {number} ends")


def main() -> None:
    """Three stimuli."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--lsl", default="stimuli", metavar="NAME", help="of the marker stream (default: %(default)s)")
    parser.add_argument("--tcp", type=int, metavar="PORT", help="send the markers there instead")
    parser.add_argument("--at", type=float, nargs="+", default=[2, 6, 10], metavar="S", help="when stimuli begin")
    parser.add_argument("--last", type=float, default=2.0, metavar="S", help="how long each is shown")
    parser.add_argument("--plain", action="store_true", help="without PsychoPy and screen")
    options = parser.parse_args()
    markers = LslMarkers(options.lsl) if options.tcp is None else TcpMarkers(options.tcp)
    (pretend if options.plain else show)(markers, options.at, options.last)
    time.sleep(0.5)  # what was sent last is on its way


if __name__ == "__main__":
    main()
