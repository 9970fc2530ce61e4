"""Where the engine works for all streams: what was found in their frames in, messages out."""

from collections.abc import Callable, MutableMapping, Sequence
from dataclasses import dataclass

from streamaffect.affect.assemble import Assembler
from streamaffect.affect.estimate import Estimator, Step
from streamaffect.lenses.view import LensPart
from streamaffect.messages import Message
from streamaffect.pipeline.channel import Channel, Closed
from streamaffect.pipeline.exchange import Exchange
from streamaffect.pipeline.stages import AffectStage, Batch
from streamaffect.pipeline.stations.base import Care, Station
from streamaffect.pipeline.stations.vigil import Vigil
from streamaffect.runtime.bundle import Bundle
from streamaffect.runtime.engine import EngineInfo, StreamEngine
from streamaffect.types import Sightings

OpenEngine = Callable[[EngineInfo, int], StreamEngine]

POLL_S = 0.1


@dataclass(frozen=True, slots=True)
class Estimated:
    """Frames that went through the whole pipeline, and what is to be said of them.

    stale: streams whose frame had become too old to be spoken of
    """

    batch: Batch
    messages: list[Message]
    stale: frozenset[str]


@dataclass(frozen=True, slots=True)
class Ended:
    """A live stream of which nothing more will come."""

    stream: str


Output = Estimated | Ended


@dataclass(frozen=True, slots=True)
class Desk:
    """An engine, and the stage that estimates with it."""

    engine: StreamEngine
    stage: AffectStage


class EngineStation(Station[Desk, Batch, Step]):
    """The engine on a thread of its own.

    exchange: where the faces of all streams come from; outputs: where messages go
    vigil:    knows which frames are from before a standstill; None where files are read, whose frames never age
    reopen:   opens an engine in the place of one that has failed, after so many failures in a row; None where that
              cannot be done
    """

    def __init__(
        self,
        bundle: Bundle,
        engine: StreamEngine,
        care: Care,
        *,
        assemblers: MutableMapping[str, Assembler],
        exchange: Exchange[Sightings],
        outputs: Channel[Output],
        vigil: Vigil | None,
        reopen: OpenEngine | None,
        lenses: Sequence[LensPart] = (),
    ) -> None:
        desk = Desk(engine, AffectStage(Estimator(bundle, engine, lenses), assemblers))
        super().__init__("engine", "the engine", desk, care, replaceable=reopen is not None)
        self._bundle = bundle
        self._lenses = lenses
        self._assemblers = assemblers
        self._exchange = exchange
        self._outputs = outputs
        self._vigil = vigil
        self._reopen = reopen
        self._borrowed = engine
        self._open = set(assemblers)
        self._held: list[Batch] = []
        self._starts_anew = False

    @property
    def engine(self) -> EngineInfo:
        """What runs the model now."""
        return self._shift.part.engine.info

    def close(self) -> None:
        """Release an engine that was opened here, unless a thread is stuck with it."""
        if not self.is_alive and self._shift.part.engine is not self._borrowed:
            self._let_go(self._shift.part)

    def join_stream(self, stream: str, assembler: Assembler) -> None:
        """Serve a stream more; callable from any thread, before the stream's first frame."""
        self._assemblers[stream] = assembler
        self._open.add(stream)

    def leave_stream(self, stream: str) -> None:
        """Forget a stream that has ended; callable from any thread."""
        self._assemblers.pop(stream, None)

    def start_contexts_anew(self) -> None:
        """Let no clip reach back before now: all tracks begin again with the next frame."""
        self._starts_anew = True

    def _next(self) -> Batch:
        while True:
            self._announce_ends()
            if batch := self._exchange.take(POLL_S):
                return batch

    def _do(self, part: Desk, job: Batch) -> Step:
        if self._starts_anew:
            self._starts_anew = False
            part.stage.forget_all()
        return part.stage.estimate(job)

    def _hand_over(self, part: Desk, job: Batch, result: Step) -> None:
        stale = frozenset(stream for stream, sightings in job if self._is_stale(sightings))
        self._outputs.put(Estimated(job, list(part.stage.messages(job, result, stale=stale)), stale))
        self._exchange.done(stream for stream, _ in job)

    def _drop(self, job: Batch) -> None:
        # Its streams go on when there is an engine again: until then, newer frames replace those that wait.
        self._held.append(job)

    def _another(self, part: Desk, failures: int) -> tuple[Desk, str]:
        if self._reopen is None:
            raise AssertionError("a station without it is not replaceable")
        engine = self._reopen(part.engine.info, failures)
        if not self._care.lossless:
            self._go_on_with_new_frames()
        estimator = Estimator(self._bundle, engine, self._lenses)
        return Desk(engine, AffectStage(estimator, self._assemblers)), str(engine.info)

    def _go_on_with_new_frames(self) -> None:
        """Drop what has waited for an engine."""
        try:
            self._held.append(self._exchange.take(0.0))
        except Closed:
            return  # noticed again when the next is taken
        while self._held:
            self._exchange.done(stream for stream, _ in self._held.pop())

    def _let_go(self, part: Desk) -> None:
        part.engine.close()

    def _ended(self) -> None:
        self._outputs.close()

    def _announce_ends(self) -> None:
        if self._vigil is None:
            return  # files end together, at the end of the run: where exactly one is seen to end depends on the load
        for stream in [stream for stream in tuple(self._open) if self._exchange.has_ended(stream)]:
            self._open.remove(stream)
            self._shift.part.stage.forget_stream(stream)
            self._outputs.put(Ended(stream))

    def _is_stale(self, sightings: Sightings) -> bool:
        grabbed_ns = sightings.frame.grabbed_ns
        return self._vigil is not None and grabbed_ns is not None and self._vigil.is_stale(grabbed_ns)
