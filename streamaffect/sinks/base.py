"""What a sink is: a place where messages go, behind a thread of its own (`streamaffect.sinks.thread`)."""

from typing import Protocol, runtime_checkable

from streamaffect.messages import Message


class Sink(Protocol):
    """A place where messages go. Apart from its construction it is only used by the thread of its `SinkThread`."""

    @property
    def name(self) -> str:
        """What logs and health messages call it."""
        ...

    def send(self, message: Message) -> None:
        """Take one message. A RecordingError ends this sink; any other exception loses this message only."""
        ...

    def close(self) -> None:
        """Give back files, sockets and the terminal."""
        ...


@runtime_checkable
class ConnectedSink(Sink, Protocol):
    """A sink that hands on to something outside the process, which may be away. Any thread may ask for these."""

    @property
    def fault(self) -> str:
        """Why nothing reaches it at the moment, one line for people; empty where all is well."""
        ...

    @property
    def lost(self) -> int:
        """Messages that it took and had to drop, since what they were for was away for too long."""
        ...


@runtime_checkable
class IdlingSink(Sink, Protocol):
    """A sink with work of its own between messages."""

    @property
    def idle_s(self) -> float:
        """Seconds without a message after which `idle` is called."""
        ...

    def idle(self) -> None:
        """Do what has become due."""
        ...
