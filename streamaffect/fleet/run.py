"""The verb `fleet`: a cluster, its groups, one address, a display, until a signal or until all groups have ended."""

import logging
import threading
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from dataclasses import dataclass
from queue import Empty, SimpleQueue

import msgspec
from rich.console import Console

from streamaffect.config import Config
from streamaffect.control.server import ControlServer
from streamaffect.errors import WireError
from streamaffect.feed.commands import GroupReport
from streamaffect.feed.control_address import AUTO, NoPlaceError, control_address
from streamaffect.fleet.cluster import Cluster, connected, require_ray
from streamaffect.fleet.desk import FleetDesk
from streamaffect.fleet.ledger import Ledger
from streamaffect.fleet.reloading import Reloading
from streamaffect.fleet.settings import FleetConfig
from streamaffect.fleet.supervisor import Supervisor
from streamaffect.messages import Message
from streamaffect.service.systemd import ServiceManager
from streamaffect.settings import FeedSettings
from streamaffect.sinks.display.choice import can_redraw, choose_display, make_display
from streamaffect.sinks.display.sink import Dashboard
from streamaffect.sinks.display.state import RunInfo
from streamaffect.sinks.fan_out import FanOut
from streamaffect.sinks.zmq.proxy import Proxy
from streamaffect.verbs.descriptors import require_descriptors
from streamaffect.verbs.page.opening import OpenedPage, open_page
from streamaffect.verbs.signals.ending import Ending, orderly_end
from streamaffect.verbs.signals.interruption import interrupted_by_signals
from streamaffect.verbs.signals.suspension import suspends_in_order

log = logging.getLogger(__name__)

DESCRIPTORS, DESCRIPTORS_PER_GROUP = 256, 16
GROUPS_S = 4.0  # for the groups to end in order, of the time for all
WITHIN_S = 9.0  # from a signal to the end, at the latest: Ray itself takes one to three seconds
JOIN_S = 1.0
TICK_S = 0.05
EXIT_OK, EXIT_USER = 0, 2


class Tap:
    """The messages of the joint feed, on their way from the proxy's thread to that of the sinks."""

    def __init__(self, ledger: Ledger) -> None:
        self._ledger = ledger
        self._messages: SimpleQueue[Message] = SimpleQueue()
        self._stopped = False

    def take(self, feed: str, message: Message) -> None:
        """A message of a feed; in the proxy's thread."""
        self._ledger.note(feed, message)
        self._messages.put(message)

    def stop(self) -> None:
        """End `messages` soon; callable from a signal handler."""
        self._stopped = True

    def messages(self, is_done: Callable[[], bool]) -> Iterator[Message]:
        """All messages, until `stop` or until there is nothing to come."""
        while not self._stopped:
            try:
                yield self._messages.get(timeout=TICK_S)
            except Empty:
                if is_done():
                    return


@dataclass(frozen=True, slots=True)
class _Open:
    """What is open once a fleet has started, and given back with `stack`."""

    config: FleetConfig
    cluster: Cluster
    proxy: Proxy
    tap: Tap
    ledger: Ledger
    page: OpenedPage | None
    stack: ExitStack


def fleet(config: FleetConfig, *, display: bool | None = None, reread: Callable[[], FleetConfig] | None = None) -> int:
    """Run a fleet until a signal, `ctl stop`, or the end of all its sources; returns the exit code.

    display: True or False as asked for, None where the output decides
    reread:  reads the settings again at SIGHUP; without it, that ends the fleet
    Raises StreamAffectError where something cannot start; then nothing is left behind.
    """
    require_ray()
    descriptors = DESCRIPTORS + DESCRIPTORS_PER_GROUP * len(config.groups)
    require_descriptors(descriptors, what_for=f"{len(config.groups)} group(s)")
    reloading = None if reread is None else Reloading(reread)
    with ExitStack() as opening:
        page = open_page(Config(web=config.web), opening)
        tap = Tap(ledger := Ledger())
        proxy = Proxy([], _feed_settings(config), watch=tap.take)
        opening.callback(proxy.close)
        with interrupted_by_signals():  # Ray takes seconds to start
            cpus = sum(group.cpus for group in config.groups.values())
            cluster = opening.enter_context(connected(config.cluster, cpus=cpus))
        # The end of the cluster, too, has to come in time.
        with (
            orderly_end(None if reloading is None else reloading.ask, within_s=WITHIN_S) as ending,
            opening.pop_all() as stack,
        ):
            return _run(_Open(config, cluster, proxy, tap, ledger, page, stack), reloading, ending, display=display)


def _run(parts: _Open, reloading: Reloading | None, ending: Ending, *, display: bool | None) -> int:
    """Supervise until the end, in the main thread."""
    from streamaffect.fleet.seats import RayRooms

    stack, proxy = parts.stack, parts.proxy
    manager = ServiceManager()
    stack.callback(manager.close)
    joining = threading.Thread(target=proxy.run, name="proxy", daemon=True)
    joining.start()
    stack.callback(joining.join, JOIN_S)
    stack.callback(proxy.stop)
    supervisor = Supervisor(parts.config, RayRooms(), proxy, parts.ledger, folder=parts.cluster.folder)
    stack.callback(supervisor.close, GROUPS_S)
    desk = FleetDesk(supervisor, parts.ledger, feed=proxy.address, stop=ending.ask)
    _take_commands(desk, parts.config, proxy.address, stack)
    sinks = _sinks(proxy.address, supervisor, parts.page, stack, display=display)

    def stop() -> None:
        manager.stopping()
        parts.tap.stop()

    ending.start(stop)
    supervisor.start()
    if reloading is not None:
        stack.callback(reloading.close)
        reloading.start(supervisor, desk, manager)
    sinks.feed(manager.watch(parts.tap.messages(lambda: supervisor.is_done)))
    return EXIT_USER if supervisor.has_failed and not ending.is_asked_for else EXIT_OK


def _sinks(
    address: str, supervisor: Supervisor, page: OpenedPage | None, stack: ExitStack, *, display: bool | None
) -> FanOut:
    sinks = FanOut()
    about = RunInfo(
        feed=address,
        subscribe=f"streamaffect listen {address}",
        page=None if page is None else page.url,
        facts=lambda: [("group", f"{group.group}: {_words(group)}") for group in supervisor.groups()],
    )
    mode = choose_display(requested=display, stdout_is_terminal=can_redraw(Console()), live=True)
    screen = None if mode is None else make_display(mode, run=about)
    if page is not None:
        sinks.add(page.start(None), "drop_oldest")
    if isinstance(screen, Dashboard):
        stack.enter_context(suspends_in_order(screen))
    if screen is not None:
        sinks.add(screen, "drop_oldest")
    return sinks


def _words(group: GroupReport) -> str:
    """A group in a line of the display."""
    where = f" on {group.node}" if group.node else ""
    detail = f": {group.detail}" if group.detail else ""
    restarts = f", {group.restarts} restart{'s' if group.restarts > 1 else ''}" if group.restarts else ""
    return f"{group.state}{where}{restarts}{detail}"


def _take_commands(desk: FleetDesk, config: FleetConfig, feed: str, stack: ExitStack) -> None:
    """Take commands where the settings say, as a run does."""
    try:
        address = control_address(config.control, config.feed, feed)
        if address is None:
            return
        server = ControlServer(desk, address, _feed_settings(config), allowed=config.control.allowed_clients)
    except WireError as error:
        if config.control.bind != AUTO:
            raise
        level = logging.INFO if isinstance(error, NoPlaceError) else logging.WARNING
        log.log(level, "commands cannot be taken: %s", error)
        return
    stack.callback(server.close)


def _feed_settings(config: FleetConfig) -> FeedSettings:
    """The same settings, of the kind that a run's feed has."""
    return msgspec.convert(msgspec.to_builtins(config.feed), FeedSettings)
