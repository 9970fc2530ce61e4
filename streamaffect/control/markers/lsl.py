"""Markers from a stream of Lab Streaming Layer, on this machine or another one in the lab's network.

liblsl measures the offset between the sender's clock and ours, and takes the jitter out of its time stamps; what is
left here is to read its clock beside our own.
"""

import logging
import threading
from typing import Any

from streamaffect.clock import monotonic_ns
from streamaffect.control.markers.base import SetMarker
from streamaffect.feed.lab_streaming import load_pylsl, lsl_ahead_ns

log = logging.getLogger(__name__)

RESOLVE_S = 1.0
PULL_S = 0.2
CORRECTION_S = 3.0
PATIENCE_S = 5.0
JOIN_S = 3.0
PAUSE_S = 0.2


class LslMarkers:
    """Follows the stream of this name until `close`: waits for it, and looks for it again when it has vanished.

    Raises ConfigError where pylsl is missing.
    """

    def __init__(self, name: str, set_marker: SetMarker) -> None:
        self._lsl = load_pylsl("markers from Lab Streaming Layer need")
        self._name = name
        self._origin = f"lsl:{name}"
        self._set = set_marker
        self._stop = threading.Event()
        self._waiting_since_ns = monotonic_ns()
        self._told = False
        self._thread = threading.Thread(target=self._run, name=f"markers-{self._origin}", daemon=True)
        self._thread.start()

    def close(self) -> None:
        """Follow it no longer."""
        self._stop.set()
        self._thread.join(JOIN_S)

    def _run(self) -> None:
        while not self._stop.is_set():
            try:
                found = self._lsl.resolve_byprop("name", self._name, 1, RESOLVE_S)
                if found:
                    self._follow(found[0])
                else:
                    self._tell_once()
            except Exception as error:  # liblsl's, of which there are several kinds
                if not self._stop.is_set():
                    self._lost(error)
            self._stop.wait(PAUSE_S)

    def _tell_once(self) -> None:
        if not self._told and monotonic_ns() - self._waiting_since_ns > PATIENCE_S * 1e9:
            self._told = True
            log.warning("%s: there is no stream of that name yet; it is waited for", self._origin)

    def _lost(self, error: Exception) -> None:
        self._told, self._waiting_since_ns = False, monotonic_ns()
        log.warning("%s: the stream has vanished (%s); it is looked for", self._origin, type(error).__name__)

    def _follow(self, info: Any) -> None:
        """Take markers until the stream is lost, which raises liblsl's LostError."""
        flags = self._lsl.proc_clocksync | self._lsl.proc_dejitter
        inlet = self._lsl.StreamInlet(info, recover=False, processing_flags=flags)
        try:
            inlet.open_stream(CORRECTION_S)
            inlet.time_correction(CORRECTION_S)  # so that the first marker has it too
            log.warning("%s: connected to %s", self._origin, info.hostname())
            while not self._stop.is_set():
                sample, at_s = inlet.pull_sample(PULL_S)
                if sample is not None:
                    at_ns = round(at_s * 1e9) - lsl_ahead_ns(self._lsl)
                    self._set(_text(sample), origin=self._origin, monotonic_ns=at_ns)
        finally:
            inlet.close_stream()


def _text(sample: list[Any]) -> str:
    """The channels of a marker as one text; a number without needless decimals."""
    return " ".join(f"{value:g}" if isinstance(value, float) else str(value) for value in sample)
