"""A proxy whose feeds come and go while it runs, which says words of its own, and shows what it passes on."""

import time

import msgspec

from streamaffect.feed.client import Subscriber
from streamaffect.messages import Estimate, Event, Meta
from tests.support.control.desks import meta
from tests.support.feeds import WAIT_S, joining, publishing, received, seqs
from tests.support.recordings import estimate_at


def test_a_stream_goes_on_under_its_name_from_another_feed_once_the_first_was_left() -> None:
    runs = [msgspec.structs.replace(meta("cam"), run=run) for run in ("one", "two")]
    with joining() as proxy, Subscriber(proxy.address) as subscriber:
        with publishing(said=[runs[0], estimate_at(1.0, stream="cam", seq=70)]) as old:
            proxy.join(old.address)
            first = received(subscriber, 2)
            with publishing(said=[runs[1], estimate_at(2.0, stream="cam", seq=0)]) as new:
                proxy.leave(old.address)
                proxy.join(new.address)
                second = received(subscriber, 2)
                old.put(estimate_at(3.0, stream="cam", seq=71))  # of a process that does not know that it is dead
                new.put(estimate_at(3.0, stream="cam", seq=1))
                third = received(subscriber, 1)
        assert subscriber.lost == 0
    assert [[one.run for one in half if isinstance(one, Meta)] for half in (first, second)] == [["one"], ["two"]]
    assert [seqs(first), seqs(second), seqs(third)] == [[70], [0], [1]]


def test_its_own_words_go_to_all_in_order_and_who_watches_sees_both() -> None:
    seen: list[tuple[str, str]] = []
    with (
        joining(watch=lambda feed, message: seen.append((feed, type(message).__name__))) as proxy,
        publishing(said=[meta("cam"), estimate_at(1.0, stream="cam", seq=0)]) as feed,
        Subscriber(proxy.address) as subscriber,
    ):
        proxy.join(feed.address)
        received(subscriber, 2)
        proxy.publish(Event(stream="cam", t_ns=1, event="source_lost", detail="it has died"))
        proxy.publish(Event(stream="cam", t_ns=2, event="stream_removed"))
        words = received(subscriber, 2)
    assert [(one.event, one.detail) for one in words if isinstance(one, Event)] == [
        ("source_lost", "it has died"),
        ("stream_removed", ""),
    ]
    assert seen == [(feed.address, "Meta"), (feed.address, "Estimate"), ("", "Event"), ("", "Event")]


def test_who_comes_late_hears_nothing_of_a_stream_that_was_removed() -> None:
    with joining() as proxy, publishing(said=[meta("cam"), estimate_at(1.0, stream="cam", seq=0)]) as feed:
        with Subscriber(proxy.address) as early:
            proxy.join(feed.address)
            received(early, 2)
            proxy.leave(feed.address)
            proxy.publish(Event(stream="cam", t_ns=2, event="stream_removed"))
            received(early, 1)
        with Subscriber(proxy.address) as late:
            deadline_s = time.monotonic() + WAIT_S
            while late.connection != "connected":
                assert time.monotonic() < deadline_s
                time.sleep(0.01)
            proxy.publish(estimate_at(9.0, stream="other", seq=0))
            (came,) = received(late, 1)
    assert isinstance(came, Estimate)
    assert came.stream == "other"
