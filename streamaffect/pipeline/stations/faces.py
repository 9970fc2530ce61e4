"""Where the faces of one stream are found: its frames in, what was found in them out to the exchange."""

from collections.abc import Callable

from streamaffect.faces.detectors.detector import FaceDetector
from streamaffect.pipeline.channel import Channel
from streamaffect.pipeline.exchange import Exchange
from streamaffect.pipeline.stages import FaceStage
from streamaffect.pipeline.stations.base import Care, Station
from streamaffect.pipeline.stations.pace import Gate
from streamaffect.settings import TrackerSettings
from streamaffect.types import Frame, Sightings

OpenDetector = Callable[[], FaceDetector]


class FaceStation(Station[FaceStage, Frame, Sightings]):
    """The detector and tracker of a stream on a thread of their own.

    A frame is taken when it is this stream's turn, and not before: until then a newer one may replace it.

    gate:   says whether there is too much to do
    reopen: opens a detector in the place of one that has failed; None where that cannot be done
    """

    def __init__(
        self,
        stream: str,
        stage: FaceStage,
        frames: Channel[Frame],
        exchange: Exchange[Sightings],
        care: Care,
        *,
        gate: Gate,
        reopen: OpenDetector | None,
    ) -> None:
        title = f"{stream}: the face detector"
        super().__init__(f"faces-{stream}", title, stage, care, replaceable=reopen is not None)
        self._stream = stream
        self._frames = frames
        self._exchange = exchange
        self._gate = gate
        self._reopen = reopen

    def retune(self, settings: TrackerSettings) -> None:
        """Follow faces by other settings from the next frame on; callable from any thread."""
        self._shift.part.retune(settings)

    def close(self) -> None:
        """Release the detector, unless a thread is stuck with it."""
        if not self.is_alive:
            self._let_go(self._shift.part)

    def _next(self) -> Frame:
        if not self._care.lossless:
            self._frames.wait()  # whoever has no frame queues for nothing
        self._exchange.enter(self._stream)
        return self._frames.get()

    def _do(self, part: FaceStage, job: Frame) -> Sightings:
        return part.look(job, pressed=self._gate.pressed)

    def _hand_over(self, part: FaceStage, job: Frame, result: Sightings) -> None:  # noqa: ARG002 - one stage, one frame
        self._exchange.put(self._stream, result)

    def _drop(self, job: Frame) -> None:  # noqa: ARG002 - the exchange knows this stream's only one
        self._exchange.give_up(self._stream)

    def _another(self, part: FaceStage, failures: int) -> tuple[FaceStage, str]:  # noqa: ARG002 - there is one kind
        if self._reopen is None:
            raise AssertionError("a station without it is not replaceable")
        return part.successor(self._reopen()), "opened again"

    def _let_go(self, part: FaceStage) -> None:
        part.close()

    def _ended(self) -> None:
        self._frames.close()
        self._exchange.close(self._stream)
