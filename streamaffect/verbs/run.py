"""The verb `run`: messages to feed, display and recording, until the end or a signal."""

import logging
from contextlib import ExitStack
from itertools import chain

from streamaffect.config import Config
from streamaffect.errors import ConfigError
from streamaffect.pipeline.stats import Deliveries
from streamaffect.settings import DEFAULT_ADDRESS
from streamaffect.sinks.base import Sink
from streamaffect.sinks.display.choice import can_redraw, choose_display, make_display
from streamaffect.sinks.display.state import RunInfo
from streamaffect.sinks.fan_out import FanOut
from streamaffect.sinks.recorder import Recorder
from streamaffect.sinks.thread import Policy
from streamaffect.sinks.zmq.publisher import ZmqPublisher
from streamaffect.verbs.descriptors import require_descriptors
from streamaffect.verbs.ending import leave_at_once, orderly_end
from streamaffect.verbs.origin import open_origin
from streamaffect.verbs.recording import make_recorder, recording_path

log = logging.getLogger(__name__)

DESCRIPTORS, DESCRIPTORS_PER_SOURCE = 32, 4
RECORDER_KEEP_S = 60.0  # how long a disk may hang before a recording of a live stream has gaps


def run(config: Config, *, display: bool | None = None) -> int:
    """Run until every source has ended or a signal comes; returns the exit code.

    display: True or False as asked for, None where the output decides
    Raises StreamAffectError where something cannot start; then nothing is left behind.
    """
    if not config.run.sources:
        raise ConfigError("no source: give --source webcam, a video file, rtsp://…, or demo")
    sources = len(config.run.sources)
    require_descriptors(DESCRIPTORS + DESCRIPTORS_PER_SOURCE * sources, what_for=f"{sources} source(s)")
    recording = recording_path(config)
    with orderly_end() as ending, ExitStack() as stack:
        unstarted = stack.enter_context(ExitStack())
        publisher = ZmqPublisher(config.feed)
        unstarted.callback(publisher.close)
        sinks = FanOut()
        origin = open_origin(config, stack, Deliveries(sinks.dropped, publisher.latency))
        about = RunInfo(
            feed=publisher.address,
            subscribe=_subscription(publisher.address),
            recording=config.run.record or None,
            is_recorded=lambda: sinks.is_complete(Recorder.name),
        )
        screen = _make_display(about, live=origin.is_live, requested=display)
        # Last, since it may fail, and nothing after it can: no recording is left behind by a run that didn't start.
        recorder = None if recording is None else make_recorder(recording, config, origin.metas)
        unstarted.pop_all()  # from here on the threads own their sinks
        # The display may miss messages at any time; the others are given all of a file that is read offline.
        policy: Policy = "drop_oldest" if origin.is_live else "wait"
        if recorder is not None:  # first, so that the display's last words know how it ended
            sinks.add(recorder, policy, keep_s=RECORDER_KEEP_S, must_have_all=True)
        sinks.add(publisher, policy)
        if screen is not None:
            sinks.add(screen, "drop_oldest")

        def stop() -> None:
            origin.stop()
            sinks.hurry()

        ending.start(stop)
        sinks.feed(chain(origin.metas, origin.messages()))
        for remark in () if origin.has_stuck_threads else origin.remarks:
            log.warning(remark)
        code = int(sinks.has_failed or (origin.has_failed and not ending.is_asked_for))
        if origin.has_stuck_threads:
            leave_at_once(code)
        return code


def _make_display(about: RunInfo, *, live: bool, requested: bool | None) -> Sink | None:
    from rich.console import Console

    mode = choose_display(requested=requested, stdout_is_terminal=can_redraw(Console()), live=live)
    return None if mode is None else make_display(mode, run=about)


def _subscription(address: str) -> str:
    return "streamaffect listen" if address == DEFAULT_ADDRESS else f"streamaffect listen {address}"
