"""The verb `run`: messages to feed, display and recording, until the end or a signal."""

import logging
from collections.abc import Callable, Iterable, Sequence
from contextlib import ExitStack, closing
from dataclasses import dataclass
from functools import partial
from itertools import chain
from pathlib import Path

from streamaffect.affect.baselines import Baselines
from streamaffect.config import Config
from streamaffect.control.desk import Desk, Office
from streamaffect.control.markers.base import MarkerSpec, parse_markers
from streamaffect.control.opening import open_control, open_markers
from streamaffect.control.opening_baselines import open_baselines
from streamaffect.control.opening_prompts import prompts_among, watch_prompts
from streamaffect.errors import ConfigError
from streamaffect.feed.control_address import OFF
from streamaffect.messages import Message
from streamaffect.pipeline.stats import Deliveries
from streamaffect.recordings.replay import Replay
from streamaffect.service.heap import share_heap, tidied_heap
from streamaffect.service.systemd import ServiceManager
from streamaffect.settings import DEFAULT_ADDRESS
from streamaffect.sinks.base import Sink
from streamaffect.sinks.display.choice import can_redraw, choose_display, make_display
from streamaffect.sinks.display.keyboard import Keyboard, has_keys
from streamaffect.sinks.display.sink import Dashboard
from streamaffect.sinks.display.state import RunInfo
from streamaffect.sinks.fan_out import FanOut
from streamaffect.sinks.outlets.metrics.families import Instruments
from streamaffect.sinks.outlets.opening import open_outlets
from streamaffect.sinks.recorder import Recorder
from streamaffect.sinks.thread import Policy
from streamaffect.sinks.zmq.publisher import ZmqPublisher
from streamaffect.text.describer import Describer
from streamaffect.text.opening import open_describer
from streamaffect.verbs.descriptors import require_descriptors
from streamaffect.verbs.key_actions import KeyActions, RecordingSwitch
from streamaffect.verbs.origin import CurrentSettings, Origin, open_origin
from streamaffect.verbs.page.actions import PageActions
from streamaffect.verbs.page.opening import OpenedPage, open_page
from streamaffect.verbs.recording import dated, make_recorder, open_retention, recording_path
from streamaffect.verbs.signals.ending import leave_at_once, orderly_end
from streamaffect.verbs.signals.reloading import Parts, Reloading, Reread
from streamaffect.verbs.signals.suspension import suspends_in_order

log = logging.getLogger(__name__)

DESCRIPTORS, DESCRIPTORS_PER_SOURCE = 32, 4
RECORDER_KEEP_S = 60.0  # how long a disk may hang before a recording of a live stream has gaps


def run(
    config: Config,
    *,
    display: bool | None = None,
    reread: Reread | None = None,
    opened: Callable[[Desk], None] = lambda _: None,
) -> int:
    """Run until every source has ended or a signal comes; returns the exit code.

    display: True or False as asked for, None where the output decides
    reread:  reads the settings again at SIGHUP; without it, that ends the run
    opened:  is given the desk of the run once its sources and its feed are open
    Raises StreamAffectError where something cannot start; then nothing is left behind.
    """
    if not config.run.sources:
        raise ConfigError("no source: give --source webcam, a video file, rtsp://…, or demo")
    _prepare_process(len(config.run.sources))
    current, config = CurrentSettings(config), dated(config)
    recording = recording_path(config)
    reloading = None if reread is None else Reloading(reread)
    with orderly_end(None if reloading is None else reloading.ask) as ending, ExitStack() as stack:
        stack.enter_context(tidied_heap())
        manager = stack.enter_context(closing(ServiceManager()))
        parts = _open(config, current, recording, stack, stop=ending.ask, display=display)
        origin, desk, sinks = parts.origin, parts.desk, parts.sinks
        _start_sinks(parts, config, stack, stop=ending.ask)
        retention = open_retention(config, stack)
        ending.start(partial(_stop, origin, sinks, manager))
        if reloading is not None:
            stack.callback(reloading.close)
            reloading.start(Parts(desk, current, retention, manager))
        opened(desk)
        sinks.feed(manager.watch(parts.messages()))
        _log_remarks(origin)
        code = int(sinks.has_failed or (origin.has_failed and not ending.is_asked_for))
        if origin.has_stuck_threads:
            leave_at_once(code)
        return code


@dataclass(frozen=True, slots=True)
class _Opened:
    """What a run is made of: all that could fail is open, and no sink has its thread yet.

    policy: of a sink that must have all of a file that is read offline; live, nobody is waited for
    """

    origin: Origin
    publisher: ZmqPublisher
    page: OpenedPage | None
    outlets: Sequence[Sink]
    screen: Sink | None
    recorder: Recorder | None
    sinks: FanOut
    policy: Policy
    describer: Describer | None
    baselines: Baselines
    switch: RecordingSwitch
    desk: Desk

    def messages(self) -> Iterable[Message]:
        """All that goes out, in order."""
        found: Iterable[Message] = chain(self.origin.metas, self.origin.messages())
        if self.describer is not None:
            found = self.describer.apply(found)
        return self.desk.watch(self.baselines.apply(found))


def _open(
    config: Config,
    current: CurrentSettings,
    recording: Path | None,
    stack: ExitStack,
    *,
    stop: Callable[[], None],
    display: bool | None,
) -> _Opened:
    """Open all parts. Raises StreamAffectError where one cannot be; the stack then closes the others."""
    unstarted = stack.enter_context(ExitStack())
    page = open_page(config, unstarted)
    publisher = ZmqPublisher(config.feed)
    unstarted.callback(publisher.close)
    sinks, markers = FanOut(), [parse_markers(text) for text in config.control.markers]
    deliveries = Deliveries(sinks.dropped, publisher.latency, sinks.faults)
    origin = open_origin(current, stack, deliveries, look=None if page is None else page.look)
    about = _describe(config, publisher, page, is_recorded=lambda: sinks.is_complete(Recorder.name))
    describer = _open_describer(config, origin, stack)
    baselines = open_baselines(config, replays=isinstance(origin, Replay))
    policy: Policy = "drop_oldest" if origin.is_live else "wait"
    switch = RecordingSwitch(config, origin, sinks, policy)
    watched = prompts_among(origin.lenses)
    desk = Desk(origin, Office(sinks.tell, stop, publisher.address, lambda: switch.current, baselines, watched))
    _take_commands(desk, config, publisher.address, markers, stack)
    outlets = open_outlets(config, _instruments(sinks, publisher), replays=isinstance(origin, Replay))
    unstarted.callback(_close_all, outlets)
    screen = _make_display(about, live=origin.is_live, requested=display)
    # Last, since it may fail, and nothing after it can: no recording is left behind by a run that didn't start.
    recorder = None if recording is None else make_recorder(recording, config, origin.metas)
    unstarted.pop_all()  # from here on the threads own their sinks
    return _Opened(
        origin, publisher, page, outlets, screen, recorder, sinks, policy, describer, baselines, switch, desk
    )


def _start_sinks(parts: _Opened, config: Config, stack: ExitStack, *, stop: Callable[[], None]) -> None:
    """The display may miss messages at any time; the others are given all of a file that is read offline."""
    sinks, screen = parts.sinks, parts.screen
    if parts.recorder is not None:  # first, so that the display's last words know how it ended
        sinks.add(parts.recorder, parts.policy, keep_s=RECORDER_KEEP_S, must_have_all=True)
    for sink in (parts.publisher, *parts.outlets):
        sinks.add(sink, parts.policy)
    if parts.page is not None:
        actions = None if config.control.bind == OFF else PageActions(parts.desk, parts.switch)
        sinks.add(parts.page.start(actions), "drop_oldest")
    if isinstance(screen, Dashboard):
        stack.enter_context(suspends_in_order(screen))
        _take_keys(parts, screen, stop=stop, baseline_s=config.baseline.seconds)
    if screen is not None:
        sinks.add(screen, "drop_oldest")


def _describe(
    config: Config, publisher: ZmqPublisher, page: OpenedPage | None, *, is_recorded: Callable[[], bool]
) -> RunInfo:
    """What the display says of the run."""
    return RunInfo(
        feed=publisher.address,
        subscribe=_subscription(publisher.address),
        recording=config.run.record or None,
        is_recorded=is_recorded,
        page=None if page is None else page.url,
        keys="m marker, b baseline, r record, q quit, ? help" if has_keys() else None,
    )


def _open_describer(config: Config, origin: Origin, stack: ExitStack) -> Describer | None:
    files, is_replay = origin.lengths_s, isinstance(origin, Replay)
    for meta in origin.metas if config.describe.transcripts and not is_replay else ():
        if meta.live and meta.stream not in files:
            raise ConfigError(f"--transcript: {meta.stream} is live, a transcript has the times of a file")
    return open_describer(config.describe, [meta.stream for meta in origin.metas], files, stack, is_live=origin.is_live)


def _prepare_process(sources: int) -> None:
    share_heap()
    require_descriptors(DESCRIPTORS + DESCRIPTORS_PER_SOURCE * sources, what_for=f"{sources} source(s)")


def _take_commands(desk: Desk, config: Config, feed: str, markers: Sequence[MarkerSpec], stack: ExitStack) -> None:
    """Take markers and commands from outside the process until the run ends."""
    open_markers(markers, desk.mark_whatever, stack)
    watch_prompts(desk, config.lens.prompts, stack)
    if (server := open_control(desk, config, feed)) is not None:
        stack.callback(server.close)
        log.info("commands are taken at %s", server.address)


def _take_keys(parts: _Opened, screen: Dashboard, *, stop: Callable[[], None], baseline_s: float) -> None:
    """Let keys do what they say, where there is a keyboard."""
    if has_keys():
        desk, baselines, switch = parts.desk, parts.baselines, parts.switch
        actions = KeyActions(desk, baselines, switch, stop=stop, say=screen.say, baseline_s=baseline_s)
        screen.use_keys(Keyboard(actions.press))


def _close_all(sinks: Sequence[Sink]) -> None:
    for sink in sinks:
        sink.close()


def _stop(origin: Origin, sinks: FanOut, manager: ServiceManager) -> None:
    manager.stopping()
    origin.stop()
    sinks.hurry()


def _instruments(sinks: FanOut, publisher: ZmqPublisher) -> Instruments:
    return Instruments(
        latencies=publisher.latencies,
        subscribers=lambda: publisher.subscribers,
        queued=sinks.queued,
        dropped=sinks.dropped,
        faults=sinks.faults,
    )


def _log_remarks(origin: Origin) -> None:
    for remark in () if origin.has_stuck_threads else origin.remarks:
        log.warning(remark)


def _make_display(about: RunInfo, *, live: bool, requested: bool | None) -> Sink | None:
    from rich.console import Console

    mode = choose_display(requested=requested, stdout_is_terminal=can_redraw(Console()), live=live)
    return None if mode is None else make_display(mode, run=about)


def _subscription(address: str) -> str:
    return "streamaffect listen" if address == DEFAULT_ADDRESS else f"streamaffect listen {address}"
