"""Which outlets the settings ask for, opened: what cannot work is said before the run begins."""

from contextlib import ExitStack

from streamaffect.config import Config
from streamaffect.sinks.base import Sink
from streamaffect.sinks.outlets.metrics.families import Instruments


def open_outlets(config: Config, instruments: Instruments, *, replays: bool) -> list[Sink]:
    """All of them, or none: raises OutletError where one cannot be opened, and closes the others.

    replays: what comes was captured before, and is played back
    """
    opened: list[Sink] = []
    with ExitStack() as stack:
        if config.lsl.enabled:
            from streamaffect.sinks.outlets.lsl.outlet import LslOutlet

            opened.append(LslOutlet(config.lsl, replays=replays))
            stack.callback(opened[-1].close)
        if config.osc.address:
            from streamaffect.sinks.outlets.osc.outlet import OscOutlet

            opened.append(OscOutlet(config.osc, replays=replays))
            stack.callback(opened[-1].close)
        if config.metrics.bind:
            from streamaffect.sinks.outlets.metrics.outlet import MetricsOutlet

            opened.append(MetricsOutlet(config.metrics, instruments, insecure=config.feed.insecure_bind))
            stack.callback(opened[-1].close)
        if config.mqtt.url:  # last, since it is the one that speaks to others at once
            from streamaffect.sinks.outlets.mqtt.outlet import MqttOutlet

            opened.append(MqttOutlet(config.mqtt))
        stack.pop_all()
    return opened
