"""Many feeds in one: what several publishers send is published at one address, byte for byte, with its last values.

A stream belongs to the first feed that sends it, until that has been silent for some seconds: two cameras of one name
would otherwise look like one that jumps. A slow or absent publisher holds up none of the others.
"""

import logging
import time
from collections.abc import Callable, Mapping, Sequence
from contextlib import ExitStack
from pathlib import Path
from queue import SimpleQueue
from types import MappingProxyType
from typing import Final

import zmq

from streamaffect.errors import WireError
from streamaffect.feed.address import parse_address
from streamaffect.feed.keys import ClientKeys
from streamaffect.feed.state import FeedState
from streamaffect.feed.subscription import NO_OPTIONS, State, Subscription
from streamaffect.feed.wire import decode, read_envelope, topic_of, without_repeat
from streamaffect.messages import Event, Message
from streamaffect.settings import FeedSettings
from streamaffect.sinks.zmq.publisher import ZmqPublisher

log = logging.getLogger(__name__)

POLL_MS = 20
AT_ONCE = 200  # messages of one feed before the others have their turn
SILENT_S = 5.0  # health comes each second
NOTICE_S = 1.0
MOST_BYTES = 1 << 20
NO_KEYS: Final = MappingProxyType[str, Path]({})
_OPTIONS: Final = MappingProxyType({**NO_OPTIONS, zmq.MAXMSGSIZE: MOST_BYTES})


class Proxy:
    """Joins feeds into one; `run` belongs to one thread, `stop`, `join`, `leave` and `publish` to any.

    feeds:    their addresses
    settings: where the joint feed is published, and who may read it
    keys:     folder with a subscriber's keys, by address; the empty address is all others
    watch:    is shown each message that is news, with the address of its feed, in the thread of `run`
    Raises WireError where an address or a key is not usable.
    """

    def __init__(
        self,
        feeds: Sequence[str],
        settings: FeedSettings,
        *,
        keys: Mapping[str, Path] = NO_KEYS,
        watch: Callable[[str, Message], None] | None = None,
    ) -> None:
        _check_addresses(feeds, settings, keys)
        self._stop = False
        self._watch = watch
        self._asked: SimpleQueue[Callable[[], None]] = SimpleQueue()
        self._open = ExitStack()
        try:
            self._publisher = ZmqPublisher(settings)
            self._open.callback(self._publisher.close)
            self._context = zmq.Context()
            self._open.callback(self._context.destroy, linger=0)
            self._poller = zmq.Poller()
            self._feeds: list[_Feed] = []
            self._open.callback(self._close_feeds)
            for address in feeds:
                self._join(address, keys.get(address, keys.get("")))
        except BaseException:
            self._open.close()
            raise
        self.address = self._publisher.address
        self._owners: dict[str, _Feed] = {}
        self._heard_s: dict[str, float] = {}

    def run(self, max_seconds: float | None = None) -> None:
        """Pass messages on until `stop`, or for so long."""
        started_s = time.monotonic()
        while not self._stop and (max_seconds is None or time.monotonic() - started_s < max_seconds):
            ready = dict(self._poller.poll(POLL_MS))
            self._do_what_was_asked()
            for feed in self._feeds:
                if feed.subscription.monitor in ready:
                    feed.subscription.note()
                if feed.subscription.socket in ready:
                    self._pass_on(feed)
                feed.look()
            self._forget_silent()
            self._publisher.idle()

    def stop(self) -> None:
        """End soon; callable from any thread and from a signal handler."""
        self._stop = True

    def join(self, address: str, *, keys: ClientKeys | Path | None = None) -> None:
        """Join a further feed soon, with a subscriber's keys where it is encrypted."""
        self._asked.put(lambda: self._join(address, keys))

    def leave(self, address: str) -> None:
        """Let a feed go soon; of its streams another one may have the names then."""
        self._asked.put(lambda: self._leave(address))

    def publish(self, message: Message) -> None:
        """Publish a message of our own soon, in order with what was asked before."""
        self._asked.put(lambda: self._say(message))

    def close(self) -> None:
        """Free all addresses; after `run`."""
        self._open.close()

    def _join(self, address: str, keys: ClientKeys | Path | None) -> None:
        feed = _Feed(Subscription(self._context, address, keys=keys, options=_OPTIONS))
        self._poller.register(feed.subscription.socket, zmq.POLLIN)
        self._poller.register(feed.subscription.monitor, zmq.POLLIN)
        self._feeds.append(feed)

    def _leave(self, address: str) -> None:
        for feed in [feed for feed in self._feeds if feed.subscription.address == address]:
            self._feeds.remove(feed)
            self._poller.unregister(feed.subscription.socket)
            self._poller.unregister(feed.subscription.monitor)
            for stream in [stream for stream, owner in self._owners.items() if owner is feed]:
                del self._owners[stream]
                self._heard_s.pop(stream, None)
            for other in self._feeds:
                other.refused.clear()
            feed.subscription.close()
            feed.subscription.monitor.close(0)
            feed.subscription.socket.close(0)

    def _close_feeds(self) -> None:
        for feed in self._feeds:
            feed.subscription.close()

    def _say(self, message: Message) -> None:
        self._publisher.send(message)
        if isinstance(message, Event) and message.event == "stream_removed":
            self._publisher.forget(message.stream)
        if self._watch is not None:
            self._watch("", message)

    def _do_what_was_asked(self) -> None:
        while not self._asked.empty():
            try:
                self._asked.get()()
            except WireError as error:
                log.error("%s", error)

    def _pass_on(self, feed: "_Feed") -> None:
        for _ in range(AT_ONCE):
            try:
                frames = feed.subscription.socket.recv_multipart(zmq.NOBLOCK)
            except zmq.Again:
                return
            found = feed.read(frames)
            if found is None or not self._is_owner(feed, found[0].stream):
                continue
            message, payload, repeat = found
            if feed.known.accept(message, repeat=repeat):
                self._publisher.relay(message, payload, repeat=repeat)
                if self._watch is not None:
                    self._watch(feed.subscription.address, message)

    def _is_owner(self, feed: "_Feed", stream: str) -> bool:
        owner = self._owners.setdefault(stream, feed)
        if owner is feed:
            self._heard_s[stream] = time.monotonic()
            return True
        if stream not in feed.refused:
            feed.refused.add(stream)
            log.warning(
                "stream %r: comes from %s and from %s; only the first is passed on: name one otherwise, "
                "--source NAME=SOURCE",
                stream,
                owner.subscription.address,
                feed.subscription.address,
            )
        return False

    def _forget_silent(self) -> None:
        now_s = time.monotonic()
        for stream in [stream for stream, heard_s in self._heard_s.items() if now_s - heard_s > SILENT_S]:
            owner = self._owners.pop(stream)
            del self._heard_s[stream]
            owner.known = FeedState()
            self._publisher.forget(stream)
            for feed in self._feeds:
                feed.refused.discard(stream)
            log.warning("stream %r: nothing from %s for %g s", stream, owner.subscription.address, SILENT_S)


class _Feed:
    """One of the feeds that are joined.

    known:   what it has said, by which copies for late subscribers are told from news
    refused: streams of it that are passed over, since another feed has them
    """

    def __init__(self, subscription: Subscription) -> None:
        self.subscription = subscription
        self.known = FeedState()
        self.refused: set[str] = set()
        self._unreadable = 0
        self._noticed: State = "connected"
        self._notice_s = time.monotonic() + NOTICE_S

    def read(self, frames: list[bytes]) -> tuple[Message, bytes, bool] | None:
        """A message, its payload without a mark of repetition, whether it had one; None for what is not passed on."""
        try:
            if len(frames) != 2:
                raise WireError(f"a message of {len(frames)} frames; expected a topic and a payload")
            topic, payload = frames
            message = decode(payload)
            if message is None:
                return None
            if topic_of(message) != topic:
                raise WireError(f"topic {topic[:60]!r}: is not that of its message")
            return message, without_repeat(payload), read_envelope(payload).repeat
        except WireError as error:
            self._unreadable += 1
            if self._unreadable == 1:
                log.warning("%s: %s (not passed on; logged once)", self.subscription.address, error)
            return None

    def look(self) -> None:
        """Connect again where that is needed, and say where a feed is not there."""
        self.subscription.look()
        now_s, state = time.monotonic(), self.subscription.state
        if state == self._noticed:
            self._notice_s = now_s + NOTICE_S
        elif state == "connected" or now_s > self._notice_s:
            self._noticed = state
            words = {
                "waiting": "no feed there; waiting for one",
                "refused": "the feed refuses this proxy; an encrypted feed needs --keys DIR, a plain one none",
                "connected": "connected",
            }
            log.warning("%s: %s", self.subscription.address, words[state])


def _check_addresses(feeds: Sequence[str], settings: FeedSettings, keys: Mapping[str, Path]) -> None:
    known = [parse_address(address).text for address in feeds]
    if twice := {address for address in known if known.count(address) > 1}:
        raise WireError(f"{min(twice)}: is given twice")
    if parse_address(settings.bind).text in known:
        raise WireError(f"--bind {settings.bind}: is one of the feeds that are joined; choose another address")
    if strangers := [address for address in keys if address and address not in feeds]:
        raise WireError(f"--keys {strangers[0]}=…: is none of the feeds; those are {', '.join(feeds)}")
