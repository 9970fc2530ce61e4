"""The last message of each topic, which late joiners get at once.

ZeroMQ cannot address one subscriber: everybody on a topic gets the copy, which is marked `"repeat": true`, and drops it
where the topic is not new. So no topic is repeated more often than all `REPEAT_S`, however many join; those who come
in between wait so long, or get the next message of the topic, which is as good.

A subscriber's subscriptions come one after the other, in any order, and meta is to go first. So repeats wait for
`SETTLE_S` without a further subscription.
"""

from streamaffect.feed.wire import as_repeat, topic_prefix
from streamaffect.messages import Event, Message

REPEAT_S = 0.25
SETTLE_S = 0.02


class LastMessages:
    """What is worth repeating, and to whom it is owed. `now_s` is any clock that never goes back."""

    def __init__(self) -> None:
        self._last: dict[bytes, bytes] = {}
        self._owed: set[bytes] = set()
        self._repeated_s: dict[bytes, float] = {}
        self._owed_since_s = self._subscribed_s = 0.0

    def sent(self, message: Message, topic: bytes, payload: bytes) -> None:
        """Note a message that goes to all: who has just subscribed to its topic needs no repeat any more.

        The last message of a topic is kept while it has a meaning; events are over once they have been sent.
        """
        self._owed.discard(topic)
        if isinstance(message, Event):
            if message.event == "track_lost" and message.track is not None:
                self._forget(topic_prefix("affect", message.stream) + b"%d/" % message.track)
            elif message.event in {"source_lost", "source_ended"}:
                for kind in ("affect", "voice"):
                    self._forget_all(topic_prefix(kind, message.stream))
            elif message.event == "stream_removed":
                self.forget_stream(message.stream)
            return
        self._last.pop(topic, None)  # so that the newest stands last
        self._last[topic] = payload

    def forget_stream(self, stream: str) -> None:
        """Nothing of this stream is worth repeating any more."""
        for kind in ("affect", "voice", "health", "meta"):
            self._forget_all(topic_prefix(kind, stream))

    def subscribed(self, prefixes: tuple[bytes, ...], now_s: float) -> None:
        """Somebody has subscribed to these prefixes of topics."""
        self._subscribed_s = now_s
        if not self._owed:
            self._owed_since_s = now_s
        self._owed.update(topic for topic in self._last if topic.startswith(prefixes))

    def due(self, now_s: float) -> list[tuple[bytes, bytes]]:
        """Topics and payloads that are to be repeated now, each of which counts as repeated from here on."""
        if not self._owed or (now_s - self._subscribed_s < SETTLE_S and now_s - self._owed_since_s < REPEAT_S):
            return []
        topics = [topic for topic in self._owed if now_s - self._repeated_s.get(topic, -REPEAT_S) >= REPEAT_S]
        self._owed.difference_update(topics)
        self._repeated_s.update(dict.fromkeys(topics, now_s))
        wanted = set(topics)
        found = [(topic, as_repeat(payload)) for topic, payload in self._last.items() if topic in wanted]
        return sorted(found, key=lambda item: _rank(item[0]))

    def _forget_all(self, prefix: bytes) -> None:
        for kept in [kept for kept in self._last if kept.startswith(prefix)]:
            self._forget(kept)

    def _forget(self, topic: bytes) -> None:
        self._last.pop(topic, None)
        self._owed.discard(topic)
        self._repeated_s.pop(topic, None)


def _rank(topic: bytes) -> int:
    """Meta first, since it says how to read the others; sorting keeps the order of sending within a kind."""
    return (b"meta", b"health", b"affect", b"voice").index(topic.partition(b"/")[0])
