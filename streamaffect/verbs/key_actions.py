"""What the keys of the live display do."""

import logging
import threading
import time
from collections.abc import Callable
from pathlib import Path

from streamaffect.affect.baselines import Baselines
from streamaffect.clock import monotonic_ns
from streamaffect.config import Config
from streamaffect.control.desk import Desk
from streamaffect.errors import StreamAffectError
from streamaffect.sinks.fan_out import FanOut
from streamaffect.sinks.recorder import Recorder
from streamaffect.sinks.thread import Policy
from streamaffect.verbs.origin import Origin
from streamaffect.verbs.recording import make_recorder

log = logging.getLogger(__name__)

HELP = "keys: m marker, 0 to 9 numbered marker, b baseline, r record or stop recording, q quit, ? this help"
BASELINE_S = 5.0
KEEP_S = 60.0
NAME = "streamaffect-%Y%m%d-%H%M%S.jsonl"
ORIGIN = "key"


class RecordingSwitch:
    """Begins and ends recordings while the run goes on; each is a new file.

    current: where the run is recorded now; empty where it is not
    """

    def __init__(self, config: Config, origin: Origin, sinks: FanOut, policy: Policy) -> None:
        self.current = config.run.record
        self._config = config
        self._origin = origin
        self._sinks = sinks
        self._policy = policy
        self._lock = threading.Lock()

    def toggle(self) -> str:
        """Begin or end one; returns what was done, in words. Raises RecordingError where it cannot be begun."""
        with self._lock:
            return self._toggle()

    def _toggle(self) -> str:
        if self.current:
            ended, self.current = self.current, ""
            return (
                f"recorded to {ended}" if self._sinks.remove(Recorder.name) else f"not completely recorded to {ended}"
            )
        path = Path(time.strftime(NAME))
        recorder = make_recorder(path, self._config, self._origin.metas)
        self._sinks.add(recorder, self._policy, keep_s=KEEP_S, must_have_all=True)
        self.current = str(path)
        return f"recording to {path}"


class KeyActions:
    """Does what a key says; called in the keyboard's thread. `say` shows a line to whoever has pressed it."""

    def __init__(
        self,
        desk: Desk,
        baselines: Baselines,
        recording: RecordingSwitch,
        *,
        stop: Callable[[], None],
        say: Callable[[str], None],
        baseline_s: float,
    ) -> None:
        self._desk = desk
        self._baselines = baselines
        self._recording = recording
        self._stop = stop
        self._say = say
        self._baseline_s = baseline_s or BASELINE_S
        self._markers = 0

    def press(self, key: str) -> None:
        """A key that means nothing does nothing."""
        try:
            self._do(key)
        except StreamAffectError as error:
            self._say(str(error))

    def _do(self, key: str) -> None:
        match key:
            case "m":
                self._markers += 1
                self._desk.mark_whatever(f"marker {self._markers}", origin=ORIGIN, monotonic_ns=monotonic_ns())
            case _ if key in "0123456789":
                self._desk.mark_whatever(key, origin=ORIGIN, monotonic_ns=monotonic_ns())
            case "b":
                self._baselines.start(self._baseline_s, stream=None, origin=ORIGIN)
            case "r":
                self._say(self._recording.toggle())
            case "q":
                self._stop()
            case "?":
                self._say(HELP)
