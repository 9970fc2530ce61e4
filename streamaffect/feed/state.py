"""What a subscriber knows of the streams of a feed: the newest message of each kind, and how many were lost."""

from collections.abc import Iterable

from streamaffect.messages import Estimate, Event, Health, Message, Meta, Voice

MAX_TRACKS = 1000


class FeedState:
    """Bookkeeping over messages in the order of their arrival; no sockets, no clocks, no threads."""

    def __init__(self) -> None:
        self.lost = 0
        self._seq: dict[str, int] = {}
        self._estimates: dict[tuple[str, int], Estimate] = {}
        self._voices: dict[str, Voice] = {}
        self._health: dict[str, Health] = {}
        self._meta: dict[str, Meta] = {}

    def accept(self, message: Message, *, repeat: bool) -> bool:
        """Take a message into account. False for a copy of one that was here before.

        repeat: the message is the last one of its topic, sent again for somebody who has just subscribed
        """
        if repeat and not self._is_news(message):
            return False
        match message:
            case Estimate():
                if not repeat:
                    self._count_gap(message)
                key = (message.stream, message.track)
                self._estimates.pop(key, None)  # so that the newest stands last
                self._estimates[key] = message
                if len(self._estimates) > MAX_TRACKS:
                    del self._estimates[next(iter(self._estimates))]
            case Voice():
                self._voices[message.stream] = message
            case Health():
                self._health[message.stream] = message
            case Meta():
                if self._meta.get(message.stream, message) != message:
                    self._begin_run(message.stream)
                self._meta[message.stream] = message
            case Event(event="track_lost", track=int(track)):
                self._estimates.pop((message.stream, track), None)
            case Event(event="stream_removed"):
                self._begin_run(message.stream)
                self._health.pop(message.stream, None)
                self._meta.pop(message.stream, None)
        return True

    def estimates(self, *, stream: str | None, track: int | None) -> Iterable[Estimate]:
        """The newest estimate of each living track, the newest of them first."""
        return [
            estimate
            for (of_stream, of_track), estimate in reversed(self._estimates.items())
            if stream in {None, of_stream} and track in {None, of_track}
        ]

    def voice(self, stream: str | None) -> Voice | None:
        """What was heard last, of one stream or of the stream that was heard first."""
        return self._voices.get(next(iter(self._voices), "") if stream is None else stream)

    def health(self, stream: str | None) -> Health | None:
        """The newest health message, of one stream or of the stream that was heard first."""
        return self._health.get(next(iter(self._health), "") if stream is None else stream)

    def meta(self, stream: str | None) -> Meta | None:
        """The newest meta message, of one stream or of the stream that was heard first."""
        return self._meta.get(next(iter(self._meta), "") if stream is None else stream)

    def _is_news(self, message: Message) -> bool:
        match message:
            case Estimate():
                known = self._estimates.get((message.stream, message.track))
                return known is None or message.seq > known.seq
            case Voice():
                heard = self._voices.get(message.stream)
                return heard is None or message.t_capture_ns > heard.t_capture_ns
            case Health():
                last = self._health.get(message.stream)
                return last is None or message.t_ns > last.t_ns
            case Meta():
                return message != self._meta.get(message.stream)
        return True

    def _count_gap(self, estimate: Estimate) -> None:
        """`seq` counts all estimates of a stream without gaps; when it goes back, the publisher has started anew."""
        last = self._seq.get(estimate.stream, estimate.seq - 1)
        if estimate.seq <= last:
            self._begin_run(estimate.stream)
        else:
            self.lost += estimate.seq - last - 1
        self._seq[estimate.stream] = estimate.seq

    def _begin_run(self, stream: str) -> None:
        self._seq.pop(stream, None)
        self._health.pop(stream, None)
        self._voices.pop(stream, None)
        for key in [key for key in self._estimates if key[0] == stream]:
            del self._estimates[key]
