"""Watching over the threads that find faces and run the engine: which of them has hung, and what that means."""

from collections.abc import Iterator, Mapping

from streamaffect.messages import SkipReason
from streamaffect.pipeline.stations.engine import EngineStation
from streamaffect.pipeline.stations.faces import FaceStation
from streamaffect.pipeline.stations.vigil import Vigil

SLOW_S = 1.5  # a call that takes longer is worth a word


class Watch:
    """Looks after the stations of a run, each time that `pass_by` is called.

    faces:      of each stream
    patience_s: a call that takes longer has hung: its thread is left alone, and the station goes on without it
    """

    def __init__(
        self, engine: EngineStation, faces: Mapping[str, FaceStation], vigil: Vigil, *, patience_s: float
    ) -> None:
        self._engine = engine
        self._faces = dict(faces)
        self._vigil = vigil
        self._patience_s = patience_s
        self._busy_s: dict[str, float] = {}

    def pass_by(self) -> None:
        """See how long each has been at its work; relieve those that have hung."""
        self._vigil.visit()
        for station in self._stations():
            work = station.work
            busy_s = self._busy_s[station.name] = self._vigil.busy_s(station.name, work)
            if work is not None and busy_s >= self._patience_s:
                station.relieve(work, f"no answer for {busy_s:.0f} s")

    def join(self, stream: str, faces: FaceStation) -> None:
        """Look after a stream more."""
        self._faces[stream] = faces

    def leave(self, stream: str) -> None:
        """Look after this stream no longer."""
        del self._faces[stream]

    def fault(self, stream: str) -> str:
        """Why the stream gets no estimates at the moment, one line; empty where it should get them."""
        faces, engine = self._faces[stream], self._engine
        return self._state("the face detector", faces.name, faces.fault) or self._state(
            "the engine", engine.name, engine.fault
        )

    def trouble(self, stream: str) -> SkipReason | None:
        """Which of the two keeps the stream from getting estimates at the moment; None where neither does."""
        stations: tuple[tuple[SkipReason, EngineStation | FaceStation], ...] = (
            ("detector", self._faces[stream]),
            ("engine", self._engine),
        )
        return next((what for what, one in stations if self._state(what, one.name, one.fault)), None)

    def _state(self, who: str, name: str, fault: str) -> str:
        if fault:
            return f"{who} failed: {fault}"
        busy_s = self._busy_s.get(name, 0.0)
        return f"{who} has not answered for {busy_s:.1f} s" if busy_s >= SLOW_S else ""

    def _stations(self) -> Iterator[EngineStation | FaceStation]:
        yield self._engine
        yield from self._faces.values()
