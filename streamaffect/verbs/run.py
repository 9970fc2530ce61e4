"""The main job: sources → pipeline → feed, display and recording, until the end or a signal."""

import logging
import signal
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack, contextmanager
from types import FrameType

import msgspec

from streamaffect.config import Config
from streamaffect.errors import ConfigError
from streamaffect.pipeline.meta import make_meta
from streamaffect.pipeline.opening import open_stream_engine, open_streams
from streamaffect.pipeline.pipeline import Pipeline
from streamaffect.recordings.header import RecordingHeader
from streamaffect.recordings.replay import Replay
from streamaffect.runtime.bundle import load_bundle
from streamaffect.settings import DEFAULT_ADDRESS
from streamaffect.sinks.base import Policy, Sink, SinkThread
from streamaffect.sinks.display.sink import RunInfo, can_redraw, choose_display, make_display
from streamaffect.sinks.recorder import Recorder
from streamaffect.sinks.zmq import ZmqPublisher
from streamaffect.sources.parse import split_name
from streamaffect.types import LatencySummary, Message, Meta

log = logging.getLogger(__name__)

QUEUE = 256
CLOSE_S = 1.0
REPLAY = "replay:"


def run(config: Config, *, display: bool | None = None) -> int:
    """Run until every source has ended or a signal comes; returns the exit code.

    display: True or False as asked for, None where the output decides
    Raises StreamAffectError where something cannot start; then nothing is left behind.
    """
    if not config.run.sources:
        raise ConfigError("no source: give --source webcam, a video file, rtsp://…, or demo")
    if any(split_name(source)[1].startswith(REPLAY) for source in config.run.sources):
        return _replay(config, display=display)
    with ExitStack() as stack:
        bundle = load_bundle(config.run.bundle or None)
        sinks = _Sinks(config, stack)
        streams = open_streams(config.run.sources, config, bundle)
        for stream in streams:
            stack.callback(stream.close)
        engine = open_stream_engine(bundle, config.engine)
        stack.callback(engine.close)
        log.info("engine: %s (%s)", engine.info, engine.info.reason)
        pipeline = Pipeline(
            streams,
            bundle,
            engine,
            settings=config.source,
            max_seconds=config.run.max_seconds or None,
            dropped=sinks.dropped,
            latency=sinks.latency,
        )
        t_ns = time.time_ns()
        metas = [make_meta(stream, bundle, engine.info, t_ns=t_ns if stream.info.live else 0) for stream in streams]
        sinks.start(metas, display=display, live=pipeline.is_live)
        with _stopped_by_signals(pipeline.stop):
            sinks.feed(pipeline.messages())
        for stats in pipeline.stats.values():
            if stats.finished and not stats.frames_with_face and not sinks.has_display:
                log.warning("%s: no face was found in %d frames", stats.stream, stats.finished)
        return sinks.exit_code


def _replay(config: Config, *, display: bool | None) -> int:
    """Publish a recording again, at its own pace."""
    _, spec = split_name(config.run.sources[0])
    if len(config.run.sources) > 1:
        raise ConfigError(f"{spec}: a recording is replayed alone; start another process for the other sources")
    with ExitStack() as stack:
        replay = Replay(spec.removeprefix(REPLAY))
        sinks = _Sinks(config, stack)
        stop = threading.Event()
        sinks.start(replay.header.metas(), display=display, live=True)
        with _stopped_by_signals(stop.set):
            sinks.feed(replay.messages(stop))
        return sinks.exit_code


class _Sinks:
    """Feed, display and recorder, each behind its own thread. The feed's address is bound at once."""

    def __init__(self, config: Config, stack: ExitStack) -> None:
        self.exit_code = 0
        self.has_display = False
        self._config = config
        self._publisher = ZmqPublisher(config.feed)
        self._unstarted = stack.enter_context(ExitStack())
        self._unstarted.callback(self._publisher.close)
        self._threads: list[SinkThread] = []

    def start(self, metas: Sequence[Meta], *, display: bool | None, live: bool) -> None:
        """Make display and recording, start all threads and announce the streams."""
        record = self._config.run.record or None
        screen = _make_display(self._publisher.address, record, display=display, live=live)
        self.has_display = screen is not None
        # Last, since it may fail, and nothing after it can: no recording is left behind by a run that didn't start.
        recorder = self._make_recorder(metas) if record else None
        self._unstarted.pop_all()  # from here on the threads own their sinks
        for sink in (self._publisher, screen, recorder):
            if sink is None:
                continue
            # The display may miss messages at any time; the others are given all of a file that is read offline.
            policy: Policy = "drop_oldest" if live or sink is screen else "wait"
            self._threads.append(SinkThread(sink, capacity=QUEUE, policy=policy, on_error=self._failed))
        for meta in metas:
            self._put(meta)

    def feed(self, messages: Iterator[Message]) -> None:
        """Hand every message to every sink; at the end give them a second to deliver what is queued."""
        try:
            for message in messages:
                self._put(message)
        finally:
            deadline_s = time.monotonic() + CLOSE_S
            for thread in self._threads:
                if not thread.close(max(0.1, deadline_s - time.monotonic())):
                    log.warning("%s: did not deliver all of its messages within %.0f s", thread.name, CLOSE_S)

    def dropped(self) -> dict[str, int]:
        """Messages that each sink had to drop, where there are any."""
        return {thread.name: thread.dropped for thread in self._threads if thread.dropped}

    def latency(self, stream: str) -> LatencySummary | None:
        """From capture to publishing, as the feed has measured it."""
        return self._publisher.latency(stream)

    def _put(self, message: Message) -> None:
        for thread in self._threads:
            thread.put(message)

    def _make_recorder(self, metas: Sequence[Meta]) -> Recorder:
        config = self._config
        options: dict[str, object] = {
            "faces": msgspec.to_builtins(config.faces),
            "tracker": msgspec.to_builtins(config.tracker),
            "max_seconds": config.run.max_seconds,
        }
        header = RecordingHeader.of(metas, options=options)
        return Recorder(config.run.record, header, overwrite=config.run.overwrite)

    def _failed(self, name: str, error: Exception) -> None:
        """The run goes on without this sink, and its exit code tells."""
        log.error("%s has ended: %s", name, error)
        self.exit_code = 1


def _make_display(feed: str, recording: str | None, *, display: bool | None, live: bool) -> Sink | None:
    from rich.console import Console

    mode = choose_display(requested=display, stdout_is_terminal=can_redraw(Console()), live=live)
    if mode is None:
        return None
    subscribe = "streamaffect listen" if feed == DEFAULT_ADDRESS else f"streamaffect listen {feed}"
    return make_display(mode, run=RunInfo(feed=feed, subscribe=subscribe, recording=recording))


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
