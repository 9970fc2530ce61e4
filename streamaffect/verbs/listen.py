"""The verb `listen`: watch any feed, in the live display or as JSON lines for pipes."""

import logging
import sys
import time
from collections.abc import Iterator
from pathlib import Path

from rich.console import Console

from streamaffect.errors import StreamAffectError
from streamaffect.feed.client import Subscriber
from streamaffect.feed.wire import encode
from streamaffect.messages import Message
from streamaffect.outlet import give_up_stdout
from streamaffect.sinks.base import IdlingSink, Sink
from streamaffect.sinks.display.choice import can_redraw, make_display
from streamaffect.sinks.display.state import RunInfo
from streamaffect.verbs.descriptors import require_descriptors
from streamaffect.verbs.signals.interruption import interrupted_by_signals

log = logging.getLogger(__name__)

DESCRIPTORS = 24
TICK_S = 0.1
PATIENCE_S = 1.0


class JsonLines:
    """A sink that writes one JSON object per line to standard output, each flushed at once."""

    name = "json"

    def send(self, message: Message) -> None:
        """Write one line. Raises BrokenPipeError when nobody reads any more, StreamAffectError on a full disk."""
        try:
            sys.stdout.buffer.write(encode(message) + b"\n")
            sys.stdout.buffer.flush()
        except BrokenPipeError:
            raise
        except OSError as error:
            give_up_stdout()
            raise StreamAffectError(
                f"standard output cannot be written ({error.strerror}); choose a place with room", transient=True
            ) from error

    def close(self) -> None:
        """Nothing is held back, so nothing is left to do."""


def listen(
    address: str,
    *,
    stream: str | None = None,
    as_json: bool = False,
    keys: Path | None = None,
    max_seconds: float | None = None,
) -> int:
    """Show a feed until Ctrl-C, a closed pipe or `max_seconds`; returns the exit code.

    A feed that is not there is waited for, with a notice. Raises WireError where the address or a key is not usable.
    """
    require_descriptors(DESCRIPTORS, what_for="a subscriber")
    with interrupted_by_signals(), Subscriber(address, stream=stream, keys=keys) as feed:
        sink = JsonLines() if as_json else _display(address)
        try:
            _show(feed, sink, max_seconds)
        except KeyboardInterrupt:
            pass
        except BrokenPipeError:
            give_up_stdout()
        finally:
            sink.close()
    return 0


def _show(feed: Subscriber, sink: Sink, max_seconds: float | None) -> None:
    shown = False
    for message in _ticks(feed, max_seconds):
        if message is not None:
            sink.send(message)
            shown = True
        elif shown and isinstance(sink, IdlingSink):
            sink.idle()


def _ticks(feed: Subscriber, max_seconds: float | None) -> Iterator[Message | None]:
    """Messages as they come, and None after each tenth of a second without one."""
    started_s = time.monotonic()
    notice_s, noticed = started_s + PATIENCE_S, "connected"
    while max_seconds is None or time.monotonic() - started_s < max_seconds:
        yield feed.receive(TICK_S)
        if feed.connection == "connected":
            notice_s, noticed = time.monotonic() + PATIENCE_S, "connected"
        elif feed.connection != noticed and time.monotonic() > notice_s:
            noticed = feed.connection
            log.warning(_notice(feed))


def _notice(feed: Subscriber) -> str:
    if feed.connection == "refused":
        return f"{feed.address}: the feed refuses this subscriber; an encrypted feed needs --keys DIR, a plain one none"
    return f"{feed.address}: no feed there yet; waiting for one (Ctrl-C ends)"


def _display(address: str) -> Sink:
    return make_display("dashboard" if can_redraw(Console()) else "plain", run=RunInfo(feed=address))
