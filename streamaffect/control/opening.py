"""From settings to a control address that answers, or to none, and to the places where markers come from."""

import logging
from collections.abc import Sequence
from contextlib import ExitStack

from streamaffect.config import Config
from streamaffect.control.desk import Desk
from streamaffect.control.markers.base import MarkerSpec, SetMarker
from streamaffect.control.server import ControlServer
from streamaffect.errors import WireError
from streamaffect.feed.control_address import AUTO, NoPlaceError, control_address

log = logging.getLogger(__name__)


def open_control(desk: Desk, config: Config, feed_address: str) -> ControlServer | None:
    """Take commands where the settings say; None where none are to be taken.

    Where nobody has asked for an address, a run does without one that cannot be had. Raises WireError otherwise.
    """
    try:
        address = control_address(config.control, config.feed, feed_address)
        if address is None:
            return None
        return ControlServer(desk, address, config.feed, allowed=config.control.allowed_clients)
    except NoPlaceError as error:
        if config.control.bind != AUTO:
            raise
        log.info("commands are not taken: %s", error)
        return None
    except WireError as error:
        if config.control.bind != AUTO:
            raise
        log.warning("commands cannot be taken: %s", error)
        return None


def open_markers(specs: Sequence[MarkerSpec], set_marker: SetMarker, stack: ExitStack) -> None:
    """Begin to take markers from all these places; they are given up with the stack.

    Raises ConfigError where a library is missing, WireError where a port is taken.
    """
    for spec in specs:
        match spec.kind:
            case "lsl":
                from streamaffect.control.markers.lsl import LslMarkers

                stack.callback(LslMarkers(spec.name, set_marker).close)
            case "tcp":
                from streamaffect.control.markers.tcp import TcpMarkers

                stack.callback(TcpMarkers(int(spec.name), set_marker).close)
