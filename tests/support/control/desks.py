"""A desk for tests: a run of one or two live streams that does nothing but note what it is told."""

import threading
from collections.abc import Iterable

from streamaffect.clock import Clock, monotonic_ns
from streamaffect.control.desk import Desk, Office
from streamaffect.errors import ControlError
from streamaffect.messages import NOTICE, Event, Message, Meta
from streamaffect.prompts.lens import PromptLens
from streamaffect.settings import Whose


def meta(stream: str, *, live: bool = True) -> Meta:
    """What a stream says of itself."""
    return Meta(
        stream=stream,
        t_ns=0,
        source="synthetic",
        live=live,
        model="test@1",
        bundle_sha256="0" * 64,
        heads=[],
        clip_s=0.64,
        context_s=3.2,
        engine="test",
        engine_reason="",
        software="streamaffect",
        notice=NOTICE,
    )


class ToldRun:
    """A run whose streams come and go at once. A source called "slow" is opened when `gate` is."""

    def __init__(self) -> None:
        self.added: list[str] = []
        self.removed: list[str] = []
        self.given: dict[str, Whose] = {}
        self.gate = threading.Event()
        self.opening = threading.Event()

    def now_ns(self, stream: str) -> int | None:
        return Clock.now().utc(monotonic_ns()) if stream != "file" else 5_000_000_000

    def add(self, source: str) -> str:
        if source.endswith("slow"):
            self.opening.set()
            assert self.gate.wait(20)
        if "=" not in source:
            raise ControlError(f"{source}: has no name")
        self.added.append(source)
        return source.partition("=")[0]

    def remove(self, name: str) -> None:
        self.removed.append(name)

    def give_voice(self, name: str, whose: Whose) -> None:
        if whose == 7:
            raise ControlError("face 7 is not in view; in view: 1")
        self.given[name] = whose


class ToldDesk:
    """A desk over such a run. told: the events that it has added; stopped: set once it was told to stop."""

    def __init__(self, *streams: str, prompts: PromptLens | None = None) -> None:
        self.run = ToldRun()
        self.told: list[Event] = []
        self.stopped = threading.Event()
        self.is_ending = False
        office = Office(self._tell, self.stopped.set, "tcp://127.0.0.1:1", lambda: "", prompts=prompts)
        self.desk = Desk(self.run, office)
        self.saw(meta(stream, live=stream != "file") for stream in streams or ("cam",))

    def saw(self, messages: Iterable[Message]) -> None:
        """Let messages pass the desk."""
        for _ in self.desk.watch(messages):
            pass

    @property
    def labels(self) -> list[object]:
        """The labels of the markers, in order."""
        return [event.label for event in self.told if event.event == "marker"]

    def _tell(self, message: Message) -> bool:
        assert isinstance(message, Event)
        if self.is_ending:
            return False
        self.told.append(message)
        return True
