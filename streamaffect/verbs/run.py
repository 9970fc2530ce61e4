"""The verb `run`: messages to feed, display and recording, until the end or a signal."""

import logging
import signal
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from itertools import chain
from types import FrameType

import msgspec

from streamaffect.config import Config
from streamaffect.errors import ConfigError
from streamaffect.pipeline.stats import Deliveries
from streamaffect.recordings.header import RecordingHeader
from streamaffect.settings import DEFAULT_ADDRESS
from streamaffect.sinks.base import Sink
from streamaffect.sinks.display.choice import can_redraw, choose_display, make_display
from streamaffect.sinks.display.state import RunInfo
from streamaffect.sinks.fan_out import FanOut
from streamaffect.sinks.recorder import Recorder
from streamaffect.sinks.thread import Policy
from streamaffect.sinks.zmq.publisher import ZmqPublisher
from streamaffect.verbs.origin import Origin, open_origin

log = logging.getLogger(__name__)


def run(config: Config, *, display: bool | None = None) -> int:
    """Run until every source has ended or a signal comes; returns the exit code.

    display: True or False as asked for, None where the output decides
    Raises StreamAffectError where something cannot start; then nothing is left behind.
    """
    if not config.run.sources:
        raise ConfigError("no source: give --source webcam, a video file, rtsp://…, or demo")
    with ExitStack() as stack:
        unstarted = stack.enter_context(ExitStack())
        publisher = ZmqPublisher(config.feed)
        unstarted.callback(publisher.close)
        sinks = FanOut()
        origin = open_origin(config, stack, Deliveries(sinks.dropped, publisher.latency))
        screen = _make_display(config, origin, publisher.address, display=display)
        # Last, since it may fail, and nothing after it can: no recording is left behind by a run that didn't start.
        recorder = _make_recorder(config, origin)
        unstarted.pop_all()  # from here on the threads own their sinks
        # The display may miss messages at any time; the others are given all of a file that is read offline.
        policy: Policy = "drop_oldest" if origin.is_live else "wait"
        sinks.add(publisher, policy)
        if screen is not None:
            sinks.add(screen, "drop_oldest")
        if recorder is not None:
            sinks.add(recorder, policy)
        with _stopped_by_signals(origin.stop):
            sinks.feed(chain(origin.metas, origin.messages()))
        if screen is None:
            for remark in origin.remarks:
                log.warning(remark)
        return int(sinks.has_failed)


def _make_display(config: Config, origin: Origin, address: str, *, display: bool | None) -> Sink | None:
    from rich.console import Console

    mode = choose_display(requested=display, stdout_is_terminal=can_redraw(Console()), live=origin.is_live)
    if mode is None:
        return None
    subscribe = "streamaffect listen" if address == DEFAULT_ADDRESS else f"streamaffect listen {address}"
    return make_display(mode, run=RunInfo(feed=address, subscribe=subscribe, recording=config.run.record or None))


def _make_recorder(config: Config, origin: Origin) -> Recorder | None:
    if not config.run.record:
        return None
    options: dict[str, object] = {
        "faces": msgspec.to_builtins(config.faces),
        "tracker": msgspec.to_builtins(config.tracker),
        "max_seconds": config.run.max_seconds,
    }
    header = RecordingHeader.of(origin.metas, options=options)
    return Recorder(config.run.record, header, overwrite=config.run.overwrite)


@contextmanager
def _stopped_by_signals(stop: Callable[[], None]) -> Iterator[None]:
    """SIGINT and SIGTERM end the run in order; a second one ends it at once."""

    def on_signal(number: int, _frame: FrameType | None) -> None:
        signal.signal(number, signal.SIG_DFL)
        stop()

    previous = {number: signal.signal(number, on_signal) for number in (signal.SIGINT, signal.SIGTERM)}
    try:
        yield
    finally:
        for number, handler in previous.items():
            signal.signal(number, handler)
