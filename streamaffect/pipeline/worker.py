"""One stream's two threads: capture, which follows the source, and faces, which look at its frames."""

import logging
import threading
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial

from streamaffect.clock import monotonic_ns
from streamaffect.pipeline.channel import Channel, Closed
from streamaffect.pipeline.exchange import Exchange
from streamaffect.pipeline.hearing import StreamSound
from streamaffect.pipeline.stages import FaceStage
from streamaffect.pipeline.stations.base import Care
from streamaffect.pipeline.stations.faces import FaceStation, OpenDetector
from streamaffect.pipeline.stations.pace import Gate
from streamaffect.sources.base import Source, SourceInfo
from streamaffect.sources.sound.microphone import Microphone
from streamaffect.sources.supervise import Backoff, SourceChange, frames
from streamaffect.types import Frame, Sightings
from streamaffect.voice.bundled import FaceAndVoice
from streamaffect.voice.joint import JointFusion

log = logging.getLogger(__name__)

OFFLINE_FRAMES = 8


@dataclass(frozen=True, slots=True)
class Stream:
    """A source that has been opened, its name on the wire, and the stage that will look at its frames.

    open_detector: opens another detector, should the stage's own one fail; None where that cannot be done
    sound:         what is heard beside the frames; None where nothing has asked for sound
    microphone:    where that comes from, if not from the source; streams may share it
    fusion:        is asked of faces that are hidden while their voice goes on; None where none fits the bundle
    both:          weighs face and voice by the bundle's own fusion; None where it has none
    """

    name: str
    source: Source
    info: SourceInfo
    faces: FaceStage
    open_detector: OpenDetector | None = None
    sound: StreamSound | None = None
    microphone: Microphone | None = None
    fusion: JointFusion | None = None
    both: FaceAndVoice | None = None

    def close(self) -> None:
        """Let go of the source, of the detector and of the microphone."""
        self.close_source()
        self.faces.close()

    def close_source(self) -> None:
        """Let go of the source and of the microphone."""
        self.source.close()
        if self.microphone is not None:
            self.microphone.close()


class Worker:
    """The capture thread of one stream, and the station where its faces are found.

    on_source:  called in the capture thread when the source is lost, or back: stream, change, downtime, detail
    max_file_s: end a file after so long of its own time
    gate:       which of its frames are analysed
    """

    def __init__(
        self,
        stream: Stream,
        exchange: Exchange[Sightings],
        care: Care,
        *,
        on_source: Callable[[str, SourceChange, float, str], None],
        backoff: Backoff,
        max_file_s: float | None,
        gate: Gate,
    ) -> None:
        self.stream = stream
        self._exchange = exchange
        self._stop = care.stop
        self._on_change = partial(on_source, stream.name)
        self._backoff = backoff
        self._max_file_s = max_file_s
        self._gate = gate
        self._failure: Exception | None = None
        live = stream.info.live
        self._frames: Channel[Frame] = Channel(1 if live else OFFLINE_FRAMES, newest_wins=live)
        self.faces = FaceStation(
            stream.name, stream.faces, self._frames, exchange, care, gate=gate, reopen=stream.open_detector
        )
        self._capturing = threading.Thread(target=self._guard, name=f"capture-{stream.name}", daemon=True)

    @property
    def failure(self) -> Exception | None:
        """What has ended this stream before its time; None where nothing has."""
        return self._failure or self.faces.failure

    @property
    def is_alive(self) -> bool:
        """True while one of its threads runs."""
        return self._capturing.is_alive() or self.faces.is_alive

    def start(self) -> None:
        """Begin."""
        self._capturing.start()
        self.faces.start()

    def close(self) -> None:
        """Tell both threads to stop."""
        self._frames.close()
        self._exchange.close(self.stream.name)
        self.stream.close_source()

    def join(self, deadline_ns: int) -> None:
        """Wait for both threads; one that is stuck in native code at the deadline is left behind as a daemon."""
        if self._capturing.is_alive():
            self._capturing.join(max(0.0, (deadline_ns - monotonic_ns()) / 1e9))
        self.faces.join(deadline_ns)
        self.faces.close()

    def _guard(self) -> None:
        try:
            self._capture()
        except Closed:
            pass
        except Exception as error:
            log.error("%s: %s: %s", self.stream.name, type(error).__name__, error)
            self._failure = error
        finally:
            self._frames.close()

    def _capture(self) -> None:
        first_s: float | None = None
        for frame in frames(self.stream.source, stop=self._stop, on_event=self._on_change, backoff=self._backoff):
            first_s = frame.time_s if first_s is None else first_s
            if self._max_file_s is not None and frame.time_s - first_s >= self._max_file_s:
                return
            if self._gate.admits(frame.index, frame.time_s):
                self._frames.put(frame)
            elif self.stream.info.live and (older := self._frames.swap(frame)) is not None:
                self._gate.swapped(older.index)  # whoever waits may as well wait with the newest picture
